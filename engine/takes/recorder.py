"""A take being written: all that is needed to render a show again, to the bit, in a folder of its own.

    FOLDER/sound.caf    the source's samples as the loop took them
    FOLDER/log.jsonl    what the show began with, and what changed at which hop; see take_log.py
    FOLDER/arrays/      states that scenes brought

The step hands on and goes; a thread writes. A disk that is full or slow ends the take with a notice, never the show.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any, cast

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from engine.audio.sources.source import Source
from engine.control.parameter import Value
from engine.control.parameter_store import ControlSnapshot
from engine.core.errors import SinkError
from engine.core.show_event import ShowEvent
from engine.takes.take_log import LOG, SOUND, HopLine, TakeHeader, write_header, write_line
from engine.takes.take_queue import Item, TakeQueue
from engine.takes.take_sound import SoundFile

# T samples, C channels

WRITE_EVERY_S = 0.25
"""How much sound is written at a time: what a kill costs."""
SIGN_OF_LIFE_S = 0.5
"""After so much sound without a change the log says how far the show has come."""
MOST_WAITING_S = 30.0
"""How far the disk may fall behind."""
SPARE_BYTES = 32 << 20
"""Room for lines and their arrays beside the sound that waits."""
CLOSE_WITHIN_S = 30.0
_LINE_BYTES = 256
"""About what a line takes in memory beside its values."""


class TakeRecorder:
    """Writes one take. `hear` must bring a sample before `note` names a hop that heard it; `note` belongs to one thread."""

    def __init__(
        self, folder: Path | str, header: TakeHeader, *, live: bool, notify: Callable[[str], None] = print
    ) -> None:
        self._folder = Path(folder)
        self._header = header
        self._live = live
        self._notify = notify
        self._life_hops = max(1, round(SIGN_OF_LIFE_S * header.sample_rate_hz / header.hop_samples))
        self._queue: TakeQueue | None = None
        self._thread: threading.Thread | None = None
        self._values: Mapping[str, Value] = {}
        self._heard_samples = 0
        self._last_hop = -1
        self._said_hop = -1
        self._ending = "the show is over"
        self._untold = ""

    @property
    def name(self) -> str:
        return str(self._folder)

    def open(self) -> None:
        """Begin the take. Raises SinkError for a folder that cannot be written or holds a take already."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if (self._folder / LOG).exists() or (self._folder / SOUND).exists():
                raise SinkError(f"{self._folder} holds a take already; choose another folder with --take.")
            log = (self._folder / LOG).open("x", encoding="utf-8")
            log.write(write_header(self._header))
            log.flush()
            sound = SoundFile(self._folder / SOUND, self._header.source_rate_hz, self._header.source_channels)
        except (FFmpegError, OSError) as error:
            raise SinkError(
                f"Cannot write a take to {self._folder}: {_reason(error)}; choose another folder with --take."
            ) from error
        second_bytes = 4 * self._header.source_channels * self._header.source_rate_hz
        self._queue = TakeQueue(
            self._live, round(MOST_WAITING_S * second_bytes) + SPARE_BYTES, round(WRITE_EVERY_S * second_bytes)
        )
        self._thread = threading.Thread(target=self._write, args=(self._queue, log, sound), name="take", daemon=True)
        self._thread.start()

    def hear(self, sound_TC: NDArray[np.float32]) -> None:
        """Take sound [T, C] as it came from the source; it is not written to afterwards."""
        if len(sound_TC) and self._put(sound_TC, sound_TC.nbytes):
            self._heard_samples += len(sound_TC)

    def note(
        self,
        index: int,
        skipped_hops: int,
        snapshot: ControlSnapshot,
        failed: bool = False,
        show_events: Sequence[ShowEvent] = (),
    ) -> None:
        """Take what hop `index` was played with. What happenings hold is not written to afterwards."""
        self._tell()
        changed, gone = _difference(self._values, snapshot.values)
        eventful = skipped_hops or failed or changed or gone or snapshot.events or show_events
        if eventful or index - self._said_hop >= self._life_hops:
            line = HopLine(
                hop=index,
                heard=self._heard_samples,
                skipped=skipped_hops,
                failed=failed,
                values=changed,
                gone=gone,
                events=snapshot.events,
                show_events=tuple(show_events),
            )
            if not self._put(line, _LINE_BYTES * (1 + len(changed)) + _array_bytes(show_events)):
                return
            self._values, self._said_hop = snapshot.values, index
        if self._queue:
            self._last_hop = index

    def close(self) -> None:
        """Write what waits and finish the take; safe to call twice."""
        self._end()
        if self._thread:
            self._thread.join(CLOSE_WITHIN_S)
            if self._thread.is_alive():
                self._untold = f"The disk of {self._folder} does not answer; the take may lack its end."
            self._thread = None
        self._tell()

    def _put(self, item: Item, size_bytes: int) -> bool:
        queue = self._queue
        if queue is None:
            return False
        if queue.put(item, size_bytes):
            return True
        if not self._untold:
            self._ending = f"the disk was more than {MOST_WAITING_S:g} s behind"
            self._untold = f"The take {self._folder} ends here, for {self._ending}; what came before can be replayed."
        self._end()
        return False

    def _end(self) -> None:
        """Nothing more is taken; what waits is still written."""
        queue, self._queue = self._queue, None
        if queue:
            queue.close()

    def _tell(self) -> None:
        line, self._untold = self._untold, ""
        if line:
            self._notify(line)

    def _write(self, queue: TakeQueue, log: TextIOWrapper, sound: SoundFile) -> None:
        written = HopLine(hop=-1, heard=0)
        received_samples = 0
        try:
            while (items := queue.take()) is not None:
                # Sound first, so that the log never speaks of more than there is.
                received_samples += _write_sound(items, sound)
                written = self._write_lines(items, log) or written
            self._write_end(log, HopLine(hop=self._last_hop, heard=received_samples, end=self._ending))
            sound.close()
            log.close()
        except (FFmpegError, OSError) as error:
            queue.abandon()
            self._untold = (
                f"The take {self._folder} ends here, for it cannot be written ({_reason(error)}); what came before can be "
                "replayed."
            )
            self._give_up(log, sound, replace(written, end=_reason(error)))

    def _write_lines(self, items: Sequence[Item], log: TextIOWrapper) -> HopLine | None:
        """Write the lines among `items` and return the last."""
        lines = [item for item in items if isinstance(item, HopLine)]
        for line in lines:
            log.write(write_line(line, self._folder))
        log.flush()
        return HopLine(hop=lines[-1].hop, heard=lines[-1].heard) if lines else None

    def _write_end(self, log: TextIOWrapper, line: HopLine) -> None:
        log.write(write_line(line, self._folder))
        log.flush()

    def _give_up(self, log: TextIOWrapper, sound: SoundFile, last: HopLine) -> None:
        """Release the files after an error, which each may meet again; where there is room, the log says what happened."""
        for step in (sound.close, lambda: self._write_end(log, last), log.close):
            try:
                step()
            except (FFmpegError, OSError):
                continue


class RecordedSource:
    """A source whose sound a take hears as the show takes it."""

    def __init__(self, source: Source, take: TakeRecorder) -> None:
        self.name, self.live = source.name, source.live
        self._source = source
        self._take = take

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
        came = self._source.read()
        if came is not None:
            self._take.hear(came[0])
        return came

    def wait(self, timeout_s: float) -> None:
        self._source.wait(timeout_s)

    def notices(self) -> list[str]:
        return self._source.notices()

    def close(self) -> None:
        self._source.close()


def _write_sound(items: Sequence[Item], sound: SoundFile) -> int:
    """Write the sound among `items` and return how many samples it was."""
    blocks = [item for item in items if not isinstance(item, HopLine)]
    if not blocks:
        return 0
    sound_TC = np.concatenate(blocks)
    sound.write(sound_TC)
    return len(sound_TC)


def _difference(before: Mapping[str, Value], now: Mapping[str, Value]) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Return the values that are new or another, and the names that are gone; 1, 1.0 and True are told apart."""
    if before is now:
        return {}, ()
    changed = {
        name: value
        for name, value in now.items()
        if name not in before or before[name] != value or type(before[name]) is not type(value)
    }
    return changed, tuple(name for name in before if name not in now)


def _array_bytes(said: object) -> int:
    if isinstance(said, np.ndarray):
        return cast("NDArray[Any]", said).nbytes
    if isinstance(said, Mapping):
        return sum(_array_bytes(item) for item in cast(Mapping[str, object], said).values())
    if isinstance(said, (list, tuple)):
        return sum(_array_bytes(item) for item in cast(Sequence[object], said))
    return 0


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
