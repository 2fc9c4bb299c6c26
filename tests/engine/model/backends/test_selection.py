"""Backend selection: what "auto" chooses and reports, and what `--backend NAME` refuses."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.errors import BackendError, ModelFileError
from engine.model.backends import onnx_cuda, onnx_session, onnx_tensorrt, selection
from engine.model.backends.graphics_card import GraphicsCard, find_card, parse_answer
from engine.model.backends.selection import (
    AUTO,
    MODULES,
    backend_names,
    backend_order,
    backend_table,
    obstacle,
    open_backend,
)
from tests.conftest import require
from tests.engine.model.probe_model import CARD, write_probe

ROOT = Path(__file__).parents[4]
HERE = [name for name in MODULES if obstacle(name) is None]
ELSEWHERE = [name for name in MODULES if name not in HERE]


def test_auto_says_where_it_stopped_and_why(probe_file: Path) -> None:
    lines: list[str] = []
    backend = open_backend(probe_file, threads=1, notify=lines.append)
    assert len(lines) == 1
    assert lines[0].startswith(f"backend: {backend.description}")
    assert all(name in lines[0] for name in ELSEWHERE if ".onnx" in selection.suffixes(name))
    assert open_backend(probe_file, "onnx-cpu", threads=1).description == "onnx-cpu, 1 thread"


def test_auto_takes_the_faster_of_the_processor_backends_by_precision() -> None:
    def before(precision: str) -> bool:
        order = backend_order(replace(CARD, precision=precision, calibration="a sound"))  # type: ignore[arg-type]
        assert sorted(order) == sorted(MODULES)
        return order.index("openvino") < order.index("onnx-cpu")

    precisions = ("float32", "float16", "bfloat16", "int8")
    assert [precision for precision in precisions if before(precision)] == ["bfloat16"]


def test_what_is_installed_is_only_one_half_of_the_way() -> None:
    require(obstacle("onnx-cpu") is None, "onnxruntime")
    assert onnx_session.has_provider("shared")
    assert not onnx_session.has_provider("quantum")


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_named_backend_that_cannot_run_is_refused_in_one_sentence(name: str, probe_file: Path) -> None:
    with pytest.raises(BackendError, match=rf"^{name} needs ") as caught:
        open_backend(probe_file, name)
    assert "\n" not in str(caught.value)


def test_the_table_names_every_backend_and_what_it_lacks() -> None:
    table = backend_table()
    assert [line.split()[0] for line in table] == list(MODULES)
    assert [line.split()[0] for line in table if line.split()[1] == "yes"] == HERE
    assert all("needs" in line for line in table if line.split()[1] == "no")


def test_the_command_prints_the_table() -> None:
    command = [sys.executable, str(ROOT / "run_live.py"), "--backends", "--model", "none.onnx"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()) == (0, backend_table())


def test_the_command_leaves_with_2_and_one_sentence(probe_file: Path, tmp_path: Path) -> None:
    altered = tmp_path / "altered.onnx"
    altered.write_bytes(probe_file.read_bytes().replace(b"probe", b"prove", 1))
    command = [
        sys.executable,
        str(ROOT / "run_live.py"),
        "--no-osc",
        "--source",
        "tone",
        "--out",
        "null",
        "--seconds",
        "1",
    ]
    for model, name in ((altered, AUTO), (probe_file, "onnx-cuda" if find_card() is None else "none")):
        arguments = [*command, "--model", str(model), "--backend", name]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr


def test_an_unknown_backend_is_refused_with_the_nearest(probe_file: Path) -> None:
    with pytest.raises(BackendError, match="Did you mean 'onnx-cuda'"):
        open_backend(probe_file, "onnx_cuda")
    assert backend_names() == (AUTO, *MODULES)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.plan"
    path.write_bytes(b"")
    with pytest.raises(BackendError, match=r"plays \.onnx files"):
        open_backend(path, "onnx-cpu")
    with pytest.raises(ModelFileError, match="no plan"):
        open_backend(path)


def test_a_provider_that_fell_back_is_noticed(probe_file: Path) -> None:
    runtime = onnx_session.load_runtime("onnx-cpu", "live")
    session = runtime.InferenceSession(str(probe_file), providers=["CPUExecutionProvider"])
    onnx_session.check_provider(session, "CPUExecutionProvider", "onnx-cpu")
    with pytest.raises(BackendError, match="fell back to CPUExecutionProvider"):
        onnx_session.check_provider(session, onnx_cuda.PROVIDER, onnx_cuda.NAME)


@pytest.mark.skipif(find_card() is not None, reason="this machine has a card")
@pytest.mark.parametrize("module", [onnx_cuda, onnx_tensorrt])
def test_without_a_card_the_session_itself_refuses_too(module, probe_file: Path) -> None:
    """As on a machine whose tool answers but whose libraries do not load."""
    runtime = onnx_session.load_runtime(module.NAME, "live-gpu")
    with pytest.raises(BackendError, match=r"fell back|cannot play"):
        onnx_cuda.open_on_card(runtime, probe_file, CARD, module.NAME, module.LIBRARY, [(module.PROVIDER, {})])


@pytest.mark.parametrize("name", [name for name in HERE if ".onnx" in selection.suffixes(name)])
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"states": ()}, "'memory'"),
        ({"states": (*CARD.states, replace(CARD.states[0], name="dream"))}, "'dream'"),
        ({"states": (replace(CARD.states[0], shape=(2,)),)}, "'memory'"),
        ({"window_samples": 1361}, "'audio'"),
    ],
)
def test_a_card_at_odds_with_its_graph_is_refused(name: str, changes: dict, says: str, tmp_path: Path) -> None:
    path = write_probe(tmp_path / "odd.onnx", **changes)
    with pytest.raises(ModelFileError, match=says) as caught:
        open_backend(path, name)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", [name for name in HERE if ".onnx" in selection.suffixes(name)])
def test_a_file_whose_card_is_right_and_whose_graph_is_not_one_is_refused(name: str, tmp_path: Path) -> None:
    from engine.model.file import sealed

    path = tmp_path / "hollow.onnx"
    path.write_bytes(sealed(b"\x3a\x02\x0a\x00", CARD))
    with pytest.raises(ModelFileError, match=r"damaged|the graph lacks") as caught:
        open_backend(path, name)
    assert "\n" not in str(caught.value)


def test_the_driver_s_tool_is_understood() -> None:
    card = GraphicsCard("NVIDIA GeForce RTX 4070 Laptop GPU", "8.9", "581.15")
    assert parse_answer("NVIDIA GeForce RTX 4070 Laptop GPU, 8.9, 581.15\nother, 8.6, 581.15\n") == card
    assert parse_answer("") is None
    assert parse_answer("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.") is None


def test_an_engine_of_tensorrt_is_kept_under_all_it_depends_on() -> None:
    card = GraphicsCard("card", "8.9", "581.15")
    facts = onnx_tensorrt.cache_facts(CARD, "1.31", "10.9", card)
    assert CARD.graph_sha256 in facts.values()
    for other in (
        onnx_tensorrt.cache_facts(replace(CARD, graph_sha256="other"), "1.31", "10.9", card),
        onnx_tensorrt.cache_facts(replace(CARD, precision="float16"), "1.31", "10.9", card),
        onnx_tensorrt.cache_facts(CARD, "1.32", "10.9", card),
        onnx_tensorrt.cache_facts(CARD, "1.31", "10.10", card),
        *(onnx_tensorrt.cache_facts(CARD, "1.31", "10.9", card._replace(**{f: "x"})) for f in card._fields),
    ):
        assert other != facts
