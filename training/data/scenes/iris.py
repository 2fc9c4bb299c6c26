"""An iris, seen close: sound -> the width of the pupil, how the fibres around it tremble and twist, and the glow of six lamps.

The iris is a ring of tissue that is held at its root and free at the pupil, so the shapes it trembles in are those of a strip with one
fixed and one free end, sin((n - 1/2) pi (1 - rho)), with m waves around: the quarter waves of a rod (Rayleigh, Theory of Sound,
section 150). Sound that rouses widens the pupil; low sound is what does it here.

The pupil's radius is in heights of the frame, tremor in widths of the ring, twist in radians. `rho` is 0 at the pupil and 1 at the root.
Axes: S substeps, K frames, X shapes, B bands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.data.scenes.oscillators import displacements
from training.data.scenes.sound_force import FRAMES_PER_S, SIX_BANDS, Array, band_force, followed, substeps

REST, NARROWEST, WIDEST = 0.125, 0.06, 0.34  # the pupil's radius
PUPIL_HZ, PUPIL_DAMPING_PER_S = 1.5, 5.5
PUPIL_B = (0.150, 0.075, 0.030, 0.015, 0.0, 0.0)
TWIST_HZ, TWIST_DAMPING_PER_S = 1.9, 4.5
TWIST_B = (0.0, 0.05, 0.13, 0.10, 0.05, 0.0)
SHAPES = ((1, 2), (1, 3), (2, 0), (2, 4), (2, 7), (3, 5))  # n and m of each shape
ANGLES = (0.4, 2.1, 0.0, 1.2, 3.0, 5.1)  # by which the waves of a shape lie turned
TREMOR = (0.030, 0.026, 0.034, 0.018, 0.014, 0.012)  # how far steady force 1 of its own band holds a shape
ALONG_HZ, AROUND_HZ = 1.3, 0.75
TREMOR_DAMPING_PER_S = 4.0
KICK = 0.6
GLOW_RELEASE_S = 0.20


@dataclass(frozen=True)
class IrisMotion:
    """Motion for the lighting: the pupil's radius, the fibres' twist at the pupil, the tremor of each shape, the glow of each band."""

    pupil_K: Array
    twist_K: Array
    tremor_KX: Array
    glow_KB: Array


def along(half_waves: int, rho: Array) -> Array:
    """Return a shape from the pupil to the root: 0 at the root, level at the pupil."""
    return np.sin((half_waves - 0.5) * np.pi * (1.0 - np.clip(rho, 0.0, 1.0))).astype(np.float32)


def omega_X() -> Array:
    """Return the angular frequency of each shape, rad/s."""
    n_X, m_X = np.array(SHAPES, float).T
    return (2.0 * np.pi * np.hypot(ALONG_HZ * (2.0 * n_X - 1.0), AROUND_HZ * m_X)).astype(np.float32)


def move_iris(force_SB: Array, fps: int = FRAMES_PER_S) -> IrisMotion:
    """Apply the forces to an iris at rest and return its motion at the end of every frame."""
    hold_MB = np.concatenate([[PUPIL_B], [TWIST_B], np.diag(TREMOR)]).astype(np.float32)
    omega_M = np.concatenate([2.0 * np.pi * np.array([PUPIL_HZ, TWIST_HZ]), omega_X()]).astype(np.float32)
    decay_M = np.array([PUPIL_DAMPING_PER_S, TWIST_DAMPING_PER_S, *[TREMOR_DAMPING_PER_S] * len(SHAPES)])
    away_KM = displacements(force_SB, hold_MB, omega_M, decay_M, KICK, fps)
    glow_SB = followed(force_SB.astype(np.float64), GLOW_RELEASE_S, fps)
    steps = substeps(fps)
    return IrisMotion(
        np.clip(REST + away_KM[:, 0], NARROWEST, WIDEST), away_KM[:, 1], away_KM[:, 2:],
        glow_SB[steps - 1 :: steps].astype(np.float32),
    )  # fmt: skip


def iris_motion(sound_T: Array, rate_hz: int, fps: int = FRAMES_PER_S) -> IrisMotion:
    """Return the motion of the iris under a sound."""
    return move_iris(band_force(sound_T, rate_hz, SIX_BANDS, fps), fps)
