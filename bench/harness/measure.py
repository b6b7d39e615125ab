"""Runs a case through a gateway: gateway on the first core, sample server and generator on the second."""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import install
from .peers import Peer, admin

PATIENCE = 30
"""Seconds until a gateway must listen."""

SETTLING = 0.2
"""Seconds that a gateway gets when it listens: nginx forks its worker, whose time counts, only then."""

LOAD_CORE = "1"
"""Where the sample server and the generator run; gateways have the other."""


WARMED_UP = 1.25
"""All requests of the generator over those that it counts."""


@dataclass
class Life:
    """What a gateway takes besides requests: milliseconds until it listens and to reload, MiB idle and after load."""

    start_ms: float
    idle: float
    loaded: float | None = None
    reload_ms: float | None = None


@dataclass(frozen=True)
class Running:
    """A process that listens, and how many milliseconds it took from its start to listen."""

    pid: int
    start_ms: float


@contextmanager
def started(command: list, port: int, log: Path, cores: str, variables=()):
    """A process that listens at `port`, and ends with the block."""
    pinned = ["taskset", "--cpu-list", cores, *map(str, command)]
    begin = time.monotonic()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            pinned, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, **dict(variables)}
        )
    try:
        _wait(process, port, log)
        running = Running(process.pid, (time.monotonic() - begin) * 1000)
        time.sleep(SETTLING)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process, port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.002)
    words = log.read_text(errors="replace").strip().splitlines()
    raise install.Missing(f"it does not listen: {words[-1] if words else 'no reason given'}")


def load(case: str, front: str, port: int, connections: int, seconds: float, pid: int, rate: float | None = None) -> dict:
    """One run of the generator; its figures of the gateway are those of `pid` and its children."""
    pids = ",".join(map(str, [pid, *_children(pid)]))
    plain, _, guarded = front.partition("+")
    command = ["taskset", "--cpu-list", LOAD_CORE, install.binary("load"), case, plain, f"127.0.0.1:{port}"]
    command += [str(connections), str(seconds), pids, *([str(rate)] if rate else [])]
    token = {"AUTHORIZATION": f"Bearer {(install.PLACE / 'token').read_text()}"} if guarded else {}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds * 2 + 60, env={**os.environ, **token}
        )
    except subprocess.TimeoutExpired:
        return {"problem": "the generator did not end", "errors": 1, "requests": 0}
    if done.returncode:
        return {"problem": done.stderr.strip(), "errors": 1, "requests": 0}
    return json.loads(done.stdout)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def reload_ms(port: int) -> float:
    """How long Transom takes to read its configuration and its descriptors anew and to serve by them."""
    begin = time.monotonic()
    url = f"http://127.0.0.1:{admin(port)}/reload"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=PATIENCE) as answer:
        answer.read()
    return (time.monotonic() - begin) * 1000


def syscalls(case: str, port: int, seconds: float, pid: int) -> float | None:
    """System calls of a gateway per request; none where perf is not to be had, or may not count."""
    if not shutil.which("perf"):
        return None
    with tempfile.NamedTemporaryFile("r") as output:
        command = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", str(pid), "-o", output.name]
        counter = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run = load(case, "h1", port, 32, seconds, pid)
        counter.send_signal(signal.SIGINT)
        counter.wait()
        line = next((line for line in output.read().splitlines() if "sys_enter" in line), "")
    count = line.split(",")[0]
    # The generator's warm-up is counted as well: a quarter more requests than it tells.
    return int(count) / (run["requests"] * WARMED_UP) if count.isdigit() and is_good(run) else None


def resident(pid: int) -> float:
    """Resident memory in MiB, children included."""
    total = 0
    for each in (pid, *_children(pid)):
        lines = Path(f"/proc/{each}/status").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return total / 1024


IDLE_STREAMS, OPENING = 1_000, 10
"""How many, and the seconds until each must have had its first event."""


def idle_stream_kib(port: int, pid: int) -> float:
    """Resident memory of one of many streams that have had one event and wait, each over its own connection."""
    _close(_idle_streams(port, 100))
    time.sleep(1)
    before = resident(pid)
    streams = _idle_streams(port, IDLE_STREAMS)
    time.sleep(1)
    grown = resident(pid) - before
    _close(streams)
    return grown * 1024 / IDLE_STREAMS


def _idle_streams(port: int, count: int) -> list[socket.socket]:
    request = f"GET /v1/idle HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode()
    streams = []
    for _ in range(count):
        stream = socket.create_connection(("127.0.0.1", port), timeout=OPENING)
        stream.sendall(request)
        streams.append(stream)
        seen = b""
        while b"nothing" not in seen:
            piece = stream.recv(4096)
            seen += piece
            if not piece or not seen.startswith(b"HTTP/1.1 200"):
                raise OSError(f"no stream: {seen[:80].decode(errors='replace').splitlines()}")
    return streams


def _close(streams: list[socket.socket]) -> None:
    for stream in streams:
        stream.close()


class Reading:
    """The repetitions of one figure: their median, and how far they lie apart."""

    def __init__(self, runs: list[dict]):
        self.runs = runs
        self.good = [run for run in runs if is_good(run)]

    @property
    def problem(self) -> str:
        """Why the first bad repetition counts for nothing."""
        bad = next((run for run in self.runs if not is_good(run)), {})
        return bad.get("problem") or ("no CPU time was seen" if bad.get("requests") else "no request ended in time")

    def median(self, figure: str) -> float | None:
        return statistics.median(run[figure] for run in self.good) if self.good else None

    def spread(self, figure: str) -> tuple[float, float] | None:
        values = [run[figure] for run in self.good]
        return (min(values), max(values)) if values else None

    def ratios(self, other: "Reading", figure: str) -> list[float]:
        """This over the other, sorted, repetition by repetition: only those that are good on both sides."""
        pairs = zip(self.runs, other.runs)
        return sorted(ours[figure] / theirs[figure] for ours, theirs in pairs if is_good(ours) and is_good(theirs))


def is_good(run: dict) -> bool:
    """Whether every answer was as it should be, there was one, and the gateway was seen to work for it."""
    return bool(run["requests"]) and not run["errors"] and run["cpu_us"] > 0


def start_peer(peer: Peer, binary: Path, port: int, upstream: int, folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    return started(peer.command(binary, port, upstream, folder), port, folder / "log", peer.cores, peer.variables)
