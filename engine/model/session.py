"""A session: one model with its carried state, stepped once each hop under the parameters of the show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import BackendError, ConfigError, ModelFileError
from engine.model.backend import Backend, not_finite
from engine.model.card import ModelCard
from engine.model.layers import Layers
from engine.model.noise import draw_noise
from engine.model.step import Step, resting_inputs

# T audio samples; H W C frame rows, columns, channels; F feature bands

Controls = Mapping[str, float | int | bool]
Snapshot = Mapping[str, NDArray[np.float32]]
"""A copy of a model's state in host memory, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFrame:
    """The frame of one hop, and the features that the model computed from its window."""

    pixels_HWC: NDArray[np.uint8]
    features_F: NDArray[np.float32]
    layers: Layers | None = None
    """What these pixels were composed of; None where they were not, or were changed since."""
    follows: bool = True
    """Whether it follows from the frame before it by one step of the model. A held frame, the first of a state and a mix of two do not."""


class Session:
    """A backend, its state and the last frame. Not to be used from several threads at once."""

    def __init__(self, backend: Backend, seed: int = 0, *, state: Snapshot | None = None, resets: int = 0) -> None:
        """Begin in `state`, or in the initial state. The first `resets` resets have been done already.

        Raises ModelFileError for a file with a batch and ConfigError for a state of another model.
        """
        if backend.card.batch > 1:
            raise ModelFileError(
                f"'{backend.card.name}' was exported with a batch of {backend.card.batch}, and a session steps one slot; "
                "take slots with engine.model.batching, or export the model again without --batch."
            )
        self._backend = backend
        self._seed = seed
        self._resets_seen = resets
        self._steps = 0
        if state is not None:
            check_state(backend.card, state)
        self._state = backend.initial_state() if state is None else dict(state)
        self._resting = resting_inputs(backend.card)
        self._fed = (*backend.card.controls, *backend.card.fixed_controls)
        self._shown: Step | None = None
        self._fresh = True

    @property
    def card(self) -> ModelCard:
        return self._backend.card

    @property
    def playing(self) -> ModelCard:
        """The same, as a ModelSwitcher says it."""
        return self._backend.card

    @property
    def backend(self) -> Backend:
        return self._backend

    def step(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame:
        """Play hop `index` with the values `controls`; `window_T` is the newest sound, at least one window of the model.

        Beside the control inputs of the card, fixed ones included, it reads gain_db, freeze, reset (the number of resets so far) and seed; any may be
        missing. Raises BackendError when the step fails. The state is then unchanged, or the initial one when the new state is
        not finite.
        """
        self._reset_if_asked(int(controls.get("reset", self._resets_seen)))
        is_first = self._fresh
        if not is_first and controls.get("freeze", False):
            return self.held(controls)
        return _frame_of(self._advance(window_T, controls, index), follows=not is_first)

    def early(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame | None:
        """Return hop `index` as it looks before its sound has all arrived: its step, taken with the newest sound.

        The state stays as it is, so this and all later hops are stepped as if nothing had happened. None where nothing moves: the
        model is frozen or has not begun. Raises BackendError when the step fails.
        """
        if self._shown is None or self._fresh or controls.get("freeze", False):
            return None
        step = self._step(window_T, controls, index)
        return _frame_of(step, follows=True)

    def held(self, controls: Controls) -> ModelFrame:
        """Return the last good frame again; black before the first."""
        if self._shown is None:
            black_HWC = np.zeros((self.card.height, self.card.width, 3), np.uint8)
            features_F = np.zeros(self.card.feature_bands, np.float32)
            return ModelFrame(pixels_HWC=black_HWC, features_F=features_F, follows=False)
        return _frame_of(self._shown, follows=False)

    def snapshot(self) -> Snapshot:
        """Return a copy of the state. Raises BackendError when it lies on a device that was lost."""
        try:
            return {name: np.array(values) for name, values in self._state.items()}
        except (RuntimeError, MemoryError) as error:
            raise BackendError(f"The state of {self.card.name} cannot be fetched ({error}).") from error

    def _reset_if_asked(self, resets: int) -> None:
        if resets != self._resets_seen:
            self._resets_seen = resets
            self._begin_again()

    def _begin_again(self) -> None:
        self._state = self._backend.initial_state()
        self._fresh = True

    def _step(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> Step:
        card = self.card
        values = {
            "audio": apply_gain(window_T[-card.window_samples :], float(controls.get("gain_db", 0.0))),
            **{spec.name: float(controls[spec.name]) for spec in self._fed if spec.name in controls},
            **draw_noise(card.noises, int(controls.get("seed", self._seed)), index),
        }
        try:
            return self._backend.step(self._resting.with_values(values, self._state, index))
        except BackendError:
            self._leave_lost_state()
            raise

    def _advance(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> Step:
        card, step = self.card, self._step(window_T, controls, index)
        self._steps += 1
        name = not_finite(step.next_state, self._steps)
        if name:
            self._begin_again()
            raise BackendError(
                f"{card.name}: state '{name}' is no longer finite; it starts again from its initial state."
            )
        self._state = step.next_state
        self._shown = step
        self._fresh = False
        return step

    def _leave_lost_state(self) -> None:
        """Begin again where the state was lost with its device, or every later step would fail for it."""
        try:
            self.snapshot()
        except BackendError:
            self._begin_again()


def _frame_of(step: Step, *, follows: bool) -> ModelFrame:
    return ModelFrame(pixels_HWC=step.pixels_HWC, features_F=step.features_F, layers=step.layers, follows=follows)


def apply_gain(window_T: NDArray[np.float32], gain_db: float) -> NDArray[np.float32]:
    """Return the window amplified by `gain_db` and clipped to [-1, 1]. Samples that are not finite become silence."""
    gained = window_T * np.float32(10.0 ** (gain_db / 20.0))
    return np.clip(np.nan_to_num(gained, copy=False, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)


def check_state(card: ModelCard, state: Snapshot) -> None:
    """Raise ConfigError unless `state` has the names and shapes of the card and is finite."""
    shapes = {spec.name: spec.shape for spec in card.states}
    for name in sorted({*shapes, *state}):
        if name not in shapes or name not in state:
            what = "lacks" if name in shapes else "has an unknown"
            raise ConfigError(f"The saved state does not fit '{card.name}': it {what} '{name}'; save the scene again.")
        if state[name].shape != shapes[name] or state[name].dtype != np.float32:
            raise ConfigError(
                f"The saved state does not fit '{card.name}': '{name}' is {state[name].dtype} {list(state[name].shape)} and "
                f"float32 {list(shapes[name])} was expected; save the scene again."
            )
        if not np.isfinite(state[name]).all():
            raise ConfigError(f"The saved state of '{card.name}' is not finite in '{name}'; save the scene again.")
