"""What Transom is held to: each bar with its goal, and what a run has read of it."""

import json
import statistics
from dataclasses import dataclass
from typing import Callable

from . import install
from .found import ENVOY, GUARDED, OWN, TWICE, Found

PROXY, NGINX = "structured-proxy 8.1.5", "nginx grpc_pass"
MADE_FOR = 32
"""Connections."""


@dataclass(frozen=True)
class Bar:
    """At most `bar`, better at most `goal`, of what `read` finds; nothing where that was not measured."""

    work: str
    read: Callable[[Found], float | None]
    bar: float
    goal: float
    unit: str = "×"


def over(case: str, peer: str, front: str = "h1", theirs: tuple[str, str] | None = None, own: str = OWN):
    """CPU of Transom over that of a peer, in the same repetition; `theirs` is the peer's case and front where it differs."""

    def read(found: Found) -> float | None:
        ours = found.readings.get((case, front, MADE_FOR), {}).get(own)
        other = found.readings.get((*(theirs or (case, front)), MADE_FOR), {}).get(peer)
        ratios = ours.ratios(other, "cpu_us") if ours and other else []
        return statistics.median(ratios) if ratios else None

    return read


def figure(case: str, name: str):
    def read(found: Found) -> float | None:
        reading = found.readings.get((case, "h1", MADE_FOR), {}).get(OWN)
        return reading.median(name) if reading else None

    return read


def p99(rates: str):
    """Transom's over Envoy's, of one of the two open loops."""

    def read(found: Found) -> float | None:
        runs = [found.opened.get((rates, name), {}) for name in (OWN, ENVOY)]
        ours, theirs = (run.get("p99_us") for run in runs)
        return ours / theirs if ours and theirs else None

    return read


def life(lives: str, name: str):
    def read(found: Found) -> float | None:
        return getattr(getattr(found, lives).get(OWN), name, None)

    return read


def allocations(kind: str):
    """As `bench/guard` counted them last."""
    return lambda _: json.loads((install.BENCH / "instructions.json").read_text())[kind]["allocations"]


BARS = [
    Bar("GET over Envoy's transcoder", over("get", ENVOY), 0.40, 0.25),
    Bar("GET over structured-proxy", over("get", PROXY), 0.65, 0.40),
    Bar("GET over nginx `grpc_pass`", over("get", NGINX, theirs=("get", "grpc")), 0.80, 0.50),
    Bar("POST over Envoy's transcoder", over("post", ENVOY), 0.40, 0.25),
    Bar("POST over structured-proxy", over("post", PROXY), 0.65, 0.40),
    Bar("POST over nginx `grpc_pass`", over("post", NGINX, theirs=("post", "grpc")), 0.80, 0.50),
    Bar("2 KB echo over Envoy's transcoder", over("echo2k", ENVOY), 0.30, 0.18),
    Bar("2 KB echo over structured-proxy", over("echo2k", PROXY), 0.40, 0.18),
    Bar("guarded GET over Envoy with its JWT filter", over("get", f"{ENVOY}, guarded", "h1+guard", own=GUARDED), 0.50, 0.30),
    Bar("guarded GET over nginx `grpc_pass`", over("get", NGINX, "h1+guard", ("get", "grpc"), GUARDED), 1.0, 1.0),
    Bar("list of 220 KB over Envoy's transcoder", over("list", ENVOY), 0.15, 0.10),
    Bar("stream of 1,000 messages over Envoy's transcoder", over("stream", ENVOY), 0.20, 0.10),
    Bar("small echo over the same bytes copied", over("post", OWN, theirs=("copy", "h1")), 1.25, 1.05),
    Bar("2 KB echo over the same bytes copied", over("echo2k", OWN, theirs=("copy2k", "h1")), 1.25, 1.10),
    Bar("system calls of a GET", lambda found: found.syscalls.get("get"), 4, 2.5, ""),
    Bar("context switches of a GET", figure("get", "switches"), 0.2, 0.05, ""),
    Bar("allocations of a GET", allocations("GET"), 40, 15, ""),
    Bar("GET with two workers over one", over("get", OWN, own=TWICE), 1.1, 1.0),
    Bar("native gRPC over nginx `grpc_pass`", over("get", NGINX, "grpc"), 0.9, 0.6),
    Bar("native gRPC over a bare forwarder", over("get", "hyper forwarder", "grpc"), 1.25, 1.25),
    Bar("p99 at half of its own saturation over Envoy's", p99("half"), 1.0, 0.5),
    Bar("p99 at one rate over Envoy's", p99("same"), 1.0, 0.5),
    Bar("idle memory with the bench's schema", life("lives", "idle"), 25, 12, "MiB"),
    Bar("idle memory with all of googleapis", life("big", "idle"), 150, 80, "MiB"),
]


def table(found: Found):
    """Markdown: one line a bar, the missed ones in bold."""
    yield "| work | bar | goal | read |\n|---|---:|---:|---:|"
    for bar in BARS:
        value = bar.read(found)
        if value is None:
            words = "not measured"
        else:
            words = _amount(value, bar.unit) + (" (goal)" if value <= bar.goal else "" if value <= bar.bar else " **missed**")
        yield f"| {bar.work} | ≤ {_amount(bar.bar, bar.unit)} | ≤ {_amount(bar.goal, bar.unit)} | {words} |"


def _amount(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".strip()
