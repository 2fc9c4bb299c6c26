"""Strings beside a loudspeaker: sound -> amplitude of every mode of every string, and its slow sway.

A string of fundamental f has modes of n f with the shapes sin(n pi x) (Rayleigh, The Theory of Sound, ch. VI), and sound near a
mode's frequency drives that mode: sympathetic resonance, as in Melde's experiment of 1860. So a pure tone shows one loop on its own
string, two on the string an octave below, three on the next. The strings are slack enough to sway: an onset throws the two lowest
shapes of a cord, damped oscillators that are stepped exactly.

Amplitudes are shares of the largest one, times in seconds. Axes: S substeps, K frames, R strings, N modes, B bands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.data.scenes.sound_force import FRAMES_PER_S, Array, SoundBand, band_force, followed, substeps

STRINGS, MODES = 21, 5
LOWEST_HZ, STEP_OCTAVES = 52.0, 0.25  # a quarter of an octave from string to string
BAND_SHARE = 0.14  # a band reaches this far below and above its frequency: neighbours answer too, more softly
SLOPE_DB = 2.0  # an octave: music has less energy high up
RING_S = (0.42, 0.16)  # of the lowest string's first mode, and of the highest string's
HELD = (1.0, 0.8, 0.62, 0.5, 0.4)  # how far steady force 1 moves each mode
SWAY_HZ = (1.9, 4.1)  # of the first shape of the lowest cord, and of the highest
SWAY_DAMPING_PER_S = 2.6
THROW = 0.8


@dataclass(frozen=True)
class StringMotion:
    """Motion for the lighting: amplitudes of vibration, and how far each cord sways in its first two shapes."""

    amplitude_KRN: Array
    sway_KR2: Array
    glow_KR: Array


def bands() -> list[SoundBand]:
    """Return the bands of all modes: one for each string, and further ones above the highest."""
    count = STRINGS + int(np.ceil(np.log2(MODES) / STEP_OCTAVES)) + 1
    centres = LOWEST_HZ * 2.0 ** (STEP_OCTAVES * np.arange(count))
    return [
        SoundBand(hz * (1.0 - BAND_SHARE), min(hz * (1.0 + BAND_SHARE), 7900.0), SLOPE_DB * float(np.log2(hz / 70.0)))
        for hz in centres
        if hz * (1.0 - BAND_SHARE) < 7000.0
    ]


def _mode_force(force_SB: Array) -> Array:
    """Return the force on every mode `[S, R, N]`, interpolated between the bands beside its frequency."""
    place = np.arange(STRINGS)[:, None] + np.log2(np.arange(1, MODES + 1)) / STEP_OCTAVES
    place_RN = np.clip(place, 0.0, force_SB.shape[1] - 1.0)
    below_RN = np.minimum(place_RN.astype(int), force_SB.shape[1] - 2)
    part_RN = (place_RN - below_RN).astype(np.float32)
    return force_SB[:, below_RN] * (1.0 - part_RN) + force_SB[:, below_RN + 1] * part_RN


def move_strings(force_SB: Array, fps: int = FRAMES_PER_S) -> StringMotion:
    """Apply the forces of `bands()` to strings at rest and return their motion at the end of every frame."""
    steps = substeps(fps)
    step_s = 1.0 / (fps * steps)
    frames = len(force_SB) // steps
    # Squared, so that the string which a tone meets stands out among its neighbours.
    pushed_SRN = _mode_force(force_SB) ** 2 * np.asarray(HELD, np.float32)
    place_R = np.linspace(0.0, 1.0, STRINGS)
    ring_RN = np.geomspace(*RING_S, STRINGS)[:, None] / np.arange(1, MODES + 1) ** 0.5
    keep_RN = np.exp(-step_s / ring_RN)
    rotor_R2 = np.exp(
        step_s
        * (
            -SWAY_DAMPING_PER_S * np.array([1.0, 1.6])
            + 2j * np.pi * np.geomspace(*SWAY_HZ, STRINGS)[:, None] * np.array([1.0, 2.0])
        )
    )
    rise_SR = np.maximum(np.diff(pushed_SRN[:, :, 0], axis=0, prepend=np.zeros((1, STRINGS), np.float32)), 0.0)
    # Neighbours are thrown to the same side, and the second shape to alternating ones.
    throw_R2 = THROW * np.stack([1.0 - 0.35 * place_R, 0.45 * np.cos(np.pi * np.arange(STRINGS))], axis=1)
    amplitude_RN = np.zeros((STRINGS, MODES))
    sway_R2 = np.zeros((STRINGS, 2), complex)
    amplitude_KRN = np.empty((frames, STRINGS, MODES), np.float32)
    sway_KR2 = np.empty((frames, STRINGS, 2), np.float32)
    for step in range(frames * steps):
        amplitude_RN = np.maximum(pushed_SRN[step], amplitude_RN * keep_RN)
        # A cord thrown with speed v sways by v / omega sin(omega t): the imaginary part.
        sway_R2 = sway_R2 * rotor_R2 + throw_R2 * rise_SR[step][:, None]
        if step % steps == steps - 1:
            amplitude_KRN[step // steps], sway_KR2[step // steps] = amplitude_RN, sway_R2.imag
    glow_SR = followed(pushed_SRN.max(axis=2).astype(np.float64), 0.14, fps)
    return StringMotion(amplitude_KRN, sway_KR2, glow_SR[steps - 1 :: steps].astype(np.float32))


def string_motion(sound_T: Array, rate_hz: int, fps: int = FRAMES_PER_S) -> StringMotion:
    """Return the motion of all strings under a sound."""
    return move_strings(band_force(sound_T, rate_hz, bands(), fps), fps)
