"""The lines that a show prints about itself when it starts and when it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from engine.audio.features.audio_features import AudioFeatures
from engine.audio.input_layout import MIX, InputLayout
from engine.audio.sources.inputs import OpenInputs
from engine.core.clock import WallClock
from engine.core.counted import counted
from engine.model.backend import Backend
from engine.model.card import ModelCard
from engine.output.film import FilmFormat
from engine.render.film_delivery import film_frames
from engine.render.latency_budget import measure_budget, rate_lines
from engine.render.statistics import ShowStatistics
from engine.takes.replay import Take

_ROUNDING_HOPS = 1e-3


def start_report(
    backend: Backend,
    selected: Sequence[str],
    inputs: OpenInputs,
    outputs: Sequence[str],
    remotes: Sequence[str],
    align: Callable[[float], str] | None = None,
) -> list[str]:
    """Return the lines on model, sound, outputs, backend, remotes and, live, the expected latency.

    `remotes` are the lines on where the show listens. `selected` is what the selection of the backend said, where the engine chose it.
    `align` gets the seconds from a sound to its light and returns the line on what is listened to.
    """
    model, on_backend = model_lines(backend, selected)
    source, card = inputs.source, backend.card
    # A rendering has no latency: its sound waits.
    budget = measure_budget(backend, source, WallClock()) if source.live else None
    return [
        model,
        f"sound    {source.name}, {source.rate_hz} Hz {_channels(source.channels)}",
        *_input_lines(inputs.layout),
        f"output   {', '.join(outputs)}",
        on_backend,
        *remotes,
        *([*budget.lines(), *rate_lines(card, budget.typical_step_s)] if budget else []),
        *([align(budget.typical_s())] if budget and align else []),
    ]


def film_line(output: str, card: ModelCard, film: FilmFormat, length_s: float | None) -> str:
    """Return what the film of a rendering will be, in a line: about how many frames where the sound says its length, size and rate."""
    if length_s is None:
        return f"{output}, {_film_in_words(card, film)}"
    # The last hop is filled with silence. Files say their length in microseconds, and some not quite as it is.
    hops = math.ceil(length_s / card.hop_s - _ROUNDING_HOPS)
    return f"{output}, about {_counted_frames(card, film, hops)} of {_film_in_words(card, film)}"


def _film_in_words(card: ModelCard, film: FilmFormat) -> str:
    size, fps = film.size or (card.width, card.height), float(film.fps or card.fps)
    return f"{size[0]}x{size[1]} at {fps:.5g} fps"


def _counted_frames(card: ModelCard, film: FilmFormat, hops: int, skipped_hops: int = 0) -> str:
    """Return how many frames the film of so many hops has; at the model's rate there is none for hops that were skipped."""
    frames = hops - skipped_hops
    if film.fps and film.differs_from(card):
        frames = film_frames(hops, card.hop_s, film.fps)
    return counted(frames, "frame")


def replay_lines(take: Take, backend: Backend, output: str, film: FilmFormat) -> list[str]:
    """Return the lines on the model, the take, the film and the backend of a replay."""
    model, on_backend = model_lines(backend, ())
    frames = _counted_frames(backend.card, film, take.hops, take.skipped_hops)
    shown = f"output   {output}, {frames} of {_film_in_words(backend.card, film)}"
    return [model, f"take     {take.folder}, {take.seconds:.1f} s", shown, on_backend]


def input_levels(audio_features: AudioFeatures) -> dict[str, float]:
    """Return the level of each named input."""
    return {name: one.level for name, one in audio_features.inputs.items()}


def _input_lines(layout: InputLayout) -> list[str]:
    if not layout.inputs:
        return []
    inputs = ", ".join(f"{one.name} ({_channels(len(one.columns))})" for one in layout.inputs)
    heard = "the mix of all" if layout.model_input == MIX else layout.model_input
    return [f"inputs   {inputs}; the model gets {heard}"]


def _channels(count: int) -> str:
    return {1: "mono", 2: "stereo"}.get(count, f"{count} channels")


def model_lines(backend: Backend, selected: Sequence[str]) -> list[str]:
    """Return the lines on the model and on its backend."""
    card = backend.card
    return [
        f"model    {card.name} ({card.family}), {card.width}x{card.height} at {card.fps:.4g} fps; {_provenance(card)}",
        f"backend  {' '.join(selected).removeprefix('backend: ') or backend.description}",
    ]


def end_report(stats: ShowStatistics, card: ModelCard, film: FilmFormat | None = None) -> str:
    """Return the summary of a show in one line, with the frames of its film where that has a rate of its own."""
    figures = stats.summary()
    parts = [
        f"{counted(stats.steps, 'frame')} of {stats.hops * card.hop_s:.1f} s of sound",
        f"{stats.skipped_hops:,} skipped",
        *(f"{count} lost by {name}" for name, count in stats.lost_frames.items() if count),
        *([counted(stats.failed_steps, "failed step")] if stats.failed_steps else []),
    ]
    # Without a window, the hand-over to the outputs is the last moment that is measured.
    age = figures["shown_age"] if figures["shown_age"]["count"] else figures["handed_age"]
    if age["count"]:
        parts.append(f"age p50 {age['p50_ms']:.0f} ms, p95 {age['p95_ms']:.0f} ms")
    line = ", ".join(parts)
    if film and film.fps:
        frames = _counted_frames(card, film, stats.hops, stats.skipped_hops)
        line += f"; the film has {frames}, {float(film.fps):.5g} a second"
    return line


def remote_figures(stats: ShowStatistics) -> dict[str, float]:
    """Return the figures that a remote may ask for."""
    age = stats.shown_age if stats.shown_age.percentile_s(100) else stats.handed_age
    return {
        "hops": stats.hops,
        "skipped_hops": stats.skipped_hops,
        "age_p50_ms": 1e3 * age.percentile_s(50),
        "age_p95_ms": 1e3 * age.percentile_s(95),
    }


def _provenance(card: ModelCard) -> str:
    origin = card.provenance
    return f"trained on '{origin.source}' ({origin.licence}), {counted(origin.iterations, 'iteration')}"
