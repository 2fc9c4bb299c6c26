import dataclasses
import json

import pytest

from engine.core.errors import ModelFileError
from engine.model.card import (
    ControlSpec,
    ModelCard,
    NoiseSpec,
    Parity,
    Provenance,
    StateSpec,
    TensorInfo,
    check_graph,
)

CARD = ModelCard(
    name="water",
    family="listen_and_move",
    sample_rate_hz=16000,
    window_samples=1360,
    hop_samples=800,
    look_ahead_s=0.0,
    height=64,
    width=32,
    feature_bands=16,
    states=(StateSpec(name="motion_0", shape=(1, 18)),),
    noises=(NoiseSpec(name="motion_noise", shape=(2,), distribution="uniform"),),
    controls=(ControlSpec(name="memory", help="Trust.", low=-6, high=6, default=0),),
    parity=Parity(steps=64, frame_max=1e-6, frame_rms=1e-7, state_max=1e-6, sound="clicks"),
    provenance=Provenance(source="dish", licence="CC0", config="water", commit="abc", iterations=10),
)


def test_round_trip() -> None:
    assert ModelCard.from_json(CARD.to_json(), "water.onnx") == CARD
    assert (CARD.fps, CARD.hop_s) == (20.0, 0.05)


def test_inputs_and_outputs_are_named_after_the_card() -> None:
    assert [info.name for info in CARD.inputs()] == ["audio", "memory", "motion_noise", "motion_0"]
    assert [(info.name, info.shape, info.dtype) for info in CARD.outputs()] == [
        ("frame", (64, 32, 3), "uint8"),
        ("features", (16,), "float32"),
        ("motion_0_next", (1, 18), "float32"),
    ]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format_version",), 1, "version 1; this engine plays version 2"),
        (("fames",), 1, "unknown key 'fames'"),
        (("hop_samples",), "800", "'hop_samples' is '800'; int was expected"),
        (("hop_samples",), 0, "hop_samples = 0; it must be positive"),
        (("look_ahead_s",), True, "float was expected"),
        (("states", 0, "shape"), [1, -2], "a list of positive integers was expected"),
        (("states", 0, "name"), "Motion 0", "malformed or used twice"),
        (("states",), "none", "a list was expected"),
        (("noises", 0, "distribution"), "poisson", "normal or uniform was expected"),
        (("controls", 0, "default"), 9, "outside its range"),
        (("parity",), None, "where a Parity belongs"),
    ],
)
def test_damaged_cards_are_one_sentence_naming_the_file(
    path: tuple[str | int, ...], value: object, message: str
) -> None:
    values = json.loads(CARD.to_json())
    place = values
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ModelFileError) as error:
        ModelCard.from_json(json.dumps(values), "water.onnx")
    assert "water.onnx" in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_key_and_text_that_is_no_json() -> None:
    values = json.loads(CARD.to_json())
    del values["provenance"]
    with pytest.raises(ModelFileError, match="lacks 'provenance'"):
        ModelCard.from_json(json.dumps(values), "water.onnx")
    with pytest.raises(ModelFileError, match="not JSON"):
        ModelCard.from_json("{", "water.onnx")
    with pytest.raises(ModelFileError, match="version None"):
        ModelCard.from_json("[]", "water.onnx")


def test_graph_must_agree_with_the_card() -> None:
    inputs, outputs = CARD.inputs(), CARD.outputs()
    check_graph(CARD, inputs, outputs, "water.onnx")
    with pytest.raises(ModelFileError, match="input 'motion_0', which the graph lacks"):
        check_graph(CARD, inputs[:-1], outputs, "water.onnx")
    with pytest.raises(ModelFileError, match="output 'extra', which the card does not declare"):
        check_graph(CARD, inputs, (*outputs, TensorInfo(name="extra", shape=(), dtype="float32")), "water.onnx")
    wrong = (*inputs[:-1], dataclasses.replace(inputs[-1], shape=(1, 20)))
    with pytest.raises(ModelFileError, match=r"float32 \[1, 20\] in the graph, but float32 \[1, 18\] in the card"):
        check_graph(CARD, wrong, outputs, "water.onnx")
