"""Writes what was measured: JSON for programs, Markdown and SVG for people."""

import json
import platform
import statistics
from dataclasses import asdict
from datetime import date
from pathlib import Path

from . import bars, plot
from .found import GUARDED, OPEN_LOOPS, OWN, Found
from .measure import Life, Reading, is_good

CHARTED = 32
"""Connections of the cases in the plot; the tables have all."""


def write(folder: Path, mode: str, revision: str, found: Found, missing: dict) -> Path:
    """The path of the Markdown page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(_described(mode, revision, found, missing), indent=1) + "\n")
    for name, drawing in _drawings(found):
        (folder / f"{name}.svg").write_text(drawing)
    page = folder / "report.md"
    page.write_text("\n".join(_page(mode, revision, found, missing)) + "\n")
    return page


def _described(mode: str, revision: str, found: Found, missing: dict) -> dict:
    closed = [
        {"case": key[0], "front": key[1], "connections": key[2], "gateway": name, "runs": reading.runs}
        for key, rows in found.readings.items() for name, reading in rows.items()
    ]
    opened = [{"loop": loop, "gateway": name, "run": run} for (loop, name), run in found.opened.items()]
    lives = {name: asdict(life) for name, life in found.lives.items()}
    big = {name: life if isinstance(life, str) else asdict(life) for name, life in found.big.items()}
    return {
        "mode": mode, "revision": revision, "machine": machine(), "missing": missing, "lives": lives, "googleapis": big,
        "idle_streams_kib": found.idle_streams, "syscalls": found.syscalls, "closed": closed, "open": opened,
    }


def _drawings(found: Found):
    """The plots, each with its name."""
    title = "CPU time of the gateway per request, microseconds"
    note = "Shorter is better. One worker on one core; the red line spans the repetitions."
    charted = [(key, _rows(rows, "cpu_us")) for key, rows in found.readings.items() if key[2] == CHARTED]
    yield "cpu", plot.bars(title, note, [(_title(key), rows) for key, rows in charted if rows])
    title, note = "Latency, microseconds", "Shorter is better. Open loop: an answer's time counts from when its request was due."
    groups = [
        (f"{percentile.removesuffix('_us')} {words}", rows)
        for loop, words in OPEN_LOOPS.items() for percentile in ("p50_us", "p99_us")
        if (rows := [_exact(name, run[percentile]) for (each, name), run in found.opened.items() if each == loop and is_good(run)])
    ]
    yield "latency", plot.bars(title, note, groups)
    title, note = "Resident memory of the gateway", "Shorter is better. With the schema of the benchmark."
    kinds = {
        "idle, MiB": [_exact(name, life.idle) for name, life in found.lives.items()],
        "after load, MiB": [_exact(name, life.loaded) for name, life in found.lives.items() if life.loaded],
        "each of 1,000 idle streams, KiB": [
            _exact(name, kib) for name, kib in found.idle_streams.items() if not isinstance(kib, str)
        ],
    }
    yield "memory", plot.bars(title, note, [(kind, rows) for kind, rows in kinds.items() if rows])


def _exact(name: str, value: float) -> tuple:
    return name, value, (value, value)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    cores = sum(line.startswith("processor") for line in lines)
    load = Path("/proc/loadavg").read_text().split()[0]
    return f"{cores} × {model}, Linux {platform.release()}, load {load} when the run ended, {date.today()}"


WORK = {
    "get": "GET of one item", "post": "POST of one item", "echo2k": "2 KB echo", "copy": "small echo, copied",
    "copy2k": "2 KB echo, copied", "list": "list of 200 items (220 KB)", "stream": "stream of 1,000 messages",
    "socket": "WebSocket echo", "download": "download of 100 MB", "404": "404",
}
FRONTS = {
    "h1": "JSON over HTTP/1.1", "h2": "JSON over HTTP/2", "h1+guard": "JSON over HTTP/1.1, guarded", "socket": "JSON",
    "grpc": "gRPC passed on", "grpc-h1": "gRPC passed on from HTTP/1.1",
}


def _title(key: tuple) -> str:
    case, front, connections = key
    return f"{WORK[case]}, {FRONTS[front]}, {connections} connection{'s' * (connections > 1)}"


def _rows(rows: dict[str, Reading], figure: str) -> list:
    return [(name, value, reading.spread(figure)) for name, reading in rows.items() if (value := reading.median(figure))]


def _page(mode: str, revision: str, found: Found, missing: dict):
    yield f"# Benchmark report ({mode})\n"
    yield f"Machine: {machine()}.\n\nTransom: revision {revision}.\n"
    yield "The gateway has one worker, pinned to one core; the sample server and the generator share another. Figures are"
    yield "medians of interleaved repetitions, in brackets the lowest and the highest. CPU is user and system time of the"
    yield "gateway process per request. *Ratio* is Transom over the peer: below 1 Transom needs less; its span pairs the"
    yield "repetitions. Transom writes its access log in every run; of the peers only the guarded ones write one.\n"
    yield "## The bars\n"
    yield "Ratios are of CPU time unless they say otherwise, medians of the repetitions' own.\n"
    yield from bars.table(found)
    yield "\n![CPU per request](cpu.svg)\n"
    for key, rows in found.readings.items():
        yield f"## {_title(key)}\n"
        yield "| gateway | CPU µs | ratio | switches | requests/s | p50 µs | p99 µs |"
        yield "|---|---:|---:|---:|---:|---:|---:|"
        for name, reading in rows.items():
            yield _line(name, reading, rows.get(OWN) or rows.get(GUARDED))
        yield ""
    yield "## Open loop\n\n![Latency](latency.svg)\n"
    for loop, words in OPEN_LOOPS.items():
        yield f"Latency of GET {words}, over 32 connections:\n"
        yield "| gateway | rate/s | p50 µs | p90 µs | p99 µs | p99.9 µs |\n|---|---:|---:|---:|---:|---:|"
        yield from (_open_line(name, run) for (each, name), run in found.opened.items() if each == loop)
        yield ""
    yield "## Starting, reloading, memory\n"
    yield "![Memory](memory.svg)\n"
    yield from _lives(found.lives)
    yield "\nA stream that has had one event and waits, each over its own HTTP/1.1 connection, 1,000 at once:\n"
    yield "| gateway | KiB each |\n|---|---:|"
    for name, kib in found.idle_streams.items():
        yield f"| {name} | {'failed: ' + kib if isinstance(kib, str) else f'{kib:.1f}'} |"
    if found.big:
        yield "\n## The same with all of googleapis\n"
        yield from _lives(found.big)
    yield "\n## What transcoding adds\n"
    yield "The same bytes as items, translated both ways, and as `google.api.HttpBody`, which passes as it is.\n"
    yield "| work | translated, CPU µs | copied, CPU µs | ratio |\n|---|---:|---:|---:|"
    for work, copied in (("post", "copy"), ("echo2k", "copy2k")):
        yield _surcharge(found.readings, work, copied)
    yield "\n## System calls per request\n\n| work | calls |\n|---|---:|"
    for work, count in found.syscalls.items():
        yield f"| {work} | {'not counted: no perf' if count is None else f'{count:.1f}'} |"
    if missing:
        yield "\n## Missing\n"
        yield from (f"- {name}: {reason}" for name, reason in missing.items())


def _open_line(name: str, run: dict) -> str:
    if not is_good(run):
        return f"| {name} | failed: {run['problem']} | | | | |"
    figures = [f"{run[figure]:,.0f}" for figure in ("per_second", "p50_us", "p90_us", "p99_us", "p999_us")]
    return " | ".join([f"| {name}", *figures]) + " |"


def _lives(lives: dict[str, Life | str]):
    yield "| gateway | start ms | reload ms | idle MiB | after load MiB |\n|---|---:|---:|---:|---:|"
    for name, life in lives.items():
        if isinstance(life, str):
            yield f"| {name} | missing: {life} | | | |"
        else:
            figures = (life.start_ms, life.reload_ms, life.idle, life.loaded)
            yield " | ".join([f"| {name}", *("" if each is None else f"{each:,.1f}" for each in figures)]) + " |"


def _surcharge(readings: dict, work: str, copied: str) -> str:
    both = [readings.get((case, "h1", 32), {}).get(OWN) for case in (work, copied)]
    if not all(reading and reading.good for reading in both):
        return f"| {work} | no reading | | |"
    translated, plain = both
    figures = [f"{reading.median('cpu_us'):,.1f}" for reading in both]
    return " | ".join([f"| {work}", *figures, _ratio(translated.ratios(plain, "cpu_us"))]) + " |"


FIGURES = [("switches", 2), ("per_second", 0), ("p50_us", 0), ("p99_us", 0)]


def _line(name: str, reading: Reading, own: Reading | None) -> str:
    if not reading.good:
        return f"| {name} | failed: {reading.problem} | | | | | |"
    low, high = reading.spread("cpu_us")
    cpu = f"{reading.median('cpu_us'):,.1f} [{low:,.1f}–{high:,.1f}]"
    if len(reading.good) < len(reading.runs):
        cpu += f", {len(reading.good)} of {len(reading.runs)} runs"
    figures = [f"{reading.median(figure):,.{digits}f}" for figure, digits in FIGURES]
    ratio = _ratio(own.ratios(reading, "cpu_us")) if own and name not in (OWN, GUARDED) else ""
    return " | ".join([f"| {name}", cpu, ratio, *figures]) + " |"


def _ratio(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}–{ratios[-1]:.2f}]" if ratios else "no pair"
