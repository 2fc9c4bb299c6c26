"""Curves of futures over the frames after the context, and real frames above drawn ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from torch import Tensor

from benchmarks.frame_sheet import GAP

# T frames, H W rows and columns, C colours

EVERY, LABEL_WIDTH, ENLARGED = 2, 190, 2
"""Every second frame is shown, at twice its size."""


class Figures(Protocol):
    """PSNR and SSIM by frame."""

    @property
    def psnr_db(self) -> list[float]: ...
    @property
    def ssim(self) -> list[float]: ...


def draw_curves(curves: Mapping[str, Figures], path: Path) -> None:
    """Write SSIM and PSNR over the frames after the context, a line for each name."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for panel, name, label in zip(panels, ("ssim", "psnr_db"), ("SSIM", "PSNR, dB"), strict=True):
        for line, curve in curves.items():
            values = getattr(curve, name)
            panel.plot(range(1, len(values) + 1), values, label=line)
        panel.set(xlabel="frames after the context", ylabel=label)
        panel.grid(color="0.9")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw_strip(real_T3HW: Tensor, drawn: Mapping[str, Tensor], path: Path) -> None:
    """Write real frames in [-1, 1] above the drawn ones of each name."""
    rows = [_row(name, frames) for name, frames in {"the clip": real_T3HW, **drawn}.items()]
    cv2.imwrite(str(path), np.concatenate(rows))


def _row(name: str, frames_T3HW: Tensor) -> np.ndarray:
    levels_THWC = ((frames_T3HW[::EVERY].permute(0, 2, 3, 1) + 1.0) * 127.5).round().clamp(0, 255).byte().numpy()
    large = levels_THWC[..., ::-1].repeat(ENLARGED, axis=1).repeat(ENLARGED, axis=2)
    cells = [np.pad(cell, ((0, GAP), (0, GAP), (0, 0)), constant_values=90) for cell in large]
    label = np.full((cells[0].shape[0], LABEL_WIDTH, 3), 90, np.uint8)
    cv2.putText(label, name, (6, label.shape[0] // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([label, *cells], axis=1)
