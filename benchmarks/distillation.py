"""Does a live model learn to follow sound from a diffusion model that does? With the tiny teachers of this folder.

    python -m benchmarks.distillation TEACHER RUN [--family NAME] [--minutes N] [--feature-network] [--sheet FILE.png]

TEACHER is the folder of benchmarks.avsyncd_tiny, or with --family tempotokens that of benchmarks.tempotokens_mapper.
Made songs become RUN/songs, others that nobody is trained on RUN/held. The teacher renders the held ones; `training.teach` has it render
the songs and trains a live model on them; the live model plays the held ones too. For each film: how far the
brightness of its frames goes along with the level of its own sound, and with that of another one: the floor. The scene itself, at as
many frames a second, is how far it can go.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import tempotokens_trained
from benchmarks.following import Brightness, Following, brightness_in, brightness_of, followed_others, following
from benchmarks.record import append_record, print_table
from benchmarks.swelling_scene import RATE_HZ, SIDE, frames, levels, made_sound
from benchmarks.tempotokens_mapper import NAME as MAPPER
from benchmarks.tiny_teacher import TEXT
from engine.core.errors import UserError, run_main
from engine.media.frame_reader import FrameReader
from training import render, teach
from training.data.clip_sound import read_sound, resampled
from training.data.scenes.make_scene import write_wav
from training.data.windows import FrameRange
from training.diffusion.avsyncd.config import FPS
from training.loop.checkpoint import load_generator
from training.loop.run_folder import checkpoint_folders
from training.loop.validation import frame_bytes, generated_sequences

SONGS, SONG_S, HELD, HELD_S = 8, 16.0, 4, 12.0
GUIDANCES = (1.0, 4.0)
SAMPLING = ("--steps", "20", "--width", "64", "--height", "64", "--seed", "0")
TEACHER_GUIDANCE = 4.0
SHOWN_FPS, SHOWN_S = 6, 4.0


@dataclass(frozen=True, slots=True)
class Tiny:
    """A family of tiny teachers, and what its commands are given."""

    family: str
    fps: int
    guidance: str
    """Its flag for how far the sound is followed."""
    given: Callable[[Path], list[str]]
    """Flags beside the sound, by the folder of weights."""

    def flags(self, weights: Path, guidance: float) -> list[str]:
        return [*self.given(weights), "--weights", str(weights), self.guidance, f"{guidance:g}", *SAMPLING]


TEACHERS = {
    tiny.family: tiny
    for tiny in (
        Tiny(
            "avsyncd",
            FPS,
            "--audio-guidance",
            lambda weights: ["--image", str(weights / "photo.png"), "--text", TEXT, "--sampler", "dpm"],
        ),
        Tiny("tempotokens", tempotokens_trained.FPS, "--guidance", lambda weights: ["--mapper", MAPPER]),
    )
}


def write_sounds(folder: Path, count: int, seconds: float, seed: int) -> list[Path]:
    """Write made sounds, as 1.wav and so on, and return them."""
    files = [folder / f"{number}.wav" for number in range(1, count + 1)]
    for number, file in enumerate(files):
        if not file.exists():
            write_wav(file, resampled(made_sound(np.random.default_rng([seed, number]), seconds), RATE_HZ, 48000))
    return files


def teachers_films(tiny: Tiny, weights: Path, held: list[Path], folder: Path, guidance: float) -> list[Path]:
    """Return the films that the teacher renders of sounds; those that are there are kept."""
    films = [folder / f"{sound.stem}-{guidance:g}.mp4" for sound in held]
    for sound, film in zip(held, films, strict=True):
        if film.exists():
            continue
        film.parent.mkdir(parents=True, exist_ok=True)
        words = ["--family", tiny.family, "--audio", str(sound), "-o", str(film), "--no-preview"]
        render.main([*words, *tiny.flags(weights, guidance)])
    return films


def live_frames(run_folder: Path, sound: Path) -> tuple[NDArray[np.uint8], int]:
    """Return the frames [N, H, W, 3] that the live model plays of a sound, and how many a second."""
    model = load_generator(run_folder).model
    sound_S = read_sound(sound, model.sample_rate_hz)
    whole, noise = FrameRange(0, len(sound_S) // model.hop_samples), torch.Generator().manual_seed(0)
    with torch.no_grad():
        parts = [frame_bytes(made) for _, made in generated_sequences(model, sound_S, whole, model.fps, noise)]
    return np.concatenate(parts), model.fps


def train_live(tiny: Tiny, weights: Path, songs: Path, run_folder: Path, minutes: float, more: list[str]) -> None:
    """Have `training.teach` train a live model in a run folder."""
    words = ["--teacher", tiny.family, "--audio", str(songs), "--minutes", f"{minutes:g}"]
    words += ["--run-folder", str(run_folder), "--cache-folder", str(run_folder.parent / "cache")]
    try:
        teach.main([*words, *tiny.flags(weights, TEACHER_GUIDANCE), *more])
    except UserError as error:
        # Where the export refuses, the run is whole and can be measured.
        if not checkpoint_folders(run_folder):
            raise
        print(f"error: {error}")


def row_of(name: str, seen: Sequence[Brightness], sounds: list[NDArray[np.float32]], fps: int) -> dict[str, object]:
    """Return how films go along with their own sounds, and with the others; `fps` is the teacher's."""
    own = [following(one, sound_S, fps) for one, sound_S in zip(seen, sounds, strict=True)]
    return {"who": name, **Following.mean(own), "another's": followed_others(seen, sounds, fps)}


def scene_of(sound_S: NDArray[np.float32], fps: int) -> Brightness:
    """Return the brightness of the scene itself, in the colour of the tiny TempoTokens."""
    return brightness_of(frames(levels(sound_S, fps), tempotokens_trained.COLOUR), fps)


def row_of_frames(frames_NHWC: Sequence[NDArray[np.uint8]], fps: int) -> NDArray[np.uint8]:
    """Return the first frames of a film beside each other, SHOWN_FPS a second."""
    shown = frames_NHWC[:: fps // SHOWN_FPS][: round(SHOWN_S * SHOWN_FPS)]
    return np.concatenate([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in shown], axis=1)


def main() -> int:
    parser = argparse.ArgumentParser(description="Does a live model learn to follow sound from a diffusion model?")
    parser.add_argument("teacher", type=Path, help="its folder of weights")
    parser.add_argument("--family", choices=tuple(TEACHERS), default="avsyncd")
    parser.add_argument("run", type=Path, help="folder for sounds, films and the live model")
    parser.add_argument(
        "--minutes",
        type=float,
        default=12.0,
        help="for rendering the songs and training the live model; 0: measure the one that is there",
    )
    parser.add_argument(
        "--feature-network", action="store_true", help="compare features of the teacher's autoencoder too"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the training")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="the scene, the teacher, the live model")
    parser.add_argument("--teacher-alone", action="store_true", help="measure the teacher and stop")
    arguments = parser.parse_args()
    run: Path = arguments.run
    write_sounds(run / "songs", SONGS, SONG_S, 1)
    held = write_sounds(run / "held", HELD, HELD_S, 2)
    sounds = [read_sound(file, RATE_HZ) for file in held]
    tiny, films = TEACHERS[arguments.family], {}
    rows = [row_of("the scene itself", [scene_of(sound_S, tiny.fps) for sound_S in sounds], sounds, tiny.fps)]
    for guidance in GUIDANCES:
        films[guidance] = teachers_films(tiny, arguments.teacher, held, run / "teacher", guidance)
        seen = [brightness_in(film) for film in films[guidance]]
        rows.append(row_of(f"teacher, {tiny.guidance} {guidance:g}", seen, sounds, tiny.fps))
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    if arguments.teacher_alone:
        return 0
    name = "live-features" if arguments.feature_network else "live"
    more = [word for value in arguments.set for word in ("--set", value)]
    more += ["--feature-network"] if arguments.feature_network else []
    if arguments.minutes:
        train_live(tiny, arguments.teacher, run / "songs", run / name, arguments.minutes, more)
    played = [live_frames(run / name, sound) for sound in held]
    rows.append(row_of(name, [brightness_of(*film) for film in played], sounds, tiny.fps))
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    about = {"family": tiny.family, "minutes": arguments.minutes or None, "settings": arguments.set}
    about |= {"iterations": load_generator(run / name).iterations, "exported": any((run / name).glob("*.onnx"))}
    append_record("distillation", {**about, "rows": rows}, model=name)
    if arguments.sheet:
        made = [timed.shown.pixels_HWC() for timed in FrameReader(films[TEACHER_GUIDANCE][0]).frames()]
        scene = frames(levels(sounds[0], tiny.fps), tempotokens_trained.COLOUR)
        shown = ((scene, tiny.fps), (made, tiny.fps), played[0])
        cv2.imwrite(str(arguments.sheet), np.concatenate([row_of_frames(*film) for film in shown])[:, :, ::-1])
    return 0


if __name__ == "__main__":
    run_main(main)
