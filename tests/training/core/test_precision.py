"""Mixed precision learns nearly the same, and keeps what must be exact in float32."""

from pathlib import Path

import pytest
import torch

from tests.training.clips import moving_clip
from tests.training.runs import small_config
from training.data.cache import load_clip
from training.loop.trainer import build_trainer
from training.losses.losses import LossConfig


@pytest.mark.parametrize("kind", ["hinge", "wgan-gp"])
def test_bfloat16_is_near_float32_and_keeps_state_and_weights_in_float32(tmp_path: Path, kind: str) -> None:
    found = {}
    for precision in ("float32", "bfloat16"):
        config = small_config(LossConfig(adversarial=kind, l1=1.0, motion=1.0), precision=precision)  # type: ignore[arg-type]
        trainer = build_trainer(config, load_clip(moving_clip(tmp_path / "clip.mp4"), config.clip_format(), tmp_path))
        found[precision] = [trainer.step() for _ in range(3)]
        assert all(value.dtype == torch.float32 for value in trainer.state.values())
        assert all(value.dtype == torch.float32 for value in trainer.model.parameters())
        assert all(value.dtype == torch.float32 for terms in found[precision] for value in terms.values())
    for exact, reduced in zip(found["float32"], found["bfloat16"], strict=True):
        assert float(reduced["l1"]) == pytest.approx(float(exact["l1"]), rel=0.05)
        assert float(reduced["l1"]) != float(exact["l1"])


def test_features_stay_in_float32(tmp_path: Path) -> None:
    config = small_config(precision="bfloat16")
    trainer = build_trainer(config, load_clip(moving_clip(tmp_path / "clip.mp4"), config.clip_format(), tmp_path))
    audio_BW = 0.1 * torch.randn(2, trainer.model.window_samples, generator=torch.Generator().manual_seed(1))
    exact = trainer.average.front_end(audio_BW)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(trainer.model.front_end(audio_BW), exact)
