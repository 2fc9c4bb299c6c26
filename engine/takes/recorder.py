"""Record a take: all that is needed to render a show again, bit-exact, in a folder of its own.

    FOLDER/sound.caf    the source's samples as the show received them
    FOLDER/log.jsonl    what the show began with, and what changed at which hop; see take_log.py
    FOLDER/arrays/      states of scenes

The step loop only queues; a thread writes. A disk that is full or slow ends the take with a notice, never the show.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from engine.audio.passed_source import PassedSource
from engine.audio.source import Source
from engine.control.parameter import Value
from engine.control.parameter_store import ControlSnapshot
from engine.core.bounded_queue import BoundedQueue
from engine.core.errors import SinkError
from engine.core.free_path import free_path
from engine.core.show_event import ShowEvent
from engine.takes.take_arrays import save_array
from engine.takes.take_log import LOG, SOUND, HopLine, TakeHeader, write_header, write_line
from engine.takes.take_sound import SoundFile

# T samples, C channels

WRITE_EVERY_S = 0.25
"""How much sound is written at a time: so much is lost in a kill."""
LONGEST_GAP_S = 0.5
"""After so much sound without a change the log has a line all the same."""
LONGEST_LAG_S = 30.0
"""How far the disk may fall behind."""
SPARE_BYTES = 32 << 20
"""Memory for lines and their arrays beside the sound that waits."""
CHECK_EVERY_S = 10.0
"""How often the free space on the disk is looked at."""
CLOSE_WITHIN_S = 30.0
Item = NDArray[np.float32] | HopLine
"""Samples [T, channels], or a line of the log."""
_LINE_BYTES = 256
"""About the size of a line in memory, without its values."""


class TakeRecorder:
    """Writes one take. `add_sound` must bring the samples of a hop before `note` is called for it; `note` belongs to one thread."""

    def __init__(
        self,
        folder: Path | str,
        header: TakeHeader,
        *,
        live: bool,
        notify: Callable[[str], None] = print,
        gain_curve_T: NDArray[np.float32] | None = None,
        keep_free_bytes: int = 0,
    ) -> None:
        """`gain_curve_T` is what conditioning multiplied the window before the take with, where that was not 1. The take ends before less than `keep_free_bytes` are free on the disk."""
        self._folder = Path(folder)
        self._gain_curve_T = gain_curve_T
        self._keep_free_bytes = keep_free_bytes
        self._header = header
        self._live = live
        self._notify = notify
        self._longest_gap_hops = max(1, round(LONGEST_GAP_S * header.sample_rate_hz / header.hop_samples))
        self._queue: BoundedQueue[Item] | None = None
        self._thread: threading.Thread | None = None
        self._values: Mapping[str, Value] = {}
        self._received_samples = -header.lead_in_samples
        self._last_hop = -1
        self._noted_hop = -1
        self._ending = "the show is over"
        self._notice = ""
        self._has_failed = False
        """Whether the writing thread gave up, and says why."""

    @property
    def name(self) -> str:
        return str(self._folder)

    @property
    def is_recording(self) -> bool:
        """Whether the take goes on."""
        return self._queue is not None

    @property
    def is_over(self) -> bool:
        """Whether all is written and told."""
        return not (self._queue or self._notice or (self._thread and self._thread.is_alive()))

    def open(self) -> None:
        """Begin the take. Raises SinkError for a folder that cannot be written or already holds a take."""
        log, sound = self._create()
        self._start(lambda queue: self._write(queue, log, sound))

    def begin(self, sound: Iterable[NDArray[np.float32]]) -> None:
        """Begin the take without waiting for the disk, with blocks [T, C] of its lead-in and of what was received since.

        A folder that holds something already gets a number behind its name; one that cannot be written costs a notice.
        """
        self._start(self._create_and_write)
        for block_TC in sound:
            self.add_sound(block_TC)

    def add_sound(self, sound_TC: NDArray[np.float32]) -> None:
        """Add sound [T, C] as it came from the source; the array must not change afterwards."""
        if len(sound_TC) and self._put(sound_TC):
            self._received_samples += len(sound_TC)

    def note(
        self,
        index: int,
        skipped_hops: int,
        snapshot: ControlSnapshot,
        failed: bool = False,
        show_events: Sequence[ShowEvent] = (),
        early_samples: Sequence[int] = (),
    ) -> None:
        """Record hop `index`, when it was played, with the early steps before it; arrays in show events must not change afterwards."""
        self.tell()
        changed, removed = _difference(self._values, snapshot.values)
        happened = snapshot.events or snapshot.beat_points or show_events or early_samples
        eventful = skipped_hops or failed or changed or removed or happened
        if eventful or index - self._noted_hop >= self._longest_gap_hops:
            line = HopLine(
                hop=index,
                received_samples=self._received_samples,
                skipped_hops=skipped_hops,
                failed=failed,
                values=changed,
                removed=removed,
                events=snapshot.events,
                beat_points=snapshot.beat_points,
                show_events=tuple(show_events),
                early_samples=tuple(early_samples),
            )
            if not self._put(line):
                return
            self._values, self._noted_hop = snapshot.values, index
        if self._queue:
            self._last_hop = index

    def end(self, ending: str) -> None:
        """Accept nothing more and say why; what is queued is still written. Waits for nothing."""
        if self._queue:
            self._ending = ending
        self._end()

    def tell(self) -> None:
        """Pass a notice of the writing thread on."""
        line, self._notice = self._notice, ""
        if line:
            self._notify(line)

    def close(self) -> None:
        """Write what is queued and finish the take; safe to call twice."""
        self._end()
        if self._thread:
            self._thread.join(CLOSE_WITHIN_S)
            if self._thread.is_alive():
                self._notice = f"The disk of {self._folder} does not respond; the end of the take may be missing."
            self._thread = None
        self.tell()

    def _start(self, write: Callable[[BoundedQueue[Item]], None]) -> None:
        second_bytes = 4 * self._header.source_channels * self._header.source_rate_hz
        # The lead-in comes at once.
        lead_in_bytes = 4 * self._header.source_channels * self._header.lead_in_samples
        capacity_bytes = round(LONGEST_LAG_S * second_bytes) + lead_in_bytes + SPARE_BYTES
        self._queue = BoundedQueue(capacity_bytes, _size_bytes, waits=not self._live)
        self._thread = threading.Thread(target=write, args=(self._queue,), name="take", daemon=True)
        self._thread.start()

    def _create(self) -> tuple[TextIOWrapper, SoundFile]:
        """Create the files. Raises SinkError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._check_free_space()
            if (self._folder / LOG).exists() or (self._folder / SOUND).exists():
                raise SinkError(f"{self._folder} already holds a take; choose another folder with --take or --takes.")
            header = self._header
            if self._gain_curve_T is not None:
                header = replace(header, gain_curve=save_array(self._gain_curve_T, self._folder))
            log = (self._folder / LOG).open("x", encoding="utf-8")
            log.write(write_header(header))
            log.flush()
            return log, SoundFile(self._folder / SOUND, self._header.source_rate_hz, self._header.source_channels)
        except (FFmpegError, OSError) as error:
            raise SinkError(
                f"Cannot write a take to {self._folder}: {_reason(error)}; choose another folder with --take or --takes."
            ) from error

    def _create_and_write(self, queue: BoundedQueue[Item]) -> None:
        try:
            self._folder = free_path(self._folder)
            log, sound = self._create()
        except (OSError, SinkError) as error:
            self._notice, self._has_failed = str(error), True
            queue.abandon()
            return
        self._notice = f"take     {self._folder}"
        self._write(queue, log, sound)

    def _put(self, item: Item) -> bool:
        queue = self._queue
        if queue is None:
            return False
        if queue.put(item):
            return True
        if not self._has_failed:
            self._ending = f"the disk fell more than {LONGEST_LAG_S:g} s behind"
            self._notice = f"The take {self._folder} ends here: {self._ending}. It can be replayed up to here."
        self._end()
        return False

    def _end(self) -> None:
        """Accept nothing more; what is queued is still written."""
        queue, self._queue = self._queue, None
        if queue:
            queue.close()

    def _write(self, queue: BoundedQueue[Item], log: TextIOWrapper, sound: SoundFile) -> None:
        written = HopLine(hop=-1, received_samples=0)
        received_samples = -self._header.lead_in_samples
        check_samples = round(CHECK_EVERY_S * self._header.source_rate_hz)
        checked_samples = received_samples
        portion_bytes = round(WRITE_EVERY_S * 4 * self._header.source_channels * self._header.source_rate_hz)
        try:
            while (items := queue.take_portion(portion_bytes)) is not None:
                if received_samples - checked_samples >= check_samples:
                    self._check_free_space()
                    checked_samples = received_samples
                # Sound first, so that the log never names samples that are not in the file.
                received_samples += _write_sound(items, sound)
                written = self._write_lines(items, log) or written
            self._write_end(log, HopLine(hop=self._last_hop, received_samples=received_samples, end=self._ending))
            sound.close()
            log.close()
        except (FFmpegError, OSError) as error:
            self._has_failed = True
            queue.abandon()
            self._notice = f"The take {self._folder} ends here: it cannot be written ({_reason(error)}). It can be replayed up to here."
            self._give_up(log, sound, replace(written, end=_reason(error)))

    def _write_lines(self, items: Sequence[Item], log: TextIOWrapper) -> HopLine | None:
        """Write the lines among `items` and return the last."""
        lines = [item for item in items if isinstance(item, HopLine)]
        for line in lines:
            log.write(write_line(line, self._folder))
        log.flush()
        return HopLine(hop=lines[-1].hop, received_samples=lines[-1].received_samples) if lines else None

    def _write_end(self, log: TextIOWrapper, line: HopLine) -> None:
        log.write(write_line(line, self._folder))
        log.flush()

    def _check_free_space(self) -> None:
        """Raise OSError where the disk is nearly full."""
        if self._keep_free_bytes and shutil.disk_usage(self._folder).free < self._keep_free_bytes:
            raise OSError(f"{self._keep_free_bytes / 1e6:.0f} MB have to stay free on the disk")

    def _give_up(self, log: TextIOWrapper, sound: SoundFile, last: HopLine) -> None:
        """Close the files after an error, which may happen again at each; where there is space, the log gets the reason."""
        for step in (sound.close, lambda: self._write_end(log, last), log.close):
            try:
                step()
            except (FFmpegError, OSError):
                continue


class SoundTaker(Protocol):
    """What gets the sound of a show: a TakeRecorder or a TakeSwitch."""

    def add_sound(self, sound_TC: NDArray[np.float32]) -> None: ...


class RecordedSource(PassedSource):
    """A source whose sound goes into a take as the show receives it."""

    def __init__(self, source: Source, take: SoundTaker) -> None:
        super().__init__(source)
        self._take = take

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        block = super().read()
        if block is not None:
            self._take.add_sound(block[0])
        return block


def _write_sound(items: Sequence[Item], sound: SoundFile) -> int:
    """Write the sound among `items` and return how many samples it was."""
    blocks = [item for item in items if not isinstance(item, HopLine)]
    if not blocks:
        return 0
    sound_TC = np.concatenate(blocks)
    sound.write(sound_TC)
    return len(sound_TC)


def _difference(before: Mapping[str, Value], now: Mapping[str, Value]) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Return the values that are new or changed, and the names that were removed; 1, 1.0 and True differ."""
    if before is now:
        return {}, ()
    changed = {
        name: value
        for name, value in now.items()
        if name not in before or before[name] != value or type(before[name]) is not type(value)
    }
    return changed, tuple(name for name in before if name not in now)


def _size_bytes(item: Item) -> int:
    if isinstance(item, HopLine):
        return _LINE_BYTES * (1 + len(item.values)) + _array_bytes(item.show_events)
    return item.nbytes


def _array_bytes(value: object) -> int:
    if isinstance(value, np.ndarray):
        return cast("NDArray[Any]", value).nbytes
    if isinstance(value, Mapping):
        return sum(_array_bytes(item) for item in cast(Mapping[str, object], value).values())
    if isinstance(value, (list, tuple)):
        return sum(_array_bytes(item) for item in cast(Sequence[object], value))
    return 0


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
