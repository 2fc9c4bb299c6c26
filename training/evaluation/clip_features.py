"""Features of the clip's own frames, each computed once, and the index sequences of the reference rows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.video import Clip
from training.evaluation.frame_metrics import Features, FrameMetrics
from training.evaluation.sequences import Part

# N T frames, H W rows and columns, D features

Indices = NDArray[np.int64]


class ClipFeatures:
    """Features of the clip's frames by frame number."""

    def __init__(self, clip: Clip, metrics: FrameMetrics) -> None:
        self.clip, self.metrics = clip, metrics
        self.known = np.zeros(len(clip.frames_NHWC), bool)
        self.rows: dict[str, Tensor] = {}

    def at(self, indices: Indices) -> Features:
        """Return the features of the frames with these numbers."""
        unknown = np.unique(indices[~self.known[indices]])
        if len(unknown):
            found = self.metrics.extract(np.asarray(self.clip.frames_NHWC[unknown]))
            for label, values in found.by_network.items():
                rows = self.rows.setdefault(label, torch.zeros(len(self.known), values.shape[1]))
                rows[unknown] = values
            self.known[unknown] = True
        picked = {label: rows[indices] for label, rows in self.rows.items()}
        return Features(picked, np.asarray(self.clip.frames_NHWC[indices]))

    def still(self, frame_HWC: NDArray[np.uint8], frames: int) -> Features:
        """Return the features of one frame, repeated."""
        found = self.metrics.extract(frame_HWC[None])
        held = {label: values.expand(frames, -1) for label, values in found.by_network.items()}
        return Features(held, np.broadcast_to(frame_HWC, (frames, *frame_HWC.shape)))


def one_frame_late(indices: Indices) -> Indices:
    """Return the frames before these (for the first frame of the clip, the next one)."""
    return np.where(indices == 0, 1, indices - 1)


def half_a_clip_away(part: Part, indices: Indices) -> Indices:
    """Return frames half a clip away: within the whole clip for the held-out part, else within the same part."""
    first, count = _circle(part)
    return first + (indices - first + count // 2) % count


def half_clip_frames(part: Part) -> int:
    """Return the number of frames in half a clip: longer sequences would contain the frames they are compared with."""
    return _circle(part)[1] // 2


def _circle(part: Part) -> tuple[int, int]:
    return (part.frame_range.first, part.frame_range.count) if part.looped else (0, len(part.clip.frames_NHWC))
