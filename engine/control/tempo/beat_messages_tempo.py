"""Tempo and beat from one message a beat, each of which came a little late."""

from __future__ import annotations

import threading

from engine.control.tempo.os2l_messages import BeatMessage
from engine.control.tempo.tempo_input import TempoPosition

GAIN = 0.2
"""Share of a message's error that is taken over, so that a late one moves the beat little."""
FAR_BEATS = 0.15
SAME_BPM = 0.02
"""Tempos within this ratio are one tempo that drifts."""
LOST_BEATS, LOST_S = 2.5, 1.0
"""Without a message for so many beats, and so long, the sender is silent."""


class BeatMessagesTempo:
    """Follows the beats of OS2L. A TempoInput."""

    name = "os2l"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._position: TempoPosition | None = None
        self._received_s = 0.0
        self._received = 0

    def add(self, message: BeatMessage, at_s: float) -> None:
        """Take a beat that came at `at_s`."""
        with self._lock:
            before = self._position if self._position and not self._is_lost(at_s, self._position) else None
            self._received_s = at_s
            expected = before.beats_at(at_s) if before else 0.0
            beats = float(message.number) if message.number is not None else float(round(expected))
            off = beats - expected
            is_new = before is None or message.has_changed or abs(off) > FAR_BEATS
            if before is None or is_new or abs(message.bpm / before.bpm - 1.0) > SAME_BPM:
                self._received = 0
            else:
                beats = expected + max(GAIN, 1.0 / (self._received + 1)) * off
            self._received += 1
            self._position = TempoPosition(at_s, beats, message.bpm, message.number is not None)

    def position(self, now_s: float) -> TempoPosition | None:
        """Return where the sender's beat is; None while it is silent."""
        with self._lock:
            position = self._position
            return None if position is None or self._is_lost(now_s, position) else position

    def _is_lost(self, now_s: float, position: TempoPosition) -> bool:
        return now_s - self._received_s > max(LOST_S, LOST_BEATS * 60.0 / position.bpm)
