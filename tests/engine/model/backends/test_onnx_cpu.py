"""The model file on the processor: refusals, and noise. The contract of a step is in test_backend_contract.py."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import ModelFileError
from engine.model.backends.onnx_cpu import OnnxCpuBackend, open_model
from engine.model.backends.selection import open_backend
from engine.model.card import StateSpec
from engine.model.noise import draw_noise
from engine.model.step import resting_inputs
from tests.engine.model.probe_model import CARD, DECAY, write_probe


@pytest.fixture(scope="module")
def backend(probe_file: Path) -> OnnxCpuBackend:
    return open_model(probe_file, threads=1)


def test_the_probe_does_what_it_says(backend: OnnxCpuBackend) -> None:
    window = np.full(CARD.window_samples, 0.25, np.float32)
    inputs = resting_inputs(CARD).with_values({"audio": window, "gain": 2.0}, {"memory": np.array([0.4], np.float32)})
    assert backend.step(inputs).features_F == pytest.approx([0.5, 0.4 * DECAY + 0.5])


def bad_file(kind: str, folder: Path, probe: Path) -> Path:
    path = folder / f"{kind}.onnx"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("this is no model\n")
    elif kind == "truncated":
        path.write_bytes(probe.read_bytes()[: probe.stat().st_size // 2])
    elif kind == "without_card":
        write_probe(path, None)
    elif kind == "other_version":
        write_probe(path, format_version=99)
    elif kind == "not_json":
        write_probe(path, metadata="{broken")
    elif kind == "other_shape":
        write_probe(path, height=CARD.height + 1)
    elif kind == "unknown_state":
        write_probe(path, states=(*CARD.states, StateSpec(name="dream", shape=(2,))))
    elif kind == "altered":
        path.write_bytes(probe.read_bytes().replace(b"probe", b"prove", 1))
    elif kind == "unsealed":
        write_probe(path, metadata=replace(CARD, graph_sha256="").to_json())
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "no model file"),
        ("folder", "is a folder, not a file"),
        ("empty", "damaged|without a model card"),
        ("text", "damaged"),
        ("truncated", "damaged"),
        ("without_card", "without a model card"),
        ("other_version", "version 99"),
        ("not_json", "not JSON"),
        ("other_shape", "'frame'"),
        ("unknown_state", "'dream'"),
        ("altered", "altered or damaged"),
        ("unsealed", "no checksum"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(kind: str, says: str, tmp_path: Path, probe_file: Path) -> None:
    path = bad_file(kind, tmp_path, probe_file)
    with pytest.raises(ModelFileError, match=says) as caught:
        open_backend(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_noise_depends_on_seed_name_and_index_alone() -> None:
    first = draw_noise(CARD.noises, 1, 10)["jitter"]
    draw_noise(CARD.noises, 1, 11)
    assert np.array_equal(draw_noise(CARD.noises, 1, 10)["jitter"], first)
    for seed, index in ((2, 10), (1, 11), (-1, 10), (2**70, 10)):
        assert not np.array_equal(draw_noise(CARD.noises, seed, index)["jitter"], first)
    other = draw_noise([replace(CARD.noises[0], name="other")], 1, 10)["other"]
    assert not np.array_equal(other, first)


def test_noise_is_distributed_as_the_card_says() -> None:
    many = [replace(CARD.noises[0], shape=(50, 400), distribution=kind) for kind in ("normal", "uniform")]
    normal, uniform = (draw_noise([spec], 0, 0)["jitter"] for spec in many)
    assert normal.dtype == uniform.dtype == np.float32
    assert (abs(normal.mean()), normal.std()) == pytest.approx((0.0, 1.0), abs=0.03)
    assert (uniform.mean(), uniform.min(), uniform.max()) == pytest.approx((0.5, 0.0, 1.0), abs=0.03)


def test_a_fresh_process_plays_ten_frames_without_torch(probe_file: Path) -> None:
    script = (
        "import sys; from engine.audio.sources.registry import open_source; from engine.core.clock import WallClock;"
        "from engine.model.backends.selection import open_backend; from engine.render.statistics import ShowStatistics;"
        "from tests.engine.app.shows import show_sound; stats = ShowStatistics();"
        f"show_sound(open_backend({str(probe_file)!r}), open_source('demo', live=False), sinks=[], clock=WallClock(),"
        "stats=stats, seconds=0.5);"
        "assert stats.steps == 10, stats.steps; assert 'torch' not in sys.modules; print('clean')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "clean", done.stderr


def test_a_model_file_may_be_anywhere(probe_file: Path, tmp_path: Path) -> None:
    odd = tmp_path / "mit Leerzeichen é.onnx"
    shutil.copy(probe_file, odd)
    assert open_model(odd).card == CARD
