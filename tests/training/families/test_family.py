"""A family is a folder: a second one is trained and exported without a change to any other file."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from engine.core.errors import TrainingError
from export.targets.onnx.model import Form, export_model
from tests.training.clips import moving_clip
from tests.training.core.contract import verify_contract
from training import families
from training.data.cache import load_clip
from training.families.family import build_model
from training.families.model_config import ModelConfig
from training.families.registry import DEFAULT_FAMILY, family, family_names
from training.loop.checkpoint import load_generator, read_checkpoint, write_checkpoint
from training.loop.config import TrainConfig
from training.loop.run import Run
from training.loop.trainer import build_trainer
from training.train import RUN_OUTPUTS, describe

SOURCE = '''
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError
from engine.model.card import ControlSpec, NoiseSpec
from training.core.streaming import StreamingModel
from training.data.reader import SequenceReader
from training.data.windows import WindowTiming
from training.families.rewriting import Rewrites
from training.loop.trainer import StepLosses, Trainer


@dataclass(frozen=True, kw_only=True, slots=True)
class BrightnessConfig:
    hidden: int = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class NoDiscriminator:
    pass


class Brightness(StreamingModel):
    """Frames of one colour, which follows the sound slowly."""

    def __init__(self, config):
        super().__init__(
            name=config.name, family=config.family, fps=config.fps, image_size=config.image_size, front_end=config.front_end
        )
        self.hidden = nn.Linear(self.feature_count, config.generator.hidden)
        self.colour = nn.Linear(config.generator.hidden, 3)

    def state_shapes(self):
        return {"smoothed": (self.hidden.out_features,)}

    def noise_specs(self):
        return (NoiseSpec(name="shade", shape=(1,), distribution="uniform"),)

    def control_specs(self):
        return (ControlSpec(name="gain", help="Amount of colour.", low=0.0, high=2.0, default=1.0),)

    def clip_features(self, features_BTF, noise, state, controls=None):
        gain = (controls or {}).get("gain", torch.ones(()))
        smoothed, frames = state["smoothed"], []
        for t in range(features_BTF.shape[1]):
            smoothed = 0.5 * smoothed + 0.5 * torch.tanh(self.hidden(features_BTF[:, t]))
            colour_B3 = torch.tanh(gain.reshape(-1, 1) * self.colour(smoothed) + 0.01 * noise["shade"][:, t])
            frames.append(colour_B3[:, :, None, None].expand(-1, -1, *self.frame_size))
        return torch.stack(frames, dim=1), features_BTF, {"smoothed": smoothed}


@dataclass(frozen=True, kw_only=True, slots=True)
class BrightnessLosses:
    future: float = 1.0
    """Weight of the error after the context."""
    evenness: float = 0.0


@dataclass(frozen=True, slots=True)
class ContextBatch:
    """The first frame is context, the others are to be predicted."""

    context_B3HW: Tensor
    future_BTCHW: Tensor
    audio_BTW: Tensor
    restarted_B: Tensor


class ContextReader(SequenceReader):
    def next(self):
        batch = super().next()
        frames = batch.real_BTCHW
        return ContextBatch(frames[:, 0], frames[:, 1:], batch.audio_BTW, batch.restarted_B)


class BrightnessTrainer(Trainer):
    """A reader, losses and a second network of the family's own."""

    @classmethod
    def networks_of(cls, config):
        return {"start": nn.Linear(3, config.model.generator.hidden)}

    def build_reader(self):
        return ContextReader(
            self.footage.training,
            WindowTiming.of(self.model),
            self.config.sequence_frames,
            self.config.augmentation,
            self.random_state,
        )

    def build_losses(self):
        self.start = self.networks_of(self.config)["start"]
        rate = self.config.optimiser.lr_discriminator
        self.start_optimiser = torch.optim.Adam(self.start.parameters(), lr=rate)

    @property
    def networks(self):
        return {"start": self.start}

    @property
    def optimisers(self):
        return {"start": self.start_optimiser}

    def losses(self, batch):
        noise = self.model.draw_noise(len(batch.audio_BTW), batch.audio_BTW.shape[1], self.random_state.generator)
        self.start_optimiser.zero_grad()
        smoothed_BH = self.start(batch.context_B3HW.mean(dim=(2, 3)))
        start = torch.where(batch.restarted_B[:, None], smoothed_BH, self.state["smoothed"])
        frames, _, next_state = self.model.clip(batch.audio_BTW, noise, {"smoothed": start.detach()})
        apart = (smoothed_BH - next_state["smoothed"].detach()).square().mean()
        apart.backward()
        self.start_optimiser.step()
        error = (frames[:, 1:] - batch.future_BTCHW).square().mean()
        evenness = frames.std()
        config = self.config.losses
        weighted = {"future": (config.future, error), "evenness": (config.evenness, evenness)}
        return StepLosses(weighted, {"start": apart.detach()}, next_state)

    def tensors_of_losses(self):
        return {f"start.{name}": value for name, value in self.start.state_dict().items()}

    def restore_losses(self, tensors):
        own = {name.removeprefix("start."): value for name, value in tensors.items() if name.startswith("start.")}
        self.start.load_state_dict(own)


class BrightnessFamily:
    name = "brightness"
    generator_config = BrightnessConfig
    discriminator_config = NoDiscriminator
    loss_config = BrightnessLosses
    trainer = BrightnessTrainer
    rewrites = Rewrites()
    upscaling = None
    teaching = None
    kept_controls = frozenset()
    noise_control = None

    def check(self, config):
        if config.sequence_frames < 2:
            raise TrainingError(f"sequence_frames is {config.sequence_frames}; a context and a future frame are needed.")

    def build_model(self, config):
        return Brightness(config)

    def build_discriminators(self, model, discriminator, kinds, sequence_frames):
        raise AssertionError("its losses need no discriminator")

    def lower_memory(self, model):
        return []

    def convert_original(self, weights, config):
        raise AssertionError("there is no original")


FAMILY = BrightnessFamily()
'''
MODEL = {
    "name": "lamp",
    "family": "brightness",
    "image_size": 16,
    "front_end": {"mel_bands": 16},
    "generator": {"hidden": 4},
}


@pytest.fixture(autouse=True)
def second_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a package folder with one more family beside training/families."""
    folder = tmp_path / "more_families" / "brightness"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "family.py").write_text(SOURCE)
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(folder.parent)])


def test_it_is_found_by_its_folder() -> None:
    assert family_names() == ["brightness", DEFAULT_FAMILY, "modal", "sound2sight"]
    assert family("brightness").name == "brightness"
    with pytest.raises(
        TrainingError,
        match=r"no family 'brightnes'.*brightness.* Choose from: brightness, listen_and_move, modal, sound2sight",
    ):
        family("brightnes")


def test_it_keeps_the_contract() -> None:
    verify_contract(build_model(ModelConfig.from_dict(MODEL)))


def test_its_settings_are_read_strictly() -> None:
    config = ModelConfig.from_dict(MODEL)
    assert ModelConfig.from_dict(config.to_dict()) == config
    with pytest.raises(TrainingError, match=r"model\.generator\.hiden'.*hidden"):
        ModelConfig.from_dict({**MODEL, "generator": {"hiden": 3}})
    with pytest.raises(TrainingError, match=r"Unknown setting 'discriminator\.channels_base'"):
        TrainConfig.from_dict({"model": MODEL, "discriminator": {"channels_base": 8}})
    with pytest.raises(TrainingError, match=r"Unknown setting 'losses\.l1'"):
        TrainConfig.from_dict({"model": MODEL, "losses": {"l1": 1.0}})
    with pytest.raises(TrainingError, match="a context and a future frame are needed"):
        TrainConfig.from_dict({"model": MODEL, "sequence_frames": 1})
    assert TrainConfig.from_dict({"model": MODEL}).to_dict()["losses"] == {"future": 1.0, "evenness": 0.0}


def test_it_is_trained_and_exported(tmp_path: Path) -> None:
    settings = {"sequence_frames": 4, "total_iterations": 2, "device": "cpu", "threads": 1}
    config = TrainConfig.from_dict({"model": MODEL, **settings})
    clip = load_clip(moving_clip(tmp_path / "clip.mp4"), config.clip_format(), tmp_path / "cache")
    run = Run(config, clip, tmp_path / "run", RUN_OUTPUTS)
    before = {name: value.clone() for name, value in run.trainer.model.state_dict().items()}
    assert run.run() is not None
    loaded = load_generator(tmp_path / "run")
    assert loaded.iterations == 2
    assert any(not torch.equal(value, before[name]) for name, value in loaded.model.state_dict().items())
    card = export_model(loaded.model, loaded.provenance, tmp_path / "lamp.onnx", Form(all_controls=True))
    assert (card.family, card.name, [c.name for c in card.controls]) == ("brightness", "lamp", ["gain"])
    assert [s.name for s in card.states] == ["smoothed"]
    assert "smoothed" in {value.name for value in onnx.load(tmp_path / "lamp.onnx").graph.input}


def test_a_resumed_run_of_it_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    settings = {"sequence_frames": 4, "sequences_per_batch": 2, "device": "cpu", "losses": {"evenness": 0.1}}
    config = TrainConfig.from_dict({"model": MODEL, **settings})
    clip = load_clip(moving_clip(tmp_path / "clip.mp4"), config.clip_format(), tmp_path / "cache")
    whole = build_trainer(config, clip)
    for _ in range(3):
        whole.step()
    write_checkpoint(tmp_path / "three", whole.checkpoint(0.0))
    resumed = build_trainer(config, clip, read_checkpoint(tmp_path / "three"))
    ours, theirs = resumed.step(), whole.step()
    assert ours.keys() == {"future", "evenness", "start"}
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_of_it_is_described_with_its_own_networks() -> None:
    lines = describe(TrainConfig.from_dict({"model": MODEL})).splitlines()
    assert "start  16 parameters" in lines
    assert "  future: 1.0" in lines


def test_what_it_does_not_bring_is_refused(tmp_path: Path) -> None:
    model = build_model(ModelConfig.from_dict(MODEL))
    with pytest.raises(TrainingError, match=r"no rewrite 'sub_pixel'.* none; this family has no rewrites"):
        family("brightness").rewrites.apply(model, ["sub_pixel"])
