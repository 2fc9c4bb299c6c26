"""What a clip is like before it is taught: its length, its level, whether the camera stands still, and where it moves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.autopilot.flow_fit import bent_error
from training.data.video import SILENCE_DB, Clip, ClipFormat, file_frame_rate, open_media, read_frames, read_sound

# H W rows and columns of the reduced picture, S samples of sound

LOOKS_PER_S = 5
LOOK_SIZE = 128
SOUND_RATE_HZ = 16000
NOISE_LEVELS = 4.0
"""Of 255: what a compressed still picture changes by itself."""
LARGEST_LEVELS = 40.0
"""A cut or a flash counts as no more than this."""
MOVING_CAMERA_SHARE = 0.5
CAMERA_STEP = 0.5
"""In reduced pixels: a whole picture that shifts further between two looks was moved by the camera."""
EDGE = LOOK_SIZE // 8
TEXTURE_LEVELS = 24.0
FEWEST_TEXTURED = 100
SHORTEST_S = 2.0
SOLID_ERROR = 0.8
"""Two talking heads were measured at 0.55 and 0.64, water at 1.0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipAnalysis:
    """What was seen and heard of a clip."""

    path: Path
    width: int
    height: int
    """As shown, in the file's own pixels."""
    pictures_per_s: float
    duration_s: float
    """That both tracks reach."""
    level_db: float
    """Root mean square of the sound, in dB of full scale."""
    camera_moves_share: float
    """Share of the looks, 5 a second, at which the whole picture had shifted."""
    motion_HW: NDArray[np.float32]
    """Mean change between two looks at every place of the picture, squeezed to a square, in levels of 255 above noise."""

    bent_error: float
    """What bending one picture leaves of the mean picture's error: low where solid things move."""

    @property
    def solid(self) -> bool:
        """Tell whether what moves keeps its looks: a head, a hand, an instrument; not water, smoke or light."""
        return self.bent_error < SOLID_ERROR and not self.camera_moves

    @property
    def camera_moves(self) -> bool:
        return self.camera_moves_share > MOVING_CAMERA_SHARE


def survey(path: Path) -> ClipAnalysis:
    """Decode a clip once, five pictures a second and small, and hear its sound.

    Raises TrainingError for a file that is missing, no video, damaged, without sound, silent or shorter than 2 s.
    """
    width, height = shown_size(path)
    sound_S = read_sound(path, SOUND_RATE_HZ)
    look = ClipFormat(fps=LOOKS_PER_S, image_size=LOOK_SIZE, sample_rate_hz=SOUND_RATE_HZ, crop=(0, 0, width, height))
    looks: list[NDArray[np.uint8]] = []
    changed_HW, shifted = np.zeros((LOOK_SIZE, LOOK_SIZE), np.float32), 0
    for picture_HWC in read_frames(path, look):
        grey_HW = np.asarray(cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        if looks:
            levels_HW = cv2.absdiff(grey_HW, looks[-1]).astype(np.float32)
            changed_HW += np.clip(levels_HW - NOISE_LEVELS, 0.0, LARGEST_LEVELS)
            shifted += edge_shift(looks[-1], grey_HW) > CAMERA_STEP
        looks.append(grey_HW)
    duration_s = min(len(looks) / LOOKS_PER_S, len(sound_S) / SOUND_RATE_HZ)
    if duration_s < SHORTEST_S:
        raise TrainingError(
            f"{path} has {duration_s:.1f} s of picture with sound; at least {SHORTEST_S:g} s are needed, "
            "and ten or more are better: give a longer clip."
        )
    heard = Clip(np.empty((0, 1, 1, 3), np.uint8), sound_S, look, str(path))
    if heard.loudness_db() <= SILENCE_DB:
        raise TrainingError(
            f"{path} has a silent sound track ({heard.loudness_db():.0f} dB), so there is nothing to move with; give a "
            "clip whose sound was recorded with the picture."
        )
    return ClipAnalysis(
        path=path,
        width=width,
        height=height,
        pictures_per_s=file_frame_rate(path),
        duration_s=duration_s,
        level_db=heard.loudness_db(),
        camera_moves_share=shifted / max(len(looks) - 1, 1),
        motion_HW=changed_HW / max(len(looks) - 1, 1),
        bent_error=bent_error(looks),
    )


def shown_size(path: Path) -> tuple[int, int]:
    """Return width and height of the first picture as it is shown, after the file's own rotation.

    Raises TrainingError for a file that is missing, no video or damaged.
    """
    with open_media(path) as container:
        if not container.streams.video:
            raise TrainingError(f"{path} holds no picture; a video with sound was expected.")
        try:
            frame = next(container.decode(container.streams.video[0]), None)
        except av.FFmpegError as error:
            raise TrainingError(f"{path} is damaged ({error.strerror}); a video that plays was expected.") from error
    if frame is None:
        raise TrainingError(f"{path} holds no picture; a video with sound was expected.")
    upright = round(frame.rotation / 90) % 2 == 0
    return (frame.width, frame.height) if upright else (frame.height, frame.width)


def edge_shift(before_HW: NDArray[np.uint8], after_HW: NDArray[np.uint8]) -> float:
    """Return how far, in pixels, the textured places near the picture's edges went together; 0 where there are too few.

    What moves in a scene is rarely in most of the margin; a camera moves all of it.
    """
    textured = cv2.morphologyEx(before_HW, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > TEXTURE_LEVELS
    textured[EDGE:-EDGE, EDGE:-EDGE] = False
    if int(textured.sum()) < FEWEST_TEXTURED:
        return 0.0
    start = np.zeros((*before_HW.shape, 2), np.float32)
    flow_HW2 = cv2.calcOpticalFlowFarneback(before_HW, after_HW, start, 0.5, 3, 15, 3, 5, 1.2, 0)
    return float(np.hypot(*np.median(flow_HW2[textured], axis=0)))
