"""A clip of flashes and clicks in every container, and in every kind of trouble, with the times at which they belong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.media_making import NO_TROUBLE, Kind, Trouble, write_media

# N frames, H W rows and columns, T samples, C channels

EVENTS_S = (1.0, 3.0, 5.0)
LENGTH_S, FPS = 6.0, 50
WIDTH, HEIGHT = 64, 48
CLICK_S, FLASH_S = 0.01, 0.1
CLICK_HZ = np.random.default_rng(9).uniform(300.0, 6000.0, 40)
CLICK_PHASES = np.random.default_rng(10).uniform(0.0, 2 * np.pi, 40)

MP4 = Kind(extension="mp4", video="libx264", sound="aac", keyframes=25)
MKV = Kind(extension="mkv", video="libx264", sound="flac", keyframes=25)
TS = Kind(extension="ts", video="libx264", sound="aac", format="mpegts", keyframes=25)
MP3 = Kind(extension="mp3", sound="libmp3lame")

SOUND_KINDS = (
    *(Kind(extension="wav", sound=codec) for codec in ("pcm_s16le", "pcm_f32le", "pcm_u8")),
    replace(MP3, rate_hz=44100),
    MP3,
    Kind(extension="aac", sound="aac"),
    Kind(extension="m4a", sound="aac", rate_hz=44100),
    Kind(extension="m4a", sound="alac"),
    Kind(extension="ogg", sound="libopus"),
    Kind(extension="opus", sound="libopus"),
    Kind(extension="ogg", sound="flac"),
    Kind(extension="flac", sound="flac", rate_hz=96000),
    Kind(extension="caf", sound="pcm_s16be"),
    Kind(extension="aiff", sound="pcm_s16be", rate_hz=44100),
    Kind(extension="w64", sound="pcm_s16le"),
    Kind(extension="au", sound="pcm_alaw"),
    Kind(extension="wma", sound="wmav2", format="asf", rate_hz=44100),
    Kind(extension="tta", sound="tta"),
)
FILM_KINDS = (
    MP4,
    MKV,
    TS,
    replace(MP4, rate_hz=44100),
    Kind(extension="mov", video="mjpeg", sound="pcm_s16le"),
    Kind(extension="mov", video="prores_ks", sound="aac"),
    Kind(extension="mkv", video="libx264", sound="libopus", keyframes=25),
    Kind(extension="mkv", video="ffv1", sound="ac3"),
    Kind(extension="webm", video="libvpx", sound="libopus"),
    Kind(extension="avi", video="mpeg4", sound="libmp3lame"),
    Kind(extension="avi", video="mjpeg", sound="pcm_s16le"),
    Kind(extension="mpg", video="mpeg2video", sound="mp2"),
    Kind(extension="flv", video="flv", sound="libmp3lame", rate_hz=44100),
    Kind(extension="nut", video="mpeg4", sound="libmp3lame"),
)

UNSAID_SAMPLES = {("aac", "aac"): 1024, ("avi", "libmp3lame"): 1105, ("wma", "wmav2"): -2048}
"""Samples that the encoder puts before the sound where the container has no place to say so: a player plays them too. The decoder of
WMA leaves its first block out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A file, and when its clicks and flashes come."""

    name: str
    path: Path
    clicks_s: tuple[float, ...]
    """Since the first frame, or without video since the first sample."""
    flashes_s: tuple[float, ...] = ()
    """Since the first frame; empty without video."""
    parts: int = 1
    """Recordings that were joined, with equally many clicks each."""


def click(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the click at times from its beginning: a burst that correlates with itself at one place alone."""
    waves = np.sin(2 * np.pi * np.outer(time_s, CLICK_HZ) + CLICK_PHASES).sum(axis=1) / np.sqrt(len(CLICK_HZ))
    hull = np.where((time_s >= 0.0) & (time_s < CLICK_S), np.sin(np.pi * time_s / CLICK_S) ** 2, 0.0)
    return 0.5 * waves * hull


def sound(rate_hz: int, channels: int = 2) -> NDArray[np.float32]:
    """Return six seconds [T, C] of a quiet tone with a click at every event."""
    time_s = np.arange(round(LENGTH_S * rate_hz)) / rate_hz
    mono_T = 0.02 * np.sin(2 * np.pi * 200.0 * time_s)
    for event_s in EVENTS_S:
        mono_T += click(time_s - event_s)
    return np.repeat(mono_T.astype(np.float32)[:, None], channels, axis=1)


def frames() -> list[NDArray[np.uint8]]:
    """Return the frames: dark, bright for FLASH_S from every event on."""
    dark_HWC, bright_HWC = (np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in (40, 240))
    return [
        bright_HWC if any(event_s <= number / FPS + 1e-9 < event_s + FLASH_S for event_s in EVENTS_S) else dark_HWC
        for number in range(round(LENGTH_S * FPS))
    ]


def cases(folder: Path) -> list[Case]:
    """Make all files in an empty folder."""
    build = _Builder(folder)
    made = [build.film(kind.name + _rate(kind), kind) for kind in (*SOUND_KINDS, *FILM_KINDS)]
    for kind in (MP4, MKV, TS):
        made += _troubled(build, kind)
    return [*made, *_joined(build), *_damaged(build)]


def _rate(kind: Kind) -> str:
    return "" if kind.rate_hz == 48000 else f" {kind.rate_hz / 1000:g} kHz"


class _Builder:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._frames = frames()
        self._count = 0

    def path(self, extension: str) -> Path:
        self._count += 1
        return self.folder / f"{self._count}.{extension}"

    def film(self, name: str, kind: Kind, trouble: Trouble = NO_TROUBLE, channels: int = 2) -> Case:
        """Write one file; the times follow from its time stamps."""
        path = write_media(self.path(kind.extension), kind, sound(kind.rate_hz, channels), self._frames, FPS, trouble)
        start_s = trouble.video_from_s if kind.video else trouble.sound_from_s
        late_s = trouble.sound_from_s - start_s + UNSAID_SAMPLES.get((kind.extension, kind.sound), 0) / kind.rate_hz
        clicks_s = tuple(late_s + event_s * trouble.sound_clock for event_s in EVENTS_S)
        return Case(name=name, path=path, clicks_s=clicks_s, flashes_s=EVENTS_S if kind.video else ())

    def joined(self, name: str, parts: Sequence[Case], extension: str, part_s: Sequence[float]) -> Case:
        """Append files; each begins where the one before ends."""
        path = self.path(extension)
        path.write_bytes(b"".join(part.path.read_bytes() for part in parts))
        begins_s = [sum(part_s[:number]) for number in range(len(parts))]
        pairs = list(zip(parts, begins_s, strict=True))
        return replace(
            parts[0],
            name=name,
            path=path,
            parts=len(parts),
            clicks_s=tuple(begin_s + click_s for part, begin_s in pairs for click_s in part.clicks_s),
            flashes_s=tuple(begin_s + flash_s for part, begin_s in pairs for flash_s in part.flashes_s),
        )


def _without(*gaps_s: tuple[float, float]) -> Callable[[float], bool]:
    return lambda time_s: not any(begin_s <= time_s < end_s for begin_s, end_s in gaps_s)


def _troubled(build: _Builder, kind: Kind) -> list[Case]:
    troubles = {
        "a gap of 1 s": Trouble(keeps_sound=_without((1.5, 2.5))),
        "a gap of 60 ms": Trouble(keeps_sound=_without((1.5, 1.56))),
        "three gaps": Trouble(keeps_sound=_without((0.3, 0.6), (1.5, 2.2), (4.0, 4.05))),
        "frames lost": Trouble(keeps_video=_without((3.5, 4.5))),
        "video 0.7 s late": Trouble(video_from_s=0.7),
        "sound 0.7 s late": Trouble(sound_from_s=0.7),
        "both start at 100 s": Trouble(sound_from_s=100.0, video_from_s=100.0),
        "sound clock 0.5 % slow": Trouble(sound_clock=1.005),
        "sound clock 0.5 % fast": Trouble(sound_clock=0.995),
        "a spoilt packet": Trouble(spoils_sound=lambda time_s: 1.9 <= time_s < 1.92),
    }
    return [build.film(f"{kind.extension}: {name}", kind, trouble) for name, trouble in troubles.items()]


def _joined(build: _Builder) -> list[Case]:
    film, later = build.film("ts", TS), build.film("ts", TS, Trouble(sound_from_s=5000.0, video_from_s=5000.0))
    slow, fast = build.film("mp3", MP3), build.film("mp3", replace(MP3, rate_hz=44100))
    mono = build.film("mp3", MP3, channels=1)
    return [
        build.joined("ts: joined, clock goes back", [film, film], "ts", [LENGTH_S, LENGTH_S]),
        build.joined("ts: joined, clock jumps ahead", [film, later], "ts", [LENGTH_S, LENGTH_S]),
        build.joined("mp3: rate changes", [slow, fast], "mp3", [_mp3_s(48000), 0.0]),
        build.joined("mp3: channels change", [mono, slow], "mp3", [_mp3_s(48000), 0.0]),
    ]


def _mp3_s(rate_hz: int) -> float:
    """Return the length of the sound in whole frames, with the encoder's delay, which no header of a second file takes out."""
    return float(np.ceil((LENGTH_S * rate_hz + 1105) / 1152) * 1152 / rate_hz)


def _damaged(build: _Builder) -> list[Case]:
    made: list[Case] = []
    for kind in (MP3, MKV, TS, Kind(extension="wav", sound="pcm_s16le")):
        whole = build.film(kind.extension, kind)
        content = whole.path.read_bytes()
        for name, damaged in (
            ("bytes after the end", content + b"\xaa" * 2000),
            ("cut", content[: -len(content) // 20]),
        ):
            path = build.path(kind.extension)
            path.write_bytes(damaged)
            made.append(replace(whole, name=f"{kind.extension}: {name}", path=path))
    return made
