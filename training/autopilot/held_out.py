"""The test of the exported checkpoint on the held-out part: its figures, and a film that shows it beside the clip."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import UserError
from training.autopilot.summary import validations
from training.data.video import ClipFormat
from training.logging.samples import VIDEO_SECONDS, side_by_side, write_video
from training.loop.run_folder import SAMPLES_FOLDER
from training.loop.validation import Validation

FILM_FILE = "preview.mp4"


@dataclass(frozen=True, slots=True)
class HeldOutTest:
    """`figures` is None where they could not be had, and `reason` says why; `film` is None where there is none."""

    figures: dict[str, float] | None
    reason: str = ""
    film: Path | None = None


def held_out_test(
    run_folder: Path, exported: int, last: int, play: Callable[[], tuple[Validation, ClipFormat]]
) -> HeldOutTest:
    """Return the test of the checkpoint after `exported` iterations.

    The run itself has made it at its end, after `last` iterations; for another checkpoint `play` makes it. Whatever fails is
    said: neither figures nor film may cost the model.
    """
    film = run_folder / FILM_FILE
    own = validations(run_folder).get(last) if exported == last else None
    try:
        if own is not None:
            sample = run_folder / SAMPLES_FOLDER / f"{last:07d}.mp4"
            return HeldOutTest(own, film=_copied(sample, film))
        found, clip_format = play()
    except KeyboardInterrupt:
        return HeldOutTest(None, "the test was stopped")
    except (UserError, OSError) as error:
        return HeldOutTest(None, str(error).rstrip("."))
    return HeldOutTest(found.numbers(), film=_written(found, clip_format, film))


def _copied(sample: Path, film: Path) -> Path | None:
    try:
        shutil.copyfile(sample, film)
    except OSError:
        return sample if sample.is_file() else None
    return film


def _written(found: Validation, clip_format: ClipFormat, film: Path) -> Path | None:
    fps, rate_hz = clip_format.fps, clip_format.sample_rate_hz
    frames_NHWC = side_by_side(found.real_NHWC(), found.generated_NHWC, VIDEO_SECONDS, fps)
    sound_S = found.sound_S()[: len(frames_NHWC) * (rate_hz // fps)]
    try:
        write_video(film, frames_NHWC, sound_S, fps, rate_hz)
    except OSError:
        return None
    return film
