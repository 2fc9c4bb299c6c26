"""Metrics of one rollout, frame by frame; all sequence lengths are measured on the same frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.evaluation.metrics.extractors import Extractors
from training.evaluation.metrics.frechet import LEAST, frechet_distance
from training.evaluation.metrics.synchrony import LEAST_FRAMES, motion, synchrony
from training.evaluation.metrics.video_features import pooled_snippets
from training.evaluation.positions import Series
from training.losses.quality import SSIM, pixel_figures, similarity

# T frames, H W rows and columns, D features, P snippets

BATCH = 4  # frames that a network holds in memory
COSTLY_EVERY, COSTLY_FROM = 8, 4  # SSIM and learned distances cost as much as generating: every 8th frame is enough
SYNCHRONY = "synchrony"


@dataclass(frozen=True, slots=True)
class Features:
    """Consecutive frames and their features [T, D] by the label of each frame network."""

    by_network: dict[str, Tensor]
    frames_THWC: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FrameScores:
    """Figures [T] of each frame (NaN where not measured), features of both sides, loudness and motion."""

    figures: dict[str, Series]
    fake: Features
    real: Features
    loudness_T: Series
    motion_T: Series


def costly_positions(frames: int) -> NDArray[np.bool_]:
    """Return at which positions [T] of a sequence costly figures are measured."""
    return np.arange(frames) % COSTLY_EVERY == COSTLY_FROM


def tensor_of(frames_THWC: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return the frames as a tensor [T, 3, H, W] in [0, 1]."""
    return torch.from_numpy(np.array(frames_THWC)).to(device).permute(0, 3, 1, 2).float() / 255.0


class FrameMetrics:
    """Computes features, scores of single frames, and figures of sequences with the given networks."""

    def __init__(self, extractors: Extractors, device: torch.device, progress: Callable[[int], object]) -> None:
        self.extractors, self.device, self.progress = extractors.to(device), device, progress

    @torch.inference_mode()
    def extract(self, frames_THWC: NDArray[np.uint8]) -> Features:
        """Return the features of every frame network."""
        found: dict[str, list[Tensor]] = {extractor.label: [] for extractor in self.extractors.frames}
        for begin in range(0, len(frames_THWC), BATCH):
            frames = tensor_of(frames_THWC[begin : begin + BATCH], self.device)
            for extractor in self.extractors.frames:
                found[extractor.label].append(extractor.network(frames).cpu())
            self.progress(len(frames))
        return Features({label: torch.cat(parts) for label, parts in found.items()}, frames_THWC)

    @torch.inference_mode()
    def compare(self, fake: Features, real: Features, loudness_T: Series, costly_T: NDArray[np.bool_]) -> FrameScores:
        """Compare generated frames with the clip's frames; costly figures only where `costly_T` says so."""
        parts: dict[str, list[Tensor]] = {}
        for begin in range(0, len(fake.frames_THWC), BATCH):
            some = slice(begin, begin + BATCH)
            left, right = (tensor_of(side.frames_THWC[some], self.device) for side in (fake, real))
            for label, values in pixel_figures(left, right).items():
                parts.setdefault(label, []).append(values)
            chosen = np.flatnonzero(costly_T[some]).tolist()
            for label, distance in self._costly().items():
                values = left.new_full((len(left),), torch.nan)
                if chosen:
                    values[chosen] = distance(left[chosen], right[chosen])
                parts.setdefault(label, []).append(values)
        figures = {label: torch.cat(values).double().cpu().numpy() for label, values in parts.items()}
        return FrameScores(figures, fake, real, loudness_T, motion(fake.frames_THWC))

    def over_sequence(self, scores: FrameScores, frames: int) -> dict[str, float]:
        """Return the figures of the first `frames` frames, without those that need more frames."""
        measured = {label: values[:frames][~np.isnan(values[:frames])] for label, values in scores.figures.items()}
        found = {label: float(values.mean()) for label, values in measured.items() if len(values)}
        for extractor in self.extractors.frames:
            fake, real = (side.by_network[extractor.label][:frames] for side in (scores.fake, scores.real))
            found[extractor.label] = frechet_distance(fake, real)
            snippets = pooled_snippets(fake), pooled_snippets(real)
            if len(snippets[0]) >= LEAST:
                found[extractor.video_label] = frechet_distance(*snippets)
        for video in self.extractors.videos:
            snippets = self._video(video, scores.fake, frames), self._video(video, scores.real, frames)
            if len(snippets[0]) >= LEAST:
                found[video.label] = frechet_distance(*snippets)
        if frames >= LEAST_FRAMES:
            found[SYNCHRONY] = synchrony(scores.loudness_T[:frames], scores.motion_T[:frames]).correlation
        return found

    def without_costly(self, figures: dict[str, Series], costly_T: NDArray[np.bool_]) -> dict[str, Series]:
        """Return the figures with costly ones only where `costly_T` says so."""
        costly = self._costly()
        return {
            label: np.where(costly_T, values, np.nan) if label in costly else values
            for label, values in figures.items()
        }

    def _costly(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        return {SSIM: similarity} | {distance.label: distance for distance in self.extractors.distances}

    @torch.inference_mode()
    def _video(self, video: torch.nn.Module, side: Features, frames: int) -> Tensor:
        return video(tensor_of(side.frames_THWC[:frames], self.device)).cpu()
