"""A Rubens tube: sound -> standing waves in a pipe of gas -> the height of each flame above it.

The pipe is closed at both ends, so its pressure has the modes cos(k pi x) at k times the lowest frequency, and sound near a mode's
frequency drives that mode (Rubens and Krigar-Menzel, Annalen der Physik 17, 1905). A hole gives the more gas the larger the mean
square of the pressure beneath it, cos^2(k pi x), so loud modes draw their waves in fire. A flame follows its gas as a damped
oscillator: it leaps as a sound begins, and settles.

Heights are shares of the highest flame, places along the pipe go from 0 to 1. Axes: S substeps, K frames, M modes, B bands, F flames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.data.scenes.oscillators import displacements
from training.data.scenes.sound_force import FRAMES_PER_S, Array, SoundBand, band_force

FLAMES = 34
MODES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12)
LOWEST_HZ = 78.0
TREBLE = SoundBand(1800.0, 7400.0, 14.0)
SLOPE_DB = 3.0  # an octave: music has less energy high up
LEAP_HZ, LEAP_DAMPING_PER_S, KICK = 2.4, 8.5, 0.30
REST, REACH_ABOVE = 0.34, 0.52
REACH = 0.62
LEAN = 0.035  # of a flame beside higher ones, in its height
TREBLE_REACH = 0.22
LOSS = 0.10  # along the whole pipe, for each half wave
DRAW, SCARCE = 6.0, 0.02


@dataclass(frozen=True)
class FlameMotion:
    """Motion for the lighting: height of each flame, and how far its tip leans to the right, in heights of the highest."""

    height_KF: Array
    lean_KF: Array


def places() -> Array:
    """Return where the flames stand along the pipe, [F]."""
    return ((np.arange(FLAMES) + 0.5) / FLAMES).astype(np.float32)


def bands() -> list[SoundBand]:
    """Return the band of each mode, which reaches halfway to its neighbours, and the treble that feeds all flames alike."""
    modes = np.array(MODES, float)
    edges_hz = LOWEST_HZ * np.concatenate([[0.5], (modes[1:] + modes[:-1]) / 2.0, [modes[-1] + 2.0]])
    gains_db = SLOPE_DB * np.log2(modes)
    tuned = [SoundBand(*one) for one in zip(edges_hz[:-1], edges_hz[1:], gains_db, strict=True)]
    return [*tuned, TREBLE]


def move_flames(force_SB: Array, fps: int = FRAMES_PER_S) -> FlameMotion:
    """Apply the forces of `bands()`, at every substep, to flames at rest and return their motion at the end of every frame."""
    count = len(MODES) + 1
    hold_MB = np.diag([REACH / (1.0 + 0.05 * mode) for mode in MODES] + [TREBLE_REACH]).astype(np.float32)
    omega_M = np.full(count, 2.0 * np.pi * LEAP_HZ, np.float32)
    level_KM = displacements(force_SB, hold_MB, omega_M, np.full(count, LEAP_DAMPING_PER_S), KICK, fps)
    angle_MF = np.pi * np.array(MODES)[:, None] * places()[None]
    # The loudspeaker is at the left end, and the gas takes more from the higher modes on their way.
    reach_MF = np.exp(-LOSS * np.array(MODES)[:, None] * places()[None])
    shape_MF = np.concatenate([reach_MF * np.cos(angle_MF) ** 2, np.ones((1, FLAMES))])
    slope_MF = np.concatenate([-reach_MF * np.sin(2.0 * angle_MF), np.zeros((1, FLAMES))])
    # Gas that one mode takes is not there for the others: the loudest draws its wave, and many do not add up without an end.
    level_KM = np.maximum(level_KM, 0.0)
    taken_KM = DRAW * level_KM**4 / (SCARCE + (level_KM**3).sum(axis=1, keepdims=True))
    height_KF = REST + REACH_ABOVE * np.tanh(taken_KM @ shape_MF)
    return FlameMotion(height_KF.astype(np.float32), (LEAN * np.tanh(2.0 * taken_KM @ slope_MF)).astype(np.float32))


def flame_motion(sound_T: Array, rate_hz: int, fps: int = FRAMES_PER_S) -> FlameMotion:
    """Return the motion of all flames under a sound."""
    return move_flames(band_force(sound_T, rate_hz, bands(), fps), fps)
