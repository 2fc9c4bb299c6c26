"""A part of a clip, and what a model file makes of its sound in the engine: the same frames as in a show."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.audio.conditioned_model import ConditionedModel
from engine.audio.conditioning import Conditioner
from engine.audio.window_buffer import window_samples
from engine.core.errors import ConfigError
from engine.media.geometry import Box, centred_box
from engine.model.backend import Backend
from engine.model.card import ModelCard
from engine.model.rest import RestingBackend
from engine.model.session import Session
from training.core.frame_size import FrameSize
from training.data.cache import load_clip
from training.data.frames import read_frames, shown_size
from training.data.video import Clip, ClipFormat
from training.data.windows import FrameRange, WindowTiming, sound_windows, split
from training.evaluation.metrics.video_features import POOLED_FRAMES
from training.evaluation.sequences import HELD_OUT, Part

# T frames, H W rows and columns, C colours, S samples of sound

RUN_UP_S = 2.0
"""Sound before the part that a model gets first, so that its state and the input conditioning have settled; these frames do not count."""
FEWEST_FRAMES = POOLED_FRAMES
GLANCED_SIDE = 16
SAME_SHAPE = 0.1
"""How far (as a logarithm) the shape of a crop may be from that of the frames."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """Which part of a clip is compared, as the flags ask for it."""

    from_s: float | None = None
    to_s: float | None = None
    longest_s: float = 12.0

    @property
    def is_held_out(self) -> bool:
        """Whether it is what `teach` and `evaluate` leave out of the training: the last fifth of the clip."""
        return self.from_s is None and self.to_s is None


@dataclass(frozen=True, slots=True, eq=False)
class ClipPart:
    """The clip's own frames at a model's rate, and the sound of the whole clip at the model's sample rate."""

    frames_THWC: NDArray[np.uint8]
    sound_S: NDArray[np.float32]
    frame_range: FrameRange
    format: ClipFormat
    shifts: tuple[int, ...]
    """By how many samples the sound is shifted, in a circle, where it shall not fit."""

    @property
    def hop_samples(self) -> int:
        """Samples a frame."""
        return self.format.sample_rate_hz // self.format.fps

    @property
    def sound_of_part_S(self) -> NDArray[np.float32]:
        """The sound of the part alone."""
        return self.sound_S[self.frame_range.first * self.hop_samples : self.frame_range.end * self.hop_samples]

    @property
    def times_s(self) -> tuple[float, float]:
        """Where it begins and ends in the clip."""
        return self.frame_range.first / self.format.fps, self.frame_range.end / self.format.fps


def compared_format(path: Path, card: ModelCard, crop: Box | None) -> ClipFormat:
    """Return in which format a clip is compared with a model's frames: at its own size, at the model's rates.

    Raises MediaError for a clip that cannot be used, ConfigError for a crop outside it or of another shape than the frames.
    """
    fps, rest = divmod(card.sample_rate_hz, card.hop_samples)
    if rest:
        raise ConfigError(f"'{card.name}' takes {card.fps:.3f} steps a second; a whole number was expected.")
    box = _box(path, card, crop)
    size = FrameSize(box.height, box.width)
    return ClipFormat(fps=fps, image_size=size.image_size, sample_rate_hz=card.sample_rate_hz, crop=box)


def read_part(
    path: Path, clip_format: ClipFormat, extent: Extent, shifts: int, cache_folder: Path | None = None
) -> ClipPart:
    """Read a part of a clip, with so many shifts for its sound.

    Raises MediaError and TrainingError for a clip that cannot be used, ConfigError for times outside it.
    """
    # The clip's length and sound, as training reads them; frames of its own size are read of the part alone.
    glance = load_clip(path, replace(clip_format, image_size=GLANCED_SIDE, crop=None), cache_folder)
    frame_range = _frame_range(glance, extent)
    frames = itertools.islice(read_frames(path, clip_format), frame_range.first, frame_range.end)
    part = Part(HELD_OUT, glance, frame_range, clip_format.sample_rate_hz // clip_format.fps)
    return ClipPart(
        frames_THWC=np.stack(list(frames)),
        sound_S=np.asarray(glance.sound_S[:]),
        frame_range=frame_range,
        format=clip_format,
        shifts=tuple(part.shifts(shifts, clip_format.sample_rate_hz)),
    )


def rendered(backend: Backend, part: ClipPart, conditioned: bool, shift_samples: int = 0) -> NDArray[np.uint8]:
    """Return the frames [T, H, W, C] that a model makes of the part's sound, at the clip's size. Raises BackendError."""
    card, sound_S = backend.card, np.roll(part.sound_S, shift_samples)
    timing = WindowTiming(
        window_samples=window_samples(card),
        hop_samples=card.hop_samples,
        look_ahead_samples=round(card.look_ahead_s * card.sample_rate_hz),
    )
    model = ConditionedModel(Session(RestingBackend(backend)), Conditioner(card.sample_rate_hz, card.hop_samples))
    first, end = part.frame_range.first, part.frame_range.end
    frames_THWC = np.empty_like(part.frames_THWC)
    for index, k in enumerate(range(max(0, first - round(RUN_UP_S * part.format.fps)), end)):
        window_T = sound_windows(sound_S, k, 1, timing)[0]
        pixels_HWC = model.step(window_T, {"conditioning": conditioned}, index).pixels_HWC
        if k >= first:
            frames_THWC[k - first] = at_size(pixels_HWC, *frames_THWC.shape[1:3])
    return frames_THWC


def at_size(pixels_HWC: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return a frame at another size: enlarged bicubically, reduced by the mean of its pixels."""
    if pixels_HWC.shape[:2] == (height, width):
        return pixels_HWC
    is_smaller = pixels_HWC.shape[0] < height or pixels_HWC.shape[1] < width
    way = cv2.INTER_CUBIC if is_smaller else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels_HWC, (width, height), interpolation=way), dtype=np.uint8)


def _box(path: Path, card: ModelCard, crop: Box | None) -> Box:
    width, height = shown_size(path)
    shape = Fraction(card.width, card.height)
    if crop is None:
        return centred_box(width, height, shape)
    if not crop.inside(width, height):
        raise ConfigError(f"--crop {','.join(map(str, crop))} reaches outside {path}, which is {width}x{height}.")
    if abs(math.log(crop.width / crop.height / shape)) > SAME_SHAPE:
        raise ConfigError(
            f"--crop is {crop.width}x{crop.height}, and '{card.name}' makes frames of {card.width}x{card.height}, another shape; give the "
            "crop that it was trained on."
        )
    return crop


def _frame_range(clip: Clip, extent: Extent) -> FrameRange:
    fps, count = clip.format.fps, len(clip.frames_NHWC)
    if extent.is_held_out:
        found = split(clip, 1)[1]
    else:
        from_s, to_s = extent.from_s or 0.0, count / fps if extent.to_s is None else extent.to_s
        if not 0.0 <= from_s < to_s <= count / fps + 1.0:
            raise ConfigError(
                f"--from-s and --to-s ask for {from_s:g} to {to_s:g} s; a part of the clip's {count / fps:.1f} s was expected."
            )
        found = FrameRange(round(from_s * fps), min(round(to_s * fps), count))
    found = FrameRange(found.first, min(found.end, found.first + round(extent.longest_s * fps)))
    if found.count < FEWEST_FRAMES:
        raise ConfigError(
            f"The part has {found.count} frames at {fps} a second; {FEWEST_FRAMES} or more were expected: choose a longer one with --from-s "
            "and --to-s, or give a longer clip."
        )
    return found
