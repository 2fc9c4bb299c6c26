"""The sound of an address, live: a lost connection becomes silence and is made again, for as long as the show lasts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from engine.audio.sources.blocks import BlockSource
from engine.audio.sources.conversion import Conversion
from engine.audio.sources.stream import Intake, StreamFormat, StreamSource
from engine.core.clock import Clock
from engine.core.counted import counted
from engine.core.errors import MediaError, SourceError
from engine.media.address import scheme_of
from engine.media.address_reader import NEAR_END_S, AddressReader

RETRIES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Pauses before the attempts to connect again; the last one stays."""
TELL_AGAIN_AFTER = 4
"""Attempts between two lines about a connection that stays away: a minute."""
MOST_EMPTY_CONNECTIONS = 3
"""A recording that brings nothing so many times has ended, whatever length it says."""
SOUND_THAT_LASTS_S = 5.0
"""After so much sound a connection counts as good, and the next loss begins with the shortest pause."""
_BUFFERED_WELL = ("http", "https", "ftp", "mmsh")
"""Radios send many seconds at once and are far behind anyway; all other feeds are played close to their arrival."""
MOST_READY_S, MOST_READY_OF_FEEDS_S = 10.0, 2.0


def recording_source(address: str, track: str | int | None = None, channels: Sequence[int] = ()) -> BlockSource:
    """Connect, and return a source that reads a recording as fast as it comes. Raises MediaError, and SourceError for a live feed."""
    reader = AddressReader(address, track, channels)
    if not reader.has_end:
        reader.close()
        raise SourceError(
            f"{reader.shown} cannot be rendered because it is live and never ends; play it with --out FILE.mp4 --seconds S, or "
            "render a file."
        )
    return BlockSource(
        reader.shown, reader.rate_hz, reader.channels, reader.blocks(), told=reader.notices, close=reader.close
    )


def address_source(
    address: str,
    clock: Clock,
    *,
    repeat: bool = False,
    track: str | int | None = None,
    channels: Sequence[int] = (),
) -> StreamSource:
    """Connect, and return a live source. Raises MediaError for an address that refuses, is silent, or sends no such sound."""

    def connect() -> AddressReader:
        return AddressReader(address, track, channels)

    reader = connect()
    buffered = scheme_of(address) in _BUFFERED_WELL
    stream = StreamFormat(
        name=reader.shown,
        rate_hz=reader.rate_hz,
        channels=reader.channels,
        skips=not buffered and not reader.has_end,
        most_ready_s=MOST_READY_S if buffered else MOST_READY_OF_FEEDS_S,
    )
    return StreamSource(stream, AddressFeed(reader, connect, repeat=repeat).run, clock)


def pause_s(attempt: int) -> float:
    """Return the pause before an attempt, numbered from 0."""
    return RETRIES_S[min(attempt, len(RETRIES_S) - 1)]


class AddressFeed:
    """Reads one address for one show, over as many connections as it takes."""

    def __init__(self, first: AddressReader, connect: Callable[[], AddressReader], *, repeat: bool) -> None:
        """`connect` makes the connections after the first."""
        self._connection = connect
        self._repeat = repeat
        self._reader = first
        self._rate_hz, self._channels = first.rate_hz, first.channels
        self._position_s = 0.0
        """Of a recording."""
        self._attempts = 0
        self._empty_connections = 0

    def run(self, intake: Intake) -> None:
        """Read until a recording ends or the show is over."""
        while not intake.closing.is_set():
            reason = self._play(intake)
            repeats = self._reader.has_end and self._is_at_end(reason)
            if repeats and not self._repeat:
                return
            if not intake.closing.is_set():
                self._connect(intake, reason, repeats)
        self._reader.close()

    def _play(self, intake: Intake) -> str | None:
        """Hand on the sound of this connection; return why it broke off, or None where the sender ended it."""
        reader = self._reader
        # Of a mono feed that was stereo at the start both sides are the same.
        columns = [min(channel, reader.channels - 1) for channel in range(self._channels)]
        conversion = Conversion(reader.rate_hz, reader.channels, self._rate_hz, columns)
        played_s = 0.0
        try:
            with closing(reader.blocks()) as blocks:
                for block_TC in blocks:
                    if not intake.put(conversion.convert(block_TC)):
                        return None
                    played_s += len(block_TC) / reader.rate_hz
                    if played_s > SOUND_THAT_LASTS_S:
                        self._attempts = 0
        except MediaError as error:
            return str(error)
        finally:
            self._position_s += played_s
            self._empty_connections = 0 if played_s else self._empty_connections + 1
            reader.close()
            for line in reader.notices():
                intake.tell(line)
        return None

    def _is_at_end(self, reason: str | None) -> bool:
        """Tell whether a recording has ended. Some formats call a broken connection an end, others say a wrong length."""
        duration_s = self._reader.duration_s
        if duration_s is None:
            return reason is None
        return self._position_s >= duration_s - NEAR_END_S or self._empty_connections >= MOST_EMPTY_CONNECTIONS

    def _connect(self, intake: Intake, reason: str | None, repeats: bool) -> None:
        """Connect again, at once where a recording that brought sound is repeated, else after growing pauses."""
        if repeats:
            self._position_s = 0.0
        else:
            why = reason or f"{self._reader.shown} was ended by its sender."
            intake.tell(f"{why} It is connected again as soon as it answers.")
        # A connection that brought nothing is not made again without a pause.
        said, at_once = reason, repeats and not self._empty_connections
        while at_once or not intake.closing.wait(pause_s(self._attempts)):
            at_once = False
            self._attempts += 1
            try:
                self._reader = self._connection()
            except MediaError as error:
                if str(error) != said or self._attempts % TELL_AGAIN_AFTER == 0:
                    said = str(error)
                    intake.tell(f"{error} The next attempt follows in {pause_s(self._attempts):g} s.")
                continue
            if said or not repeats:
                intake.tell(f"{self._reader.shown} is connected again.")
            self._resume(intake)
            return

    def _resume(self, intake: Intake) -> None:
        reader = self._reader
        if (reader.rate_hz, reader.channels) != (self._rate_hz, self._channels):
            intake.tell(
                f"{reader.shown} returned with {reader.rate_hz} Hz and {counted(reader.channels, 'channel')}; its sound is converted to "
                f"the show's {self._rate_hz} Hz and {self._channels}."
            )
        if reader.has_end and self._position_s and not reader.jump(self._position_s):
            intake.tell(f"{reader.shown} cannot be continued where it broke off; it begins again.")
            self._position_s = 0.0
