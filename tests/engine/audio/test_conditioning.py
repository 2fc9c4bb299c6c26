"""Input conditioning on overlapping windows: gate, levelling to a model's loudness, limiter."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.conditioning import Conditioner
from engine.audio.gain_state import HIGHEST_DB, KNEE_DB, LOWEST_DB, SLACK_DB, GainState, reduction_db
from engine.control.parameter import Value
from engine.media.band_levels import BandMeter, decibels
from engine.model.training_sound import BandRange, TrainingSound

RATE_HZ, HOP, WINDOW = 16000, 800, 16000
TARGET_DB, CEILING_DB = -23.0, -12.0
EDGES_HZ = BandMeter(RATE_HZ, HOP).band_edges_hz


def known(ceiling_db: float = 60.0) -> TrainingSound:
    """Return a training sound of loudness TARGET_DB whose bands reach `ceiling_db`; the default limits nothing."""
    bands = tuple(
        BandRange(low_hz=low, high_hz=high, quiet_db=-60.0, loud_db=ceiling_db)
        for low, high in itertools.pairwise(EDGES_HZ)
    )
    return TrainingSound(loudness_db=TARGET_DB, quiet_db=-45.0, peak_db=-3.0, bands=bands, sound="a clip")


KNOWN = known()
QUIETEST_DB = TARGET_DB - SLACK_DB


def tone(seconds: float, level_db: float, hz: float = 220.0) -> NDArray[np.float32]:
    """Return a tone whose root mean square is `level_db`."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (10 ** (level_db / 20) * np.sqrt(2) * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def level_db(sound: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + 1e-20))


def windows(
    sound: NDArray[np.float32], indices: range | list[int], trained: TrainingSound | None = KNOWN, **values: Value
) -> list[NDArray[np.float32]]:
    """Return the conditioned windows of `indices`."""
    gain = Conditioner(RATE_HZ, HOP)
    padded = np.concatenate([np.zeros(WINDOW, np.float32), sound])
    return [gain.apply(padded[(k + 1) * HOP : (k + 1) * HOP + WINDOW], k, values, trained) for k in indices]


def gained(sound: NDArray[np.float32], trained: TrainingSound | None = KNOWN, **values: Value) -> NDArray[np.float32]:
    """Return all of the sound, conditioned hop by hop."""
    return np.concatenate([w[-HOP:] for w in windows(sound, range(len(sound) // HOP), trained, **values)])


def test_switched_off_the_same_window_is_returned() -> None:
    window = tone(1.0, -30.0)
    gain = Conditioner(RATE_HZ, HOP)
    assert gain.apply(window, 0, {}) is window
    assert gain.apply(window, 1, {"conditioning": False, "gate_db": -90.0}) is window


@pytest.mark.parametrize("given_db", [-3.5, -12.0, -35.0, -46.0])
def test_quiet_and_loud_feeds_come_near_the_loudness_of_the_model(given_db: float) -> None:
    reached_db = TARGET_DB + SLACK_DB * np.sign(given_db - TARGET_DB)
    assert level_db(gained(tone(25.0, given_db), conditioning=True)[-RATE_HZ:]) == pytest.approx(reached_db, abs=1.5)


@pytest.mark.parametrize("given_db", [-25.0, -21.0])
def test_what_is_near_it_and_stands_still_passes_as_it_came(given_db: float) -> None:
    sound = np.where(np.arange(2 * RATE_HZ) % 2, 1.0, -1.0).astype(np.float32) * np.float32(10 ** (given_db / 20))
    assert np.allclose(gained(sound, conditioning=True), sound, rtol=0.01)


def test_the_changes_of_steady_sound_become_larger_and_those_of_drums_stay() -> None:
    assert 7.0 < beat_db(changes_db=3.0, seconds=10.0) < 25.0
    assert 29.0 < beat_db(changes_db=30.0, seconds=10.0) < 40.0


def test_the_noise_of_a_room_is_not_made_livelier() -> None:
    assert beat_db(changes_db=3.0, seconds=10.0, loud_db=-60.0) < 4.0


def beat_db(changes_db: float, seconds: float, loud_db: float = -26.0) -> float:
    """Return by how much the beats of the last half of a sound are louder than what is between them, once it is conditioned."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    beats = (time_s % 0.5 < 0.1).astype(np.float32)
    sound = np.where(np.arange(len(time_s)) % 2, 1.0, -1.0) * 10 ** ((loud_db + changes_db * (beats - 1)) / 20)
    half = len(time_s) // 2
    out = gained(sound.astype(np.float32), conditioning=True)[half:]
    is_beat = beats[half:] > 0
    between = np.roll(is_beat, -RATE_HZ // 10)
    return level_db(out[is_beat]) - level_db(out[between & ~is_beat])


def test_the_gain_has_limits() -> None:
    quiet = gained(tone(30.0, -65.0), conditioning=True)[-RATE_HZ:]
    assert level_db(quiet) == pytest.approx(-65.0 + HIGHEST_DB, abs=1.5)
    loud = np.full(10 * RATE_HZ, 1.0, np.float32) * 20.0
    assert level_db(gained(loud, conditioning=True)[-RATE_HZ:]) == pytest.approx(level_db(loud) + LOWEST_DB, abs=1.5)


def test_it_goes_down_fast_and_up_slowly() -> None:
    louder = gained(np.concatenate([tone(20.0, -40.0), tone(3.0, -10.0)]), conditioning=True)
    assert level_db(louder[21 * RATE_HZ : 22 * RATE_HZ]) < TARGET_DB + 11.0
    quieter = gained(np.concatenate([tone(10.0, -10.0), tone(3.0, -40.0)]), conditioning=True)
    assert level_db(quieter[11 * RATE_HZ : 12 * RATE_HZ]) < TARGET_DB - 10.0


def test_in_silence_and_behind_a_closed_gate_the_gain_is_held() -> None:
    sound = np.concatenate([tone(10.0, -36.0), silence(20.0), tone(0.2, -36.0)])
    assert level_db(gained(sound, conditioning=True)[-1600:]) == pytest.approx(QUIETEST_DB, abs=2.0)
    noisy = np.concatenate([tone(10.0, -36.0), tone(20.0, -60.0), tone(0.5, -36.0)])
    assert level_db(gained(noisy, conditioning=True, gate_db=-50.0)[-1600:]) == pytest.approx(QUIETEST_DB, abs=4.0)
    assert level_db(gained(noisy, conditioning=True)[-1600:]) > QUIETEST_DB + 7.0


def test_the_first_seconds_are_followed_faster_than_later_ones() -> None:
    from_start = gained(tone(6.0, -40.0), conditioning=True)[5 * RATE_HZ :]
    assert level_db(from_start) == pytest.approx(QUIETEST_DB, abs=2.0)
    later = gained(np.concatenate([tone(20.0, -23.0), tone(6.0, -40.0)]), conditioning=True)[25 * RATE_HZ :]
    assert level_db(later) < QUIETEST_DB - 6.0


def test_without_a_known_training_sound_it_passes_as_it_came() -> None:
    sound = tone(2.0, -40.0)
    assert np.array_equal(gained(sound, None, conditioning=True), sound)


def test_the_gain_by_hand_is_applied_in_any_case_and_before_the_limiter() -> None:
    sound = tone(2.0, -40.0)
    assert np.allclose(gained(sound, None, gain_db=6.0206), 2.0 * sound, rtol=1e-4)
    louder = gained(tone(20.0, -23.0), known(CEILING_DB), conditioning=True, gain_db=30.0)[-RATE_HZ:]
    assert level_db(louder) <= CEILING_DB + 0.5


def block_levels_db(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the levels of all blocks in all bands."""
    meter = BandMeter(RATE_HZ, HOP)
    return np.concatenate([decibels(meter.powers(sound[k : k + HOP])) for k in range(0, len(sound) - HOP + 1, HOP)])


def test_no_band_gets_louder_than_the_model_knows_not_even_in_the_first_block_of_an_attack() -> None:
    noise = np.random.default_rng(1).standard_normal(RATE_HZ).astype(np.float32)
    attacks = np.concatenate([tone(10.0, -23.0), 0.9 * noise.clip(-1, 1), silence(0.5), 0.9 * noise.clip(-1, 1)])
    assert block_levels_db(attacks).max() > CEILING_DB + KNEE_DB + 3.0
    assert block_levels_db(gained(attacks, known(CEILING_DB), conditioning=True)).max() <= CEILING_DB + 0.1


def test_what_the_model_knows_is_not_limited() -> None:
    gain = Conditioner(RATE_HZ, HOP)
    sound = np.concatenate([np.zeros(WINDOW, np.float32), tone(4.0, TARGET_DB)])
    for index in range(80):
        gain.apply(sound[(index + 1) * HOP : (index + 1) * HOP + WINDOW], index, {"conditioning": True}, known(-10.0))
        assert gain.limit_db == 0.0
    assert gain.gain_db == pytest.approx(0.0, abs=0.2)


def test_the_knee_meets_both_lines() -> None:
    assert reduction_db(-KNEE_DB) == 0.0
    assert reduction_db(0.0) == pytest.approx(KNEE_DB / 4.0)
    assert reduction_db(KNEE_DB) == pytest.approx(KNEE_DB)
    assert reduction_db(20.0) == 20.0
    over_db = np.linspace(-10.0, 10.0, 101)
    assert np.all(np.diff([x - reduction_db(x) for x in over_db.tolist()]) >= -1e-9)
    assert GainState().factor == 1.0


def test_switched_off_the_gain_returns_to_one_and_the_same_window_is_returned() -> None:
    gain, sound = Conditioner(RATE_HZ, HOP), tone(30.0, -40.0)
    for index in range(20, 200):
        gain.apply(sound[index * HOP : index * HOP + WINDOW], index, {"conditioning": True}, KNOWN)
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
    gain = Conditioner(RATE_HZ, HOP)
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
    played = windows(noise, range(len(noise) // HOP), conditioning=True, gate_db=-35.0)
    for before, after in itertools.pairwise(played):
        assert np.array_equal(before[HOP:], after[:-HOP])


def test_skipped_hops_change_nothing_while_a_window_reaches_over_them() -> None:
    noise = np.random.default_rng(4).uniform(-0.3, 0.3, 4 * RATE_HZ).astype(np.float32)
    every = windows(noise, range(80), conditioning=True, gate_db=-40.0)
    some = [0, 1, 2, 7, 8, 20, 39, 59, 79]
    skipping = windows(noise, some, conditioning=True, gate_db=-40.0)
    assert all(np.array_equal(every[k], window) for k, window in zip(some, skipping, strict=True))


def test_a_longer_gap_is_bridged() -> None:
    played = windows(tone(20.0, -40.0), [0, 1, 2, 300, 301], conditioning=True)
    assert all(np.isfinite(window).all() for window in played)
    assert played[-1].shape == (WINDOW,)
    assert np.array_equal(played[3][HOP:], played[4][:-HOP])


def test_samples_that_are_not_finite_do_not_reach_the_gain() -> None:
    sound = tone(3.0, -30.0)
    sound[RATE_HZ : RATE_HZ + 3] = [np.nan, np.inf, -np.inf]
    gain = Conditioner(RATE_HZ, HOP)
    padded = np.concatenate([np.zeros(WINDOW, np.float32), sound])
    for index in range(60):
        gain.apply(padded[(index + 1) * HOP : (index + 1) * HOP + WINDOW], index, {"conditioning": True}, KNOWN)
    assert np.isfinite(gain.history.curve_T).all()
    assert 0.0 < gain.gain_db < 15.0


def test_an_early_window_is_conditioned_as_its_hop_and_changes_nothing() -> None:
    sound, conditioner, early_by = tone(2.0, -40.0), Conditioner(RATE_HZ, HOP), 300
    padded, values = np.concatenate([np.zeros(WINDOW, np.float32), sound]), {"conditioning": True, "gain_db": 3.0}
    for k in range(20):
        conditioner.apply(padded[(k + 1) * HOP : (k + 1) * HOP + WINDOW], k, values, known(CEILING_DB))
    before, end = conditioner.history, 21 * HOP - early_by
    early_T = conditioner.early(padded[end : end + WINDOW], 20, end, values, known(CEILING_DB))
    assert conditioner.history is before
    whole_T = conditioner.apply(padded[21 * HOP : 21 * HOP + WINDOW], 20, values, known(CEILING_DB))
    # All but the block of 5 ms that is half heard.
    assert early_T[early_by : -RATE_HZ // 200] == pytest.approx(whole_T[: -early_by - RATE_HZ // 200], rel=1e-6)
    assert len(early_T) == WINDOW


def test_a_model_that_knows_louder_sound_is_followed_at_once() -> None:
    gain, louder = Conditioner(RATE_HZ, HOP), replace(KNOWN, loudness_db=TARGET_DB + 20.0)
    padded = np.concatenate([np.zeros(WINDOW, np.float32), tone(20.0, -30.0)])
    for k in range(400):
        trained = KNOWN if k < 200 else louder
        gain.apply(padded[(k + 1) * HOP : (k + 1) * HOP + WINDOW], k, {"conditioning": True}, trained)
        if k == 260:
            # Three seconds after the change; as a quiet part of the music it would have taken a minute.
            assert gain.gain_db == pytest.approx(TARGET_DB + 20.0 - SLACK_DB + 30.0, abs=3.0)


def test_levels_of_other_bands_than_those_measured_limit_nothing() -> None:
    fewer = replace(known(-60.0), bands=known(-60.0).bands[:2])
    loud = tone(1.0, TARGET_DB, 220.0)
    given, free = (level_db(gained(loud, trained, conditioning=True)) for trained in (fewer, KNOWN))
    assert given == pytest.approx(free, abs=0.1)
