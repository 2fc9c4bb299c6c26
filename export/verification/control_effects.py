"""How far each control moves the frames, so that a card has the controls alone that a person sees.

Several shows run side by side on the same sound: one with all controls at their defaults, one with other noise, and two for each
control, with that one at the ends of its range. Two frames differ by the mean difference of the MOST_CHANGED share of their pixels: a
mouth is a small part of a frame. The effect of a control is that difference, a mean over all steps, the largest of low and default,
default and high, low and high. It has to be

    at least LEAST_LEVELS of 255, and at least LEAST_OF_SEED times the effect of the other noise,

since less is not seen in frames that change by themselves. Where a control weighs the noise, as `temperature` does, it is at its
lowest in all shows but its own, so that other noise changes nothing. Nothing is asked of controls that do nothing by themselves, such as
`freeze_z`: their family names both (`noise_control`, `kept_controls`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.model.backend import Backend
from engine.model.card import ControlSpec, ModelCard
from engine.model.control_effect import ControlEffect
from engine.model.noise import draw_noise
from engine.model.step import resting_inputs
from export.verification.graph import frame_bytes
from export.verification.sound import RealSound, made_sound, read_real_sound
from training.core.layered import LayeredModel, ShownModel
from training.core.streaming import StreamingModel
from training.families.registry import family, family_names

# V shows side by side; W window samples; H W C frame rows, columns, channels

STEPS = 48
MOST_CHANGED = 0.05
LEAST_LEVELS = 16.0
LEAST_OF_SEED = 2.0
ENOUGH_SIDE = 256
_DEFAULTS, _OTHER_NOISE, _FIRST_END = 0, 1, 2
Frames = NDArray[np.uint8]


def model_effects(
    model: StreamingModel, sound: RealSound | None = None, steps: int = STEPS
) -> tuple[ControlEffect, ...]:
    """Measure the controls of a model in float32 torch; without a sound, on the one that parity is measured with.

    Frames of layers are composed by the engine, many times faster.
    """
    specs = model.control_specs()
    if not specs:
        return ()
    shown = ShownModel(model) if isinstance(model, LayeredModel) else model
    frames = _model_frames(shown, specs, sound or made_sound(model.sample_rate_hz), steps)
    return effects(specs, frames, kept_by_family(model.family))


def backend_effects(backend: Backend, sound: RealSound | None = None, steps: int = STEPS) -> tuple[ControlEffect, ...]:
    """Measure the controls of a model file without a batch, fixed ones included. Raises StepError."""
    card = backend.card
    specs = (*card.controls, *card.fixed_controls)
    if not specs:
        return ()
    frames = _backend_frames(backend, specs, sound or made_sound(card.sample_rate_hz), steps)
    return effects(specs, frames, kept_by_family(card.family))


def effects(
    specs: Sequence[ControlSpec], frames: Iterator[Frames], kept: frozenset[str] = frozenset()
) -> tuple[ControlEffect, ...]:
    """Return the effects of controls, from the frames [V, H, W, C] of each step in the order of `shows`.

    Of the `kept` ones nothing is asked.
    """
    apart = np.zeros((_FIRST_END + 2 * len(specs),) * 2)
    steps = 0
    for frames_VHWC in frames:
        steps += 1
        # Of large frames fewer pixels are asked: their differences have the same distribution.
        apart_px = max(1, round(min(frames_VHWC.shape[1:3]) / ENOUGH_SIDE))
        levels_VHWC = frames_VHWC[:, ::apart_px, ::apart_px].astype(np.int16)
        for one, other in _pairs(len(specs)):
            apart[one, other] += _difference(levels_VHWC[one], levels_VHWC[other])
    apart /= max(steps, 1)
    least = max(LEAST_LEVELS, LEAST_OF_SEED * apart[_DEFAULTS, _OTHER_NOISE])
    return tuple(
        ControlEffect(
            name=spec.name,
            levels=_largest(apart, number),
            least_levels=0.0 if spec.name in kept else round(float(least), 2),
        )
        for number, spec in enumerate(specs)
    )


def seen(controls: Sequence[ControlSpec], measured: Sequence[ControlEffect]) -> tuple[str, ...]:
    """Return the names of the controls that become parameters."""
    too_little = {effect.name for effect in measured if not effect.is_seen}
    return tuple(control.name for control in controls if control.name not in too_little)


def kept_by_family(name: str) -> frozenset[str]:
    """Return the controls that a family keeps: those that do nothing by themselves. None of a family that is not known here."""
    return family(name).kept_controls if name in family_names() else frozenset()


def chosen_controls(
    model: StreamingModel, sound: Path | None, all_controls: bool
) -> tuple[tuple[str, ...], tuple[ControlEffect, ...]]:
    """Measure a model's controls and return the names of those that become parameters, and the effects of all."""
    measured = model_effects(model, read_real_sound(sound, model.sample_rate_hz) if sound else None)
    controls = model.control_specs()
    chosen = seen(controls, measured)
    return tuple(control.name for control in controls if all_controls or control.name in chosen), measured


def effect_lines(card: ModelCard) -> list[str]:
    """Return a line for each control: how far it moves the frames, and that it is left out where that is too little."""
    return [
        f"control {effect.name} changes the frames by {effect.levels:.1f} of 255 levels where they change most"
        + (
            "; it is a parameter whatever it does by itself"
            if not effect.least_levels
            else ""
            if effect.is_seen
            else f", less than {effect.least_levels:.1f}: left out, it stays at its default"
            if effect in card.left_out
            else f", less than {effect.least_levels:.1f}; it is kept as a parameter"
        )
        for effect in card.control_effects
    ]


def shows(specs: Sequence[ControlSpec], noise_control: str | None = None) -> list[dict[str, float]]:
    """Return the controls of each show that differ from their defaults."""
    still = {spec.name: spec.low for spec in specs if spec.name == noise_control}
    return [still, still, *({**still, spec.name: end} for spec in specs for end in (spec.low, spec.high))]


def noise_control_of(name: str) -> str | None:
    """Return a family's control that weighs the noise; None of a family that is not known here."""
    return family(name).noise_control if name in family_names() else None


def _difference(one_HWC: NDArray[np.int16], other_HWC: NDArray[np.int16]) -> float:
    """Return the mean difference of the pixels that differ most."""
    levels = np.abs(one_HWC - other_HWC).mean(axis=2).ravel()
    count = max(1, round(MOST_CHANGED * len(levels)))
    return float(np.partition(levels, -count)[-count:].mean())


def _pairs(controls: int) -> Iterator[tuple[int, int]]:
    yield _DEFAULTS, _OTHER_NOISE
    for low in range(_FIRST_END, _FIRST_END + 2 * controls, 2):
        yield from ((_DEFAULTS, low), (_DEFAULTS, low + 1), (low, low + 1))


def _largest(apart: NDArray[np.float64], number: int) -> float:
    low = _FIRST_END + 2 * number
    return round(float(max(apart[_DEFAULTS, low], apart[_DEFAULTS, low + 1], apart[low, low + 1])), 2)


@torch.no_grad()
def _model_frames(
    model: StreamingModel, specs: Sequence[ControlSpec], sound: RealSound, steps: int
) -> Iterator[Frames]:
    played = shows(specs, noise_control_of(model.family))
    controls = {spec.name: torch.tensor([show.get(spec.name, spec.default) for show in played]) for spec in specs}
    noise = model.draw_noise(2, steps, torch.Generator().manual_seed(0))
    whose = [1 if number == _OTHER_NOISE else 0 for number in range(len(played))]
    state = model.initial_state(len(played))
    for k in range(steps):
        window_W = torch.tensor(sound.window(k, model.window_samples, model.hop_samples))
        audio_VW = window_W.expand(len(played), -1)
        given = {name: values[whose, k] for name, values in noise.items()}
        frames_V3HW, _, state = model.step(audio_VW, given, state, controls)
        yield frame_bytes(frames_V3HW).numpy()


def _backend_frames(backend: Backend, specs: Sequence[ControlSpec], sound: RealSound, steps: int) -> Iterator[Frames]:
    card, resting = backend.card, resting_inputs(backend.card)
    played = shows(specs, noise_control_of(card.family))
    states: list[Any] = [resting.states for _ in played]
    for k in range(steps):
        frames: list[Frames] = []
        for number, show in enumerate(played):
            noise = draw_noise(card.noises, 1 if number == _OTHER_NOISE else 0, k)
            window_W = sound.window(k, card.window_samples, card.hop_samples)
            step = backend.step(resting.with_values({"audio": window_W, **noise, **show}, states[number]))
            # A copy: a device has two buffers for its states, and here are more shows.
            states[number] = {name: np.array(value) for name, value in step.next_state.items()}
            frames.append(np.array(step.pixels_HWC))
        yield np.stack(frames)
