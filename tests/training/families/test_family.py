"""A family is a folder: a second one is trained and exported without a change to any other file."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from engine.core.errors import TrainingError
from export.to_onnx import export_model
from tests.training.clips import moving_clip
from tests.training.core.contract import verify_contract
from training import families
from training.data.cache import load_clip
from training.families.family import build_model
from training.families.model_config import ModelConfig
from training.families.registry import DEFAULT_FAMILY, family, family_names
from training.loop.checkpoint import load_generator
from training.loop.config import TrainConfig
from training.loop.run import Run
from training.train import RUN_OUTPUTS

SOURCE = '''
from dataclasses import dataclass

import torch
from torch import nn

from engine.model.card import ControlSpec, NoiseSpec
from training.core.streaming import StreamingModel
from training.families.rewriting import Rewrites
from training.loop.trainer import Trainer


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
            colour_B3 = torch.tanh(gain * self.colour(smoothed) + 0.01 * noise["shade"][:, t])
            frames.append(colour_B3[:, :, None, None].expand(-1, -1, self.image_size, self.image_size))
        return torch.stack(frames, dim=1), features_BTF, {"smoothed": smoothed}


class BrightnessFamily:
    name = "brightness"
    generator_config = BrightnessConfig
    discriminator_config = NoDiscriminator
    trainer = Trainer
    rewrites = Rewrites()
    upscaling = None

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
    assert family_names() == ["brightness", DEFAULT_FAMILY]
    assert family("brightness").name == "brightness"
    with pytest.raises(
        TrainingError, match=r"no family 'brightnes'.*brightness.* Choose from: brightness, listen_and_move"
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


def test_it_is_trained_and_exported(tmp_path: Path) -> None:
    losses = {"l1": 1.0, "adversarial_image": 0.0, "adversarial_video": 0.0}
    settings = {"sequence_frames": 4, "total_iterations": 2, "device": "cpu", "threads": 1, "losses": losses}
    config = TrainConfig.from_dict({"model": MODEL, **settings})
    clip = load_clip(moving_clip(tmp_path / "clip.mp4"), config.clip_format(), tmp_path / "cache")
    run = Run(config, clip, tmp_path / "run", RUN_OUTPUTS)
    before = {name: value.clone() for name, value in run.trainer.model.state_dict().items()}
    assert run.run() is not None
    loaded = load_generator(tmp_path / "run")
    assert loaded.iterations == 2
    assert any(not torch.equal(value, before[name]) for name, value in loaded.model.state_dict().items())
    card = export_model(loaded.model, loaded.provenance, tmp_path / "lamp.onnx")
    assert (card.family, card.name, [c.name for c in card.controls]) == ("brightness", "lamp", ["gain"])
    assert [s.name for s in card.states] == ["smoothed"]
    assert "smoothed" in {value.name for value in onnx.load(tmp_path / "lamp.onnx").graph.input}


def test_what_it_does_not_bring_is_refused(tmp_path: Path) -> None:
    model = build_model(ModelConfig.from_dict(MODEL))
    with pytest.raises(TrainingError, match=r"no rewrite 'sub_pixel'.* none; this family has no rewrites"):
        family("brightness").rewrites.apply(model, ["sub_pixel"])
