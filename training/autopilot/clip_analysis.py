"""Analysis of a clip before training: its length, its level, whether the camera moves, and where the motion is.

Motion is judged on the training part alone: what is reported later has decided nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.autopilot.flow_fit import flow_fit_error
from training.autopilot.mixture_fit import mixture_fit_error
from training.autopilot.stored_frames import StoredFrames
from training.data.clip_sound import read_clip_sound
from training.data.frames import file_frame_rate, frames_with_sound, read_whole_frames, shown_size
from training.data.sound_choice import DEFAULT_SOUND, SoundChoice
from training.data.stillness import is_still
from training.data.video import SILENCE_DB
from training.families.teaching import ClipTraits, MotionKind

# H W rows and columns of the reduced frames, S samples of sound, N tenths of a second

FRAMES_PER_S = 5
FRAME_SIZE = 128
SOUND_RATE_HZ = 16000
NOISE_LEVELS = 4.0
"""Of 255: the changes that compression makes in a still frame."""
LARGEST_LEVELS = 40.0
"""A cut or a flash counts as no more than this."""
MOVING_CAMERA_SHARE = 0.5
CAMERA_STEP = 0.5
"""In reduced pixels: when the whole frame shifts further than this from one frame to the next, the camera moved."""
EDGE = FRAME_SIZE // 8
TEXTURE_LEVELS = 24.0
FEWEST_TEXTURED = 100
SHORTEST_S, FEWEST_FRAMES = 2.0, 2
SOLID_ERROR = 0.8
"""Two talking heads were measured at 0.55 and 0.64, water at 1.0."""
LIGHT_ERROR = 0.3
"""Lit strings were measured at 0.28, water at 0.34."""
STEADY_DB = 3.0
"""Where no moment is louder than this above the quiet ones, nothing stands out from the noise: white noise has 0.5 dB."""
NOISE_DB = -40.0
"""Steady sound below this level is the noise of the recording."""
_OF_KIND: dict[MotionKind, str] = {
    "solid": "solid, things that move and keep their look",
    "fluid": "fluid, surfaces that change all over",
    "light": "light, brightness that comes and goes in its place",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipAnalysis:
    """Properties of a clip that the plan depends on."""

    path: Path
    width: int
    height: int
    """As displayed."""
    frames_per_s: float
    """The file's own frame rate."""
    duration_s: float
    """Length of the shorter track."""
    trained_s: float
    """The part of it, from its start, that is trained."""
    level_db: float
    """Root mean square of the sound, in dB of full scale."""
    level_range_db: tuple[float, float]
    """The level of its quiet moments and of its loud ones: the 5th and the 95th percentile over tenths of a second."""
    camera_moves_share: float
    """Share of the frames, 5 a second, in which the whole frame had shifted."""
    motion_HW: NDArray[np.float32]
    """Mean change between two frames at every place of the frame, squeezed to a square, in levels of 255 above noise."""
    flow_fit_error: float
    """Error of warping one frame to the others, as a share of the mean frame's error: low where solid things move."""
    mixture_fit_error: float
    """Error of mixing a few frames, as a share of the mean frame's error: low where light changes and nothing moves."""

    @property
    def kind(self) -> MotionKind:
        """What changes: a head, a hand, an instrument are solid, water and smoke fluid, lamps and glowing strings light."""
        if self.camera_moves:
            return "fluid"
        # Small motion can be mixed of frames too, so warping comes first.
        if self.flow_fit_error < SOLID_ERROR:
            return "solid"
        return "light" if self.mixture_fit_error < LIGHT_ERROR else "fluid"

    @property
    def camera_moves(self) -> bool:
        return self.camera_moves_share > MOVING_CAMERA_SHARE

    def traits(self) -> ClipTraits:
        """Return what the family is chosen by."""
        return ClipTraits(kind=self.kind, camera_moves=self.camera_moves, trained_s=self.trained_s)

    def motion_words(self) -> str:
        """Say what changes, and by what it was judged."""
        warped, mixed = (max(0.0, 1.0 - error) for error in (self.flow_fit_error, self.mixture_fit_error))
        found = f"warping one frame explains {warped:.0%} of what changes, mixing a few {mixed:.0%}"
        if self.camera_moves:
            return f"of the whole frame: {found}"
        return f"{_OF_KIND[self.kind]}: {found}"


def analyse_clip(
    path: Path,
    trained_share: float = 1.0,
    choice: SoundChoice = DEFAULT_SOUND,
) -> ClipAnalysis:
    """Decode a clip once, at five small frames a second, and its sound; `trained_share` of it, from its start, is trained.

    Raises TrainingError for a file that is missing, not a video, damaged, without sound, silent or nothing but noise, still or shorter
    than 2 s.
    """
    width, height = shown_size(path)
    levels = _sound_levels(path, choice)
    frames = StoredFrames(FRAME_SIZE, FRAME_SIZE)
    most = frames_with_sound(levels.samples, SOUND_RATE_HZ, FRAMES_PER_S)
    with closing(read_whole_frames(path, FRAMES_PER_S, FRAME_SIZE)) as read:
        for frame_HWC in itertools.islice(read, most):
            frames.add(_grey(frame_HWC))
    duration_s = min(len(frames) / FRAMES_PER_S, levels.samples / SOUND_RATE_HZ)
    if len(frames) < FEWEST_FRAMES and levels.samples >= SHORTEST_S * SOUND_RATE_HZ:
        raise TrainingError(
            f"{path} shows a single frame beside its sound, as a song with a cover does; give a video with the sound that moves it."
        )
    _check_length_and_level(path, duration_s, levels)
    frames.keep(max(2, int(trained_share * len(frames))))
    _check_motion(path, frames)
    motion_HW, moves_share = _analyse_motion(frames)
    warp_error, mixture_error = flow_fit_error(frames), mixture_fit_error(frames)
    frames.close()
    return ClipAnalysis(
        path=path,
        width=width,
        height=height,
        frames_per_s=file_frame_rate(path),
        duration_s=duration_s,
        trained_s=trained_share * duration_s,
        level_db=levels.level_db,
        level_range_db=levels.range_db,
        camera_moves_share=moves_share,
        motion_HW=motion_HW,
        flow_fit_error=warp_error,
        mixture_fit_error=mixture_error,
    )


def _grey(frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _analyse_motion(grey: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.float32], float]:
    """Return the mean change [H, W] between grey frames [H, W], and the share of them at which the camera moved."""
    changed_HW, shifted = np.zeros((FRAME_SIZE, FRAME_SIZE), np.float32), 0
    for before_HW, after_HW in itertools.pairwise(grey):
        levels_HW = cv2.absdiff(after_HW, before_HW).astype(np.float32)
        changed_HW += np.clip(levels_HW - NOISE_LEVELS, 0.0, LARGEST_LEVELS)
        shifted += edge_shift(before_HW, after_HW) > CAMERA_STEP
    pairs = max(len(grey) - 1, 1)
    return changed_HW / pairs, shifted / pairs


class _Levels(NamedTuple):
    """Length and levels of a sound: root mean square, and the range of its tenths of a second, in dB of full scale."""

    samples: int
    level_db: float
    range_db: tuple[float, float]
    loudest_db: float
    """Of the loudest tenth."""
    notices: list[str]
    """Of the sound's reader, such as that another track is not silent."""


def _sound_levels(path: Path, choice: SoundChoice) -> _Levels:
    """Measure a clip's sound block by block, whatever its length."""
    tenth, samples, energy, rest_S = SOUND_RATE_HZ // 10, 0, 0.0, np.zeros(0, np.float32)
    powers: list[NDArray[np.float64]] = []
    sound = read_clip_sound(path, SOUND_RATE_HZ, choice)
    for block_S in sound.blocks:
        samples += len(block_S)
        energy += float(np.square(block_S, dtype=np.float64).sum())
        rest_S = np.concatenate([rest_S, block_S])
        whole = len(rest_S) // tenth * tenth
        powers.append(np.square(rest_S[:whole], dtype=np.float64).reshape(-1, tenth).mean(axis=1))
        rest_S = rest_S[whole:]
    power_N = np.concatenate(powers) if samples >= tenth else np.asarray([energy / max(samples, 1)])
    quiet, loud, loudest = np.percentile(10.0 * np.log10(np.maximum(power_N, 1e-10)), (5, 95, 100))
    level_db = 10.0 * float(np.log10(max(energy / max(samples, 1), 1e-20)))
    return _Levels(samples, level_db, (float(quiet), float(loud)), float(loudest), sound.notices)


def _check_length_and_level(path: Path, duration_s: float, levels: _Levels) -> None:
    if duration_s < SHORTEST_S:
        raise TrainingError(
            f"{path} has {duration_s:.1f} s of video with sound; at least {SHORTEST_S:g} s are needed, "
            "ten or more are better; use a longer clip."
        )
    if levels.level_db <= SILENCE_DB:
        silent = (
            f"{path} has a silent sound track ({levels.level_db:.0f} dB), so the model cannot learn to move with it; use a clip "
            "whose sound was recorded with the video."
        )
        raise TrainingError(" ".join([silent, *levels.notices]))
    if levels.loudest_db < min(levels.range_db[0] + STEADY_DB, NOISE_DB):
        noise = (
            f"{path} has nothing in its sound but steady noise at {levels.level_db:.0f} dB, so the model cannot learn to move with "
            "it; use a clip whose sound is louder than its noise."
        )
        raise TrainingError(" ".join([noise, *levels.notices]))


def _check_motion(path: Path, trained: Sequence[NDArray[np.uint8]]) -> None:
    if is_still(trained):
        raise TrainingError(
            f"{path} shows one still frame, so there is no motion to learn; use a clip in which something moves with the sound."
        )


def edge_shift(before_HW: NDArray[np.uint8], after_HW: NDArray[np.uint8]) -> float:
    """Return the common shift, in pixels, of the textured places near the edges; 0 where there are too few.

    An object rarely covers most of the margin; a camera moves all of it.
    """
    textured = cv2.morphologyEx(before_HW, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > TEXTURE_LEVELS
    textured[EDGE:-EDGE, EDGE:-EDGE] = False
    if int(textured.sum()) < FEWEST_TEXTURED:
        return 0.0
    start = np.zeros((*before_HW.shape, 2), np.float32)
    flow_HW2 = cv2.calcOpticalFlowFarneback(before_HW, after_HW, start, 0.5, 3, 15, 3, 5, 1.2, 0)
    return float(np.hypot(*np.median(flow_HW2[textured], axis=0)))
