"""Made clips: every frame tells its number, the sound is whatever the test gives."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16000
BRIGHTNESS_STEP = 4


def numbered_frames(count: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """Return frames [N, H, W, 3] whose brightness is 4 times their number (modulo 60)."""
    levels = (np.arange(count) % 60 * BRIGHTNESS_STEP + 10).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, height, width, 3)).copy()


def numbers_of(frames_NHWC: NDArray[np.uint8]) -> list[int]:
    """Return the numbers that frames tell."""
    return [round((float(frame.mean()) - 10) / BRIGHTNESS_STEP) for frame in frames_NHWC]


def write_clip(
    path: Path,
    frames_NHWC: NDArray[np.uint8],
    sound_CS: NDArray[np.float32] | None,
    fps: int = 20,
    sound_start_s: float = 0.0,
    rate_hz: int = RATE_HZ,
) -> Path:
    """Write frames and sound [channels, samples]; None leaves the sound track out."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"crf": "10"})
        video.width, video.height, video.pix_fmt = frames_NHWC.shape[2], frames_NHWC.shape[1], "yuv420p"
        layout = "stereo" if sound_CS is not None and len(sound_CS) == 2 else "mono"
        audio = None if sound_CS is None else container.add_stream("aac", rate=rate_hz, layout=layout)
        for frame in frames_NHWC:
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(video.encode())
        if audio is not None and sound_CS is not None:
            for start in range(0, sound_CS.shape[1], 1024):
                block = np.ascontiguousarray(sound_CS[:, start : start + 1024])
                sound = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
                sound.sample_rate, sound.time_base = rate_hz, Fraction(1, rate_hz)
                sound.pts = start + round(sound_start_s * rate_hz)
                container.mux(audio.encode(sound))
            container.mux(audio.encode())
    return path


def noise(seconds: float, seed: int = 0, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """Return mono noise [1, S]."""
    return (0.1 * np.random.default_rng(seed).standard_normal((1, round(seconds * rate_hz)))).astype(np.float32)


def moving_clip(path: Path, seconds: float = 3.0, fps: int = 20, size: int = 32, width: int | None = None) -> Path:
    """Write a clip in which a bright bar jumps with every burst of noise."""
    count, random = round(seconds * fps), np.random.default_rng(1)
    loud = random.random(count) < 0.5
    width = width or size
    place = np.cumsum(np.where(loud, 5, 0)) % (width - 8)
    frames = np.full((count, size, width, 3), 60, np.uint8)
    for frame, x in zip(frames, place, strict=True):
        frame[:, x : x + 8] = (220, 120, 40)
    envelope = np.repeat(np.where(loud, 0.3, 0.003), RATE_HZ // fps)
    sound = (envelope * random.standard_normal(len(envelope))).astype(np.float32)
    return write_clip(path, frames, sound[None], fps)


def shots(count: int, begin: tuple[int, ...], size: int = 32, seed: int = 0) -> NDArray[np.uint8]:
    """Return frames [N, H, W, 3] of drifting coloured patches; at the numbers in `begin` another shot begins."""
    random = np.random.default_rng(seed)
    frames = []
    for index in range(count):
        if index == 0 or index in begin:
            patches = random.integers(0, 256, (4, 4, 3)).astype(np.uint8).repeat(size // 4, 0).repeat(size // 4, 1)
        frames.append(np.roll(patches, index // 4, axis=1))
    return np.stack(frames)


def write_wav(path: Path, sound_S: NDArray[np.float32], rate_hz: int = RATE_HZ) -> Path:
    """Write mono sound of 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", "not compressed"))
        file.writeframes((sound_S * 32767).round().astype("<i2").tobytes())
    return path


def write_recording(
    root: Path, name: str, frames_NHWC: NDArray[np.uint8], sound_S: NDArray[np.float32], instrument: str = "cello"
) -> Path:
    """Write a recording as Sub-URMP lays it out and return the folder of its frames.

    Frame k at 500 + 100 k ms, with it the 0.5 s of sound from there on; `sound_S` begins with the first frame.
    """
    frames_in, chunks_in = root / "img" / "train" / instrument, root / "chunk" / "train" / instrument
    for folder in (frames_in, chunks_in):
        folder.mkdir(parents=True, exist_ok=True)
    stride = RATE_HZ // 10
    padded = np.concatenate([sound_S, np.zeros(RATE_HZ, np.float32)])
    for k, frame in enumerate(frames_NHWC):
        stem = f"{name}_{500 + 100 * k}"
        cv2.imwrite(str(frames_in / f"{stem}.jpg"), frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
        write_wav(chunks_in / f"{stem}.wav", padded[k * stride : k * stride + RATE_HZ // 2])
    return frames_in


def frames_of(film: Path) -> NDArray[np.uint8]:
    """Return the frames [N, H, W, 3] of a film."""
    with av.open(str(film)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def apart(one: Path, other: Path) -> float:
    """Return the mean difference of the frames of two films, in levels.

    Films of the same computation may differ by single levels: a processor adds up in another order from time to time.
    """
    return float(np.abs(frames_of(one).astype(int) - frames_of(other)).mean())
