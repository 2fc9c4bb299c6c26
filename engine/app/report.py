"""The lines a show prints about itself, at its beginning and its end."""

from __future__ import annotations

from collections.abc import Sequence

from engine.audio.sources.source import Source
from engine.core.clock import WallClock
from engine.model.backends.backend import Backend
from engine.model.card import ModelCard
from engine.render.latency_budget import measure_budget
from engine.render.statistics import ShowStatistics


def opening(backend: Backend, climbed: Sequence[str], source: Source, outputs: Sequence[str], osc: str) -> list[str]:
    """Return what is played, where it is heard and shown, and what of the latency is known beforehand.

    `climbed` is what the ladder of backends has said of its choice, if it was asked to choose.
    """
    card = backend.card
    channels = "mono" if source.channels == 1 else "stereo"
    return [
        f"model    {card.name} ({card.family}), {card.width}x{card.height} at {card.fps:g} fps; {_provenance(card)}",
        f"sound    {source.name}, {source.rate_hz} Hz {channels}",
        f"output   {', '.join(outputs)}",
        f"backend  {' '.join(climbed).removeprefix('backend: ') or backend.description}",
        f"osc      {osc}",
        # A rendering has no latency: its sound waits.
        *(measure_budget(backend, source, WallClock()).lines() if source.live else []),
    ]


def closing(stats: ShowStatistics, card: ModelCard) -> str:
    """Return the summary of a show in one line."""
    figures = stats.summary()
    parts = [
        f"{stats.steps} frames of {stats.hops * card.hop_s:.1f} s of sound",
        f"{stats.skipped_hops} skipped",
        *(f"{count} lost by {name}" for name, count in stats.lost_frames.items() if count),
        *([f"{stats.failed_steps} failed steps"] if stats.failed_steps else []),
    ]
    # What the window shows is the truth; without one, the handing over to the outputs is the last thing measured.
    age = figures["shown_age"] if figures["shown_age"]["count"] else figures["handed_age"]
    if age["count"]:
        parts.append(f"age p50 {age['p50_ms']:.0f} ms, p95 {age['p95_ms']:.0f} ms")
    return ", ".join(parts)


def remote_figures(stats: ShowStatistics) -> dict[str, float]:
    """Return what a remote is told of the running show."""
    age = stats.shown_age if stats.shown_age.percentile_s(100) else stats.handed_age
    return {
        "hops": stats.hops,
        "skipped_hops": stats.skipped_hops,
        "age_p50_ms": 1e3 * age.percentile_s(50),
        "age_p95_ms": 1e3 * age.percentile_s(95),
    }


def _provenance(card: ModelCard) -> str:
    origin = card.provenance
    return f"taught '{origin.source}' ({origin.licence}), {origin.iterations} iterations"
