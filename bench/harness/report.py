"""Writes what was measured: JSON for programs, Markdown and SVG for people."""

import json
import platform
import statistics
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from . import install, plot
from .measure import Life, Reading, is_good

OWN, GUARDED = "Transom", "Transom, guarded"


@dataclass
class Found:
    """All that a run has measured: readings by (case, front, connections) and gateway, the rest by gateway or case."""

    readings: dict[tuple, dict[str, Reading]] = field(default_factory=dict)
    opened: dict[str, dict] = field(default_factory=dict)
    lives: dict[str, Life] = field(default_factory=dict)
    big: dict[str, Life | str] = field(default_factory=dict)
    syscalls: dict[str, float | None] = field(default_factory=dict)


def write(folder: Path, mode: str, revision: str, found: Found, missing: dict) -> Path:
    """The path of the Markdown page."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = [
        {"case": key[0], "front": key[1], "connections": key[2], "gateway": name, "runs": reading.runs}
        for key, rows in found.readings.items() for name, reading in rows.items()
    ]
    lives = {name: asdict(life) for name, life in found.lives.items()}
    big = {name: life if isinstance(life, str) else asdict(life) for name, life in found.big.items()}
    described = {
        "mode": mode, "revision": revision, "machine": machine(), "missing": missing, "lives": lives,
        "googleapis": big, "syscalls": found.syscalls, "closed": raw, "open": found.opened,
    }
    (folder / "report.json").write_text(json.dumps(described, indent=1) + "\n")
    title = "CPU time of the gateway per request, microseconds"
    note = "Shorter is better. One worker on one core; the red line spans the repetitions."
    groups = [(_title(key), rows) for key, all_rows in found.readings.items() if (rows := _rows(all_rows, "cpu_us"))]
    (folder / "cpu.svg").write_text(plot.bars(title, note, groups))
    page = folder / "report.md"
    page.write_text("\n".join(_page(mode, revision, found, missing)) + "\n")
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


def _page(mode: str, revision: str, found: Found, missing: dict):
    yield f"# Benchmark report ({mode})\n"
    yield f"Machine: {machine()}.\n\nTransom: revision {revision}.\n"
    yield "The gateway has one worker, pinned to one core; the sample server and the generator share another. Figures are"
    yield "medians of interleaved repetitions, in brackets the lowest and the highest. CPU is user and system time of the"
    yield "gateway process per request. *Ratio* is Transom over the peer: below 1 Transom needs less; its span pairs the"
    yield "repetitions. Transom writes its access log in every run; of the peers only the guarded ones write one.\n"
    yield "![CPU per request](cpu.svg)\n"
    for key, rows in found.readings.items():
        yield f"## {_title(key)}\n"
        yield "| gateway | CPU µs | ratio | switches | requests/s | p50 µs | p99 µs |"
        yield "|---|---:|---:|---:|---:|---:|---:|"
        for name, reading in rows.items():
            yield _line(name, reading, rows.get(OWN) or rows.get(GUARDED))
        yield ""
    yield "## Open loop: latency at half of each gateway's own saturation\n"
    yield "| gateway | rate/s | p50 µs | p90 µs | p99 µs | p99.9 µs |\n|---|---:|---:|---:|---:|---:|"
    for name, run in found.opened.items():
        if not is_good(run):
            yield f"| {name} | failed: {run['problem']} | | | | |"
        else:
            yield f"| {name} | {run['per_second']:,.0f} | {run['p50_us']} | {run['p90_us']} | {run['p99_us']} | {run['p999_us']} |"
    yield "\n## Starting, reloading, memory\n"
    yield from _lives(found.lives)
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
