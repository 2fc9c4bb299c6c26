"""A session whose state can be taken out and put in: what a deck plays with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import BackendError, ConfigError
from engine.model.backends.backend import Backend
from engine.model.card import ModelCard
from engine.model.session import Session

Snapshot = Mapping[str, NDArray[np.float32]]
"""What a model remembered at one moment, by name, on the host and nobody else's."""


class ResumableSession(Session):
    """A session that begins in a given state, at a time when `resets` have already been asked for."""

    def __init__(self, backend: Backend, seed: int = 0, *, state: Snapshot | None = None, resets: int = 0) -> None:
        """Raises ConfigError for a state that is not this model's, and ModelFileError as a session does."""
        super().__init__(backend, seed)
        self._resets_seen = resets
        if state is not None:
            check_state(backend.card, state)
            self._state = dict(state)

    def snapshot(self) -> Snapshot:
        """Return a copy of what the model remembers now. Raises BackendError where it lies on a device that was lost."""
        try:
            return {name: np.array(values) for name, values in self._state.items()}
        except (RuntimeError, MemoryError) as error:
            raise BackendError(f"What {self.card.name} remembers cannot be fetched ({error}).") from error


def check_state(card: ModelCard, state: Snapshot) -> None:
    """Raise ConfigError unless `state` has the card's names and shapes and holds finite numbers alone."""
    shapes = {spec.name: spec.shape for spec in card.states}
    for name in sorted({*shapes, *state}):
        if name not in shapes or name not in state:
            what = "lacks" if name in shapes else "has besides"
            raise ConfigError(f"The kept state does not fit '{card.name}': it {what} '{name}'; save the scene again.")
        if state[name].shape != shapes[name] or state[name].dtype != np.float32:
            raise ConfigError(
                f"The kept state does not fit '{card.name}': '{name}' is {state[name].dtype} {list(state[name].shape)} and "
                f"float32 {list(shapes[name])} was expected; save the scene again."
            )
        if not np.isfinite(state[name]).all():
            raise ConfigError(f"The kept state of '{card.name}' is not finite in '{name}'; save the scene again.")
