"""A source whose sound is also played on a loudspeaker, in time with the frames.

The loudspeaker gets the sound ahead of the show: neither what its driver holds nor a step that takes long can make it late.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.audio.input_layout import InputLayout
from engine.audio.input_mix import film_sound
from engine.audio.listening.loudspeaker import AHEAD_S, Loudspeaker
from engine.audio.passed_source import PassedSource
from engine.audio.sources.paced import PacedSource

# T samples, C channels


class ListenedSource(PassedSource):
    """Passes the sound on as it comes, and to the loudspeaker."""

    def __init__(
        self, source: PacedSource, layout: InputLayout, loudspeaker: Loudspeaker, wanted_s: Callable[[], float]
    ) -> None:
        """The loudspeaker gets the sound as films get it. `wanted_s` returns the delay that is wanted now; it is asked at each read."""
        super().__init__(source)
        self._layout = layout
        self._loudspeaker = loudspeaker
        self._wanted_s = wanted_s
        source.tell_ahead(self._hear, AHEAD_S)

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        block = super().read()
        self._loudspeaker.wanted_s = self._wanted_s()
        if block is None:
            self._loudspeaker.end()
        return block

    def notices(self) -> list[str]:
        return [*super().notices(), *self._loudspeaker.attend()]

    def close(self) -> None:
        super().close()
        self._loudspeaker.close()

    def _hear(self, sound_TC: NDArray[np.float32], played_s: float) -> None:
        self._loudspeaker.put(film_sound(self._layout, sound_TC), played_s)
