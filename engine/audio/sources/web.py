"""Sound from a browser: a phone or a laptop that has the page open is the microphone.

    page ──WebSocket──> SoundSender.put ──a second at most──> thread of the source: rate, channels ──> StreamSource

The newest browser that sends is heard. Whoever presses the button means it, and a phone that lost its network comes back before its
former connection is known to be dead; the first one would keep it out.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.audio.sources.conversion import Conversion
from engine.audio.sources.stream import Intake, StreamFormat, StreamSource
from engine.core.clock import Clock
from engine.core.errors import SourceError

# T samples, C channels

KIND = "web"
NAME = f"{KIND}: a browser's microphone"
RATE_HZ = 48000
"""Of the show's source; what browsers send is converted."""
MOST_CHANNELS = 8
DEFAULT_CHANNELS = (1, 2)
SPARE_S = 0.06
"""So much may lie ready for five seconds before it is skipped. Over a radio network blocks come up to that much late."""
TELLS_SKIPS_FROM_S = 0.25
MOST_READY_S = 1.0
MOST_WAITING_S = 1.0
LOOKS_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class _Arrival:
    """What comes out of a queue: a block of a sender, or its end."""

    sender: SoundSender
    sound_TC: NDArray[np.float32] | None


class BrowserSound:
    """Takes what browsers send to one show, and gives it to the sources that play it; mostly one, and none where nobody asked for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: tuple[_Queue, ...] = ()
        self.is_offered = False
        """Whether the show plays it or can change to it."""
        self._sender: SoundSender | None = None

    @property
    def listeners(self) -> int:
        """How many sources play it now."""
        return len(self._queues)

    def begin(self, rate_hz: int, channels: int, place: str) -> SoundSender:
        """Let a browser at `place` send from now on, in place of the one before. From any thread."""
        with self._lock:
            self._sender = SoundSender(self, rate_hz, channels, place)
            return self._sender

    def source(self, clock: Clock, chosen: Sequence[int] = ()) -> StreamSource:
        """Return a source of the `chosen` channels, numbered from 1; two without a choice. Raises SourceError."""
        channels = tuple(chosen) or DEFAULT_CHANNELS
        if max(channels) > MOST_CHANNELS:
            raise SourceError(
                f"'web' has no channel {max(channels)}; a browser sends at most {MOST_CHANNELS}, numbered from 1."
            )
        stream = StreamFormat(
            name=NAME,
            rate_hz=RATE_HZ,
            channels=len(channels),
            skips=True,
            most_ready_s=MOST_READY_S,
            spare_s=SPARE_S,
            tells_skips_from_s=TELLS_SKIPS_FROM_S,
        )
        self.is_offered = True
        return StreamSource(stream, _Feed(self, channels).run, clock)

    def is_current(self, sender: SoundSender) -> bool:
        """Tell whether no other browser has taken over."""
        return sender is self._sender

    def give(self, sender: SoundSender, sound_TC: NDArray[np.float32] | None) -> None:
        """Hand a block on, or None for the end; not from a browser that another has taken over from."""
        if self.is_current(sender):
            for waiting in self._queues:
                waiting.put(_Arrival(sender, sound_TC))

    def add(self, waiting: _Queue) -> None:
        """Fill one more queue."""
        with self._lock:
            self._queues = (*self._queues, waiting)

    def remove(self, waiting: _Queue) -> None:
        """Fill a queue no more."""
        with self._lock:
            self._queues = tuple(other for other in self._queues if other is not waiting)


class SoundSender:
    """One browser that sends, from its first block to the end of its connection. For one thread, which is never held up."""

    def __init__(self, browser_sound: BrowserSound, rate_hz: int, channels: int, place: str) -> None:
        self._browser_sound = browser_sound
        self.rate_hz = rate_hz
        self.channels = channels
        self.place = place
        """Where it is, for messages."""

    @property
    def is_current(self) -> bool:
        """Whether no other browser has taken over."""
        return self._browser_sound.is_current(self)

    def put(self, sound_TC: NDArray[np.float32]) -> None:
        """Send a block of whole samples."""
        self._browser_sound.give(self, sound_TC)

    def end(self) -> None:
        """Send no more."""
        self._browser_sound.give(self, None)


class _Queue:
    """Blocks on their way from the network to a source; of too many, the oldest are lost."""

    def __init__(self) -> None:
        self._came = threading.Condition()
        self._arrivals: deque[_Arrival] = deque()
        self._waiting_s = 0.0
        self._lost_s = 0.0

    def put(self, arrival: _Arrival) -> None:
        with self._came:
            self._arrivals.append(arrival)
            self._waiting_s += _length_s(arrival)
            while self._waiting_s > MOST_WAITING_S and len(self._arrivals) > 1:
                length_s = _length_s(self._arrivals.popleft())
                self._waiting_s -= length_s
                self._lost_s += length_s
            self._came.notify()

    def take(self, timeout_s: float) -> _Arrival | None:
        with self._came:
            if not self._arrivals:
                self._came.wait(timeout_s)
            if not self._arrivals:
                return None
            arrival = self._arrivals.popleft()
            self._waiting_s -= _length_s(arrival)
            return arrival

    def pop_lost_s(self) -> float:
        """Return how much was lost since the last call."""
        with self._came:
            lost_s, self._lost_s = self._lost_s, 0.0
            return lost_s


class _Feed:
    """Reads one queue for one source, and converts what comes to the source's rate and channels."""

    def __init__(self, browser_sound: BrowserSound, channels: Sequence[int]) -> None:
        self._browser_sound = browser_sound
        self._channels = tuple(channels)
        self._sender: SoundSender | None = None
        self._has_told_loss = False

    def run(self, intake: Intake) -> None:
        """Play whoever sends until the show is over."""
        queue, conversion = _Queue(), Conversion(RATE_HZ, 1, RATE_HZ, (0,))
        self._browser_sound.add(queue)
        try:
            while not intake.closing.is_set():
                arrival = queue.take(LOOKS_EVERY_S)
                if arrival is None:
                    continue
                if arrival.sound_TC is None:
                    self._end(intake, arrival.sender)
                    continue
                if arrival.sender is not self._sender:
                    conversion = self._begin(intake, arrival.sender)
                self._tell_loss(intake, queue.pop_lost_s())
                if not intake.put(conversion.convert(arrival.sound_TC)):
                    return
        finally:
            self._browser_sound.remove(queue)

    def _begin(self, intake: Intake, sender: SoundSender) -> Conversion:
        taken = "" if self._sender is None else f", in place of the one at {self._sender.place}"
        self._sender, self._has_told_loss = sender, False
        count = f"{sender.channels} channel{'s' if sender.channels > 1 else ''}"
        intake.tell(f"The browser at {sender.place} gives the sound, {sender.rate_hz} Hz with {count}{taken}.")
        # A single channel is heard on all that were asked for.
        columns = [0 if sender.channels == 1 else c - 1 if c <= sender.channels else None for c in self._channels]
        missing = [str(c) for c, column in zip(self._channels, columns, strict=True) if column is None]
        if missing:
            intake.tell(f"It has no channel {', '.join(missing)}; silence takes the place.")
        return Conversion(sender.rate_hz, sender.channels, RATE_HZ, columns)

    def _end(self, intake: Intake, sender: SoundSender) -> None:
        if sender is self._sender:
            self._sender = None
            intake.tell(f"The browser at {sender.place} sends no more sound.")

    def _tell_loss(self, intake: Intake, lost_s: float) -> None:
        if lost_s and self._sender and not self._has_told_loss:
            self._has_told_loss = True
            intake.tell(
                f"The browser at {self._sender.place} sends faster than sound is played; {lost_s:.1f} s of it were left out."
            )


def _length_s(arrival: _Arrival) -> float:
    return 0.0 if arrival.sound_TC is None else len(arrival.sound_TC) / arrival.sender.rate_hz
