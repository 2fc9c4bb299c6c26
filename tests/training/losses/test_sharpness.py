"""Sharpness of made waves: their gradient energy lies in the band of their length, and is what the formula says."""

import cv2
import numpy as np
import pytest

from training.losses.sharpness import PIXELS_A_WAVE, band_names, gradient_energy

RANDOM = np.random.default_rng(2)


def wave(pixels: float, amplitude: float = 40.0, width: int = 192, height: int = 160) -> np.ndarray:
    """Return a grey frame [H, W, 3] with a wave along its rows."""
    levels = 128.0 + amplitude * np.sin(2.0 * np.pi * np.arange(width) / pixels)
    return np.broadcast_to(np.rint(levels).astype(np.uint8)[None, :, None], (height, width, 3)).copy()


def noise_frame() -> np.ndarray:
    grey = RANDOM.integers(0, 256, (96, 128, 1)).astype(np.uint8)
    return np.repeat(grey, 3, axis=2)


@pytest.mark.parametrize(("pixels", "band"), [(2.8, 0), (5.7, 1), (11.3, 2), (22.6, 3)])
@pytest.mark.parametrize("is_upright", [True, False])
def test_a_wave_counts_in_its_own_band(pixels: float, band: int, is_upright: bool) -> None:
    frame = wave(pixels) if is_upright else wave(pixels).swapaxes(0, 1)
    energy = gradient_energy([frame])
    assert energy.argmax() == band
    assert energy[band] > 0.95 * energy.sum()
    # Half of amplitude² is the power of a wave, and its gradient has (2 pi / length)² times as much.
    assert energy[band] == pytest.approx(0.5 * 40.0**2 * (2.0 * np.pi / pixels) ** 2, rel=0.1)


def test_twice_the_amplitude_is_four_times_the_energy() -> None:
    small, large = gradient_energy([wave(5.7, 20.0)]), gradient_energy([wave(5.7, 40.0)])
    assert large[1] / small[1] == pytest.approx(4.0, rel=0.05)


def test_blur_takes_the_fine_bands_and_grain_fills_them() -> None:
    frame = cv2.GaussianBlur(noise_frame(), (0, 0), 1.0)
    soft = cv2.GaussianBlur(frame, (0, 0), 1.5)
    grainy = np.clip(frame + RANDOM.normal(0.0, 10.0, frame.shape), 0, 255).astype(np.uint8)
    softened, grained = (gradient_energy([each]) / gradient_energy([frame]) for each in (soft, grainy))
    assert softened[0] < softened[1] < softened[2] < softened[3] < 1.0
    assert grained[0] > 1.5 > grained[3]


def test_a_plain_frame_has_none_and_a_ramp_hardly_any() -> None:
    assert np.allclose(gradient_energy([np.full((64, 64, 3), 90, np.uint8)]), 0.0)
    ramp = np.broadcast_to(np.arange(128, dtype=np.uint8)[None, :, None], (96, 128, 3))
    # From edge to edge it falls by 127 levels; the window hides that.
    assert gradient_energy([ramp])[0] < 0.01 * gradient_energy([wave(2.8)])[0]


def test_it_is_the_mean_of_the_frames() -> None:
    frames = [noise_frame(), wave(5.0, width=128, height=96)]
    apart = np.mean([gradient_energy([frame]) for frame in frames], axis=0)
    assert np.allclose(gradient_energy(frames), apart)
    assert len(band_names()) == len(PIXELS_A_WAVE) == len(apart)
