"""What is measured of one play, frame by frame, so that each shorter sequence is judged from the same frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.evaluation.metrics.extractors import Extractors
from training.evaluation.metrics.frechet import LEAST, frechet_distance
from training.evaluation.metrics.paired import SSIM, pixel_figures, similarity
from training.evaluation.metrics.synchrony import LEAST_FRAMES, motion, synchrony
from training.evaluation.metrics.video_features import pooled_pieces

# T frames, H W rows and columns, D features, P pieces

BATCH = 16
COSTLY_EVERY, COSTLY_FROM = 8, 4  # SSIM and learned distances cost as much as playing: every 8th frame tells enough
SYNCHRONY = "synchrony"

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Features:
    """Consecutive frames and what each picture network makes of them, [T, D] by label."""

    pictures: dict[str, Tensor]
    shown_THWC: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Trace:
    """Figures [T] by frame (NaN where not judged), features of both sides, loudness and motion."""

    figures: dict[str, Series]
    fake: Features
    real: Features
    loudness_T: Series
    motion_T: Series


def tensor_of(frames_THWC: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return pictures [T, 3, H, W] in [0, 1]."""
    return torch.from_numpy(np.array(frames_THWC)).to(device).permute(0, 3, 1, 2).float() / 255.0


class Judge:
    """Turns frames into traces and traces into figures, with the networks at hand."""

    def __init__(self, extractors: Extractors, device: torch.device, progress: Callable[[int], object]) -> None:
        self.extractors, self.device, self.progress = extractors.to(device), device, progress

    @torch.inference_mode()
    def features(self, frames_THWC: NDArray[np.uint8]) -> Features:
        """Return the features of every picture network."""
        found: dict[str, list[Tensor]] = {extractor.label: [] for extractor in self.extractors.pictures}
        for begin in range(0, len(frames_THWC), BATCH):
            pictures = tensor_of(frames_THWC[begin : begin + BATCH], self.device)
            for extractor in self.extractors.pictures:
                found[extractor.label].append(extractor.network(pictures).cpu())
            self.progress(len(pictures))
        return Features({label: torch.cat(parts) for label, parts in found.items()}, frames_THWC)

    @torch.inference_mode()
    def trace(self, fake: Features, real: Features, loudness_T: Series) -> Trace:
        """Compare frames with those that should have come."""
        parts: dict[str, list[Tensor]] = {}
        for begin in range(0, len(fake.shown_THWC), BATCH):
            some = slice(begin, begin + BATCH)
            left, right = (tensor_of(side.shown_THWC[some], self.device) for side in (fake, real))
            for label, values in pixel_figures(left, right).items():
                parts.setdefault(label, []).append(values)
            chosen = [t for t in range(len(left)) if (begin + t) % COSTLY_EVERY == COSTLY_FROM]
            for label, distance in self._costly().items():
                values = left.new_full((len(left),), torch.nan)
                if chosen:
                    values[chosen] = distance(left[chosen], right[chosen])
                parts.setdefault(label, []).append(values)
        figures = {label: torch.cat(values).double().cpu().numpy() for label, values in parts.items()}
        return Trace(figures, fake, real, loudness_T, motion(fake.shown_THWC))

    def sequence(self, trace: Trace, frames: int) -> dict[str, float]:
        """Return the figures of the first `frames` frames; what cannot be measured over so few is left out."""
        judged = {label: values[:frames][~np.isnan(values[:frames])] for label, values in trace.figures.items()}
        found = {label: float(values.mean()) for label, values in judged.items() if len(values)}
        for extractor in self.extractors.pictures:
            fake, real = (side.pictures[extractor.label][:frames] for side in (trace.fake, trace.real))
            found[extractor.label] = frechet_distance(fake, real)
            pieces = pooled_pieces(fake), pooled_pieces(real)
            if len(pieces[0]) >= LEAST:
                found[extractor.video_label] = frechet_distance(*pieces)
        for video in self.extractors.videos:
            pieces = self._video(video, trace.fake, frames), self._video(video, trace.real, frames)
            if len(pieces[0]) >= LEAST:
                found[video.label] = frechet_distance(*pieces)
        if frames >= LEAST_FRAMES:
            found[SYNCHRONY] = synchrony(trace.loudness_T[:frames], trace.motion_T[:frames]).correlation
        return found

    def _costly(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        return {SSIM: similarity} | {distance.label: distance for distance in self.extractors.distances}

    @torch.inference_mode()
    def _video(self, video: torch.nn.Module, side: Features, frames: int) -> Tensor:
        return video(tensor_of(side.shown_THWC[:frames], self.device)).cpu()
