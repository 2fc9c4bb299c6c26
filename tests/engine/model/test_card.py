import dataclasses
import json

import pytest

from engine.core.errors import ModelFileError
from engine.model.card import (
    FORMAT_VERSION,
    ControlSpec,
    ModelCard,
    NoiseSpec,
    OutputSpec,
    Parity,
    PictureSpec,
    Provenance,
    StateSpec,
    TensorInfo,
    check_graph,
)
from engine.model.file import read_checked_card
from engine.model.shipped import model_path
from engine.model.training_sound import BandRange, TrainingSound

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
    assert [info.name for info in CARD.input_tensors()] == ["audio", "memory", "motion_noise", "motion_0"]
    assert [(info.name, info.shape, info.dtype) for info in CARD.output_tensors()] == [
        ("frame", (64, 32, 3), "uint8"),
        ("features", (16,), "float32"),
        ("motion_0_next", (1, 18), "float32"),
    ]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format_version",), 1, "version 1; this engine plays versions 2 to 4"),
        (("fames",), 1, "unknown key 'fames'"),
        (("hop_samples",), "800", "'hop_samples' is '800'; int was expected"),
        (("hop_samples",), 0, "hop_samples = 0; 1 to 4,194,304 was expected"),
        (("look_ahead_s",), True, "float was expected"),
        (("states", 0, "shape"), [1, -2], "a list of positive integers was expected"),
        (("states", 0, "name"), "Motion 0", "malformed or used twice"),
        (("states",), "none", "a list was expected"),
        (("noises", 0, "distribution"), "poisson", "normal or uniform was expected"),
        (("controls", 0, "default"), 9, "outside its range"),
        (
            ("pictures",),
            [{"name": "still", "height": 0, "width": 4, "help": ""}],
            "height = 0; 1 to 16,384 was expected",
        ),
        (("pictures",), [{"name": "audio", "height": 4, "width": 4, "help": ""}], "malformed or used twice"),
        (("outputs",), [{"name": "features", "shape": [1], "dtype": "uint8", "help": ""}], "malformed or used twice"),
        (
            ("outputs",),
            [{"name": "mask_next", "shape": [1], "dtype": "uint8", "help": ""}],
            "which only next states do",
        ),
        (("outputs",), [{"name": "mask", "shape": [1], "dtype": "int64", "help": ""}], "float32 or uint8 was expected"),
        (("parity",), None, "where a Parity belongs"),
        (("sample_rate_hz",), 10**18, "sample_rate_hz = 1000000000000000000; 1 to 768,000 was expected"),
        (("window_samples",), 10**9, "window_samples = 1000000000; 1 to 16,777,216 was expected"),
        (("look_ahead_s",), 1e9, "look_ahead_s = 1e+09; 0.0 to 60.0 was expected"),
        (("states", 0, "shape"), [1 << 20, 1 << 20], "at most 8 axes and 268,435,456 elements"),
        (("states", 0, "shape"), [1] * 100, "shape of 100 axes"),
        (("states", 0, "shape"), [1 << 62], "shape [4611686018427387904]"),
        (("states", 0, "initial"), 1e30, "initial = 1e+30"),
        (("controls", 0, "name"), "ping", "the name of an address that the engine itself answers"),
        (("controls", 0, "help"), "\x1b[2J", r"help is '\x1b[2J'; a text without control characters"),
        (("controls", 0, "help"), "\u202egnp", "a text without control characters"),
        (("controls", 0, "help"), "a" * 5000, "help has 5,000 characters; at most 4,000"),
        (("name",), "a" * 65, "name has 65 characters; at most 64"),
        (("batch",), 65, "batch = 65; 1 to 64 was expected"),
        (("provenance", "iterations"), 10**300, "a whole number of 301 digits"),
        (("\x1b[2J",), 1, r"unknown key '\x1b[2J'"),
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


def test_lists_and_sums_have_limits_too() -> None:
    state = CARD.states[0]
    for changes, message in (
        ({"height": 16384, "width": 16384}, "The frame of the model card has 16384x16384 pixels"),
        ({"states": tuple(dataclasses.replace(state, name=f"s{n}") for n in range(1025))}, "lists 1,025 states"),
        (
            {"states": tuple(dataclasses.replace(state, name=f"s{n}", shape=(1 << 28,)) for n in range(3))},
            "take 6.4 GB a step; at most 2.1 GB was expected",
        ),
    ):
        with pytest.raises(ModelFileError, match=message):
            dataclasses.replace(CARD, **changes)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 5000, '{"format_version": [3]}'])
def test_text_that_would_exhaust_the_reader_is_one_sentence(text: str) -> None:
    with pytest.raises(ModelFileError, match="model card") as error:
        ModelCard.from_json(text, "water.onnx")
    assert len(str(error.value)) < 300


def test_a_card_of_version_2_is_read() -> None:
    values = json.loads(dataclasses.replace(CARD, batch=4).to_json())
    del values["pictures"], values["outputs"]
    values |= {"format_version": 2, "rooms": values.pop("batch")}
    assert ModelCard.from_json(json.dumps(values), "water.onnx") == dataclasses.replace(CARD, batch=4)
    values["batch"] = values.pop("rooms")
    values["fames"] = 1
    with pytest.raises(ModelFileError, match="unknown key 'fames'"):
        ModelCard.from_json(json.dumps(values), "water.onnx")


def test_the_first_shipped_model_says_what_its_sound_was_like_and_has_the_weights_of_before() -> None:
    card = read_checked_card(model_path("water"))
    assert (card.format_version, card.batch, card.pictures, card.outputs) == (FORMAT_VERSION, 1, (), ())
    # Takes and scenes of before name it by this.
    assert card.graph_sha256.startswith("0efe2da3b39b")
    assert card.training_sound is not None
    assert card.training_sound.quiet_db < card.training_sound.loudness_db < card.training_sound.peak_db < 0.0
    assert len(card.training_sound.bands) == 6


KNOWN = TrainingSound(
    loudness_db=-17.0,
    quiet_db=-40.0,
    peak_db=-2.0,
    bands=(BandRange(low_hz=0.0, high_hz=300.0, quiet_db=-60.0, loud_db=-9.0),),
    sound="a clip, 60 s",
)


def test_a_training_sound_is_written_and_read_and_absent_from_older_cards() -> None:
    card = dataclasses.replace(CARD, training_sound=KNOWN)
    assert ModelCard.from_json(card.to_json(), "water.onnx") == card
    values = json.loads(CARD.to_json())
    assert ModelCard.from_json(json.dumps(values), "water.onnx").training_sound is None
    del values["training_sound"]
    for version in (3, FORMAT_VERSION):
        read = ModelCard.from_json(json.dumps(values | {"format_version": version}), "water.onnx")
        assert read.training_sound is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"loudness_db": 900.0}, "loudness_db = 900"),
        ({"bands": [{"low_hz": 300.0, "high_hz": 0.0, "quiet_db": -60.0, "loud_db": -9.0}]}, "a band from 300 to 0 Hz"),
        ({"bands": [{"low_hz": 0.0, "high_hz": 9.0, "quiet_db": -60.0, "loud_db": -9.0}] * 65}, "lists 65 bands"),
        ({"peak": 1.0}, "unknown key 'peak'"),
    ],
)
def test_a_training_sound_that_cannot_be_is_one_sentence(changes: dict[str, object], sentence: str) -> None:
    values = json.loads(dataclasses.replace(CARD, training_sound=KNOWN).to_json())
    values["training_sound"] |= changes
    with pytest.raises(ModelFileError, match=sentence) as error:
        ModelCard.from_json(json.dumps(values), "water.onnx")
    assert "\n" not in str(error.value)


def test_pictures_and_outputs_are_part_of_the_step() -> None:
    card = dataclasses.replace(
        CARD,
        batch=2,
        pictures=(PictureSpec(name="still", height=8, width=6, help="A still."),),
        outputs=(OutputSpec(name="mask", shape=(64, 32), dtype="float32", help="A mask."),),
    )
    assert ModelCard.from_json(card.to_json(), "water.onnx") == card
    assert TensorInfo(name="still", shape=(2, 8, 6, 3), dtype="uint8") in card.input_tensors()
    assert TensorInfo(name="mask", shape=(2, 64, 32), dtype="float32") in card.output_tensors()
    assert card.shown_names == ("frame", "features", "mask")


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
    inputs, outputs = CARD.input_tensors(), CARD.output_tensors()
    check_graph(CARD, inputs, outputs, "water.onnx")
    with pytest.raises(ModelFileError, match="input 'motion_0', which the graph lacks"):
        check_graph(CARD, inputs[:-1], outputs, "water.onnx")
    with pytest.raises(ModelFileError, match="output 'extra', which the card does not declare"):
        check_graph(CARD, inputs, (*outputs, TensorInfo(name="extra", shape=(), dtype="float32")), "water.onnx")
    wrong = (*inputs[:-1], dataclasses.replace(inputs[-1], shape=(1, 20)))
    with pytest.raises(ModelFileError, match=r"float32 \[1, 20\] in the graph, but float32 \[1, 18\] in the card"):
        check_graph(CARD, wrong, outputs, "water.onnx")
