"""docs/mapping.md says what expressions may say, and its examples work."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from engine.app.config import DEFAULT_MODEL
from engine.audio.features.audio_features import AudioFeatures
from engine.control.modulation.expression import (
    DEEPEST,
    FUNCTIONS,
    INPUT_FUNCTIONS,
    INPUT_VARIABLES,
    LONGEST_TEXT,
    NAMES,
)
from engine.control.modulation.modulator import Modulator
from engine.control.parameter_table import TABLE, parameters_for
from engine.model.file import read_card

PAGE = (Path(__file__).parents[4] / "docs" / "mapping.md").read_text(encoding="utf-8")


def test_every_name_and_function_is_there_with_its_arguments() -> None:
    for name in NAMES:
        assert f"`{name}`" in PAGE
    for name in INPUT_VARIABLES:
        assert f"`NAME.{name}`" in PAGE
    for name, arguments in {**{n: f.arguments for n, f in FUNCTIONS.items()}, **INPUT_FUNCTIONS}.items():
        assert f"`{name}({arguments})`" in PAGE
    for parameter in TABLE:
        if parameter.not_mapped or not parameter.is_smoothed:
            assert f"`{parameter.name}`" in PAGE
    assert f"{LONGEST_TEXT} characters and {DEEPEST} levels" in PAGE


def test_the_examples_work_with_the_shipped_model() -> None:
    parameters = parameters_for(read_card(DEFAULT_MODEL))
    given = {p.name: p.default for p in parameters if p.kind != "event"}
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        mappings = yaml.safe_load(example)["mappings"]
        modulator = Modulator(parameters, mappings, sound_inputs=("drums", "voice"))
        audio_features = AudioFeatures(
            level=0.4, low=0.3, onset_strength=1.0, onset_age_s=0.05, onsets=2, beats=3.3, tempo_bpm=128.0
        )
        audio_features = replace(audio_features, inputs={"drums": audio_features, "voice": audio_features})
        values = modulator.values(given, audio_features, np.zeros(8, np.float32), 7.3)
        assert modulator.faults == {}
        assert {name for name in given if values[name] != given[name]} == set(mappings)
