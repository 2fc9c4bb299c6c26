"""Films with several sound tracks and many channels, for tests. Every track and channel has a tone of its own."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

RATE_HZ = 48000
FPS = 20


@dataclass(frozen=True)
class Track:
    """A track with one tone a channel; 0 Hz is silence."""

    tones_hz: tuple[int, ...]
    language: str = ""
    title: str = ""
    default: bool = False


def tones(tones_hz: tuple[int, ...], seconds: float) -> NDArray[np.float32]:
    """Return one tone a channel [T, C]."""
    time_T = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.stack([0.3 * np.sin(2 * np.pi * hz * time_T) for hz in tones_hz], axis=1).astype(np.float32)


def tone_of(sound_T: NDArray[np.float32], rate_hz: int = RATE_HZ) -> int:
    """Return the strongest frequency, rounded to 100 Hz; 0 for silence."""
    if np.abs(sound_T).max(initial=0.0) < 1e-3:
        return 0
    spectrum = np.abs(np.fft.rfft(sound_T * np.hanning(len(sound_T))))
    return 100 * round(float(np.argmax(spectrum)) * rate_hz / len(sound_T) / 100)


def write_film(path: Path, *tracks: Track, seconds: float = 1.0) -> Path:
    """Write a film in which a bar moves, with sound tracks of 16-bit samples."""
    layouts = {1: "mono", 2: "stereo", 8: "7.1"}
    with av.open(str(path), "w") as container:
        film: Any = container.add_stream("mpeg4", rate=FPS)
        film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
        streams: list[Any] = []
        for track in tracks:
            stream: Any = container.add_stream("pcm_s16le", rate=RATE_HZ, layout=layouts[len(track.tones_hz)])
            stream.disposition = Disposition.default if track.default else Disposition(0)
            stream.metadata.update({k: v for k, v in (("language", track.language), ("title", track.title)) if v})
            streams.append(stream)
        for number in range(round(seconds * FPS)):
            pixels_HWC = np.full((32, 32, 3), 60, np.uint8)
            pixels_HWC[:, number % 24 : number % 24 + 8] = 220
            container.mux(film.encode(av.VideoFrame.from_ndarray(pixels_HWC, "rgb24")))
        container.mux(film.encode(None))
        for stream, track in zip(streams, tracks, strict=True):
            raw = np.rint(tones(track.tones_hz, seconds) * 32767).astype("<i2")
            frame = av.AudioFrame.from_ndarray(raw.reshape(1, -1), "s16", layouts[len(track.tones_hz)])
            frame.sample_rate, frame.pts = RATE_HZ, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def write_recorder(path: Path, tones_hz: tuple[int, ...], seconds: float = 1.0) -> Path:
    """Write a WAV file of many channels without places, as recorders do."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(tones_hz))
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.rint(tones(tones_hz, seconds) * 32767).astype("<i2").tobytes())
    return path
