"""What is told of a moment: levels, onsets and beats, whatever the blocks and the threads."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.features.analyser import KEPT_S, FeatureAnalyser
from engine.audio.features.audio_features import NEVER_S, SILENCE, ahead
from engine.audio.sources.demo import demo_sound
from engine.core.errors import ConfigError
from tests.engine.audio.features.rhythms import RATE_HZ, beats_at, heard, hits_at, off_beat

FRAME = 64
SONG_T = demo_sound()[::3].mean(axis=1)[: 12 * RATE_HZ].astype(np.float32)


def everything(meter: FeatureAnalyser, seconds: float) -> list[object]:
    return [meter.at(sample) for sample in range(0, round(seconds * RATE_HZ), FRAME)]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=12), st.integers(0, RATE_HZ))
def test_blocks_do_not_change_a_bit(blocks: list[int], begin: int) -> None:
    sound_T = SONG_T[begin : begin + 5 * RATE_HZ]
    whole, cut = FeatureAnalyser(RATE_HZ), FeatureAnalyser(RATE_HZ)
    whole.hear(sound_T)
    position = 0
    while position < len(sound_T):
        for block in [*blocks, 1 + sum(blocks)]:
            cut.hear(sound_T[position : position + block])
            position += block
    assert everything(cut, 5.0) == everything(whole, 5.0)


@pytest.mark.parametrize("block", [1, 7, 63, 64, 65, 441, 4096])
def test_device_blocks_do_not_change_a_bit(block: int) -> None:
    sound_T = SONG_T[: (3 if block > 1 else 1) * RATE_HZ]
    assert everything(heard(sound_T, block=block)[0], 3.0) == everything(heard(sound_T, block=len(sound_T))[0], 3.0)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000])
def test_hits_are_told_at_once_at_any_rate(rate_hz: int) -> None:
    times_s = [0.5, 0.9, 1.2, 1.31, 2.0]
    _, pulses = heard(hits_at(times_s, 2.5, rate_hz), rate_hz, block=rate_hz // 500)
    told_s = [(after.end_sample / rate_hz) for before, after in pairwise(pulses) if after.onsets > before.onsets]
    assert len(told_s) == len(times_s)
    for told, true in zip(told_s, times_s, strict=True):
        assert 0.0 < told - true <= 0.012


def test_a_hit_has_strength_and_age() -> None:
    meter, _ = heard(hits_at([0.5], 1.0))
    assert meter.at(RATE_HZ // 4).onset_age_s == NEVER_S
    newest = meter.newest()
    assert newest.onsets == 1
    assert newest.onset_age_s == pytest.approx(0.5, abs=0.012)
    assert newest.onset_strength > 0.8
    both_T = hits_at([0.5], 1.5) + np.float32(0.1) * hits_at([1.0], 1.5)
    assert 0.02 < heard(both_T)[0].newest().onset_strength < 0.4


def test_the_level_rises_within_a_frame_and_falls_gently() -> None:
    sound_T = np.zeros(2 * RATE_HZ, np.float32)
    sound_T[RATE_HZ : RATE_HZ + 3200] = 0.5 * np.sin(np.arange(3200) * 2 * np.pi * 440 / RATE_HZ)
    meter, _ = heard(sound_T)
    assert meter.at(RATE_HZ).level == 0.0
    assert meter.at(RATE_HZ + FRAME).level > 0.9
    assert meter.at(RATE_HZ + 3200).mid > 0.9 > meter.at(RATE_HZ + 3200).high
    assert 0.2 < meter.at(RATE_HZ + 3200 + 1280).level < 0.5
    assert meter.at(2 * RATE_HZ).level < 0.01


def test_quiet_music_is_as_loud_as_loud_music() -> None:
    loud = heard(SONG_T)[1]
    quiet = heard(SONG_T * np.float32(10 ** (-30 / 20)))[1]
    assert quiet[-1].onsets == loud[-1].onsets
    assert np.mean([audio_features.level for audio_features in quiet]) > 0.5 * np.mean(
        [audio_features.level for audio_features in loud]
    )


def test_a_silent_line_stays_silent() -> None:
    noise_T = (3e-5 * np.random.default_rng(0).standard_normal(3 * RATE_HZ)).astype(np.float32)
    assert {audio_features.level for audio_features in heard(noise_T)[1]} == {0.0}
    hiss_T = 10 * noise_T
    assert max(audio_features.level for audio_features in heard(hiss_T)[1]) < 0.3


def test_steady_sound_has_no_hits() -> None:
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    tones_T = 0.3 * np.sin(2 * np.pi * 50 * time_s) + 0.1 * np.sin(2 * np.pi * 440 * time_s + 2 * np.sin(35 * time_s))
    noise_T = 0.1 * np.random.default_rng(1).standard_normal(8 * RATE_HZ)
    for sound_T in (tones_T, noise_T):
        pulses = heard(sound_T.astype(np.float32))[1]
        assert pulses[-1].onsets - pulses[25].onsets <= 3


@pytest.mark.parametrize("fault", [math.nan, math.inf, -math.inf, 1e30])
def test_faults_of_the_source_are_survived(fault: float) -> None:
    sound_T = hits_at([0.5, 1.5], 2.0)
    broken_T = sound_T.copy()
    broken_T[RATE_HZ : RATE_HZ + 5] = fault
    meter, pulses = heard(broken_T)
    for audio_features in pulses:
        assert all(
            math.isfinite(value)
            for value in (
                audio_features.level,
                audio_features.low,
                audio_features.mid,
                audio_features.high,
                audio_features.beats,
            )
        )
        assert (
            min(
                audio_features.level,
                audio_features.low,
                audio_features.mid,
                audio_features.high,
                audio_features.onset_strength,
            )
            >= 0.0
        )
        assert (
            max(
                audio_features.level,
                audio_features.low,
                audio_features.mid,
                audio_features.high,
                audio_features.onset_strength,
            )
            <= 1.0
        )
    if not math.isfinite(fault):
        silent_T = sound_T.copy()
        silent_T[RATE_HZ : RATE_HZ + 5] = 0.0
        assert everything(meter, 2.0) == everything(heard(silent_T)[0], 2.0)


def test_at_gives_the_newest_that_had_ended() -> None:
    meter = FeatureAnalyser(RATE_HZ)
    assert meter.newest() == meter.at(10**6) == SILENCE
    meter.hear(SONG_T[:1000])
    assert meter.at(FRAME - 1) == SILENCE
    assert [meter.at(sample).end_sample for sample in (64, 127, 128, 1000, 10**6)] == [64, 64, 128, 960, 960]
    assert meter.at(1000) is meter.newest()


def test_the_last_seconds_are_kept_and_no_more() -> None:
    meter, _ = heard(np.tile(SONG_T, 2), block=1024)
    newest = meter.newest().end_sample
    assert meter.at(newest - 4 * RATE_HZ).end_sample == newest - 4 * RATE_HZ
    oldest = meter.at(FRAME).end_sample
    assert newest - oldest == pytest.approx(KEPT_S * RATE_HZ, abs=FRAME)


@pytest.mark.parametrize("bpm", [-1.0, math.nan, math.inf, 5000.0])
def test_no_tempo_at_all_is_refused(bpm: float) -> None:
    with pytest.raises(ConfigError, match="tempo"):
        FeatureAnalyser(RATE_HZ).set_tempo(bpm)


def test_taps_that_come_late_count_from_their_own_moment() -> None:
    """However far the ear is ahead of whoever taps, a moment is told the same."""
    sound_T = SONG_T[: 8 * RATE_HZ]
    orders: list[list[object]] = []
    for ahead_samples in (0, 64, 3000, 40000):
        meter, position = FeatureAnalyser(RATE_HZ), 0
        for tap in (20000, 28800, 37600, 46401):
            meter.hear(sound_T[position : max(position, tap + ahead_samples)])
            position = max(position, tap + ahead_samples)
            meter.tap(tap)
        meter.set_tempo(0.0, 100000)
        meter.hear(sound_T[position:])
        orders.append(everything(meter, 8.0))
    assert all(order == orders[0] for order in orders)
    assert orders[0][-1] != heard(sound_T)[0].newest()


def test_shown_beats_never_go_back() -> None:
    meter, shown, position = FeatureAnalyser(RATE_HZ), [0.0], 0
    random = np.random.default_rng(3)
    for tap in np.cumsum(random.integers(3000, 20000, 15)).tolist():
        while position < tap + 2000:
            meter.hear(SONG_T[position : position + 160])
            position += 160
            shown.append(meter.newest().beats)
        meter.tap(tap) if random.random() < 0.8 else meter.set_tempo(float(random.integers(0, 200)), tap)
        shown.append(meter.newest().beats)
    assert np.diff(shown).min() >= 0.0
    kept = [meter.at(sample).beats for sample in range(0, position, FRAME)]
    assert np.diff(kept).min() >= 0.0


def test_other_threads_may_ask_and_tap() -> None:
    meter, over = FeatureAnalyser(RATE_HZ), threading.Event()

    def ask() -> int:
        beats, asked = 0.0, 0
        while not over.is_set():
            audio_features = meter.newest()
            assert audio_features.beats >= beats
            beats = audio_features.beats
            assert meter.at(audio_features.end_sample).end_sample <= audio_features.end_sample
            meter.tap(audio_features.end_sample)
            asked += 1
        return asked

    with ThreadPoolExecutor(2) as executor:
        asking = [executor.submit(ask) for _ in range(2)]
        try:
            for begin in range(0, 3 * RATE_HZ, 256):
                meter.hear(SONG_T[begin : begin + 256])
        finally:
            over.set()
    assert all(future.result() > 0 for future in asking)


def test_ahead_lets_time_go_on() -> None:
    meter, _ = heard(hits_at(beats_at(120, 8), 8))
    now = meter.newest()
    later = ahead(now, 0.25)
    assert later.beats == pytest.approx(now.beats + 0.5, abs=0.01)
    assert later.onset_age_s == pytest.approx(now.onset_age_s + 0.25)
    assert (later.level, later.onsets) == (now.level, now.onsets)
    assert ahead(now, 0.0) is now
    assert off_beat(later, 120) == pytest.approx(0.5, abs=0.05) or off_beat(later, 120) == pytest.approx(-0.5, abs=0.05)
    assert ahead(SILENCE, 1.0).beats == 0.0
