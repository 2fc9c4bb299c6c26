"""The mapper learns, a run that goes on is the one that was not interrupted, and the command trains what the renderer reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.tempotokens_tiny import SCHEDULER, TEXT, UNET, draw_weights, write_tiny_weights
from engine.core.errors import MediaError, TrainingError
from tests.training.clips import noise, numbered_frames, write_clip
from training.diffusion import stable_diffusion
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.audio_mapper import AudioMapper, MapperConfig
from training.diffusion.tempotokens.frame_contexts import Prompt
from training.diffusion.tempotokens.frame_unet import FrameUNet
from training.diffusion.tempotokens.mapper_training import Frozen, Learning, MapperTraining, Piece, draw, mapper_loss
from training.diffusion.tempotokens.train import TrainingConfig, main
from training.diffusion.training_command import read_run_config
from training.diffusion.weight_files import WeightFile, check_weights

SHAPE = MapperConfig(input_size=64, hidden_size=24, output_size=32)


class Steered(nn.Module):
    """Finds the noise as a UNet does that sees the clean frame in its context: how well, is up to the mapper."""

    def __init__(self, alphas_cumprod_T: Tensor) -> None:
        super().__init__()
        self.alphas_cumprod_T = alphas_cumprod_T
        self.clean = draw_weights(nn.Linear(6 * 32, 4 * 2 * 4), 5).requires_grad_(False)

    def forward(self, latents: Tensor, timestep_1: Tensor, contexts_BFLD: Tensor) -> Tensor:
        share = self.alphas_cumprod_T[timestep_1].view(1, 1, 1, 1, 1)
        clean = self.clean(contexts_BFLD[:, :, 1:7].flatten(2)).unflatten(2, (4, 2, 4)).transpose(1, 2)
        return (latents - share.sqrt() * clean) / (1.0 - share).sqrt()


def frozen(unet: nn.Module | None = None) -> Frozen:
    shares = published.scheduler_from(SCHEDULER).alphas_cumprod
    text = draw_weights(stable_diffusion.text_encoder_from(TEXT), 3).requires_grad_(False)
    prompt = Prompt(torch.full((9,), 519), slice(1, 7), "")
    return Frozen(unet or Steered(shares), text, prompt, shares)  # type: ignore[arg-type]


def piece() -> Piece:
    random = torch.Generator().manual_seed(1)
    return Piece(torch.randn(1, 4, 24, 2, 4, generator=random), torch.randn(1, 48, 64, generator=random))


def training(unet: nn.Module | None = None, **learning: float) -> MapperTraining:
    torch.manual_seed(0)
    return MapperTraining(frozen(unet), AudioMapper(SHAPE), Learning(**learning))  # type: ignore[arg-type]


class Known(nn.Module):
    """Gives always the same."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, *_given: Tensor) -> Tensor:
        return self.answer


@torch.no_grad()
def test_the_loss_is_that_of_the_noise_and_of_the_tokens_size() -> None:
    given, mapper = piece(), draw_weights(AudioMapper(SHAPE), 1)
    right = torch.randn(given.latents_1CFHW.shape, generator=torch.Generator().manual_seed(2))
    tokens = mapper.frame_tokens(given.features_1NI).abs().mean()  # type: ignore[operator]
    for off, weight in ((0.0, 0.01), (0.5, 0.01), (0.5, 0.0)):
        known = frozen(Known(right + off))
        loss = mapper_loss(known, mapper, given, (torch.tensor([300]), right), weight)  # type: ignore[arg-type]
        torch.testing.assert_close(loss, off**2 + weight * tokens)


def test_one_clip_is_learnt() -> None:
    learner, given = training(learning_rate=1e-2), [piece()]

    def loss() -> float:
        torch.manual_seed(3)
        random = torch.Generator().manual_seed(4)
        with torch.no_grad():
            return float(mapper_loss(frozen(), learner.mapper, given[0], draw(given[0], frozen(), random), 0.0))

    before = loss()
    for _ in range(60):
        learner.learn(given)
    assert loss() < 0.4 * before


def test_the_library_s_unet_passes_gradients_on_and_stays_as_it_is() -> None:
    unet = FrameUNet(draw_weights(published.unet_from(UNET), 4)).requires_grad_(False)
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    learner = training(unet)
    weights = {name: value.clone() for name, value in learner.mapper.state_dict().items()}
    learner.learn([piece()])
    still = [name for name, value in learner.mapper.state_dict().items() if torch.equal(value, weights[name])]
    # What is added to all frames alike weighs none of them: its gradient is 0, or what the order of sums leaves of it.
    assert set(still) <= {"fga.un_models.0.feature_reduce.bias"}
    assert all(torch.equal(value, before[name]) for name, value in unet.state_dict().items())


def test_a_run_that_goes_on_is_the_one_that_was_not_interrupted(tmp_path: Path) -> None:
    whole, first, second = (training(learning_rate=1e-3) for _ in range(3))
    losses = [whole.learn([piece(), piece()]) for _ in range(4)]
    assert [first.learn([piece(), piece()]) for _ in range(2)] == losses[:2]
    second.resume(first.save(tmp_path))
    assert [second.learn([piece(), piece()]) for _ in range(2)] == losses[2:]
    for name, value in whole.mapper.state_dict().items():
        assert torch.equal(value, second.mapper.state_dict()[name]), name


def test_a_checkpoint_of_another_mapper_is_refused(tmp_path: Path) -> None:
    place = training().save(tmp_path)
    other = MapperTraining(frozen(), AudioMapper(MapperConfig(64, 25, 32)), Learning())
    with pytest.raises(TrainingError, match=r"checkpoint-0 has 'fc1.weight' as .*another mapper than this run"):
        other.resume(place)
    (place / "optimiser.safetensors").write_bytes(b"cut")
    with pytest.raises(TrainingError, match=r"checkpoint-0 cannot be read .*delete it to go on from the one before"):
        training().resume(place)
    with pytest.raises(TrainingError, match="learning_rate is 0, gradient_limit 1"):
        Learning(learning_rate=0.0)


YAML = """
width: 32
height: 16
pieces_per_batch: 1
iterations: {iterations}
checkpoint_every: 2
hidden_size: 24
learning: {{learning_rate: 0.001}}
"""


def test_the_command_trains_a_mapper_that_renders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, run, config = tmp_path / "weights", tmp_path / "run", tmp_path / "tiny.yaml"
    write_tiny_weights(weights)
    clip = write_clip(tmp_path / "clip.mp4", numbered_frames(40, 48, 32), noise(1.6), fps=25)
    config.write_text(YAML.format(iterations=2))
    words = [str(clip), "--weights", str(weights), "--run-folder", str(run), "--config", str(config)]
    assert main(words) == 0
    with pytest.raises(TrainingError, match="holds a run; add --resume"):
        main(words)
    config.write_text(YAML.format(iterations=3))
    assert main([*words, "--resume"]) == 0
    assert "1 clip, 7,219 weights, from iteration 3 to 3" in capsys.readouterr().out
    assert main([*words, "--resume"]) == 0
    assert "all of its 3 iterations are done; give more of them" in capsys.readouterr().out
    lines = [json.loads(line) for line in (run / "losses.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [1, 2, 3]
    assert np.isfinite([line["loss"] for line in lines]).all()
    (weights / "mine").mkdir()
    shutil.copy(run / "checkpoint-3" / "learned_embeds.safetensors", weights / "mine")
    mapper: WeightFile = published.weight_files("mine")[-1]
    assert check_weights(weights, [mapper])[0].is_usable


@pytest.mark.parametrize(
    ("seconds", "yaml", "more", "kind", "sentence"),
    [
        (0.6, YAML.format(iterations=1), (), MediaError, r"has 0\.6\d s of sound; at least 1 s were expected"),
        (1.2, "widht: 32", (), TrainingError, "widht"),
        (1.2, "fps: 10", (), TrainingError, "fps is 10; 24, 12, 8 or 6 was expected"),
        (1.2, "width: 30", (), TrainingError, "30x256 pixels.*sides that 8 divides"),
        (1.2, "hidden_size: 1000000000", (), TrainingError, "hidden_size is 1000000000; at most 65536"),
        (1.2, "learning: {betas: [2, 0.9]}", (), TrainingError, "betas are 2 and 0.9.*from 0 to below 1"),
        (1.2, "learning: {weight_decay: -3}", (), TrainingError, "weight_decay -3"),
        (1.2, YAML.format(iterations=1), ("--resume",), TrainingError, "holds no checkpoint to go on from"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    tmp_path: Path, seconds: float, yaml: str, more: tuple[str, ...], kind: type[Exception], sentence: str
) -> None:
    write_tiny_weights(tmp_path / "weights")
    clip = write_clip(tmp_path / "clip.mp4", numbered_frames(round(seconds * 25), 48, 32), noise(seconds), fps=25)
    (tmp_path / "tiny.yaml").write_text(yaml)
    words = [str(clip), "--weights", str(tmp_path / "weights"), "--run-folder", str(tmp_path / "run")]
    with pytest.raises(kind, match=sentence):
        main([*words, "--config", str(tmp_path / "tiny.yaml"), *more])


def test_the_published_configurations_are_read() -> None:
    found = {path.stem: read_run_config(path, TrainingConfig) for path in Path("configs/tempotokens").glob("*.yaml")}
    assert {name: config.iterations for name, config in found.items()} == {
        "vggsound": 100000,
        "landscape": 20000,
        "audioset_drum": 20000,
    }
