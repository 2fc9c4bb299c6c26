"""The latency budget of a show before it starts: every term from the arrival of a sound to its light, and their sum.

There are two paths. Model frames wait for the end of the hop and for the step; effects of onsets on the shown frame wait for
neither. What lies before the driver and after the window system (mixing desk, sound server, projector) is measured by --calibrate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.audio.resample import Resampler
from engine.audio.source import Source
from engine.audio.sources.microphone import POLL_S
from engine.core.clock import Clock
from engine.model.backend import Backend
from engine.model.card import ModelCard
from engine.model.noise import draw_noise
from engine.model.step import resting_inputs

WARM_UP_STEPS = 8
STEP = "step"
HELD_SHARE = 0.9
"""A rate is held where a step takes no more of a hop than this: the window and the effects want some, too."""
DISPLAY_HZ = 60.0
"""Refresh rate of a monitor that does not report one."""


@dataclass(frozen=True, slots=True)
class Term:
    """One part of the latency. Its typical value is the mean over sounds at random moments."""

    name: str
    typical_s: float
    worst_s: float
    of_onsets: bool
    """Whether effects of onsets on the shown frame wait for it too."""


@dataclass(frozen=True, slots=True)
class Budget:
    """All terms of a model frame, in the order of the path."""

    terms: tuple[Term, ...]

    @property
    def typical_step_s(self) -> float:
        return next(term.typical_s for term in self.terms if term.name == STEP)

    def typical_s(self, onsets: bool = False) -> float:
        """Return the sum of the typical values, with `onsets` only of the terms that effects of onsets wait for."""
        return sum(term.typical_s for term in self.terms if term.of_onsets or not onsets)

    def worst_s(self, onsets: bool = False) -> float:
        """Return the sum of the worst values. They seldom coincide."""
        return sum(term.worst_s for term in self.terms if term.of_onsets or not onsets)

    def lines(self) -> list[str]:
        """Return the lines that a show prints."""
        parts = [f"{term.name} {_ms(term.typical_s)}" for term in self.terms if term.typical_s >= 5e-5]
        return [
            f"latency  {' + '.join(parts)} = {_ms(self.typical_s())} ms typical, {_ms(self.worst_s())} ms at worst",
            f"         onsets on the shown frame: {_ms(self.typical_s(onsets=True))} ms typical, "
            f"{_ms(self.worst_s(onsets=True))} ms at worst; server, mixing desk and projector come on top (--calibrate)",
        ]


def budget_of(
    card: ModelCard,
    *,
    block_s: float,
    buffer_s: float,
    resampler_s: float,
    steps_s: Sequence[float],
    display_hz: float = DISPLAY_HZ,
) -> Budget:
    """Return the budget of a show.

    `block_s` is the length of the driver's blocks and `buffer_s` the most it holds; `steps_s` are the durations of some steps. A
    sound waits for half a block, half a hop and half a refresh on average, and for whole ones at worst.
    """
    steps = sorted(steps_s)
    typical_step_s = steps[len(steps) // 2] if steps else 0.0
    frame_s = 1.0 / display_hz
    return Budget(
        (
            Term("capture", block_s / 2 + POLL_S / 2, max(buffer_s, block_s) + POLL_S, of_onsets=True),
            Term("resampler", resampler_s, resampler_s, of_onsets=True),
            Term("frame interval", card.hop_s / 2, card.hop_s, of_onsets=False),
            Term("look-ahead", card.look_ahead_s, card.look_ahead_s, of_onsets=False),
            Term(STEP, typical_step_s, steps[-1] if steps else 0.0, of_onsets=False),
            Term("display", frame_s / 2, frame_s, of_onsets=True),
        )
    )


def measure_budget(backend: Backend, source: Source, clock: Clock, display_hz: float = DISPLAY_HZ) -> Budget:
    """Return the budget of a show of `source` with `backend`, after some steps on silence. Raises BackendError."""
    card = backend.card
    return budget_of(
        card,
        block_s=source.block_s,
        buffer_s=source.buffer_s,
        resampler_s=Resampler(source.rate_hz, card.sample_rate_hz).delay_s,
        steps_s=measure_steps_s(backend, clock),
        display_hz=display_hz if math.isfinite(display_hz) and display_hz > 0.0 else DISPLAY_HZ,
    )


def rate_lines(card: ModelCard, step_s: float) -> list[str]:
    """Return a line where steps that take `step_s` do not hold the model's rate, with the rate that they hold; else none."""
    if step_s <= HELD_SHARE * card.hop_s:
        return []
    held_fps = HELD_SHARE / step_s
    helps = "a smaller model or another --backend helps (--backends lists them)"
    if 0.0 < card.trained_fps <= held_fps:
        helps = f"export it with --fps {math.floor(held_fps)}"
    return [
        f"rate     a step takes {_ms(step_s)} ms here, and {card.fps:.4g} a second leave {_ms(card.hop_s)} ms: about {held_fps:.2g} steps a "
        f"second are played and the others skipped; {helps}"
    ]


def measure_steps_s(backend: Backend, clock: Clock, steps: int = WARM_UP_STEPS) -> list[float]:
    """Return how long steps on silence take, in seconds, without the first, which warms up. Raises BackendError."""
    card, state, durations_s = backend.card, backend.initial_state(), list[float]()
    silence = resting_inputs(card)
    for index in range(steps + 1):
        inputs = silence.with_values(draw_noise(card.noises, 0, index), state)
        started_s = clock.now_s()
        state = backend.step(inputs).next_state
        durations_s.append(clock.now_s() - started_s)
    return durations_s[1:]


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}" if seconds < 9.95e-3 else f"{1e3 * seconds:.0f}"
