"""Reads the sound of any file in blocks, as FFmpeg's player would play it, and says what it met."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from engine.core.errors import MediaError
from engine.media.channels import check_channels, mixed, mixed_channels, picked
from engine.media.opening import open_media
from engine.media.packets import Packets
from engine.media.rate import RateConverter, stretched
from engine.media.silent_track import SilentTrack
from engine.media.sound_decoding import Decoded, SoundDecoding
from engine.media.sound_notices import SoundNotices
from engine.media.timeline import Placement, Timeline
from engine.media.tracks import sound_track, video_tracks

# T samples, C channels

SILENCE_BLOCK_S = 0.5
LONGEST_LEAD_S = 3600.0
"""Tracks that start further apart have nothing in common."""
LONGEST_PRIMING_S = 0.1
"""Sound so short before the first frame of a film is what its encoder needed to start."""
SELF_TRIMMING = ("opus", "vorbis")
"""Codecs whose files say what the encoder needed, so the decoder leaves it out."""
TOLD_STRETCH_S = 0.02


class SoundReader:
    """Decodes one sound track once, from its start: gaps filled, at one rate, in one or two channels or in chosen ones."""

    def __init__(
        self,
        path: Path | str,
        track: str | int | None = None,
        from_s: float | None = None,
        channels: Sequence[int] = (),
    ) -> None:
        """Open the file and decode the first sound of its default track, or of `track`: a number from 1 or a language.

        With `from_s`, a time on the file's clock, decoding begins there or before, where the file allows that. `channels`, numbered
        from 1, are kept apart; without them all are mixed.
        Raises MediaError for a file that cannot be read, has no such track or channel, or holds no sound that can be decoded.
        """
        self._container = open_media(path)
        try:
            self._track = sound_track(self._container, path, track)
            if from_s is not None:
                self._seek(from_s)
            videos = video_tracks(self._container)
            self._packets = Packets(self._container, videos[0] if videos else None, self._track)
            self._decoding = SoundDecoding(self._packets, self._track)
            self._spans = iter(self._decoding)
            first = next(self._spans, None)
            if first is None:
                raise MediaError(
                    f"{path} holds no sound that can be decoded: its {self._track.codec_context.name} track is empty, damaged or "
                    "protected; give another file."
                )
            check_channels(channels, first.sound_TC.shape[1], path)
        except BaseException:
            self._container.close()
            raise
        self.rate_hz = first.span.rate_hz
        self._chosen = tuple(channels)
        self.channels = len(channels) or mixed_channels(first.sound_TC.shape[1], first.names)
        self.start_s = first.span.time_s or 0.0
        """Time of the first sample on the file's clock."""
        video_starts_s = [
            float((v.start_time or 0) * (v.time_base or 0)) for v in videos[:1] if v.start_time is not None
        ]
        primed = self._track.codec_context.name not in SELF_TRIMMING
        self.zero_s = _zero_s(self.start_s, primed, *video_starts_s)
        """The file's zero on its clock: the start of its sound, or that of its video."""
        self._notices = SoundNotices(Path(path).name)
        self._told_joins = self._told_undecodable = 0
        self._timeline = Timeline(float(self._track.time_base or 0))
        self._converter: RateConverter | None = None
        self._last = first
        self._last_C = np.zeros(self.channels, np.float32)
        self._silent_track = SilentTrack(path, self._container, self._track.index)
        self._blocks = self._placed(first)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Return the blocks [T, channels], at `rate_hz`, that have not been read; T differs and is at least 1."""
        return self._blocks

    def blocks_from(self, time_s: float) -> Iterator[NDArray[np.float32]]:
        """Return the blocks from `time_s` on, on the file's clock: silence first where the sound starts later."""
        missing = round((self.start_s - time_s) * self.rate_hz)
        if missing > 0:
            yield from _silence(missing, self.rate_hz, self.channels)
        left_out = max(0, -missing)
        for block_TC in self._blocks:
            yield from _filled(block_TC[left_out:])
            left_out = max(0, left_out - len(block_TC))

    def notices(self) -> list[str]:
        """Return the sentences since the last call: gaps, joins, damage, changes on the way."""
        return self._notices.take()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        # A generator that goes on after the file was closed would read freed memory.
        self._blocks.close()
        self._spans = iter(())
        self._container.close()

    def _seek(self, time_s: float) -> None:
        with contextlib.suppress(FFmpegError):
            self._container.seek(round(time_s / float(self._track.time_base or 1)), stream=self._track)

    def _placed(self, first: Decoded) -> Generator[NDArray[np.float32]]:
        waiting: deque[Decoded] = deque()
        for decoded in self._from(first):
            waiting.append(decoded)
            for placement in self._timeline.put(decoded.span):
                yield from self._block(waiting.popleft(), placement)
            self._tell()
        for placement in self._timeline.finish():
            yield from self._block(waiting.popleft(), placement)
        if self._converter is not None:
            yield from _filled(self._converter.finish())
        self._tell()
        self._tell_audible(self._silent_track.compare())
        self._notices.end()

    def _from(self, first: Decoded) -> Iterator[Decoded]:
        yield first
        yield from self._spans

    def _block(self, decoded: Decoded, placement: Placement) -> Iterator[NDArray[np.float32]]:
        """Yield one span at its place."""
        yield from self._change(decoded)
        rate_hz = decoded.span.rate_hz
        for silence_TC in _silence(placement.silence, rate_hz, self.channels):
            yield from self._at_one_rate(silence_TC)
        came_TC = decoded.sound_TC[placement.left_out :]
        sound_TC = picked(came_TC, self._chosen) if self._chosen else mixed(came_TC, self.channels, decoded.names)
        self._tell_audible(self._silent_track.hear(sound_TC, rate_hz))
        if placement.stretch and len(sound_TC):
            sound_TC = stretched(sound_TC, len(sound_TC) + placement.stretch, self._last_C)
        if len(sound_TC):
            self._last_C = sound_TC[-1]
            yield from self._at_one_rate(sound_TC)

    def _change(self, decoded: Decoded) -> Iterator[NDArray[np.float32]]:
        """Prepare for another rate, and tell what changes; yields the end of the sound at the rate before."""
        before, self._last = self._last, decoded
        time_s = self._shown_s(self._timeline.end_s)
        if decoded.sound_TC.shape[1] != before.sound_TC.shape[1]:
            self._notices.channels(time_s, before.sound_TC.shape[1], decoded.sound_TC.shape[1])
        rate_hz = decoded.span.rate_hz
        if rate_hz == before.span.rate_hz:
            return
        self._notices.rate(time_s, before.span.rate_hz, rate_hz)
        if self._converter is not None:
            yield from _filled(self._converter.finish())
        self._converter = None if rate_hz == self.rate_hz else RateConverter(rate_hz, self.rate_hz, self.channels)

    def _at_one_rate(self, sound_TC: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        yield from _filled(sound_TC if self._converter is None else self._converter.feed(sound_TC))

    def _tell(self) -> None:
        timeline = self._timeline
        for join in self._packets.joins[self._told_joins :]:
            self._notices.join(self._shown_s(join.time_s), join.jump_s)
        self._told_joins = len(self._packets.joins)
        for gap in timeline.gaps:
            self._notices.gap(self._shown_s(gap.time_s), self._shown_s(gap.time_s + gap.seconds))
        timeline.gaps.clear()
        damaged = self._decoding.undecodable + self._packets.unreadable
        for _ in range(damaged - self._told_undecodable):
            self._notices.undecodable(self._shown_s(timeline.end_s))
        self._told_undecodable = damaged
        if abs(timeline.stretched_s) > TOLD_STRETCH_S:
            self._notices.clock(100.0 * timeline.stretched_s / timeline.followed_s)
        if timeline.wrong_clock:
            self._notices.wrong_clock()

    def _tell_audible(self, audible: str | None) -> None:
        if audible:
            self._notices.silent_track(audible)

    def _shown_s(self, time_s: float) -> float:
        """Return a time of the file's clock as it is told: from the file's zero."""
        return max(0.0, time_s - self.zero_s)


def _zero_s(sound_s: float, primed: bool, video_s: float | None = None) -> float:
    if video_s is None or not -LONGEST_PRIMING_S * primed <= sound_s - video_s < LONGEST_LEAD_S:
        return sound_s
    return video_s


def _silence(samples: int, rate_hz: int, channels: int) -> Iterator[NDArray[np.float32]]:
    block = round(SILENCE_BLOCK_S * rate_hz)
    for start in range(0, samples, block):
        yield np.zeros((min(samples - start, block), channels), np.float32)


def _filled(sound_TC: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    if len(sound_TC):
        yield sound_TC
