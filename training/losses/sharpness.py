"""Sharpness: how much gradient there is in frames, in octave bands of spatial frequency.

The gradient of a wave of f cycles a pixel has (2 π f)² times the power of the wave, so the gradient energy of a band is the sum of
|2 π f F(f)|² over its frequencies, F being the Fourier transform of the brightness under a Hann window. A frame that is soft has too little
of it in the fine bands, one with grain or a grid too much.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

# H W rows and columns, C colours, K bands

PIXELS_A_WAVE = ((2, 4), (4, 8), (8, 16), (16, 32))
"""The bands, finest first. Waves along a diagonal can be shorter than two pixels; they count with the finest."""


def band_names() -> list[str]:
    """Return the name of each band."""
    return [f"{low} to {high} px" for low, high in PIXELS_A_WAVE]


def gradient_energy(frames_HWC: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return the mean gradient energy [K] of RGB frames of one size, in bands, per pixel and in squared levels of 255 a pixel."""
    total_K, count = np.zeros(len(PIXELS_A_WAVE)), 0
    for frame_HWC in frames_HWC:
        total_K += _energy(np.asarray(cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY), dtype=np.float32))
        count += 1
    return total_K / max(count, 1)


def _energy(grey_HW: NDArray[np.float32]) -> NDArray[np.float64]:
    height, width = grey_HW.shape
    # Without the window, the jump from one edge to the opposite one would count as detail.
    window_HW = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]).astype(np.float32)
    spectrum = np.fft.rfft2((grey_HW - grey_HW.mean()) * window_HW)
    down, right = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    squared = down**2 + right**2
    # Half of the spectrum is left out by rfft2: its columns are counted twice, but for the first and, of an even width, the last.
    twice = np.full(spectrum.shape[1], 2.0)
    twice[0] = 1.0
    if width % 2 == 0:
        twice[-1] = 1.0
    power = np.abs(spectrum) ** 2 * twice / (height * width * float(np.square(window_HW).sum()))
    gradient, frequency = (2.0 * np.pi) ** 2 * squared * power, np.sqrt(squared)
    highest = [np.inf, *(1.0 / low for low, _ in PIXELS_A_WAVE[1:])]
    return np.array(
        [
            gradient[(frequency >= 1.0 / longest) & (frequency < high)].sum()
            for (_, longest), high in zip(PIXELS_A_WAVE, highest, strict=True)
        ]
    )
