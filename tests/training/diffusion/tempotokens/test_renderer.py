"""From sound and text to frames, with tiny random weights in the published layout, and weights that cannot be used."""

from __future__ import annotations

import pickle
import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.tempotokens_tiny import write_tiny_weights
from engine.core.errors import TrainingError
from training.diffusion.loaded import Loaded
from training.diffusion.progress import RenderProgress
from training.diffusion.render_family import RENDER_RATE_HZ, RenderJob
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.family import FAMILY
from training.diffusion.tempotokens.planning import plan
from training.diffusion.tempotokens.renderer import TempoTokens
from training.diffusion.tempotokens.settings import settings_of
from training.diffusion.weight_files import require

FLAGS = {
    "text": "",
    "negative": "",
    "condition": None,
    "mapper": "vggsound",
    "fps": 12,
    "steps": 2,
    "guidance": 3.0,
    "window_frames": 24,
    "loop": False,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("weights")
    write_tiny_weights(folder)
    return folder


def job(weights: Path, **values: object) -> RenderJob:
    given = RenderJob(
        weights=weights,
        sound_s=0.5,
        width=32,
        height=16,
        steps=2,
        seed=3,
        device=torch.device("cpu"),
        kind=torch.float32,
        save_memory=False,
    )
    return replace(given, **values)  # type: ignore[arg-type]


def sound(hz: float = 330.0, seconds: float = 0.5) -> NDArray[np.float32]:
    times_S = np.arange(round(seconds * RENDER_RATE_HZ)) / RENDER_RATE_HZ
    return (0.5 * np.sin(2 * np.pi * hz * times_S)).astype(np.float32)


def rendered(
    weights: Path, heard: NDArray[np.float32], progress: RenderProgress | None = None, /, **flags: object
) -> NDArray[np.int16]:
    flags = FLAGS | flags
    asked = job(weights, **{name: flags.pop(name) for name in ("seed", "kind", "save_memory") if name in flags})
    settings = settings_of(Namespace(**flags), asked.save_memory)
    files = require(weights, published.weight_files("vggsound"))
    renderer = TempoTokens(
        job=asked, files=files, progress=progress or RenderProgress(), loaded=Loaded(), settings=settings
    )
    return np.stack(list(renderer.render(heard))).astype(np.int16)


def test_the_seed_gives_the_same_frames_again(weights: Path) -> None:
    first = rendered(weights, sound())
    assert first.shape == (6, 16, 32, 3)
    assert np.array_equal(rendered(weights, sound()), first)
    assert np.abs(rendered(weights, sound(), seed=4) - first).mean() > 1.0
    assert np.abs(rendered(weights, sound(), save_memory=True) - first).max() <= 1


def test_sound_and_text_change_the_frames(weights: Path) -> None:
    first = rendered(weights, sound(), guidance=25.0)
    assert np.abs(rendered(weights, sound(3000.0), guidance=25.0) - first).max() > 1
    with_text = rendered(weights, sound(), guidance=25.0, text="an owl")
    assert np.abs(with_text - first).max() > 1
    of_text = rendered(weights, sound(), guidance=25.0, text="an owl", condition="text")
    assert np.array_equal(rendered(weights, sound(3000.0), guidance=25.0, text="an owl", condition="text"), of_text)


@pytest.mark.parametrize(
    ("flags", "frames"),
    [
        ({"loop": True, "window_frames": 5}, 6),
        ({"window_frames": 4}, 6),
        ({"kind": torch.bfloat16, "fps": 24, "guidance": 1.0}, 12),
    ],
)
def test_loops_windows_and_other_rates(weights: Path, flags: dict[str, object], frames: int) -> None:
    assert len(rendered(weights, sound(), **flags)) == frames


def test_a_longer_sound_has_segments(weights: Path) -> None:
    heard = np.concatenate([sound(330.0, 2.0), sound(3000.0, 0.5)])
    assert len(rendered(weights, heard)) == 30


def test_the_strip_is_renewed_while_the_noise_goes(weights: Path, tmp_path: Path) -> None:
    times_s = iter(range(0, 1000, 100))
    progress = RenderProgress(tmp_path / "strip.png", lambda: float(next(times_s)))
    rendered(weights, sound(), progress)
    assert (tmp_path / "strip.png").exists()


def test_memory_and_work_are_counted(weights: Path) -> None:
    files = require(weights, published.weight_files("vggsound"))
    settings = settings_of(Namespace(**FLAGS), save_memory=False)
    short = plan(settings, job(weights, sound_s=2.0), files)
    sparing = settings_of(Namespace(**FLAGS), save_memory=True)
    long = plan(sparing, job(weights, sound_s=4.0, save_memory=True, kind=torch.bfloat16), files)
    # Three windows in place of one.
    assert 2.5 < long.operations / short.operations < 3.5
    assert long.weight_bytes * 2 == short.weight_bytes
    assert long.peak_bytes < 0.4 * short.peak_bytes


@pytest.fixture
def own_weights(weights: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(weights, tmp_path / "own"))


class Module:
    """What a pickled module is to a reader of weights."""


def opened(weights: Path) -> TempoTokens:
    return FAMILY.open(Namespace(**FLAGS, weights=weights), job(weights), RenderProgress(), Loaded())  # type: ignore[return-value]


def test_pickled_weights_are_refused(own_weights: Path) -> None:
    (own_weights / published.UNET).write_bytes(pickle.dumps(Module()))
    with pytest.raises(TrainingError, match=r"can read safely.*pickled module.*state_dict"):
        opened(own_weights)


def test_weights_of_another_version_are_refused_before_anything_runs(own_weights: Path) -> None:
    mapper = own_weights / "vggsound" / published.MAPPER_FILE
    state = torch.load(mapper, weights_only=True)
    torch.save({name: value for name, value in state.items() if name != "fc2.bias"}, mapper)
    with pytest.raises(TrainingError, match=r"lacks 'fc2.bias' \(1 of \d+ tensors\): it is of another version"):
        opened(own_weights)


def test_a_mapper_of_another_encoder_is_refused(own_weights: Path) -> None:
    mapper = own_weights / "vggsound" / published.MAPPER_FILE
    torch.save(torch.load(mapper, weights_only=True) | {"fc1.weight": torch.zeros(24, 63)}, mapper)
    with pytest.raises(TrainingError, match="gives 64 numbers a token and the mapper reads 63"):
        rendered(own_weights, sound())


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        (f"{published.BASE}/unet/config.json", '{"block_out_channels": [32]}', "unet/config.json does not describe"),
        (f"{published.BASE}/vae/config.json", "{", "vae/config.json cannot be used"),
        (published.SCHEDULER, '{"beta_schedule": "none such"}', "scheduler_config.json does not describe"),
        (published.VOCABULARY, '{"a": "b"}', "vocab.json holds no words of CLIP, which are numbered"),
        (
            f"{published.BASE}/tokenizer/merges.txt",
            "a b\nc",
            "merges.txt joins what are no words of vocab.json in line 1",
        ),
        (f"{published.BASE}/tokenizer/tokenizer_config.json", "[]", "holds no words of CLIP"),
        (published.BEATS_FILE, {"weight": torch.zeros(1)}, "holds no configuration 'cfg' and weights 'model'"),
        (published.BEATS_FILE, {"cfg": [], "model": {}}, "holds no configuration 'cfg' and weights 'model'"),
        (
            published.BEATS_FILE,
            {"cfg": {"encoder_layers": -1}, "model": {}},
            r"cpt2.pt: BEATs has encoder_layers -1; a",
        ),
    ],
)
def test_other_files_are_refused(own_weights: Path, file: str, content: object, sentence: str) -> None:
    if isinstance(content, str):
        (own_weights / file).write_text(content)
    else:
        torch.save(content, own_weights / file)
    with pytest.raises(TrainingError, match=sentence):
        list(opened(own_weights).render(sound()))
