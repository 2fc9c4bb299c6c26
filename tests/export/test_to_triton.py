"""The repository for Triton: its configuration against the server's own schema, and played as the server would play it."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format

from engine.core.errors import ConfigError, ModelFileError, run_main
from engine.model.backends.onnx_cpu import open_model
from engine.model.card import NEXT_SUFFIX, StateSpec
from engine.model.noise import draw_noise
from engine.model.step import resting_inputs
from export.targets.triton.config import Service, config_text, model_name
from export.targets.triton.repository import write_repository
from export.to_triton import main
from tests.conftest import require
from tests.engine.model.probe_model import CARD, write_probe

# Begins elsewhere than at zero, so that the initial state has to come from a file.
AWAKE = replace(CARD, states=(StateSpec(name="memory", shape=(1,), initial=0.75),))
STEPS = 8


@pytest.fixture(scope="session")
def schema() -> Any:
    """The server's model_config.proto, compiled, as its client package carries it."""
    require(importlib.util.find_spec("tritonclient"), "tritonclient")
    return importlib.import_module("tritonclient.grpc.model_config_pb2")


def read_config(schema: Any, repository: Path, name: str = "probe") -> Any:
    """Parse config.pbtxt; an unknown field, a wrong type or a malformed value is an error of the parser."""
    return text_format.Parse((repository / name / "config.pbtxt").read_text(), schema.ModelConfig())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    write_repository(write_probe(tmp_path / "probe.onnx", AWAKE), tmp_path / "served", Service(sequences=5, idle_s=2.5))
    return tmp_path / "served"


def test_the_folder_holds_the_model_unchanged_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    files = sorted(str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file())
    assert files == ["README.md", "probe/1/model.onnx", "probe/config.pbtxt", "probe/initial_state/memory"]
    assert (repository / "probe/1/model.onnx").read_bytes() == (tmp_path / "probe.onnx").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["probe.onnx", "served"]
    assert open_model(repository / "probe/1/model.onnx").card.name == "probe"


def test_the_configuration_is_the_servers_own_message(schema: Any, repository: Path) -> None:
    config = read_config(schema, repository)
    assert (config.name, config.backend, config.max_batch_size) == ("probe", "onnxruntime", 0)
    inputs = {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in config.input}
    assert inputs == {
        "audio": (schema.TYPE_FP32, [CARD.window_samples]),
        "gain": (schema.TYPE_FP32, [1]),
        "jitter": (schema.TYPE_FP32, [CARD.width]),
    }
    outputs = {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in config.output}
    assert outputs == {
        "frame": (schema.TYPE_UINT8, [CARD.height, CARD.width, 3]),
        "features": (schema.TYPE_FP32, [2]),
    }
    batching = config.sequence_batching
    assert batching.max_sequence_idle_microseconds == 2_500_000
    assert batching.WhichOneof("strategy_choice") == "oldest"
    assert batching.oldest.max_candidate_sequences == 5
    assert not config.instance_group
    assert not config.parameters


def test_where_it_runs_is_written_when_asked_for(schema: Any, tmp_path: Path) -> None:
    write_repository(write_probe(tmp_path / "probe.onnx"), tmp_path / "served", Service(device="cpu", threads=2))
    config = read_config(schema, tmp_path / "served")
    assert [group.kind for group in config.instance_group] == [schema.ModelInstanceGroup.KIND_CPU]
    assert config.parameters["intra_op_thread_count"].string_value == "2"
    (state,) = config.sequence_batching.state
    assert state.initial_state[0].WhichOneof("state_data") == "zero_data"
    assert not (tmp_path / "served/probe/initial_state").exists()


class ServerSequence:
    """One sequence as the server keeps it, from the repository alone."""

    def __init__(self, schema: Any, repository: Path) -> None:
        self.config = read_config(schema, repository)
        self.session = onnxruntime.InferenceSession(str(repository / "probe/1/model.onnx"))
        self.state: dict[str, np.ndarray] = {}
        for state in self.config.sequence_batching.state:
            (begins,) = state.initial_state
            assert (begins.data_type, begins.dims, bool(begins.name)) == (state.data_type, state.dims, True)
            if begins.WhichOneof("state_data") == "zero_data":
                self.state[state.input_name] = np.zeros(state.dims, np.float32)
            else:
                content = (repository / "probe/initial_state" / begins.data_file).read_bytes()
                self.state[state.input_name] = np.frombuffer(content, "<f4").reshape(state.dims)

    def infer(self, request: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Take exactly the configured inputs; a tensor that is a scalar in the model may come with one element."""
        rank = {node.name: len(node.shape) for node in self.session.get_inputs()}
        for tensor in self.config.input:
            assert list(request[tensor.name].shape) == list(tensor.dims)
        feeds = {name: value.reshape(value.shape if rank[name] else ()) for name, value in request.items()}
        assert rank.keys() == feeds.keys() | self.state.keys()
        named = [node.name for node in self.session.get_outputs()]
        came = dict(zip(named, self.session.run(named, {**feeds, **self.state}), strict=True))
        self.state = {s.input_name: came[s.output_name] for s in self.config.sequence_batching.state}
        return {tensor.name: came[tensor.name] for tensor in self.config.output}


def test_the_server_plays_what_the_engine_plays(schema: Any, repository: Path, tmp_path: Path) -> None:
    backend = open_model(tmp_path / "probe.onnx")
    state, sequence = backend.initial_state(), ServerSequence(schema, repository)
    random = np.random.default_rng(1)
    for k in range(STEPS):
        window = random.uniform(-1.0, 1.0, CARD.window_samples).astype(np.float32)
        noise, gain = draw_noise(CARD.noises, 0, k), float(k % 3)
        expected = backend.step(resting_inputs(CARD).with_values({"audio": window, "gain": gain, **noise}, state))
        came = sequence.infer({"audio": window, "gain": np.array([gain], np.float32), **noise})
        assert np.array_equal(came["frame"], expected.pixels_HWC)
        assert np.array_equal(came["features"], expected.features_F)
        state = expected.next_state


def test_the_client_of_the_guide_sends_what_the_configuration_asks_for(schema: Any, repository: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    tensors = names["tensors"](np.zeros(CARD.window_samples), {"gain": 2.0}, np.random.default_rng(0))
    sent = {tensor.name(): (tensor.datatype(), tensor.shape()) for tensor in tensors}
    asked = {tensor.name: ("FP32", list(tensor.dims)) for tensor in read_config(schema, repository).input}
    assert sent == asked
    assert names["MODEL"] == "probe"
    assert names["NORMAL"] == ["jitter"]


def test_a_batch_is_one_sequence(schema: Any) -> None:
    card = replace(AWAKE, batch=3, name="four rooms / one stage")
    config = text_format.Parse(config_text(card, Service()), schema.ModelConfig())
    assert config.name == model_name(card) == "four-rooms-one-stage"
    assert config.max_batch_size == 0
    assert {tensor.name: list(tensor.dims) for tensor in config.input}["gain"] == [3]
    (state,) = config.sequence_batching.state
    assert (state.output_name, list(state.dims)) == ("memory" + NEXT_SUFFIX, [3, 1])


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    monkeypatch.setattr(sys, "argv", ["to_triton", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        run_main(main)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    return line


def test_bad_input_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, target = write_probe(tmp_path / "probe.onnx"), tmp_path / "served"
    plan, bare = tmp_path / "model.plan", write_probe(tmp_path / "bare.onnx", None)
    plan.write_bytes(b"an engine of some card")
    full = tmp_path / "full"
    full.mkdir()
    (full / "kept").write_text("")
    for given, place, sentence in (
        (plan, target, "model.plan is not an ONNX model file"),
        (bare, target, "without a model card"),
        (tmp_path / "absent.onnx", target, "There is no model file"),
        (good, full, "already exists and is not an empty folder"),
        (good, good, "already exists and is not an empty folder"),
        (good, good / "served", "Cannot write"),
    ):
        assert sentence in refusal(monkeypatch, capsys, given, "-o", place)
        assert not target.exists()
    assert "--sequences" in refusal(monkeypatch, capsys, good, "-o", target, "--sequences", "0")
    assert "--idle-s" in refusal(monkeypatch, capsys, good, "-o", target, "--idle-s", "nan")
    assert [path.name for path in full.iterdir()] == ["kept"]


def test_an_empty_folder_is_taken_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    good, target = write_probe(tmp_path / "probe.onnx"), tmp_path / "served"
    target.mkdir()
    assert write_repository(good, target, Service()).name == "probe"
    assert (target / "probe/config.pbtxt").exists()
    with pytest.raises(ConfigError, match="not an empty folder"):
        write_repository(good, target, Service())
    altered = tmp_path / "altered.onnx"
    content = bytearray(good.read_bytes())
    content[content.index(b"memory_next")] ^= 1
    altered.write_bytes(bytes(content))
    with pytest.raises(ModelFileError, match="altered or damaged"):
        write_repository(altered, tmp_path / "other", Service())
    assert not (tmp_path / "other").exists()
