"""Parameters driven by the sound, smoothed and gliding."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.audio.features.audio_features import SILENCE, AudioFeatures
from engine.control.modulation.modulator import Modulator
from engine.control.modulation.smoothing import Values
from engine.control.parameter import Parameter, Value
from engine.control.parameter_table import TABLE
from engine.core.errors import ConfigError

GIVEN: dict[str, Value] = {p.name: p.default for p in TABLE if p.kind != "event"}
NO_FEATURES = np.zeros(0, np.float32)
ONSET = AudioFeatures(level=0.5, onset_strength=0.8, onset_age_s=0.15, onsets=1, beats=2.25, tempo_bpm=120.0)


def after(modulator: Modulator, time_s: float = 0.0, audio_features: AudioFeatures = SILENCE, **given: Value) -> Values:
    return modulator.values({**GIVEN, **given}, audio_features, NO_FEATURES, time_s)


def test_with_nothing_to_do_the_given_values_come_back_themselves() -> None:
    modulator = Modulator(TABLE)
    assert modulator.values(GIVEN, ONSET, NO_FEATURES, 0.0) is GIVEN
    assert modulator.values(GIVEN, ONSET, NO_FEATURES, 1.0) is GIVEN


def test_a_mapping_drives_its_parameter_and_no_other() -> None:
    modulator = Modulator(TABLE, {"glow": "0.2 + 0.6 * onset", "zoom": "value + level"})
    values = after(modulator, audio_features=ONSET, onset_decay_ms=150.0, zoom=1.5)
    assert values["glow"] == pytest.approx(0.2 + 0.6 * 0.8 * math.exp(-1))
    assert values["zoom"] == pytest.approx(2.0)
    assert {n: v for n, v in values.items() if n not in ("glow", "zoom")} == {
        n: v for n, v in {**GIVEN, "zoom": 1.5}.items() if n not in ("glow", "zoom")
    }


def test_results_are_clipped_and_take_the_parameters_kind() -> None:
    modulator = Modulator(TABLE, {"glow": "5", "colour_turn": "-9", "mirror": "level", "seed": "2.6", "freeze": "0.5"})
    values = after(modulator, audio_features=AudioFeatures(level=0.6))
    assert (values["glow"], values["colour_turn"], values["mirror"], values["freeze"]) == (1.0, -0.5, True, False)
    assert values["seed"] == 3
    assert isinstance(values["seed"], int)


def test_features_of_the_model_are_read() -> None:
    modulator = Modulator(TABLE, {"glow": "feature(1)"})
    assert modulator.values(GIVEN, SILENCE, np.array([0.0, 0.25], np.float32), 0.0)["glow"] == 0.25


@pytest.mark.parametrize("text", ["1 / level", "feature(40)", "1e300 * (level + 1e300)", "9**9**(9 + level)"])
def test_without_a_result_the_parameter_keeps_its_own_value_with_one_notice(text: str) -> None:
    told: list[str] = []
    modulator = Modulator(TABLE, {"glow": text}, told.append)
    for step in range(5):
        assert after(modulator, float(step), glow=0.3)["glow"] == 0.3
    assert len(told) == 1
    assert "glow" in told[0]
    assert modulator.faults == {"glow": 5}


@pytest.mark.parametrize(
    ("mappings", "sentence"),
    [
        ({"glwo": "1"}, "Did you mean 'glow'"),
        ({"reset": "onset"}, "has no value to set"),
        ({"scene": "2"}, "has no value to set"),
        ({"flash_guard": "0"}, "by hand alone"),
        ({"tempo_bpm": "120"}, "before expressions are evaluated"),
        ({"smoothing_ms": "100"}, "before expressions are evaluated"),
        ({"glow": None}, "an expression was expected"),
        ({"glow": True}, "an expression was expected"),
        ({"glow": "levle"}, "Did you mean 'level'"),
    ],
)
def test_a_faulty_mapping_is_refused_at_the_start(mappings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Modulator(TABLE, mappings)


def test_a_number_is_an_expression_too() -> None:
    assert after(Modulator(TABLE, {"glow": 0.5}))["glow"] == 0.5


def smoothed(rate_hz: int, seconds: float) -> float:
    modulator = Modulator(TABLE)
    after(modulator, 0.0, smoothing_ms=200.0)
    values = GIVEN
    for step in range(1, round(rate_hz * seconds) + 1):
        values = after(modulator, step / rate_hz, smoothing_ms=200.0, glow=1.0, mirror=True, seed=7)
    assert (values["mirror"], values["seed"]) == (True, 7)
    return float(values["glow"])


@pytest.mark.parametrize("rate_hz", [10, 20, 60, 250])
def test_smoothing_does_not_depend_on_the_frame_rate(rate_hz: int) -> None:
    assert smoothed(rate_hz, 0.2) == pytest.approx(1 - math.exp(-1), abs=1e-9)


def test_a_smoothed_parameter_reaches_its_value_bit_exact() -> None:
    assert smoothed(20, 3.0) == 1.0


def test_the_first_value_jumps_and_so_do_tempo_and_whatever_is_not_continuous() -> None:
    modulator = Modulator(TABLE)
    assert after(modulator, 5.0, smoothing_ms=500.0, glow=0.7)["glow"] == 0.7
    values = after(modulator, 5.01, smoothing_ms=500.0, glow=0.0, tempo_bpm=120.0, crossfade_s=9.0)
    assert 0.6 < values["glow"] < 0.7
    assert (values["tempo_bpm"], values["crossfade_s"]) == (120.0, 9.0)


def test_mappings_read_the_smoothed_value_and_are_not_slowed_themselves() -> None:
    modulator = Modulator(TABLE, {"glow": "value + level"})
    after(modulator, 0.0, smoothing_ms=100.0)
    values = after(modulator, 0.1, AudioFeatures(level=0.25), smoothing_ms=100.0, glow=0.5)
    assert values["glow"] == pytest.approx(0.25 + 0.5 * (1 - math.exp(-1)))


def test_time_that_stands_still_or_runs_backwards_does_no_harm() -> None:
    modulator = Modulator(TABLE)
    after(modulator, 10.0, smoothing_ms=100.0)
    assert after(modulator, 10.0, smoothing_ms=100.0, glow=1.0)["glow"] == 0.0
    assert after(modulator, 4.0, smoothing_ms=100.0, glow=1.0)["glow"] == 0.0
    assert after(modulator, 4.1, smoothing_ms=100.0, glow=1.0)["glow"] == pytest.approx(1 - math.exp(-1))


def test_a_glide_goes_from_the_values_of_now_to_those_set() -> None:
    modulator = Modulator(TABLE)
    after(modulator, 1.0, glow=0.2, zoom=2.0)
    modulator.glide(2.0)
    on_the_way = [after(modulator, 1.0 + 0.5 * step, glow=1.0, zoom=1.0, mirror=True) for step in range(1, 6)]
    assert [v["glow"] for v in on_the_way] == pytest.approx([0.325, 0.6, 0.875, 1.0, 1.0])
    assert on_the_way[1]["zoom"] == pytest.approx(1.5)
    assert on_the_way[0]["mirror"] is True
    assert on_the_way[4] == {**GIVEN, "glow": 1.0, "zoom": 1.0, "mirror": True}


def test_a_glide_before_anything_was_shown_or_of_no_length_jumps() -> None:
    modulator = Modulator(TABLE)
    modulator.glide(3.0)
    assert after(modulator, 0.0, glow=1.0)["glow"] == 1.0
    modulator.glide(0.0)
    assert after(modulator, 0.05, glow=0.0)["glow"] == 0.0


def test_another_models_parameters_are_adopted() -> None:
    own = Parameter(name="motion", kind="float", help="", low=0.0, high=1.0, default=0.5)
    wider = Parameter(name="motion", kind="float", help="", low=0.0, high=4.0, default=1.0)
    modulator = Modulator((*TABLE, own), {"motion": "3"})
    assert after(modulator, 0.0, motion=0.5)["motion"] == 1.0
    modulator.replace_parameters((*TABLE, wider))
    assert after(modulator, 0.1, motion=0.5)["motion"] == 3.0
    modulator.replace_parameters(TABLE)
    assert "motion" not in after(modulator, 0.2)


def test_a_glide_of_no_length_jumps_also_where_time_runs_backwards() -> None:
    modulator = Modulator(TABLE)
    after(modulator, 10.0, glow=1.0)
    modulator.glide(0.0)
    assert after(modulator, 9.99, glow=0.25)["glow"] == 0.25


def test_a_named_input_drives_a_parameter() -> None:
    modulator = Modulator(TABLE, {"glow": "drums.onset", "zoom": "1 + voice.level"}, sound_inputs=("drums", "voice"))
    features = AudioFeatures(inputs={"drums": ONSET, "voice": AudioFeatures(level=0.5)})
    values = after(modulator, audio_features=features, onset_decay_ms=150.0)
    assert values["glow"] == pytest.approx(0.8 * math.exp(-1))
    assert values["zoom"] == pytest.approx(1.5)


def test_a_mapping_of_an_input_that_there_is_not_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="names 'drums', which is no input of this show"):
        Modulator(TABLE, {"glow": "drums.onset"})
