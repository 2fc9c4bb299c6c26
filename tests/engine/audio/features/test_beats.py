"""The beat: found, tracked, tapped and given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.features.analyser import FeatureAnalyser
from engine.audio.features.tap_tempo import add_tap, fit_beat
from engine.audio.sources.demo import demo_sound
from tests.engine.audio.features.rhythms import RATE_HZ, analyse, beat_error, beats_at, bursts_at


@pytest.mark.parametrize("bpm", [70, 100, 128, 170])
def test_the_beat_is_found(bpm: int) -> None:
    _, features = analyse(bursts_at(beats_at(bpm, 12), 12))
    late = [audio_features for audio_features in features if audio_features.end_sample > 6 * RATE_HZ]
    assert {round(audio_features.tempo_bpm) for audio_features in late} == {bpm}
    assert max(abs(beat_error(audio_features, bpm)) * 60 / bpm for audio_features in late) < 0.02
    assert late[-1].certainty > 0.9
    assert np.diff([audio_features.beats for audio_features in features]).min() >= 0.0


def test_the_demo_is_at_120() -> None:
    _, features = analyse(demo_sound()[::3].mean(axis=1).astype(np.float32))
    late = [audio_features for audio_features in features if audio_features.end_sample > 4 * RATE_HZ]
    assert max(abs(audio_features.tempo_bpm - 120) for audio_features in late) < 1.0
    assert max(abs(beat_error(audio_features, 120, 0.0)) for audio_features in late) < 0.06


def test_silence_has_no_beat() -> None:
    _, features = analyse(np.zeros(4 * RATE_HZ, np.float32))
    assert (features[-1].beats, features[-1].tempo_bpm, features[-1].certainty, features[-1].onsets) == (
        0.0,
        0.0,
        0.0,
        0,
    )


def test_noise_is_never_certain() -> None:
    noise_T = (0.1 * np.random.default_rng(2).standard_normal(10 * RATE_HZ)).astype(np.float32)
    assert max(audio_features.certainty for audio_features in analyse(noise_T)[1]) < 0.35


def test_the_beat_survives_a_break() -> None:
    times_s = [time_s for time_s in beats_at(110, 18) if not 8.0 < time_s < 12.4]
    _, features = analyse(bursts_at(times_s, 18))
    late = [audio_features for audio_features in features if audio_features.end_sample > 6 * RATE_HZ]
    assert max(abs(beat_error(audio_features, 110)) for audio_features in late) < 0.08
    certainty = {audio_features.end_sample // RATE_HZ: audio_features.certainty for audio_features in late}
    assert certainty[17] > 0.9
    assert certainty[11] > 0.3


def test_certainty_fades_when_the_music_is_over_and_the_beat_goes_on() -> None:
    analyser, _ = analyse(
        np.concatenate([bursts_at(beats_at(120, 8), 8), np.zeros(22 * RATE_HZ, np.float32)]), block=1024
    )
    assert analyser.latest().certainty < 0.35
    assert analyser.latest().tempo_bpm == pytest.approx(120, abs=1)
    assert analyser.latest().beats > 50


@pytest.mark.parametrize(("before", "after"), [(120, 140), (140, 90), (100, 106)])
def test_a_tempo_change_is_followed(before: int, after: int) -> None:
    times_s = beats_at(before, 10)
    changed_s = times_s[-1] + 60.0 / after
    _, features = analyse(bursts_at([*times_s, *np.arange(changed_s, 19.9, 60.0 / after).tolist()], 20))
    late = [audio_features for audio_features in features if audio_features.end_sample > (changed_s + 6) * RATE_HZ]
    assert max(abs(audio_features.tempo_bpm / after - 1) for audio_features in late) < 0.02
    assert max(abs(beat_error(audio_features, after, changed_s)) for audio_features in late) < 0.1
    assert np.diff([audio_features.beats for audio_features in features]).min() >= 0.0


def test_taps_set_tempo_position_and_bar_until_the_sound_is_followed_again() -> None:
    sound_T = bursts_at(beats_at(120, 20), 20)
    analyser = FeatureAnalyser(RATE_HZ)
    analyser.feed(sound_T[: 6 * RATE_HZ])
    for count in range(5):
        analyser.tap(round((4.0 + 0.4 * count) * RATE_HZ))
    tapped = analyser.latest()
    assert tapped.tempo_bpm == pytest.approx(150, abs=0.1)
    assert tapped.certainty == 1.0
    assert beat_error(tapped, 150, 4.0) == pytest.approx(0.0, abs=0.02)
    assert tapped.bar_phase == pytest.approx((2.0 / 0.4 / 4) % 1.0, abs=0.02)
    analyser.feed(sound_T[6 * RATE_HZ : 10 * RATE_HZ])
    assert analyser.latest().tempo_bpm == pytest.approx(150, abs=0.1)
    assert beat_error(analyser.latest(), 150, 4.0) == pytest.approx(0.0, abs=0.02)
    analyser.set_tempo(0.0)
    analyser.feed(sound_T[10 * RATE_HZ : 16 * RATE_HZ])
    assert analyser.latest().tempo_bpm == pytest.approx(120, abs=1)
    assert beat_error(analyser.latest(), 120) == pytest.approx(0.0, abs=0.05)


def test_one_tap_has_no_effect_while_the_sound_leads() -> None:
    sound_T = bursts_at(beats_at(120, 8), 8)
    analyser, _ = analyse(sound_T)
    untouched = analyser.latest()
    analyser.tap(7 * RATE_HZ)
    assert analyser.latest() == untouched


def test_a_given_tempo_is_kept_and_aligned_to_the_sound() -> None:
    analyser = FeatureAnalyser(RATE_HZ)
    analyser.set_tempo(60.0)
    analyser.feed(bursts_at(beats_at(120, 10), 10))
    newest = analyser.latest()
    assert newest.tempo_bpm == pytest.approx(60.0)
    assert newest.certainty == 1.0
    assert (2 * beat_error(newest, 60) + 0.5) % 1.0 - 0.5 == pytest.approx(0.0, abs=0.08)
    analyser.tap(newest.end_sample)
    analyser.feed(np.zeros(3 * RATE_HZ, np.float32))
    assert analyser.latest().beat_phase == pytest.approx(0.0, abs=0.02) or analyser.latest().beat_phase > 0.98


def test_a_given_tempo_runs_in_silence() -> None:
    analyser = FeatureAnalyser(RATE_HZ)
    analyser.set_tempo(90.0)
    analyser.feed(np.zeros(4 * RATE_HZ, np.float32))
    assert analyser.latest().beats == pytest.approx(6.0, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.25, 2.0, allow_subnormal=False),
    st.lists(st.floats(-0.02, 0.02, allow_subnormal=False), min_size=4, max_size=14),
    st.integers(1, 3),
    st.booleans(),
)
def test_taps_off_the_beat_and_missing_taps_do_not_matter(
    period_s: float, errors: list[float], left_out: int, has_stray: bool
) -> None:
    times_s = [3.0 + (beat + error) * period_s for beat, error in enumerate(errors) if beat != left_out]
    if has_stray and len(errors) > 6 and 0.4 * period_s > 0.15:
        times_s = sorted([*times_s, 3.0 + (len(errors) - 2.5) * period_s])
    taps_s: tuple[float, ...] = ()
    for time_s in times_s:
        taps_s = add_tap(taps_s, time_s)
    beat = fit_beat(taps_s)
    if len(times_s) < 4 or max(np.diff(times_s)) > 2.5:
        return
    assert beat is not None
    assert beat.period_s == pytest.approx(period_s, rel=0.05)
    beats = (beat.at_s - 3.0) / period_s
    assert beats == pytest.approx(round(beats), abs=0.15)


def test_a_double_tap_counts_once_and_a_pause_starts_a_new_series() -> None:
    taps_s: tuple[float, ...] = ()
    for time_s in (1.0, 1.05, 1.5, 1.52, 2.0):
        taps_s = add_tap(taps_s, time_s)
    assert taps_s == (1.0, 1.5, 2.0)
    assert add_tap(taps_s, 5.0) == (5.0,)
    assert fit_beat((5.0,)) is None
