"""A small model's weights in a larger one: the frame starts as the small one enlarged, and nothing is lost in silence."""

import dataclasses
from pathlib import Path

import pytest
import torch
import yaml
from torch.nn import functional

from engine.core.errors import TrainingError
from tests.training.models import small_model
from tests.training.runs import small_config
from training.families.listen_and_move.upscaling import upscale
from training.loop.checkpoint import Checkpoint, load_generator, read_start, write_checkpoint
from training.loop.config import TrainConfig
from training.loop.run_folder import checkpoint_folder
from training.upscale_checkpoint import main

SETTINGS: dict[str, object] = {
    "canvas": True, "canvas_rank": 3, "place_levels": 2, "channels_min": 16, "channels_base": 32, "prediction_levels": (0,)
}  # fmt: skip


@pytest.mark.parametrize("more", [{}, {"relief_rank": 2, "relief_level": 1}])
def test_the_grown_model_starts_as_the_small_one_enlarged(more: dict[str, object]) -> None:
    settings = {**SETTINGS, **more}
    small, large = small_model(16, **settings), small_model(32, **settings)
    copied = upscale(small, large)
    assert copied == len(small.state_dict())
    audio = 0.3 * torch.randn(1, 6, small.window_samples)
    noise, large_noise = small.draw_noise(1, 6), large.draw_noise(1, 6)
    quiet = {"grain": torch.tensor(0.0)}
    large_noise["motion_noise"] = noise["motion_noise"]
    with torch.no_grad():
        before, _, _ = small.clip(audio, noise, small.initial_state(1), quiet)
        after, _, _ = large.clip(audio, large_noise, large.initial_state(1), quiet)
        untaught, _, _ = small_model(32, **settings).clip(audio, large_noise, large.initial_state(1), quiet)
    enlarged = functional.interpolate(before[0], scale_factor=2.0, mode="bilinear")
    assert (after[0] - enlarged).abs().mean() < 0.35 * (untaught[0] - enlarged).abs().mean()


def test_a_frame_of_any_shape_grows_with_all_its_maps() -> None:
    settings = {**SETTINGS, "relief_rank": 2, "relief_level": 1, "warp_rank": 2}
    small, large = small_model("56x40", **settings), small_model("112x80", **settings)
    assert upscale(small, large) == len(small.state_dict())
    # Between two doublings the levels keep their number, and the maps of places have other sizes.
    between = small_model("72x48", **settings)
    assert between.generator.levels == small.generator.levels
    upscale(small, between)
    place = small.generator.place[1]
    enlarged = functional.interpolate(place, size=between.generator.place[1].shape[-2:], mode="bicubic")
    torch.testing.assert_close(between.generator.place[1].data, enlarged.data)


def test_models_of_other_widths_are_refused() -> None:
    small = small_model(16, **SETTINGS)
    with pytest.raises(TrainingError, match="only image_size may differ"):
        upscale(small, small_model(32, **{**SETTINGS, "channels_base": 64}))


def test_prediction_after_the_finest_level_goes_to_the_finest_one() -> None:
    settings = {**SETTINGS, "prediction_levels": (0, -1)}
    small, large = small_model(16, **settings), small_model(32, **settings)
    assert upscale(small, large) == len(small.state_dict())
    theirs, ours = small.generator.predictions, large.generator.predictions
    for before, after in (("0", "0"), ("1", "2")):
        for name, weights in theirs[before].state_dict().items():
            assert torch.equal(ours[after].state_dict()[name], weights)


def test_flow_fields_are_taken_over_as_they_are() -> None:
    settings = {**SETTINGS, "warp_rank": 2}
    small, large = small_model(16, **settings), small_model(32, **settings)
    upscale(small, large)
    assert small.generator.warp is not None
    assert large.generator.warp is not None
    assert torch.equal(large.generator.warp.flows, small.generator.warp.flows)


def test_what_would_be_lost_or_misplaced_is_refused() -> None:
    small = small_model(16, **SETTINGS)
    with pytest.raises(TrainingError, match=r"levels \[0\] in the small model and \[0, 1\].*prediction_levels \[0\]"):
        upscale(small, small_model(32, **{**SETTINGS, "prediction_levels": (0, 1)}))
    with pytest.raises(TrainingError, match=r"has no 'generator\.canvas"):
        upscale(small, small_model(32, **{**SETTINGS, "canvas_rank": 0}))
    relief = {**SETTINGS, "relief_rank": 2}
    with pytest.raises(
        TrainingError, match=r"before level 1 in the small model and 2 in the large one; set .*relief_level 1"
    ):
        upscale(small_model(16, **relief), small_model(32, **relief))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with one checkpoint of a model of 16 pixels."""
    small = small_model(16, **SETTINGS)
    config = small_config(model=small.config)
    write_checkpoint(checkpoint_folder(tmp_path / "run", 40), Checkpoint(config, 40, 1.0, dict(small.state_dict()), {}))
    return tmp_path / "run"


def written(config: TrainConfig, path: Path, **model: object) -> str:
    """Write `config` with another model as YAML; returns its path."""
    changed = dataclasses.replace(config, model=dataclasses.replace(config.model, **model))  # type: ignore[arg-type]
    path.write_text(yaml.safe_dump(changed.to_dict()))
    return str(path)


def test_the_command_writes_the_start_of_a_larger_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = read_start(run)
    config = written(source.config, tmp_path / "large.yaml", image_size=32, name="large")
    assert main([str(run), config, "-o", str(tmp_path / "large")]) == 0
    printed = capsys.readouterr().out
    assert "upscaled from 16 to 32 pixels" in printed
    assert f"--from {tmp_path / 'large'}" in printed
    loaded = load_generator(tmp_path / "large")
    assert (loaded.iterations, loaded.config.model.name, loaded.config.model.image_size) == (0, "large", 32)
    (before,) = read_start(tmp_path / "large").started_from
    assert before.iterations == 40
    name = "generator.seed.conv.weight"
    assert torch.equal(loaded.model.state_dict()[name], source.generator[name])
    with pytest.raises(TrainingError, match="holds a run already"):
        main([str(run), config, "-o", str(tmp_path / "large")])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"image_size": 16}, "model.image_size is 16 .* a larger one of the same shape was expected"),
        ({"image_size": "64x32"}, "model.image_size is 64x32 .* a larger one of the same shape was expected"),
        ({"image_size": 32, "fps": 10}, r"another model\.fps; only"),
    ],
)
def test_the_command_refuses_other_models(run: Path, tmp_path: Path, model: dict[str, object], message: str) -> None:
    config = written(read_start(run).config, tmp_path / "other.yaml", **model)
    with pytest.raises(TrainingError, match=message):
        main([str(run), config, "-o", str(tmp_path / "grown")])
    assert not (tmp_path / "grown").exists()
