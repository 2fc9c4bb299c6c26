"""Damped oscillators that a force holds away from rest and throws as it rises, stepped exactly, so that no step is too long.

An oscillator with displacement x from where the force holds it obeys x'' + 2 a x' + omega^2 x = 0; over one substep the solution
is written out. Axes: S substeps, K frames, M oscillators, B bands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.data.scenes.sound_force import Array, substeps


def displacements(
    force_SB: Array, hold_MB: Array, omega_M: Array, decay_per_s_M: NDArray[np.float64], kick: float, fps: int
) -> Array:
    """Return the displacement of every oscillator at the end of every frame, `[K, M]`; all begin at rest.

    `hold_MB` is where steady force 1 of each band holds it, `omega_M` its angular frequency in rad/s. A rise of the force also
    throws it, at a speed that carries it `kick` times the hold.
    """
    whole_M = omega_M.astype(np.float64)
    decay_M = np.minimum(decay_per_s_M, 0.95 * whole_M)
    ring_M = np.sqrt(whole_M**2 - decay_M**2)
    steps = substeps(fps)
    step_s = 1.0 / (fps * steps)
    fade_M = np.exp(-decay_M * step_s)
    cosine_M, sine_M = fade_M * np.cos(ring_M * step_s), fade_M * np.sin(ring_M * step_s) / ring_M

    hold_SM = force_SB @ hold_MB.T
    rise_SB = np.diff(force_SB, axis=0, prepend=np.zeros((1, force_SB.shape[1])))
    throw_SM = kick * whole_M * (np.maximum(rise_SB, 0.0) @ hold_MB.T)
    place_M, speed_M = np.zeros_like(whole_M), np.zeros_like(whole_M)
    frames = len(force_SB) // steps
    place_KM = np.empty((frames, len(whole_M)), np.float32)
    for step in range(frames * steps):
        away_M, speed_M = place_M - hold_SM[step], speed_M + throw_SM[step]
        place_M = hold_SM[step] + cosine_M * away_M + sine_M * (speed_M + decay_M * away_M)
        speed_M = cosine_M * speed_M - sine_M * (whole_M**2 * away_M + decay_M * speed_M)
        if step % steps == steps - 1:
            place_KM[step // steps] = place_M
    return place_KM
