"""What can be chosen of AVSyncD beside the common flags."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import TrainingError, nearest_name
from training.diffusion.avsyncd.chaining import looped_chunks
from training.diffusion.avsyncd.config import FPS, FRAMES
from training.diffusion.avsyncd.published import CHECKPOINTS, SAMPLERS, unet_file
from training.diffusion.avsyncd.sampling import Guidance
from training.diffusion.job_flags import check_text

DEFAULT_MODEL = "avsync15"
DEFAULT_SEAM_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one rendering."""

    image: Path
    text: str
    model: str
    unet: str
    """Where its UNet lies: in the folder of weights, or elsewhere as a whole path."""
    guidance: Guidance
    sampler: str
    seam_frames: int
    loop: bool = False
    """The first frame follows the last one."""

    @property
    def new_frames(self) -> int:
        """Frames that each chunk after the first one adds."""
        return FRAMES - self.seam_frames

    def chunks(self, frames: int) -> int:
        """Return of how many chunks a clip is made."""
        if self.loop:
            return looped_chunks(frames, FRAMES, self.seam_frames)
        return 1 + max(0, -(-(frames - FRAMES) // self.new_frames))


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the flags."""
    default = Guidance()
    parser.add_argument("--image", type=Path, metavar="FILE", help="the still that the clip begins with")
    parser.add_argument("--text", default="", metavar="CLASS", help="what is seen and sounds, as 'lions roaring'")
    parser.add_argument("--model", choices=tuple(CHECKPOINTS), default=DEFAULT_MODEL, help="by what it was trained on")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FOLDER", help="an own training: RUN/ckpts/checkpoint-N/modules"
    )
    for name, value in (("audio", default.sound), ("text", default.text)):
        parser.add_argument(
            f"--{name}-guidance", type=float, default=value, metavar="N", help=f"from 1 on; default {value:g}"
        )
    parser.add_argument("--sampler", choices=tuple(SAMPLERS), default="pndm", help="default pndm, as published")
    parser.add_argument(
        "--seam-frames",
        type=int,
        default=DEFAULT_SEAM_FRAMES,
        metavar="N",
        help=f"frames that chunks of {FRAMES} share; default {DEFAULT_SEAM_FRAMES}",
    )
    parser.add_argument("--loop", action="store_true", help="the first frame follows the last one")


def settings_of(arguments: Namespace) -> Settings:
    """Return the flags as values. Raises TrainingError for those that are missing or out of range."""
    if arguments.image is None:
        raise TrainingError("--image is missing; add the still that the clip begins with.")
    if not 1 <= arguments.seam_frames < FRAMES:
        raise TrainingError(
            f"--seam-frames is {arguments.seam_frames}; from 1, the last frame alone, to {FRAMES - 1} was expected."
        )
    check_text("--text", arguments.text)
    guidance = Guidance(text=arguments.text_guidance, sound=arguments.audio_guidance)
    return Settings(
        arguments.image,
        arguments.text,
        arguments.model,
        unet_place(arguments),
        guidance,
        arguments.sampler,
        arguments.seam_frames,
        arguments.loop,
    )


def unet_place(arguments: Namespace) -> str:
    """Return where the UNet lies that the flags name."""
    if arguments.checkpoint is None:
        return unet_file(arguments.model)
    return str(arguments.checkpoint.absolute() / Path("unet", Path(unet_file(arguments.model)).name))


def frame_count(sound_s: float) -> int:
    """Return how many frames a sound of that length becomes. Raises TrainingError where it is too short for one."""
    # A little more than nothing, since lengths are rounded.
    frames = int(sound_s * FPS + 1e-6)
    if not frames:
        raise TrainingError(
            f"The sound has {sound_s:.3f} s; at least one frame of {1.0 / FPS:.3f} s was expected: give more of it."
        )
    return frames


def notices(settings: Settings, sound_s: float, size: tuple[int, int]) -> tuple[str, ...]:
    """Return one sentence for each thing that the model does not know from its training. `size` is width and height."""
    checkpoint, found = CHECKPOINTS[settings.model], list[str]()
    is_own = settings.unet != unet_file(settings.model)
    if not is_own and settings.text not in checkpoint.classes:
        near = nearest_name(settings.text, checkpoint.classes)
        which = f"'{settings.text}' is no class" if settings.text else "There is no --text, which is no class"
        found.append(f"{which} that {settings.model} was trained with.{near or ' docs/avsyncd.md lists them.'}")
    if not is_own and size != (checkpoint.width, checkpoint.height):
        found.append(
            f"{settings.model} was trained with {checkpoint.width}x{checkpoint.height} pixels; others look worse the further they are off."
        )
    if settings.loop:
        # Behind its end the sound begins again.
        return tuple(found)
    frames = frame_count(sound_s)
    chunks = settings.chunks(frames)
    ends_s = (FRAMES + (chunks - 1) * settings.new_frames) / FPS
    if ends_s > sound_s + 1e-6:
        found.append(
            f"The sound is read in stretches of {FRAMES / FPS:g} s; the last one is padded with silence to {ends_s:.2f} s."
        )
    return tuple(found)
