"""Automatic gain and gate on overlapping windows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.auto_gain import HIGHEST_DB, LOWEST_DB, TARGET_DB, AutoGain
from engine.control.parameter import Value

RATE_HZ, HOP, WINDOW = 16000, 800, 16000


def tone(seconds: float, level_db: float, hz: float = 220.0) -> NDArray[np.float32]:
    """Return a tone whose root mean square is `level_db`."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (10 ** (level_db / 20) * np.sqrt(2) * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def level_db(sound: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + 1e-20))


def windows(sound: NDArray[np.float32], indices: range | list[int], **values: Value) -> list[NDArray[np.float32]]:
    """Return the windows of `indices` after gain and gate."""
    gain = AutoGain(RATE_HZ, HOP)
    padded = np.concatenate([np.zeros(WINDOW, np.float32), sound])
    return [gain.apply(padded[(k + 1) * HOP : (k + 1) * HOP + WINDOW], k, values) for k in indices]


def gained(sound: NDArray[np.float32], **values: Value) -> NDArray[np.float32]:
    """Return all of the sound after gain and gate, hop by hop."""
    return np.concatenate([w[-HOP:] for w in windows(sound, range(len(sound) // HOP), **values)])


def test_switched_off_the_same_window_is_returned() -> None:
    window = tone(1.0, -30.0)
    gain = AutoGain(RATE_HZ, HOP)
    assert gain.apply(window, 0, {}) is window
    assert gain.apply(window, 1, {"auto_gain": False, "gate_db": -90.0}) is window


@pytest.mark.parametrize("given_db", [-3.5, -12.0, -35.0, -55.0])
def test_quiet_and_loud_feeds_reach_the_same_loudness(given_db: float) -> None:
    assert level_db(gained(tone(25.0, given_db), auto_gain=True)[-RATE_HZ:]) == pytest.approx(TARGET_DB, abs=0.5)


def test_the_gain_has_limits() -> None:
    quiet = gained(tone(30.0, -65.0), auto_gain=True)[-RATE_HZ:]
    assert level_db(quiet) == pytest.approx(-65.0 + HIGHEST_DB, abs=0.2)
    loud = np.full(10 * RATE_HZ, 1.0, np.float32) * 20.0
    assert level_db(gained(loud, auto_gain=True)[-RATE_HZ:]) == pytest.approx(level_db(loud) + LOWEST_DB, abs=0.2)


def test_it_goes_down_fast_and_up_slowly() -> None:
    louder = gained(np.concatenate([tone(20.0, -50.0), tone(3.0, -10.0)]), auto_gain=True)
    assert level_db(louder[21 * RATE_HZ : 22 * RATE_HZ]) < TARGET_DB + 9.0
    quieter = gained(np.concatenate([tone(10.0, -10.0), tone(3.0, -40.0)]), auto_gain=True)
    assert level_db(quieter[11 * RATE_HZ : 12 * RATE_HZ]) < TARGET_DB - 10.0


def test_in_silence_and_behind_a_closed_gate_the_gain_is_held() -> None:
    sound = np.concatenate([tone(10.0, -30.0), silence(20.0), tone(0.2, -30.0)])
    assert level_db(gained(sound, auto_gain=True)[-1600:]) == pytest.approx(TARGET_DB, abs=1.0)
    noisy = np.concatenate([tone(10.0, -30.0), tone(20.0, -60.0), tone(0.2, -30.0)])
    assert level_db(gained(noisy, auto_gain=True, gate_db=-50.0)[-1600:]) == pytest.approx(TARGET_DB, abs=1.0)
    assert level_db(gained(noisy, auto_gain=True)[-1600:]) > TARGET_DB + 3.0


def test_switched_off_the_gain_returns_to_one_and_the_same_window_is_returned() -> None:
    gain, sound = AutoGain(RATE_HZ, HOP), tone(30.0, -40.0)
    for index in range(20, 200):
        gain.apply(sound[index * HOP : index * HOP + WINDOW], index, {"auto_gain": True})
    assert gain.gain_db > 10.0
    for index in range(200, 400):
        window = sound[index * HOP : index * HOP + WINDOW]
        out = gain.apply(window, index, {})
    assert out is window


def test_the_gate_turns_noise_into_silence_and_lets_sound_through() -> None:
    sound = np.concatenate([tone(1.0, -60.0), tone(1.0, -20.0), tone(1.0, -60.0)])
    out = gained(sound, gate_db=-40.0)
    assert not out[RATE_HZ // 2 : RATE_HZ].any()
    assert not out[-RATE_HZ // 2 :].any()
    assert np.array_equal(out[RATE_HZ + HOP : 2 * RATE_HZ], sound[RATE_HZ + HOP : 2 * RATE_HZ])


def test_a_sound_around_the_threshold_keeps_the_gate_open() -> None:
    swell = 10 ** (2.5 * np.sin(2 * np.pi * 3 * np.arange(3 * RATE_HZ) / RATE_HZ) / 20)
    sound = (tone(3.0, -40.0) * swell).astype(np.float32)
    assert np.array_equal(gained(sound, gate_db=-40.0), sound)


def test_the_gate_does_not_click() -> None:
    constant = np.concatenate([np.full(8000, 0.001, np.float32), np.full(8000, 0.5, np.float32)])
    sound = np.concatenate([constant, constant])
    gain = AutoGain(RATE_HZ, HOP)
    padded = np.concatenate([np.zeros(WINDOW, np.float32), sound])
    curves = []
    for index in range(len(sound) // HOP):
        gain.apply(padded[(index + 1) * HOP : (index + 1) * HOP + WINDOW], index, {"gate_db": -40.0})
        curve = gain.history.curve_T
        curves.append(curve[-HOP:] if len(curve) else np.ones(HOP, np.float32))
    curve = np.concatenate(curves)
    assert curve.min() == 0.0
    assert np.diff(curve).max() <= 1.001 / (0.005 * RATE_HZ)
    assert np.diff(curve).min() >= -1.001 / (0.06 * RATE_HZ)


def test_a_sample_has_the_same_gain_in_every_window() -> None:
    noise = np.random.default_rng(3).uniform(-0.2, 0.2, 6 * RATE_HZ).astype(np.float32)
    noise[2 * RATE_HZ : 3 * RATE_HZ] *= 0.01
    played = windows(noise, range(len(noise) // HOP), auto_gain=True, gate_db=-35.0)
    for before, after in itertools.pairwise(played):
        assert np.array_equal(before[HOP:], after[:-HOP])


def test_skipped_hops_change_nothing_while_a_window_reaches_over_them() -> None:
    noise = np.random.default_rng(4).uniform(-0.3, 0.3, 4 * RATE_HZ).astype(np.float32)
    every = windows(noise, range(80), auto_gain=True, gate_db=-40.0)
    some = [0, 1, 2, 7, 8, 20, 39, 59, 79]
    skipping = windows(noise, some, auto_gain=True, gate_db=-40.0)
    assert all(np.array_equal(every[k], window) for k, window in zip(some, skipping, strict=True))


def test_a_longer_gap_is_bridged() -> None:
    played = windows(tone(20.0, -40.0), [0, 1, 2, 300, 301], auto_gain=True)
    assert all(np.isfinite(window).all() for window in played)
    assert played[-1].shape == (WINDOW,)
    assert np.array_equal(played[3][HOP:], played[4][:-HOP])


def test_samples_that_are_not_finite_do_not_reach_the_gain() -> None:
    sound = tone(3.0, -30.0)
    sound[RATE_HZ : RATE_HZ + 3] = [np.nan, np.inf, -np.inf]
    gain = AutoGain(RATE_HZ, HOP)
    padded = np.concatenate([np.zeros(WINDOW, np.float32), sound])
    for index in range(60):
        gain.apply(padded[(index + 1) * HOP : (index + 1) * HOP + WINDOW], index, {"auto_gain": True})
    assert np.isfinite(gain.history.curve_T).all()
    assert 0.0 < gain.gain_db < 15.0


def test_an_early_window_has_the_gain_of_now_and_changes_nothing() -> None:
    sound, gain = tone(2.0, -40.0), AutoGain(RATE_HZ, HOP)
    padded = np.concatenate([np.zeros(WINDOW, np.float32), sound])
    early = padded[HOP // 2 : HOP // 2 + WINDOW]
    assert gain.early(early, HOP // 2) is early
    for k in range(20):
        gained_T = gain.apply(padded[(k + 1) * HOP : (k + 1) * HOP + WINDOW], k, {"auto_gain": True})
    before, begin = gain.history, 20 * HOP + 300
    early_T = gain.early(padded[begin : begin + WINDOW], 300)
    assert np.array_equal(early_T[:-300], gained_T[300:])
    assert early_T[-300:] == pytest.approx(padded[begin + WINDOW - 300 : begin + WINDOW] * before.state.factor)
    assert gain.history is before
