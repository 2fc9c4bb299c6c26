"""What can be chosen of TempoTokens beside the common flags, and how a sound is cut for it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from typing import Literal

from engine.core.errors import TrainingError
from training.diffusion.job_flags import check_text
from training.diffusion.tempotokens.audio_mapper import MapperConfig
from training.diffusion.tempotokens.denoising import Sampling
from training.diffusion.tempotokens.published import MAPPERS

Condition = Literal["sound", "text", "both"]
FRAME_RATES = (24, 12, 8, 6)
"""A segment of 24 frames is then 1, 2, 3 or 4 s long, for which the audio encoder gives 24 or a multiple of 24 tokens. It was trained
at 24 frames a second; the original renders at 12."""
DEFAULT_RATE = 12
SEGMENT_FRAMES = MapperConfig().frames


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one rendering."""

    condition: Condition
    text: str
    negative: str
    mapper: str
    fps: int
    sampling: Sampling

    @property
    def with_sound(self) -> bool:
        return self.condition != "text"

    @property
    def segment_s(self) -> float:
        """Seconds of sound that are encoded together."""
        return SEGMENT_FRAMES / self.fps


@dataclass(frozen=True, slots=True)
class Cut:
    """How a sound becomes segments and frames."""

    frames: int
    """Of the clip."""
    made: int
    """Frames that are denoised: those of a whole segment at least, unless the clip is a loop."""
    segments: int
    """Of sound; the last one may be padded."""
    notices: tuple[str, ...]


def cut_sound(sound_s: float, settings: Settings) -> Cut:
    """Return the cut of a sound of that length. Raises TrainingError where it is too short for one frame."""
    # A little more than nothing, since lengths are rounded.
    frames = int(sound_s * settings.fps + 1e-6)
    if not frames:
        raise TrainingError(
            f"The sound has {sound_s:.3f} s; at least one frame of {1.0 / settings.fps:.3f} s was expected: give more of it."
        )
    segments = -(-frames // SEGMENT_FRAMES)
    made = frames if settings.sampling.loop else max(frames, SEGMENT_FRAMES)
    notices = list[str]()
    whole_s = segments * settings.segment_s
    if settings.with_sound and whole_s > sound_s + 1e-6:
        kept = f", and the first {frames} of {made} frames are kept" if made > frames else ""
        notices.append(
            f"The sound is read in segments of {settings.segment_s:g} s; its {sound_s:.2f} s are padded with silence to {whole_s:g} s{kept}."
        )
    return Cut(frames, made, segments, tuple(notices))


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the flags."""
    default = Sampling()
    parser.add_argument("--text", default="", metavar="TEXT", help="what is to be seen, beside what is heard")
    parser.add_argument("--negative", default="", metavar="TEXT", help="what is not to be seen")
    parser.add_argument(
        "--condition", choices=("sound", "text", "both"), help="default: sound, and both where there is a text"
    )
    parser.add_argument(
        "--mapper",
        default=MAPPERS[0],
        metavar="NAME",
        help=f"its folder in the weights: {', '.join(MAPPERS)}, or your own; default {MAPPERS[0]}",
    )
    parser.add_argument(
        "--guidance", type=float, default=default.guidance, metavar="N", help=f"default {default.guidance:g}"
    )
    parser.add_argument(
        "--fps", type=int, choices=FRAME_RATES, default=DEFAULT_RATE, help=f"frames a second; default {DEFAULT_RATE}"
    )
    parser.add_argument(
        "--window-frames",
        type=int,
        default=default.window_frames,
        metavar="N",
        help=f"frames that are denoised together; default {default.window_frames}",
    )
    parser.add_argument("--loop", action="store_true", help="the first frame follows the last one")


def settings_of(arguments: Namespace, save_memory: bool) -> Settings:
    """Return the flags as values. Raises TrainingError for those that do not go together."""
    condition: Condition = arguments.condition or ("both" if arguments.text else "sound")
    if condition != "sound" and not arguments.text:
        raise TrainingError(f"--condition is {condition} and there is no text; add --text.")
    check_text("--text", arguments.text)
    check_text("--negative", arguments.negative)
    sampling = Sampling(
        arguments.steps, arguments.guidance, arguments.window_frames, arguments.loop, halves_apart=save_memory
    )
    text = "" if condition == "sound" else arguments.text
    return Settings(condition, text, arguments.negative, arguments.mapper, arguments.fps, sampling)
