"""Two processes under torchrun train what one trains, stop together and fail with one sentence."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip
from tests.training.core.distributed_steps import (
    CLIP_FILE,
    HALF,
    KINDS,
    ONE_FOLDER,
    TWO_FOLDER,
    norms,
    penalised,
    steps,
    train_in_halves,
    trainer_of,
)
from training.core import distributed
from training.logging.records import read_records
from training.loop.checkpoint import read_checkpoint

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="torch's wheels for Windows rendezvous without libuv only"
)

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
# Two processes add the same numbers in another order; four iterations of Adam at 3e-3 carry the last bits this far.
LOSSES = {"rel": 2e-3, "abs": 1e-4}
WEIGHTS = 3e-4
WITHOUT_EFFECT = re.compile(
    r"_discriminator\.blocks\.\d\.[03]\.bias|generator\.(seed|blocks.*)\.conv\.bias|running_mean|_optimiser\.|_seen"
)
"""A norm takes out whatever the bias before it adds: its gradient is rounding alone, and Adam makes whole steps of that.

Running means follow those biases, and moments are of the gradients.
"""


def start(*words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*TORCHRUN, "-m", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which one process, and then two, have trained the same."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("distributed")
    # Where 3 s and 3.5 s put the sequences, the last bits of wgan-gp and hinge grow to a percent in four iterations; from 4 s on they do not.
    moving_clip(folder / CLIP_FILE, seconds=4.0)
    losses = {kind: train_in_halves(folder, kind, folder / ONE_FOLDER) for kind in KINDS}
    (folder / "one.json").write_text(json.dumps(losses))
    process = start("tests.training.core.distributed_steps", "equal", str(folder))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    yield folder
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "found.json").read_text())


def close(one: list[dict[str, float]], two: list[dict[str, float]]) -> None:
    for left, right in zip(one, two, strict=True):
        assert right.keys() == left.keys()
        # Each process measures SSIM on a few frames of its own.
        for name in left.keys() - {"ssim"}:
            assert right[name] == pytest.approx(left[name], **LOSSES), name


def tensors(folder: Path) -> dict[str, Tensor]:
    checkpoint = read_checkpoint(folder)
    return checkpoint.training | {f"average.{name}": value for name, value in checkpoint.generator.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_learn_what_one_learns(folder: Path, found: dict[str, Any], kind: str) -> None:
    losses = json.loads((folder / "one.json").read_text())[kind]
    assert {"l1", "g_image", "g_video", "d_video_order"} <= losses[0].keys()
    close(losses, found["losses"][kind])
    one, two = (tensors(folder / each / kind / "end") for each in (ONE_FOLDER, TWO_FOLDER))
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert value.shape == two[name].shape
        if not WITHOUT_EFFECT.search(name):
            torch.testing.assert_close(
                two[name], value, rtol=0.0, atol=WEIGHTS, msg=lambda m, name=name: f"{name}: {m}"
            )


@pytest.mark.skipif(sys.platform != "linux", reason="threads have names in Linux's /proc only")
def test_no_thread_of_the_group_outlives_training(folder: Path) -> None:
    for rank in (0, 1):
        left = json.loads((folder / f"threads-{rank}.json").read_text())
        assert left
        assert not [name for name in left if "gloo" in name]


def test_two_processes_go_on_exactly_where_one_stopped(folder: Path, found: dict[str, Any]) -> None:
    kept, again = tensors(folder / ONE_FOLDER / "hinge" / "half"), tensors(folder / TWO_FOLDER / "again")
    assert kept.keys() == again.keys()
    for name, value in kept.items():
        assert torch.equal(again[name], value), name
    close(json.loads((folder / "one.json").read_text())["hinge"][HALF:], found["resumed"])


def test_one_process_goes_on_exactly_where_two_stopped(folder: Path, found: dict[str, Any]) -> None:
    half = folder / TWO_FOLDER / "hinge" / "half"
    trainer = trainer_of(folder, "hinge", half)
    again, kept = trainer.checkpoint(0.0).training, read_checkpoint(half).training
    assert kept.keys() == again.keys()
    for name, value in kept.items():
        assert torch.equal(again[name], value), name
    close(found["losses"]["hinge"][HALF:], steps(trainer, HALF))


@pytest.mark.parametrize("kind", ["norm", "norm-of-values"])
def test_batch_norm_of_two_processes_is_that_of_all_frames_twice_derived(folder: Path, kind: str) -> None:
    shared = load_file(folder / f"{kind}.safetensors")
    norm, values = norms()[kind]
    for name, value in penalised(norm, values).items():
        torch.testing.assert_close(shared[name], value, rtol=1e-9, atol=1e-11, msg=lambda m, name=name: f"{name}: {m}")
    for name, value in norm.state_dict().items():
        torch.testing.assert_close(shared[f"norm.{name}"], value, msg=lambda m, name=name: f"{name}: {m}")


def test_the_processes_decide_together_and_refuse_what_differs(found: dict[str, Any]) -> None:
    assert found["agreed"] == [0.25, True]
    assert found["not_finite"] == "tensor(nan)"
    refused = found["refused"]
    assert "sequences_per_batch is 3, which 2 processes cannot share evenly" in refused["streams"]
    assert "Process 1 has another configuration than process 0" in refused["flags"]
    assert "Process 1 has another set of weights" in refused["weights"]
    assert "found 0 CUDA devices" in refused["devices"]


def test_a_process_that_fails_ends_all_with_one_sentence(tmp_path: Path) -> None:
    process = start("tests.training.core.distributed_steps", "fail", str(tmp_path))
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    sentences = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert sentences == ["error: The second process has failed."]


def test_a_request_to_stop_one_process_stops_all_after_the_same_iteration(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = ["model.image_size=16", "model.generator.place_levels=1", "sequence_frames=4", "sequences_per_batch=2"]
    words = [word for setting in (*settings, "intervals.log=1") for word in ("--set", setting)]
    process = start(
        "training.train",
        "configs/train/tiny.yaml",
        *("--clip", str(folder / CLIP_FILE), "--cache-folder", str(folder / "cache"), "--run-folder", str(run)),
        *("--iterations", "100000", *words),
    )
    deadline = time.monotonic() + 60
    while not any("l1" in record for record in read_records(run / "stats.jsonl")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    workers = [child for child in psutil.Process(process.pid).children() if child.environ().get("RANK") == "1"]
    workers[0].terminate()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output.count("--resume") == 1
    kept = read_checkpoint(run)
    assert kept.training["lanes.next"].shape == (2,)
    assert [record["event"] for record in read_records(run / "stats.jsonl") if "event" in record] == [
        "started",
        "interrupted",
    ]


def test_without_torchrun_everything_is_idle() -> None:
    assert not distributed.launched()
    assert (distributed.processes(), distributed.rank(), distributed.first()) == (1, 0, True)
    assert distributed.own_streams(3) == (0, 3)
    value, network = torch.ones(2), nn.Sequential(nn.BatchNorm2d(3))
    assert distributed.mean(value) is value
    assert distributed.agree(0.5, False) == (0.5, False)
    distributed.share_batch_norms(network)
    assert type(network[0]) is nn.BatchNorm2d
    distributed.check_alike("configuration", object())
    assert distributed.together(lambda: 7)() == 7


def test_a_world_that_cannot_be_joined_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(TrainingError, match=r"WORLD_SIZE is 2, .* start training with torchrun"):
        distributed.together(lambda: 0)()
