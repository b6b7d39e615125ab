"""Runs a case through a gateway: gateway on the first core, sample server and generator on the second."""

import json
import os
import signal
import socket
import statistics
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from . import install
from .peers import Peer

PATIENCE = 30
"""Seconds until a gateway must listen."""

GATEWAY_CORE, LOAD_CORE = "0", "1"


@contextmanager
def started(command: list, port: int, log: Path, core: str, variables=()):
    """A process that listens at `port`, and ends with the block."""
    pinned = ["taskset", "--cpu-list", core, *map(str, command)]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            pinned, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, **dict(variables)}
        )
    try:
        _wait(process, port, log)
        yield process.pid
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
            time.sleep(0.01)
    words = log.read_text(errors="replace").strip().splitlines()
    raise install.Missing(f"it does not listen: {words[-1] if words else 'no reason given'}")


def load(case: str, front: str, port: int, connections: int, seconds: float, pid: int, rate: float | None = None) -> dict:
    """One run of the generator; its figures of the gateway are those of `pid` and its children."""
    pids = ",".join(map(str, [pid, *_children(pid)]))
    command = ["taskset", "--cpu-list", LOAD_CORE, install.binary("load"), case, front, f"127.0.0.1:{port}"]
    command += [str(connections), str(seconds), pids, *([str(rate)] if rate else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 2 + 60)
    except subprocess.TimeoutExpired:
        return {"problem": "the generator did not end", "errors": 1, "requests": 0}
    if done.returncode:
        return {"problem": done.stderr.strip(), "errors": 1, "requests": 0}
    return json.loads(done.stdout)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident(pid: int) -> float:
    """Resident memory in MiB, children included."""
    total = 0
    for each in (pid, *_children(pid)):
        lines = Path(f"/proc/{each}/status").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return total / 1024


class Reading:
    """The repetitions of one figure: their median, and how far they lie apart."""

    def __init__(self, runs: list[dict]):
        self.runs = runs
        self.good = [run for run in runs if is_good(run)]

    @property
    def problem(self) -> str:
        """Why the first bad repetition counts for nothing."""
        bad = next((run for run in self.runs if not is_good(run)), {})
        return bad.get("problem") or "no request ended in time"

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
    """Whether every answer was as it should be, and there was one."""
    return bool(run["requests"]) and not run["errors"]


def start_peer(peer: Peer, binary: Path, port: int, upstream: int, folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    return started(peer.command(binary, port, upstream, folder), port, folder / "log", GATEWAY_CORE, peer.variables)
