"""A source whose sound is also played on a loudspeaker, in time with the frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.audio.input_layout import InputLayout
from engine.audio.input_mix import film_sound
from engine.audio.listening.loudspeaker import Loudspeaker
from engine.audio.source import Source

# T samples, C channels


class ListenedSource:
    """Passes the sound on as it comes, and to the loudspeaker."""

    def __init__(
        self, source: Source, layout: InputLayout, loudspeaker: Loudspeaker, wanted_s: Callable[[], float]
    ) -> None:
        """The loudspeaker gets the sound as films get it. `wanted_s` returns the delay that is wanted now; it is asked at each read."""
        self.name, self.live = source.name, source.live
        self._source = source
        self._layout = layout
        self._loudspeaker = loudspeaker
        self._wanted_s = wanted_s

    @property
    def rate_hz(self) -> int:
        return self._source.rate_hz

    @property
    def channels(self) -> int:
        return self._source.channels

    @property
    def dropped_samples(self) -> int:
        return self._source.dropped_samples

    @property
    def stalled(self) -> bool:
        return self._source.stalled

    @property
    def block_s(self) -> float:
        return self._source.block_s

    @property
    def buffer_s(self) -> float:
        return self._source.buffer_s

    def start(self) -> None:
        self._source.start()

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        block = self._source.read()
        self._loudspeaker.wanted_s = self._wanted_s()
        if block is None:
            self._loudspeaker.end()
        elif len(block[0]) and block[1] is not None:
            self._loudspeaker.put(film_sound(self._layout, block[0]), block[1])
        return block

    def wait(self, timeout_s: float) -> None:
        self._source.wait(timeout_s)

    def notices(self) -> list[str]:
        return [*self._source.notices(), *self._loudspeaker.attend()]

    def close(self) -> None:
        self._source.close()
        self._loudspeaker.close()
