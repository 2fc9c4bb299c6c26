"""Notices that the chosen sound track is silent where another one of the same file is not."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from pathlib import Path

import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from engine.core.errors import MediaError
from engine.media.opening import open_media
from engine.media.packets import Packets
from engine.media.sound_decoding import SoundDecoding
from engine.media.tracks import track_name

# T samples, C channels

LISTENED_S = 10.0
SILENT_PEAK = 1e-4


class SilentTrack:
    """Listens to the start of one track; the others are decoded only where it is silent."""

    def __init__(self, path: Path | str, container: InputContainer, chosen: int) -> None:
        """Listen to the sound track with index `chosen` in its file."""
        self._path = path
        self._others = [number for number, track in enumerate(container.streams.audio) if track.index != chosen]
        self._heard_s = 0.0

    def hear(self, sound_TC: NDArray[np.float32], rate_hz: int) -> str | None:
        """Listen to the next sound; return the audible tracks, "2 (ger), 3", when the start was silent and others are not."""
        if not self._others:
            return None
        if float(np.abs(sound_TC).max(initial=0.0)) > SILENT_PEAK:
            self._others = []
        self._heard_s += len(sound_TC) / rate_hz
        return self.compare() if self._heard_s >= LISTENED_S else None

    def compare(self) -> str | None:
        """Return the audible tracks, as `hear`, at the end of the sound or of the time of listening."""
        others, self._others = self._others, []
        audible = [name for name in (self._audible_name(number) for number in others) if name]
        return ", ".join(audible) or None

    def _audible_name(self, number: int) -> str | None:
        """Return the name of a track that is not silent."""
        try:
            with open_media(self._path) as container:
                track, heard_s = container.streams.audio[number], 0.0
                if track.codec_context is None:
                    return None
                for decoded in SoundDecoding(Packets(container, None, track), track):
                    if float(np.abs(decoded.sound_TC).max(initial=0.0)) > SILENT_PEAK:
                        return track_name(container, number)
                    heard_s += decoded.span.samples / decoded.span.rate_hz
                    if heard_s >= LISTENED_S:
                        break
        except (MediaError, IndexError):
            pass
        return None
