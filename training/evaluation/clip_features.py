"""The clip's own frames as seen by the picture networks, each computed once, and the players that show real frames."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.video import Clip
from training.evaluation.passages import Part
from training.evaluation.traces import Features, Judge

# N T frames, H W rows and columns, D features

Indices = NDArray[np.int64]


class ClipFeatures:
    """Features of the clip's frames by number."""

    def __init__(self, clip: Clip, judge: Judge) -> None:
        self.clip, self.judge = clip, judge
        self.known = np.zeros(len(clip.frames_NHWC), bool)
        self.rows: dict[str, Tensor] = {}

    def take(self, indices: Indices) -> Features:
        """Return the features of frames with these numbers."""
        unknown = np.unique(indices[~self.known[indices]])
        if len(unknown):
            found = self.judge.features(np.asarray(self.clip.frames_NHWC[unknown]))
            for label, values in found.pictures.items():
                rows = self.rows.setdefault(label, torch.zeros(len(self.known), values.shape[1]))
                rows[unknown] = values
            self.known[unknown] = True
        picked = {label: rows[indices] for label, rows in self.rows.items()}
        return Features(picked, np.asarray(self.clip.frames_NHWC[indices]))

    def still(self, frame_HWC: NDArray[np.uint8], frames: int) -> Features:
        """Return the features of one picture held still."""
        found = self.judge.features(frame_HWC[None])
        held = {label: values.expand(frames, -1) for label, values in found.pictures.items()}
        return Features(held, np.broadcast_to(frame_HWC, (frames, *frame_HWC.shape)))


def one_frame_late(indices: Indices) -> Indices:
    """Return the frames before these (the first frame of the clip has its successor)."""
    return np.where(indices == 0, 1, indices - 1)


def half_a_clip_away(part: Part, indices: Indices) -> Indices:
    """Return frames of another moment: of the whole clip for the held-out part, else of the same part."""
    first, count = _around(part)
    return first + (indices - first + count // 2) % count


def farthest(part: Part) -> int:
    """Return how many frames half a clip is: longer passages would hold the very frames they are compared with."""
    return _around(part)[1] // 2


def _around(part: Part) -> tuple[int, int]:
    return (part.frame_range.first, part.frame_range.count) if part.looped else (0, len(part.clip.frames_NHWC))
