"""What a run has found, by gateway and case."""

from dataclasses import dataclass, field

from .measure import Life, Reading

OWN, GUARDED, TWICE = "Transom", "Transom, guarded", "Transom, two workers"
"""The three ways in which Transom stands among the peers."""
ENVOY = "Envoy 1.40 transcoder"
"""Whose bars are the most."""

OPEN_LOOPS = {"half": "at half of each gateway's own saturation", "same": "at one rate for all, half of Envoy's saturation"}


@dataclass
class Found:
    """All that a run has measured."""

    readings: dict[tuple, dict[str, Reading]] = field(default_factory=dict)
    """By (case, front, connections) and gateway."""
    opened: dict[tuple[str, str], dict] = field(default_factory=dict)
    """Open loops, by which of OPEN_LOOPS and gateway."""
    lives: dict[str, Life] = field(default_factory=dict)
    big: dict[str, Life | str] = field(default_factory=dict)
    idle_streams: dict[str, float | str] = field(default_factory=dict)
    """KiB of a stream that says nothing, or why there is no figure."""
    syscalls: dict[str, float | None] = field(default_factory=dict)
