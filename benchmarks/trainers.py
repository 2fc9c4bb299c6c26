"""Ours and the original's trainer with the same work to do, for the benchmarks of training.

The original is imported from a checkout and called as its own train.py does; its fixed devices are pointed at the one asked for.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import resource
import sys
import tempfile
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from training.data.video import Clip
from training.loop.config import TrainConfig, load_train_config
from training.loop.trainer import build_trainer

PAPER = Path(__file__).parents[1] / "configs" / "train" / "paper-128.yaml"
THEIRS = {
    "original": {"anomaly": True},
    # The same without torch's anomaly detection, which the original leaves switched on.
    "original, no anomaly detection": {"anomaly": False},
}
OURS: dict[str, dict[str, Any]] = {
    "ours, same maths": {},
    "ours, bfloat16": {"precision": "bfloat16"},
    "ours, recommended": {"precision": "bfloat16", "losses.penalty_interval": 4},
}
CLIP_FRAMES = 120
VGG16_SHAPES = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128)}


@dataclass(frozen=True)
class Setting:
    """What all trainers have in common."""

    reference: Path | None
    image_size: int
    frames: int
    threads: int
    device: str


def our_trainer(name: str, setting: Setting) -> Callable[[], object]:
    """Return a function that makes one iteration of this project's trainer, reading of the clip included."""
    folder = Path(tempfile.mkdtemp())
    generator = torch.Generator().manual_seed(1)
    weights: dict[str, Tensor] = {}
    for index, (outputs, inputs) in VGG16_SHAPES.items():
        weights[f"features.{index}.weight"] = 0.05 * torch.randn(outputs, inputs, 3, 3, generator=generator)
        weights[f"features.{index}.bias"] = torch.zeros(outputs)
    save_file(weights, folder / "vgg16.safetensors")
    config = load_train_config(
        PAPER,
        {
            "model.image_size": setting.image_size,
            "sequence_frames": setting.frames,
            "losses.perceptual": 10.0,
            "losses.perceptual_weights": str(folder / "vgg16.safetensors"),
            "device": setting.device,
            **OURS[name],
        },
    )
    return build_trainer(config, noise_clip(config)).step


def noise_clip(config: TrainConfig) -> Clip:
    """Return a clip of noise: the time of an iteration does not depend on what is seen and heard."""
    random = np.random.default_rng(2)
    form = config.clip_format()
    frames = random.integers(0, 256, (CLIP_FRAMES, *form.frame_size, 3), dtype=np.uint8)
    sound = (0.1 * random.standard_normal(CLIP_FRAMES * form.sample_rate_hz // form.fps)).astype(np.float32)
    return Clip(frames_NHWC=frames, sound_S=sound, format=form, file="noise")


class Original:
    """The original's networks and one iteration of its loop; its options are those of its full model."""

    def __init__(self, setting: Setting, *, anomaly: bool, perceptual: bool, seed: int = 0) -> None:
        assert setting.reference is not None
        sys.path.insert(0, str(setting.reference))
        sys.modules["torchvision"] = _torchvision_with_vgg16()
        modules, losses, self.checks = (importlib.import_module(name) for name in ("modules", "losses", "utils"))
        torch.manual_seed(seed)
        self.setting, self.anomaly, self.perceptual = setting, anomaly, perceptual
        device, size = torch.device(setting.device), setting.image_size
        with contextlib.redirect_stdout(io.StringIO()):
            self.generator = modules.GenNet(
                output_size=size,
                dim_audio_feat=64,
                dim_e_motion=2,
                dim_z_content=0,
                sound_route="rnngen",
                motion_layers=3,
                motion_type="basic",
                gen_type="2d",
                cond_gen=True,
                vid_pred="dir",
                architecture="residual",
                double_finest=False,
            ).to(device)
            self.image, self.video = (
                modules.Discriminator(length, size, architecture="skip", double_finest=False).to(device)
                for length in (1, setting.frames)
            )
            self.loss = losses.Loss("wgan-gp", load_pl=perceptual, device=device)
        self.optimisers = {
            part: torch.optim.Adam(getattr(self, part).parameters(), lr=rate, betas=(0.3, 0.999))
            for part, rate in (("generator", 1e-4), ("image", 4e-4), ("video", 4e-4))
        }
        self.draw = torch.Generator().manual_seed(seed)

    def step(self, features_BTF: Tensor, real_BTCHW: Tensor) -> None:
        """Train on one sequence, in the original's order."""
        torch.autograd.set_detect_anomaly(self.anomaly)
        self.generator.train()
        frames = real_BTCHW.shape[1]
        chosen = int(torch.randint(frames, (1,), generator=self.draw))
        fake_BTCHW = self.generator(features_BTF)
        real, fake = real_BTCHW[:, chosen], fake_BTCHW[:, chosen]
        self.optimisers["video"].zero_grad()
        self._judge(self.video, real_BTCHW, fake_BTCHW.detach(), True)
        self._judge(self.video, real_BTCHW, real_BTCHW[:, torch.randperm(frames, generator=self.draw)], False)
        self.optimisers["video"].step()
        self.optimisers["image"].zero_grad()
        self._judge(self.image, real, fake.detach(), False)
        self.optimisers["image"].step()
        self.optimisers["generator"].zero_grad()
        self._convince(self.video, real_BTCHW, fake_BTCHW, self.perceptual, True)
        self._convince(self.image, real, fake, False, False)
        self.checks.finiteCheck(self.generator.parameters())
        self.optimisers["generator"].step()

    def _judge(self, disc: nn.Module, reals: Tensor, fakes: Tensor, retain: bool) -> None:
        error = self.loss.criterionGAN_D(disc(fakes), disc(reals), disc=disc, samples=[fakes, reals])
        error.backward(retain_graph=retain)
        self.checks.finiteCheck(disc.parameters())

    def _convince(self, disc: nn.Module, reals: Tensor, fakes: Tensor, teach: bool, retain: bool) -> None:
        error = self.loss.criterionGAN_G(disc(fakes))
        if teach:
            error = error + 10.0 * self.loss.perceptual(reals, fakes)
        error.backward(retain_graph=retain)
        self.checks.finiteCheck(disc.parameters())


def their_trainer(name: str, setting: Setting) -> Callable[[], None]:
    """Return a function that makes one iteration of the original's loop on a batch in memory."""
    original = Original(setting, perceptual=True, **THEIRS[name])
    draw, size = torch.Generator().manual_seed(2), setting.image_size
    features = torch.randn(1, setting.frames, 64, generator=draw).to(setting.device)
    real = (2.0 * torch.rand(1, setting.frames, 3, size, size, generator=draw) - 1.0).to(setting.device)
    return lambda: original.step(features, real)


def _torchvision_with_vgg16() -> types.ModuleType:
    """torchvision has no build for machines without CUDA: only its VGG16 is needed, and its random weights will do."""

    def vgg16(pretrained: bool) -> types.SimpleNamespace:
        layers: list[nn.Module] = []
        inputs = 3
        for outputs in (64, 64, None, 128, 128, None):
            if outputs is None:
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
                inputs = outputs
        return types.SimpleNamespace(features=nn.Sequential(*layers))

    torchvision = types.ModuleType("torchvision")
    models = types.ModuleType("torchvision.models")
    models.vgg16 = vgg16  # type: ignore[attr-defined]
    torchvision.models = models  # type: ignore[attr-defined]
    sys.modules["torchvision.models"] = models
    return torchvision


def peak_memory_mib(device: str) -> float:
    """Return the most memory this process held: on the GPU what tensors took, else resident memory."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
