"""Plans built ahead of time by the real library, on machines without a card too; the cache around it; bad input."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.core.errors import BackendError, ModelFileError, run_main
from engine.model.backends import tensorrt_rtx
from engine.model.backends.graphics_card import find_card
from engine.model.backends.plan_file import LIBRARY, Plan, PlanKey, cached_plans, find_plan, read_plan
from engine.model.backends.selection import open_backend
from engine.model.card import ControlSpec
from engine.model.file import read_checked_card, sealed
from export.targets.tensorrt.build import build_plan, check_gpus
from export.targets.tensorrt.plans import MOST_PLANS, cached_plan, prune, write_plan
from export.to_tensorrt import main
from tests.engine.model.backends import backend_contract as contract
from tests.engine.model.probe_model import CARD, program, write_probe

needs_library = pytest.mark.skipif(
    importlib.util.find_spec(LIBRARY) is None, reason='TensorRT for RTX is missing (pip install -e ".[rtx]")'
)
SUPPORTED = ("sm75", "sm80", "sm86", "sm89", "sm120")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "probe.onnx")


def write_model(path: Path, half: bool = False, **changes: Any) -> Path:
    """Write the probe as export.to_onnx would: bytes only as the last operation, which is all that TensorRT takes of them.

    With `half` its memory goes through a product in float16.
    """
    model = program(CARD)
    graph = model.graph
    kept = [node for node in graph.node if not {"bytes", "columns", "frame"} & {*node.output}]
    for node in kept if half else ():
        node.input[:] = ["memory_32" if name == "memory" else name for name in node.input]
    graph.initializer.extend([
        numpy_helper.from_array(np.float16(1.0).reshape(1, 1), "one_half"),
        numpy_helper.from_array(np.array([1, 1], np.int64), "square"),
        numpy_helper.from_array(np.array([1], np.int64), "flat"),
    ])  # fmt: skip
    in_half = [
        helper.make_node("Cast", ["memory"], ["memory_16"], to=TensorProto.FLOAT16),
        helper.make_node("Reshape", ["memory_16", "square"], ["memory_11"]),
        helper.make_node("MatMul", ["memory_11", "one_half"], ["memory_product"]),
        helper.make_node("Reshape", ["memory_product", "flat"], ["memory_flat"]),
        helper.make_node("Cast", ["memory_flat"], ["memory_32"], to=TensorProto.FLOAT),
    ]
    ending = [
        helper.make_node("Reshape", ["levels", "column_shape"], ["columns"]),
        helper.make_node("Expand", ["columns", "frame_shape"], ["spread"]),
        helper.make_node("Cast", ["spread"], ["frame"], to=TensorProto.UINT8),
    ]
    del graph.node[:]
    graph.node.extend([*(in_half if half else ()), *kept, *ending])
    onnx.checker.check_model(model)
    card = replace(CARD, precision="float16" if half else "float32", **changes)
    path.write_bytes(sealed(model.SerializeToString(), card))
    return path


def write_asymmetric(path: Path) -> Path:
    """Write the model with its memory rounded to bytes around a zero point, as files for processors are."""
    model = onnx.load(write_model(path))
    graph = model.graph
    for node in graph.node:
        node.input[:] = ["memory_rounded" if name == "memory" else name for name in node.input]
    graph.initializer.extend([
        numpy_helper.from_array(np.float32(0.1), "scale"),
        numpy_helper.from_array(np.uint8(128), "zero_point"),
    ])  # fmt: skip
    pair = [
        helper.make_node("QuantizeLinear", ["memory", "scale", "zero_point"], ["memory_bytes"]),
        helper.make_node("DequantizeLinear", ["memory_bytes", "scale", "zero_point"], ["memory_rounded"]),
    ]
    nodes = [*pair, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    path.write_bytes(sealed(model.SerializeToString(), replace(CARD, precision="int8", calibration="none")))
    return path


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["to_tensorrt", *words])
    with pytest.raises(SystemExit) as left:
        run_main(main)
    assert isinstance(left.value.code, int)
    return left.value.code


@needs_library
def test_the_command_writes_a_plan_that_tells_what_it_is(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "probe.plan"
    assert command(monkeypatch, str(model), "--gpu", "sm89", "--gpu", "sm86", "-o", str(path)) == 0
    plan = read_plan(path)
    assert plan.card == read_checked_card(model)
    assert (plan.key.gpus, plan.key.precision, plan.model_file) == (("sm86", "sm89"), "float32", "probe.onnx")
    assert plan.key.library_version == importlib.import_module(LIBRARY).__version__
    assert len(plan.engine) > 1000
    assert "sm86 (RTX 30, A10), sm89 (RTX 40, L4, L40)" in capsys.readouterr().out
    assert sorted(file.name for file in tmp_path.iterdir()) == ["probe.onnx", "probe.plan"]


@needs_library
def test_without_an_output_the_plan_is_built_once_and_found_by_the_engine(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert command(monkeypatch, str(model), "--gpu", "sm89") == 0
    assert "built in" in capsys.readouterr().out
    ((path, key),) = cached_plans(tmp_path / "cache" / "fluid" / "plans")
    assert find_plan(model, LIBRARY, key.library_version, "sm89") == path
    content = path.read_bytes()
    assert command(monkeypatch, str(model), "--gpu", "sm89") == 0
    assert "already there" in capsys.readouterr().out
    path.write_bytes(content[: len(content) // 2])
    assert command(monkeypatch, str(model), "--gpu", "sm89") == 0
    assert "built in" in capsys.readouterr().out
    assert read_plan(path).key == key


@needs_library
@pytest.mark.parametrize("gpu", ["sm75", "sm80", "sm86", "sm89", "sm120"])
def test_half_precision_is_built_for_every_generation(gpu: str, tmp_path: Path) -> None:
    assert build_plan(write_model(tmp_path / "half.onnx", half=True), [gpu]).key.precision == "float16"


@needs_library
def test_what_a_generation_cannot_compute_is_one_sentence(tmp_path: Path) -> None:
    water = Path("engine/models/water.onnx")
    assert read_checked_card(water).precision == "float32"
    with pytest.raises(ModelFileError, match=r"cannot compile it for sm75 \(.*FP32 GEMM") as caught:
        build_plan(water, ["sm75"])
    assert "\n" not in str(caught.value)


@needs_library
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{model}", "--gpu", "sm98"], "no GPU generation 'sm98'. Did you mean 'sm"),
        (["{model}", "--gpu", "rtx4090"], "no GPU generation 'rtx4090'"),
        (["{model}", "--gpu", "sm90"], "compiles nothing for sm90 (H100, H200), only for"),
        (["{folder}/absent.onnx", "--gpu", "sm89"], "no model file"),
        (["{bare}", "--gpu", "sm89"], "without a model card"),
        (["{model}", "--gpu", "sm89", "-o", "{model}/below/a.plan"], "Cannot write"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    words: list[str],
    says: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"model": model, "folder": tmp_path, "bare": write_probe(tmp_path / "bare.onnx", None)}
    assert command(monkeypatch, *(word.format(**places) for word in words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


@needs_library
def test_a_graph_at_odds_with_its_card_is_refused(tmp_path: Path) -> None:
    extra = ControlSpec(name="speed", help="", low=0.0, high=1.0, default=0.0)
    path = write_model(tmp_path / "odd.onnx", controls=(*CARD.controls, extra))
    with pytest.raises(ModelFileError, match="declares input 'speed', which the graph lacks"):
        build_plan(path, ["sm89"])


@needs_library
def test_a_graph_that_the_library_cannot_read_is_refused(tmp_path: Path) -> None:
    # The probe makes bytes in the middle of its graph.
    with pytest.raises(ModelFileError, match=r"cannot read its graph \(.*UINT8") as caught:
        build_plan(write_probe(tmp_path / "odd.onnx"), ["sm89"])
    assert "\n" not in str(caught.value)


@needs_library
def test_int8_around_a_zero_point_is_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="zero points are zero; export the model again") as caught:
        build_plan(write_asymmetric(tmp_path / "int8.onnx"), ["sm89"])
    assert "\n" not in str(caught.value)


def test_without_the_library_the_sentence_says_what_to_install(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, LIBRARY, None)
    assert command(monkeypatch, str(model), "--gpu", "sm89") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'pip install -e ".[rtx]"' in line


def test_names_are_checked_against_what_the_library_builds_for() -> None:
    check_gpus(("sm86", "sm121"), (*SUPPORTED, "sm121"), "1")
    with pytest.raises(BackendError, match="compiles nothing for sm121"):
        check_gpus(("sm121",), SUPPORTED, "1")
    # A generation newer than this table is taken from the library.
    check_gpus(("sm130",), ("sm130",), "9")


def test_building_needs_no_torch() -> None:
    script = "import sys, export.to_tensorrt; assert 'torch' not in sys.modules; print('clean')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "clean", done.stderr


def plan_of(version: str = "1", **key: Any) -> Plan:
    values = {"model_sha256": "0" * 64, "library": LIBRARY, "library_version": version, "gpus": ("sm89",)}
    return Plan(
        card=CARD, key=PlanKey(**{**values, "precision": "float32", **key}), model_file="probe.onnx", engine=b"engine"
    )


@pytest.mark.parametrize(
    "change", [{"model_sha256": "1" * 64}, {"library_version": "2"}, {"gpus": ("sm86",)}, {"precision": "float16"}]
)
def test_another_model_library_card_or_precision_is_another_entry(change: dict[str, Any], tmp_path: Path) -> None:
    path, _, built = cached_plan(plan_of().key, "probe", plan_of, tmp_path)
    assert built
    other = plan_of(**change)
    other_path, _, built = cached_plan(other.key, "probe", lambda: other, tmp_path)
    assert built
    assert other_path != path
    assert cached_plan(plan_of().key, "probe", pytest.fail, tmp_path) == (path, plan_of(), False)


def test_who_wants_the_same_plan_at_once_finds_the_one_that_was_built(tmp_path: Path) -> None:
    together, built = Barrier(4), list[int]()

    def build() -> Plan:
        built.append(1)
        return plan_of()

    def want(_: int) -> Plan:
        together.wait()
        return cached_plan(plan_of().key, "probe", build, tmp_path)[1]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(want, range(4))) == [plan_of()] * 4
    assert len(built) == 1


def test_what_is_not_what_its_name_says_is_built_again(tmp_path: Path) -> None:
    path, _, _ = cached_plan(plan_of().key, "probe", plan_of, tmp_path)
    write_plan(plan_of(version="0"), path)
    assert cached_plan(plan_of().key, "probe", plan_of, tmp_path)[2]
    assert read_plan(path) == plan_of()


def test_old_plans_are_pruned_and_the_one_just_built_stays(tmp_path: Path) -> None:
    path = tmp_path
    for plan in [plan_of(version=str(index)) for index in range(MOST_PLANS + 3)]:
        path, _, _ = cached_plan(
            plan.key, "probe", functools.partial(plan_of, version=plan.key.library_version), tmp_path
        )
    kept = {key.library_version for _, key in cached_plans(tmp_path)}
    assert kept == {str(index) for index in range(3, MOST_PLANS + 3)}
    (tmp_path / "damaged.plan").write_bytes(b"")
    prune(tmp_path, keep=path, most=2)
    assert len(list(tmp_path.glob("*.plan"))) == 2
    assert path.exists()


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ModelFileError, match="Cannot use the cache of plans"):
        cached_plan(plan_of().key, "probe", plan_of, tmp_path / "file")


@pytest.mark.skipif(tensorrt_rtx.obstacle() is not None, reason=f"{tensorrt_rtx.obstacle()}")
def test_on_the_card_it_plays_what_onnx_cpu_plays(model: Path, tmp_path: Path) -> None:
    graphics = find_card()
    assert graphics
    path = tmp_path / "probe.plan"
    write_plan(build_plan(model, [tensorrt_rtx.generation(graphics.capability)]), path)
    on_card = open_backend(path, "tensorrt-rtx")
    contract.check_close(on_card, open_backend(model, "onnx-cpu", threads=1))
    contract.check_cut_anywhere_equals_whole(on_card)
    contract.check_what_was_given_and_what_came_stay(on_card)
