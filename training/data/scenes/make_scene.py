"""Render a clip with sound: `python -m training.data.scenes.make_scene water -o media/water.mp4`.

    water               water in a round dish on a loudspeaker, seen from above
    strings             strings beside a loudspeaker, of any shape: --size 1280x720, 720x1280
    veil                veils that hang before loudspeakers, lit from their foot, of any shape
    medusa              a jellyfish in deep water, of any shape
    iris                an eye, seen close, between six lamps, of any shape
    flames              flames on a pipe of gas that sounds, of any shape
    --sound song.wav    move the scene with this sound instead of the arranged one: the frames of a perfect model
    --heldout           write media/heldout.wav instead: sound from recordings that no clip uses

Frame k shows the scene after the sound up to (k + 1) * 50 ms. Its time stamp is k * 50 ms.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import TrainingError, run_main
from training.core.frame_size import FrameSize
from training.data.scenes.scene_list import SCENES
from training.data.scenes.sound_force import FRAMES_PER_S, Array
from training.data.scenes.soundtrack import RATE_HZ, arrange, held_out, read_sound

SMALLEST_PX = 32
AAC_BITS_PER_S = 256_000
CRF = "12"


def render_scene(
    scene: str, sound_mono_T: Array, rate_hz: int, size: FrameSize, fps: int = FRAMES_PER_S
) -> Iterator[NDArray[np.uint8]]:
    """Yield the true frames of a sound, uint8 RGB [H, W, 3] of `size`, at `fps` frames a second."""
    yield from SCENES[scene].frames(sound_mono_T, rate_hz, size, fps)


def write_clip(
    path: Path, frames: Iterator[NDArray[np.uint8]], sound_T: Array, size: FrameSize, fps: int = FRAMES_PER_S
) -> int:
    """Write frames and sound as H.264 4:4:4 and AAC, and return the number of frames.

    Raises TrainingError when the file cannot be written.
    """
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx264", rate=fps, options={"crf": CRF, "preset": "medium"})
            video.width, video.height, video.pix_fmt = size.width, size.height, "yuv444p"
            audio = container.add_stream("aac", rate=RATE_HZ, layout="mono", bit_rate=AAC_BITS_PER_S)
            hop = RATE_HZ // fps
            for count, frame_HWC in enumerate(frames, start=1):
                container.mux(video.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
                container.mux(audio.encode(_audio_frame(sound_T[(count - 1) * hop : count * hop], (count - 1) * hop)))
            container.mux(video.encode(None))
            container.mux(audio.encode(None))
    except (av.error.FFmpegError, OSError) as error:
        raise TrainingError(f"{path} cannot be written ({error}); give a name such as media/water.mp4.") from None
    return count


def write_wav(path: Path, sound_T: Array) -> None:
    """Write mono 16-bit sound at RATE_HZ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        container.mux(stream.encode(_audio_frame(sound_T, 0)))
        container.mux(stream.encode(None))


def _audio_frame(sound_T: Array, start: int) -> av.AudioFrame:
    whole = (np.clip(sound_T, -1.0, 1.0) * 32767.0).round().astype(np.int16)
    frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
    return frame


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the flags of this entry point."""
    parser = ArgumentParser(description="Render a clip of a physical scene driven by real recordings.")
    parser.add_argument("scene", nargs="?", default="water", choices=tuple(SCENES))
    parser.add_argument("-o", "--output", type=Path, help="default: media/SCENE.mp4, or media/heldout.wav")
    parser.add_argument(
        "--sound", type=Path, help="a sound file that drives the scene instead of the arranged recordings"
    )
    parser.add_argument("--heldout", action="store_true", help="write the held-out sound instead of a clip")
    parser.add_argument("--seconds", type=float, default=240.0, help="length of the arranged clip (default 240)")
    sizes = ", ".join(f"{name} {scene.size}" for name, scene in SCENES.items())
    parser.add_argument("--size", metavar="WxH", help=f"in pixels, even; default: {sizes}")
    parser.add_argument("--seed", type=int, default=7, help="order of the recordings (default 7)")
    parser.add_argument("--fps", type=int, default=FRAMES_PER_S, help=f"frames a second (default {FRAMES_PER_S})")
    flags = parser.parse_args(argv)
    if flags.fps < 1 or RATE_HZ % flags.fps:
        raise TrainingError(
            f"--fps is {flags.fps}; a whole number that divides {RATE_HZ} Hz was expected, such as 20, 30 or 60."
        )
    flags.size = _size(flags.scene, flags.size)
    if flags.seconds < 1.0:
        raise TrainingError(f"--seconds is {flags.seconds}; a clip needs at least 1 second.")
    return flags


def _size(scene: str, given: str | None) -> FrameSize:
    if given is None:
        return SCENES[scene].size
    size = FrameSize.of(int(given) if given.isdecimal() else given, "--size")
    if size.short_side < SMALLEST_PX or size.height % 2 or size.width % 2:
        raise TrainingError(
            f"--size is {given}; H.264 needs even numbers of at least {SMALLEST_PX} pixels, such as 256."
        )
    if SCENES[scene].is_round and size.shape != 1:
        raise TrainingError(
            f"--size is {given}; the dish of the scene {scene} is round, so a square was expected, such as {size.short_side}."
        )
    return size


def main() -> int:
    """Render the clip or the held-out sound and print the recordings in it."""
    flags = parse()
    if flags.heldout:
        sound_T, lines = held_out(flags.seed)
        path = flags.output or Path("media/heldout.wav")
        write_wav(path, sound_T)
        print(*lines, f"{path}: {len(sound_T) / RATE_HZ:.1f} s", sep="\n")
        return 0
    sound_T, lines = (
        (read_sound(flags.sound), [f"sound: {flags.sound}"]) if flags.sound else arrange(flags.seconds, flags.seed)
    )
    path = flags.output or Path(f"media/{flags.scene}.mp4")
    started = time.perf_counter()
    total = len(sound_T) * flags.fps // RATE_HZ
    frames = tqdm(render_scene(flags.scene, sound_T, RATE_HZ, flags.size, flags.fps), total=total, unit="frame")
    count = write_clip(path, iter(frames), sound_T, flags.size, flags.fps)
    seconds = time.perf_counter() - started
    print(*lines, f"{path}: {count} frames at {flags.fps} fps, rendered at {count / seconds:.0f} frames/s", sep="\n")
    return 0


if __name__ == "__main__":
    run_main(main)
