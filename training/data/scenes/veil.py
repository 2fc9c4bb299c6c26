"""Veils that hang before loudspeakers: sound -> levels of six bands -> displacement of the cloth's own shapes.

A cloth that hangs from a rail is a row of hanging chains. Their shapes are J0(j sqrt(height above the hem)), with j the zeros of J0,
and their frequencies j / 2 sqrt(gravity / length) (Daniel Bernoulli, 1733; Watson, Theory of Bessel Functions, 2nd ed., section
1.3). Across the cloth they are joined by its stiffness in shear, which adds waves cos(m pi s) that its free sides reflect.

Lengths across are in widths of the veil, down in its length, displacements in heights of the frame, times in seconds.
Axes: S substeps, K frames, B bands, L veils, N shapes down, M shapes across.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import jn_zeros, jv

from training.data.scenes.oscillators import displacements
from training.data.scenes.sound_force import FRAMES_PER_S, Array, SoundBand, band_force, followed, substeps

VEILS, DOWN, ACROSS = 3, 5, 14
SWING_HZ = 0.62  # of the slowest shape: a cloth of six metres
SHEAR_HZ = 0.42  # what each half wave across adds, as speed of its waves
DAMPING_PER_S = 4.2  # air: a swing has lost 20 dB after half a second
KICK = 0.55
GLOW_RELEASE_S = 0.20
PUSHED_L = (1.0, 0.7, 0.5)  # the veils behind are farther from the loudspeakers
SHIFTED_L = (0.0, 0.19, -0.23)  # and see them elsewhere


@dataclass(frozen=True)
class Band(SoundBand):
    """One band of sound and where its loudspeaker stands: at `place` across, `width` wide, it blows up to `height` above the hem."""

    place: float
    width: float
    height: float
    reach: float
    """How far steady force 1 holds the cloth from rest, at most."""


BANDS = (
    Band(35.0, 110.0, 0.0, place=0.46, width=0.42, height=0.90, reach=0.105),
    Band(110.0, 280.0, 2.0, place=0.22, width=0.20, height=0.60, reach=0.080),
    Band(280.0, 700.0, 4.0, place=0.74, width=0.15, height=0.45, reach=0.062),
    Band(700.0, 1700.0, 7.0, place=0.36, width=0.11, height=0.34, reach=0.046),
    Band(1700.0, 3800.0, 9.0, place=0.81, width=0.09, height=0.26, reach=0.036),
    Band(3800.0, 7500.0, 11.0, place=0.58, width=0.08, height=0.20, reach=0.028),
)


@dataclass(frozen=True)
class VeilMotion:
    """Motion for the lighting: the displacement of every shape of every veil, and the glow of each band (0 to 1.2)."""

    away_KLNM: Array
    glow_KB: Array


def down_shapes(above_hem: Array) -> Array:
    """Return the shapes of a hanging chain at heights above its hem, 1 at the rail, `[..., N]`."""
    return jv(0, jn_zeros(0, DOWN) * np.sqrt(np.clip(above_hem, 0.0, 1.0))[..., None]).astype(np.float32)


def across_shapes(place: Array) -> Array:
    """Return the shapes of waves between free sides, at places from 0 to 1, `[M, ...]`."""
    return np.cos(np.pi * np.arange(ACROSS).reshape(-1, *[1] * place.ndim) * place[None]).astype(np.float32)


def omega_NM() -> NDArray[np.float64]:
    """Return the angular frequency of each shape, rad/s."""
    zeros_N = jn_zeros(0, DOWN)
    swing_N = 2.0 * np.pi * SWING_HZ * zeros_N / zeros_N[0]
    return np.hypot(swing_N[:, None], 2.0 * np.pi * SHEAR_HZ * np.arange(ACROSS)[None])


def _hold(band: Band, veil: int) -> NDArray[np.float64]:
    """Project the wind of a band on the shapes of a veil, scaled to the band's reach, `[N, M]`."""
    across_P, above_Q = np.linspace(0.0, 1.0, 401), np.linspace(0.0, 1.0, 401)
    wind_P = np.exp(-(((across_P - band.place - SHIFTED_L[veil]) / band.width) ** 2))
    wind_Q = np.exp(-((above_Q / band.height) ** 2))
    shapes_QN, shapes_MP = down_shapes(above_Q).astype(np.float64), across_shapes(across_P).astype(np.float64)
    hold_N = (wind_Q @ shapes_QN) / (shapes_QN**2).sum(axis=0)
    hold_M = (shapes_MP @ wind_P) / (shapes_MP**2).sum(axis=1)
    hold_NM = hold_N[:, None] * hold_M[None]
    return hold_NM * PUSHED_L[veil] * band.reach / np.abs(shapes_QN @ hold_NM @ shapes_MP).max()


def move_veils(force_SB: Array, fps: int = FRAMES_PER_S) -> VeilMotion:
    """Apply the forces to veils at rest and return their motion at the end of every frame."""
    hold_XB = np.stack([np.stack([_hold(band, veil) for veil in range(VEILS)]).ravel() for band in BANDS], axis=1)
    omega_X = np.tile(omega_NM().ravel(), VEILS)
    # Fine shapes press more air for what they move: they come to rest sooner.
    decay_X = 0.5 * DAMPING_PER_S * (omega_X / omega_X[0]) ** 0.3
    away_KX = displacements(force_SB, hold_XB.astype(np.float32), omega_X.astype(np.float32), decay_X, KICK, fps)
    glow_SB = followed(force_SB.astype(np.float64), GLOW_RELEASE_S, fps)
    steps = substeps(fps)
    return VeilMotion(away_KX.reshape(-1, VEILS, DOWN, ACROSS), glow_SB[steps - 1 :: steps].astype(np.float32))


def veil_motion(sound_T: Array, rate_hz: int, fps: int = FRAMES_PER_S) -> VeilMotion:
    """Return the motion of all veils under a sound."""
    return move_veils(band_force(sound_T, rate_hz, BANDS, fps), fps)
