"""A model that gets conditioned sound. To the step loop it is the model itself."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.conditioning import Conditioner
from engine.model.card import ModelCard
from engine.model.session import Controls, ModelFrame

# T audio samples


class PlayingModel(Protocol):
    """A Session, or a ModelSwitcher."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def playing(self) -> ModelCard: ...

    def step(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame: ...

    def early(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame | None: ...

    def held(self, controls: Controls) -> ModelFrame: ...


class ConditionedModel:
    """Steps a model on windows that were conditioned for the one that plays."""

    def __init__(self, model: PlayingModel, conditioner: Conditioner, earlier_hops: int = 0) -> None:
        """`earlier_hops` were played before the first hop of this show, which goes on with their noise and drift."""
        self._model = model
        self._conditioner = conditioner
        self._earlier_hops = earlier_hops
        # As it was after the last step: a replay goes back to a former model before the step in which the show did.
        self._sound = model.playing.training_sound

    @property
    def card(self) -> ModelCard:
        return self._model.card

    def step(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame:
        """Play hop `index`. Raises BackendError, as the model does."""
        index += self._earlier_hops
        conditioned_T = self._conditioner.apply(window_T, index, controls, self._sound)
        try:
            # The gain by hand is in the window.
            return self._model.step(conditioned_T, {**controls, "gain_db": 0.0}, index)
        finally:
            self._sound = self._model.playing.training_sound

    def early(self, window_T: NDArray[np.float32], controls: Controls, index: int, end: int) -> ModelFrame | None:
        """Return hop `index` as it looks with a window that ends before sample `end`, within that hop; nothing changes.

        None where nothing moves. Raises BackendError, as the model does.
        """
        index, end = index + self._earlier_hops, end + self._earlier_hops * self.card.hop_samples
        conditioned_T = self._conditioner.early(window_T, index, end, controls, self._sound)
        return self._model.early(conditioned_T, {**controls, "gain_db": 0.0}, index)

    def held(self, controls: Controls) -> ModelFrame:
        """Return the last good frame again."""
        return self._model.held(controls)

    def conditioning(self) -> str:
        """Return in words what happens to the sound, for the overlay."""
        if not self._conditioner.aim:
            is_known = self._model.playing.training_sound is not None
            return "as it comes" if is_known else "as it comes, the model names no loudness"
        limit_db = self._conditioner.limit_db
        limited = f", {-limit_db:.0f} dB limited" if limit_db <= -0.5 else ""
        return f"{self._conditioner.gain_db:+.0f} dB for the model{limited}"
