"""A jellyfish before loudspeakers: sound -> levels of six bands -> the bell's own shapes, and what trails after them.

The bell bends without stretching, as a bell or a ring does (Rayleigh, The Theory of Sound, 2nd ed., sections 232 to 235): the radius
changes by q cos(m angle), places move around by -q / m sin(m angle), and the frequency of m waves around goes as
m (m^2 - 1) / sqrt(m^2 + 1). Beside these shapes the bell contracts as a whole, leans and rises. Arms and tentacles hang in water, which
holds them, so they only follow: a place far down does what the bell did some time ago.

Lengths are in radii of the bell, times in seconds. Axes: S substeps, K frames, B bands, M shapes, D places down an arm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.scenes.oscillators import displacements
from training.data.scenes.sound_force import FRAMES_PER_S, SIX_BANDS, Array, band_force, followed, substeps

WAVES = (2, 3, 4, 5, 6)  # around the bell
PHASES = (0.3, 1.1, 0.5, 2.0, 0.9)
CONTRACTION, LEAN, RISE = len(WAVES), len(WAVES) + 1, len(WAVES) + 2  # the shapes after those of the waves
OVAL_HZ = 1.35  # of two waves around
CONTRACTION_HZ, LEAN_HZ, RISE_HZ = 1.25, 0.70, 0.55
DAMPING_PER_S = 4.6
KICK = 0.6
TRAIL_PLACES, TRAIL_S = 40, 0.95  # what the end of a tentacle does is so old
GLOW_RELEASE_S = 0.22

HELD = {
    (0, CONTRACTION): 0.24,
    (0, RISE): 0.16,
    (1, CONTRACTION): 0.08,
    (1, 0): 0.11,
    (2, 1): 0.085,
    (2, LEAN): 0.16,
    (3, 2): 0.065,
    (3, LEAN): -0.16,
    (4, 3): 0.050,
    (5, 4): 0.042,
    (1, RISE): 0.05,
}
"""How far steady force 1 of a band holds a shape from rest."""


@dataclass(frozen=True)
class MedusaMotion:
    """Motion for the lighting, of every frame: shapes and glow (0 to 1.2) by how far down an arm, the bell's own first."""

    away_KDM: Array
    glow_KDB: Array


def omega_M() -> NDArray[np.float64]:
    """Return the angular frequency of each shape, rad/s."""
    m = np.array(WAVES, np.float64)
    waves = m * (m**2 - 1.0) / np.sqrt(m**2 + 1.0)
    # Water moves with the bell, the more the longer its waves are: frequencies lie closer than those of a bell in air.
    hz = OVAL_HZ * np.sqrt(waves / waves[0])
    return 2.0 * np.pi * np.concatenate([hz, [CONTRACTION_HZ, LEAN_HZ, RISE_HZ]])


def _trailing(values_KX: Array, fps: int) -> Array:
    """Return `[K, D, X]`: what the values were a while ago, the longer the farther down, and 0 before they began."""
    ago_D = np.linspace(0.0, 1.0, TRAIL_PLACES) * TRAIL_S * fps
    at_KD = np.arange(len(values_KX))[:, None] - ago_D[None]
    before_KD = np.floor(at_KD).astype(int)
    part_KD1 = (at_KD - before_KD)[..., None].astype(np.float32)
    padded = np.concatenate([np.zeros((1, values_KX.shape[1]), np.float32), values_KX])
    earlier, later = padded[np.maximum(before_KD + 1, 0)], padded[np.maximum(before_KD + 2, 0).clip(0, len(values_KX))]
    return earlier * (1.0 - part_KD1) + later * part_KD1


def move_medusa(force_SB: Array, fps: int = FRAMES_PER_S) -> MedusaMotion:
    """Apply the forces to a jellyfish at rest and return its motion at the end of every frame."""
    omega = omega_M()
    hold_MB = np.zeros((len(omega), len(SIX_BANDS)), np.float32)
    for (band, shape), reach in HELD.items():
        hold_MB[shape, band] = reach
    decay_M = 0.5 * DAMPING_PER_S * (omega / omega.min()) ** 0.3
    away_KM = displacements(force_SB, hold_MB, omega.astype(np.float32), decay_M, KICK, fps)
    steps = substeps(fps)
    glow_KB = followed(force_SB.astype(np.float64), GLOW_RELEASE_S, fps)[steps - 1 :: steps].astype(np.float32)
    return MedusaMotion(_trailing(away_KM, fps), _trailing(glow_KB, fps))


def medusa_motion(sound_T: Array, rate_hz: int, fps: int = FRAMES_PER_S) -> MedusaMotion:
    """Return the motion of the jellyfish under a sound."""
    return move_medusa(band_force(sound_T, rate_hz, SIX_BANDS, fps), fps)
