"""Writes what was measured: JSON for programs, Markdown and SVG for people."""

import json
import platform
import statistics
from datetime import date
from pathlib import Path

from . import install, plot
from .measure import Reading, is_good

OWN = "Transom"


def write(folder: Path, mode: str, revision: str, readings: dict, opened: dict, memory: dict, missing: dict) -> Path:
    """`readings` by (case, front, connections), then by gateway; the path of the Markdown page."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = [
        {"case": key[0], "front": key[1], "connections": key[2], "gateway": name, "runs": reading.runs}
        for key, rows in readings.items() for name, reading in rows.items()
    ]
    described = {"mode": mode, "revision": revision, "machine": machine(), "missing": missing, "memory_mib": memory, "closed": raw, "open": opened}
    (folder / "report.json").write_text(json.dumps(described, indent=1) + "\n")
    title = "CPU time of the gateway per request, microseconds"
    note = "Shorter is better. One worker on one core; the red line spans the repetitions."
    groups = [(_title(key), rows) for key, all_rows in readings.items() if (rows := _rows(all_rows, "cpu_us"))]
    (folder / "cpu.svg").write_text(plot.bars(title, note, groups))
    page = folder / "report.md"
    page.write_text("\n".join(_page(mode, revision, readings, opened, memory, missing)) + "\n")
    return page


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    cores = sum(line.startswith("processor") for line in lines)
    load = Path("/proc/loadavg").read_text().split()[0]
    return f"{cores} × {model}, Linux {platform.release()}, load {load} when the run ended, {date.today()}"


def _title(key: tuple) -> str:
    case, front, connections = key
    return f"{case}, {front}, {connections} connections"


def _rows(rows: dict[str, Reading], figure: str) -> list:
    return [(name, value, reading.spread(figure)) for name, reading in rows.items() if (value := reading.median(figure))]


def _page(mode: str, revision: str, readings: dict, opened: dict, memory: dict, missing: dict):
    yield f"# Benchmark report ({mode})\n"
    yield f"Machine: {machine()}.\n\nTransom: revision {revision}.\n"
    yield "The gateway has one worker, pinned to one core; the sample server and the generator share another. Figures are"
    yield "medians of interleaved repetitions, in brackets the lowest and the highest. CPU is user and system time of the"
    yield "gateway process per request. *Ratio* is Transom over the peer: below 1 Transom needs less; its span pairs the"
    yield "repetitions. Transom writes its access log in every run; the peers write none.\n"
    yield "![CPU per request](cpu.svg)\n"
    for key, rows in readings.items():
        yield f"## {_title(key)}\n"
        yield "| gateway | CPU µs | ratio | switches | requests/s | p50 µs | p99 µs |"
        yield "|---|---:|---:|---:|---:|---:|---:|"
        for name, reading in rows.items():
            yield _line(name, reading, rows.get(OWN))
        yield ""
    yield "## Open loop: latency at half of each gateway's own saturation\n"
    yield "| gateway | rate/s | p50 µs | p90 µs | p99 µs | p99.9 µs |\n|---|---:|---:|---:|---:|---:|"
    for name, run in opened.items():
        if not is_good(run):
            yield f"| {name} | failed: {run['problem']} | | | | |"
        else:
            yield f"| {name} | {run['per_second']:,.0f} | {run['p50_us']} | {run['p90_us']} | {run['p99_us']} | {run['p999_us']} |"
    yield "\n## Resident memory, MiB\n\n| gateway | idle | after load |\n|---|---:|---:|"
    for name, (idle, loaded) in memory.items():
        yield f"| {name} | {idle:.1f} | {loaded:.1f} |"
    if missing:
        yield "\n## Missing\n"
        yield from (f"- {name}: {reason}" for name, reason in missing.items())


FIGURES = [("switches", 2), ("per_second", 0), ("p50_us", 0), ("p99_us", 0)]


def _line(name: str, reading: Reading, own: Reading | None) -> str:
    if not reading.good:
        return f"| {name} | failed: {reading.problem} | | | | | |"
    low, high = reading.spread("cpu_us")
    cpu = f"{reading.median('cpu_us'):,.1f} [{low:,.1f}–{high:,.1f}]"
    if len(reading.good) < len(reading.runs):
        cpu += f", {len(reading.good)} of {len(reading.runs)} runs"
    figures = [f"{reading.median(figure):,.{digits}f}" for figure, digits in FIGURES]
    ratio = _ratio(own.ratios(reading, "cpu_us")) if own and name != OWN else ""
    return " | ".join([f"| {name}", cpu, ratio, *figures]) + " |"


def _ratio(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}–{ratios[-1]:.2f}]" if ratios else "no pair"
