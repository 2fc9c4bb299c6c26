"""The feature analyser: levels, onsets and beats, for every block size and from several threads."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.features.analyser import RETAINED_S, FeatureAnalyser
from engine.audio.features.audio_features import NEVER_S, SILENCE, extrapolate
from engine.audio.sources.demo import demo_sound
from engine.core.errors import ConfigError
from tests.engine.audio.features.rhythms import RATE_HZ, analyse, beat_error, beats_at, bursts_at

FRAME = 64
SONG_T = demo_sound()[::3].mean(axis=1)[: 12 * RATE_HZ].astype(np.float32)


def everything(analyser: FeatureAnalyser, seconds: float) -> list[object]:
    return [analyser.at_sample(sample) for sample in range(0, round(seconds * RATE_HZ), FRAME)]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=12), st.integers(0, RATE_HZ))
def test_blocks_do_not_change_a_bit(blocks: list[int], begin: int) -> None:
    sound_T = SONG_T[begin : begin + 5 * RATE_HZ]
    whole, cut = FeatureAnalyser(RATE_HZ), FeatureAnalyser(RATE_HZ)
    whole.feed(sound_T)
    position = 0
    while position < len(sound_T):
        for block in [*blocks, 1 + sum(blocks)]:
            cut.feed(sound_T[position : position + block])
            position += block
    assert everything(cut, 5.0) == everything(whole, 5.0)


@pytest.mark.parametrize("block", [1, 7, 63, 64, 65, 441, 4096])
def test_device_blocks_do_not_change_a_bit(block: int) -> None:
    sound_T = SONG_T[: (3 if block > 1 else 1) * RATE_HZ]
    assert everything(analyse(sound_T, block=block)[0], 3.0) == everything(analyse(sound_T, block=len(sound_T))[0], 3.0)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000])
def test_onsets_are_detected_at_once_at_any_rate(rate_hz: int) -> None:
    times_s = [0.5, 0.9, 1.2, 1.31, 2.0]
    _, features = analyse(bursts_at(times_s, 2.5, rate_hz), rate_hz, block=rate_hz // 500)
    detected_s = [(after.end_sample / rate_hz) for before, after in pairwise(features) if after.onsets > before.onsets]
    assert len(detected_s) == len(times_s)
    for detected, true in zip(detected_s, times_s, strict=True):
        assert 0.0 < detected - true <= 0.012


def test_an_onset_has_strength_and_age() -> None:
    analyser, _ = analyse(bursts_at([0.5], 1.0))
    assert analyser.at_sample(RATE_HZ // 4).onset_age_s == NEVER_S
    newest = analyser.latest()
    assert newest.onsets == 1
    assert newest.onset_age_s == pytest.approx(0.5, abs=0.012)
    assert newest.onset_strength > 0.8
    both_T = bursts_at([0.5], 1.5) + np.float32(0.1) * bursts_at([1.0], 1.5)
    assert 0.02 < analyse(both_T)[0].latest().onset_strength < 0.4


def test_the_level_rises_within_a_frame_and_falls_gently() -> None:
    sound_T = np.zeros(2 * RATE_HZ, np.float32)
    sound_T[RATE_HZ : RATE_HZ + 3200] = 0.5 * np.sin(np.arange(3200) * 2 * np.pi * 440 / RATE_HZ)
    analyser, _ = analyse(sound_T)
    assert analyser.at_sample(RATE_HZ).level == 0.0
    assert analyser.at_sample(RATE_HZ + FRAME).level > 0.9
    assert analyser.at_sample(RATE_HZ + 3200).mid > 0.9 > analyser.at_sample(RATE_HZ + 3200).high
    assert 0.2 < analyser.at_sample(RATE_HZ + 3200 + 1280).level < 0.5
    assert analyser.at_sample(2 * RATE_HZ).level < 0.01


def test_quiet_music_has_the_level_of_loud_music() -> None:
    loud = analyse(SONG_T)[1]
    quiet = analyse(SONG_T * np.float32(10 ** (-30 / 20)))[1]
    assert quiet[-1].onsets == loud[-1].onsets
    assert np.mean([audio_features.level for audio_features in quiet]) > 0.5 * np.mean(
        [audio_features.level for audio_features in loud]
    )


def test_the_noise_of_a_silent_line_has_no_level() -> None:
    noise_T = (3e-5 * np.random.default_rng(0).standard_normal(3 * RATE_HZ)).astype(np.float32)
    assert {audio_features.level for audio_features in analyse(noise_T)[1]} == {0.0}
    hiss_T = 10 * noise_T
    assert max(audio_features.level for audio_features in analyse(hiss_T)[1]) < 0.3


def test_steady_sound_has_no_onsets() -> None:
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    tones_T = 0.3 * np.sin(2 * np.pi * 50 * time_s) + 0.1 * np.sin(2 * np.pi * 440 * time_s + 2 * np.sin(35 * time_s))
    noise_T = 0.1 * np.random.default_rng(1).standard_normal(8 * RATE_HZ)
    for sound_T in (tones_T, noise_T):
        features = analyse(sound_T.astype(np.float32))[1]
        assert features[-1].onsets - features[25].onsets <= 3


@pytest.mark.parametrize("fault", [math.nan, math.inf, -math.inf, 1e30])
def test_invalid_samples_are_survived(fault: float) -> None:
    sound_T = bursts_at([0.5, 1.5], 2.0)
    broken_T = sound_T.copy()
    broken_T[RATE_HZ : RATE_HZ + 5] = fault
    analyser, features = analyse(broken_T)
    for audio_features in features:
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
        assert everything(analyser, 2.0) == everything(analyse(silent_T)[0], 2.0)


def test_at_sample_returns_the_newest_frame_that_has_ended() -> None:
    analyser = FeatureAnalyser(RATE_HZ)
    assert analyser.latest() == analyser.at_sample(10**6) == SILENCE
    analyser.feed(SONG_T[:1000])
    assert analyser.at_sample(FRAME - 1) == SILENCE
    assert [analyser.at_sample(sample).end_sample for sample in (64, 127, 128, 1000, 10**6)] == [64, 64, 128, 960, 960]
    assert analyser.at_sample(1000) is analyser.latest()


def test_the_last_seconds_are_retained_and_no_more() -> None:
    analyser, _ = analyse(np.tile(SONG_T, 2), block=1024)
    newest = analyser.latest().end_sample
    assert analyser.at_sample(newest - 4 * RATE_HZ).end_sample == newest - 4 * RATE_HZ
    oldest = analyser.at_sample(FRAME).end_sample
    assert newest - oldest == pytest.approx(RETAINED_S * RATE_HZ, abs=FRAME)


@pytest.mark.parametrize("bpm", [-1.0, math.nan, math.inf, 5000.0])
def test_an_impossible_tempo_is_refused(bpm: float) -> None:
    with pytest.raises(ConfigError, match="tempo"):
        FeatureAnalyser(RATE_HZ).set_tempo(bpm)


def test_late_taps_count_from_their_own_sample() -> None:
    """The features of a sample are the same however much later the tap arrives."""
    sound_T = SONG_T[: 8 * RATE_HZ]
    runs: list[list[object]] = []
    for ahead_samples in (0, 64, 3000, 40000):
        analyser, position = FeatureAnalyser(RATE_HZ), 0
        for tap in (20000, 28800, 37600, 46401):
            analyser.feed(sound_T[position : max(position, tap + ahead_samples)])
            position = max(position, tap + ahead_samples)
            analyser.tap(tap)
        analyser.set_tempo(0.0, 100000)
        analyser.feed(sound_T[position:])
        runs.append(everything(analyser, 8.0))
    assert all(run == runs[0] for run in runs)
    assert runs[0][-1] != analyse(sound_T)[0].latest()


def test_published_beats_never_go_back() -> None:
    analyser, shown, position = FeatureAnalyser(RATE_HZ), [0.0], 0
    random = np.random.default_rng(3)
    for tap in np.cumsum(random.integers(3000, 20000, 15)).tolist():
        while position < tap + 2000:
            analyser.feed(SONG_T[position : position + 160])
            position += 160
            shown.append(analyser.latest().beats)
        analyser.tap(tap) if random.random() < 0.8 else analyser.set_tempo(float(random.integers(0, 200)), tap)
        shown.append(analyser.latest().beats)
    assert np.diff(shown).min() >= 0.0
    kept = [analyser.at_sample(sample).beats for sample in range(0, position, FRAME)]
    assert np.diff(kept).min() >= 0.0


def test_other_threads_may_read_and_tap() -> None:
    analyser, over = FeatureAnalyser(RATE_HZ), threading.Event()

    def ask() -> int:
        beats, asked = 0.0, 0
        while not over.is_set():
            audio_features = analyser.latest()
            assert audio_features.beats >= beats
            beats = audio_features.beats
            assert analyser.at_sample(audio_features.end_sample).end_sample <= audio_features.end_sample
            analyser.tap(audio_features.end_sample)
            asked += 1
        return asked

    with ThreadPoolExecutor(2) as executor:
        asking = [executor.submit(ask) for _ in range(2)]
        try:
            for begin in range(0, 3 * RATE_HZ, 256):
                analyser.feed(SONG_T[begin : begin + 256])
        finally:
            over.set()
    assert all(future.result() > 0 for future in asking)


def test_extrapolation_lets_the_beat_go_on() -> None:
    analyser, _ = analyse(bursts_at(beats_at(120, 8), 8))
    now = analyser.latest()
    later = extrapolate(now, 0.25)
    assert later.beats == pytest.approx(now.beats + 0.5, abs=0.01)
    assert later.onset_age_s == pytest.approx(now.onset_age_s + 0.25)
    assert (later.level, later.onsets) == (now.level, now.onsets)
    assert extrapolate(now, 0.0) is now
    assert beat_error(later, 120) == pytest.approx(0.5, abs=0.05) or beat_error(later, 120) == pytest.approx(
        -0.5, abs=0.05
    )
    assert extrapolate(SILENCE, 1.0).beats == 0.0


def test_taps_of_one_hop_are_as_good_as_taps_one_by_one() -> None:
    """A flood of taps costs one rewind a hop."""
    together, one_by_one = FeatureAnalyser(RATE_HZ), FeatureAnalyser(RATE_HZ)
    sound = np.random.default_rng(3).standard_normal(6 * RATE_HZ).astype(np.float32)
    for second in range(6):
        for analyser in (together, one_by_one):
            analyser.feed(sound[second * RATE_HZ : (second + 1) * RATE_HZ])
        taps = [second * RATE_HZ + each for each in (0, 0, 300, RATE_HZ // 2, RATE_HZ // 2, RATE_HZ // 2 + 40)]
        together.tap(*taps)
        for tap in taps:
            one_by_one.tap(tap)
    assert together.latest().tempo_bpm == one_by_one.latest().tempo_bpm == pytest.approx(120.0)
    assert together.at_sample(6 * RATE_HZ) == one_by_one.at_sample(6 * RATE_HZ)
