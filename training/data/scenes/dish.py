"""Water in a round dish on a loudspeaker: sound -> levels of five bands -> heights of the dish's own wave shapes.

The water is linear and the dish is round, so its surface is a sum of wave shapes J_m(k r) cos(m angle + phase), where k are
the zeros of J_m' because water cannot pass the rim (Lamb, Hydrodynamics, 6th ed., art. 191). Each shape is one damped
oscillator with the dispersion of gravity waves on water of finite depth, omega^2 = g k tanh(k depth) (Lamb, art. 229), and is
stepped exactly, so nothing can become unstable whatever the step.

Lengths are in dish radii, times in seconds. Axes: T samples, S substeps, K frames, M wave shapes, B bands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import jnp_zeros, jv

from training.data.scenes.oscillators import displacements
from training.data.scenes.sound_force import FRAMES_PER_S, Array, SoundBand, followed, substeps

HIGHEST_WAVE_NUMBER = 20.0  # half a wave is then 18 px of a 256 px frame
GRAVITY = 60.0  # dish radii / s^2: with the depth below, long rings run 3 radii a second
DEPTH = 0.15
DAMPING_PER_S = 6.5  # a wave has lost 20 dB after 0.7 s ...
VISCOSITY = 0.012  # ... and a fine one sooner
KICK = 0.85  # how far an onset throws a wave shape beyond where steady sound would hold it

GLOW_RELEASE_S = 0.16


@dataclass(frozen=True)
class Band(SoundBand):
    """One band of sound and the place in the dish where it pushes: a ring at `radius`, `lobes` around, `width` across."""

    lobes: int
    radius: float
    width: float
    slope: float  # steepest slope of the water under steady force 1
    phase: float = 0.0


# All lobes are multiples of 4, so the figure keeps four mirror axes whichever bands sound together.
BANDS = (
    Band(40.0, 130.0, 0.0, lobes=0, radius=0.0, width=0.36, slope=1.5),
    Band(130.0, 380.0, 3.0, lobes=4, radius=0.44, width=0.20, slope=1.15),
    Band(380.0, 1100.0, 6.0, lobes=8, radius=0.60, width=0.15, slope=0.95, phase=np.pi),
    Band(1100.0, 2900.0, 9.0, lobes=12, radius=0.72, width=0.11, slope=0.75),
    Band(2900.0, 7500.0, 11.0, lobes=16, radius=0.87, width=0.09, slope=0.6, phase=np.pi),
)


@dataclass(frozen=True)
class WaveShapes:
    """The dish's own wave shapes, and their displacement under steady force 1 of each band."""

    lobes_M: NDArray[np.int64]
    phase_M: Array
    wave_number_M: Array
    hold_MB: Array

    @property
    def omega_M(self) -> Array:
        """Angular frequency of each shape, rad/s."""
        return np.sqrt(GRAVITY * self.wave_number_M * np.tanh(DEPTH * self.wave_number_M)).astype(np.float32)


@dataclass(frozen=True)
class DishMotion:
    """Motion for the lighting: the height of each wave shape and the glow of each band (0 to 1.2) in every frame."""

    height_KM: Array
    glow_KB: Array


def _hold(band: Band, wave_number: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project the band's footprint on the wave shapes of its own number of lobes, scaled to the band's steepest slope."""
    radius_R = np.linspace(0.0, 1.0, 801)
    footprint_R = np.exp(-(((radius_R - band.radius) / band.width) ** 2)) * radius_R ** min(band.lobes, 2)
    shape_RM = jv(band.lobes, np.outer(radius_R, wave_number))
    hold_M = (footprint_R * radius_R) @ shape_RM / (radius_R @ shape_RM**2)
    profile_R = shape_RM @ hold_M
    along_R = np.abs(np.gradient(profile_R, radius_R))
    around_R = band.lobes * np.abs(profile_R) / np.maximum(radius_R, 0.05)
    return hold_M * band.slope / np.maximum(along_R, around_R).max()


def wave_shapes(bands: tuple[Band, ...] = BANDS) -> WaveShapes:
    """Return every wave shape up to HIGHEST_WAVE_NUMBER that some band can move."""
    lobes, phases, numbers, holds = [], [], [], []
    for index, band in enumerate(bands):
        wave_number = jnp_zeros(band.lobes, 14)
        wave_number = wave_number[wave_number <= HIGHEST_WAVE_NUMBER]
        hold_MB = np.zeros((len(wave_number), len(bands)))
        hold_MB[:, index] = _hold(band, wave_number)
        lobes += [band.lobes] * len(wave_number)
        phases += [band.phase] * len(wave_number)
        numbers.append(wave_number)
        holds.append(hold_MB)
    return WaveShapes(
        np.array(lobes),
        np.array(phases, np.float32),
        np.concatenate(numbers).astype(np.float32),
        np.concatenate(holds).astype(np.float32),
    )


def move_dish(force_SB: Array, shapes: WaveShapes, fps: int = FRAMES_PER_S) -> DishMotion:
    """Apply the forces to water at rest and return the motion at the end of every frame."""
    decay_per_s_M = 0.5 * (DAMPING_PER_S + VISCOSITY * shapes.wave_number_M**2)
    height_KM = displacements(force_SB, shapes.hold_MB, shapes.omega_M, decay_per_s_M, KICK, fps)
    glow_SB = followed(force_SB.astype(np.float64), GLOW_RELEASE_S, fps)
    steps = substeps(fps)
    return DishMotion(height_KM, glow_SB[steps - 1 :: steps].astype(np.float32))
