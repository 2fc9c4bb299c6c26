"""Makes small sound and video files of every kind with PyAV, for the benchmarks of the media reader."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from numpy.typing import NDArray

# N frames, H W rows and columns, T samples, C channels

PIXEL_FORMATS = {"gif": "rgb8", "mjpeg": "yuvj420p", "ffv1": "yuv420p", "qtrle": "rgb24", "prores_ks": "yuv422p10le"}
"""Others take yuv420p."""
SAMPLE_FORMATS = {"libopus": "flt", "alac": "s16p", "flac": "s16"}
LOSSLESS = {"libx264": {"qp": "0", "preset": "ultrafast"}, "mpeg4": {"q": "2"}}
BLOCK_SAMPLES = 960


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A container with its codecs."""

    extension: str
    sound: str = ""
    """Encoder of the sound; empty without."""
    video: str = ""
    format: str | None = None
    """FFmpeg's name where the extension does not tell it."""
    rate_hz: int = 48000
    keyframes: int = 0
    """Frames from one that stands alone to the next; 0 leaves it to the encoder."""

    @property
    def name(self) -> str:
        return " ".join(part.removeprefix("lib") for part in (self.extension, self.video, self.sound) if part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """What is wrong with the times and packets of a file."""

    sound_from_s: float = 0.0
    """Time stamp of the first sample."""
    video_from_s: float = 0.0
    keeps_sound: Callable[[float], bool] = lambda _: True
    """Whether the packet with this time stamp is written."""
    keeps_video: Callable[[float], bool] = lambda _: True
    sound_clock: float = 1.0
    """Seconds of time stamps that pass in a second of samples."""
    spoils_sound: Callable[[float], bool] = lambda _: False
    """Whether the content of the packet with this time stamp is overwritten."""
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of the container."""


NO_TROUBLE = Trouble()


def write_media(
    path: Path,
    kind: Kind,
    sound_TC: NDArray[np.float32],
    frames_NHWC: Sequence[NDArray[np.uint8]] = (),
    fps: int = 25,
    trouble: Trouble = NO_TROUBLE,
) -> Path:
    """Write sound and frames; one of them is left out where the kind has no codec for it."""
    with av.open(str(path), "w", format=kind.format, options=dict(trouble.options)) as container:
        video, sound = _tracks(container, kind, sound_TC, frames_NHWC, fps)
        packets: list[Any] = []
        if video is not None:
            packets += _moved(_video_packets(video, frames_NHWC), trouble.video_from_s, 1.0, trouble.keeps_video)
        if sound is not None:
            made = list(_sound_packets(sound, sound_TC, kind))
            # AVI has no time stamps, and puts frames in where those of the encoder's delay are negative.
            begins_s = _time_s(made[0]) if kind.extension == "avi" else 0.0
            moved = _moved(iter(made), trouble.sound_from_s - begins_s, trouble.sound_clock, trouble.keeps_sound)
            packets += [_spoilt(packet) if trouble.spoils_sound(_time_s(packet)) else packet for packet in moved]
        for packet in sorted(packets, key=lambda packet: float((packet.dts or 0) * packet.time_base)):
            container.mux(packet)
    return path


def _tracks(container: Any, kind: Kind, sound_TC: Any, frames_NHWC: Any, fps: int) -> tuple[Any, Any]:
    video = sound = None
    if kind.video and len(frames_NHWC):
        video = container.add_stream(kind.video, rate=fps, options=LOSSLESS.get(kind.video, {}))
        video.height, video.width = frames_NHWC[0].shape[:2]
        video.pix_fmt = PIXEL_FORMATS.get(kind.video, "yuv420p")
        if kind.keyframes:
            video.gop_size = kind.keyframes
    if kind.sound:
        layout = "mono" if sound_TC.shape[1] == 1 else "stereo"
        sound = container.add_stream(kind.sound, rate=kind.rate_hz, layout=layout)
        if kind.sound == "wmav2":
            sound.bit_rate = 128_000
        if kind.sound in SAMPLE_FORMATS:
            sound.format = SAMPLE_FORMATS[kind.sound]
    return video, sound


def _video_packets(stream: Any, frames_NHWC: Sequence[NDArray[np.uint8]]) -> Iterator[Any]:
    for number, frame_HWC in enumerate(frames_NHWC):
        frame = VideoFrame.from_ndarray(frame_HWC, format="rgb24")
        frame.pts, frame.time_base = number, 1 / stream.codec_context.framerate
        yield from stream.encode(frame)
    yield from stream.encode()


def _sound_packets(stream: Any, sound_TC: NDArray[np.float32], kind: Kind) -> Iterator[Any]:
    for begin in range(0, len(sound_TC), BLOCK_SAMPLES):
        block_TC = np.ascontiguousarray(sound_TC[begin : begin + BLOCK_SAMPLES], np.float32)
        layout = "mono" if sound_TC.shape[1] == 1 else "stereo"
        frame = AudioFrame.from_ndarray(block_TC.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = kind.rate_hz, begin, Fraction(1, kind.rate_hz)
        yield from stream.encode(frame)
    yield from stream.encode()


def _time_s(packet: Any) -> float:
    return float((packet.pts if packet.pts is not None else packet.dts or 0) * packet.time_base)


def _moved(packets: Iterator[Any], from_s: float, clock: float, keeps: Callable[[float], bool]) -> Iterator[Any]:
    """Yield the packets that are kept, at their new times."""
    for packet in packets:
        kept = keeps(_time_s(packet))
        if packet.dts is None and not packet.size:
            continue
        shift = round(from_s / packet.time_base)
        packet.pts = round((packet.pts or 0) * clock) + shift
        packet.dts = round((packet.dts if packet.dts is not None else packet.pts) * clock) + shift
        if kept:
            yield packet


def _spoilt(packet: Any) -> Any:
    spoilt = av.Packet(bytes(np.random.default_rng(packet.size).integers(0, 256, packet.size, np.uint8)))
    spoilt.pts, spoilt.dts, spoilt.duration = packet.pts, packet.dts, packet.duration
    spoilt.time_base, spoilt.stream = packet.time_base, packet.stream
    return spoilt
