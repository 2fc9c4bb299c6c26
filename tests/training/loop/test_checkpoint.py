"""Checkpoints: exact round trip, atomic writing, and a sentence for each kind of damage."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from engine.core.errors import TrainingError
from tests.training.loop.limits import files_no_larger_than
from tests.training.models import small_model
from training.core.run_state import optimiser_tensors, restore_optimiser
from training.core.streaming import StreamingModel
from training.loop.checkpoint import (
    Checkpoint,
    CheckpointNotWritten,
    DamagedCheckpoint,
    TrainedOn,
    best_checkpoint,
    check_same_shape,
    load_generator,
    read_checkpoint,
    read_newest,
    read_start,
    save_generator,
    write_checkpoint,
)
from training.loop.config import ClipConfig, TrainConfig, load_train_config, with_overrides
from training.loop.run_folder import checkpoint_folder

MODEL = small_model(8, motion_layers=1)
CONFIG = TrainConfig(
    model=MODEL.config,
    clip=ClipConfig(path="media/x.mp4", title="A clip", source="https://example.org", licence="CC0-1.0"),
)


def play(model: StreamingModel) -> torch.Tensor:
    audio = 0.1 * torch.randn(1, 3, model.window_samples, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        frames, _, _ = model.clip(
            audio, model.draw_noise(1, 3, torch.Generator().manual_seed(2)), model.initial_state(1)
        )
    return frames


def saved(folder: Path) -> Path:
    save_generator(folder, MODEL, CONFIG, 1234)
    return folder


def test_a_generator_comes_back_exactly_with_its_provenance(tmp_path: Path) -> None:
    loaded = load_generator(saved(tmp_path / "checkpoint"))
    assert torch.equal(play(loaded.model), play(MODEL))
    assert loaded.config == CONFIG
    assert loaded.iterations == loaded.provenance.iterations == 1234
    assert loaded.provenance.source == "A clip (https://example.org)"
    assert loaded.provenance.licence == "CC0-1.0"
    assert not loaded.model.training


def test_a_folder_without_checkpoints_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="neither a checkpoint nor a run folder"):
        load_generator(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of file sizes")
def test_writing_that_fails_leaves_the_old_checkpoint_and_no_rest(tmp_path: Path) -> None:
    folder = saved(tmp_path / "checkpoint")
    with files_no_larger_than(10_000), pytest.raises(CheckpointNotWritten, match=r"File too large.*; free some space"):
        save_generator(folder, MODEL, CONFIG, 9)
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint"]
    assert load_generator(folder).iterations == 1234


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    file = saved(tmp_path / "checkpoint") / "generator.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedCheckpoint, match="its content is not what was written"):
        load_generator(tmp_path / "checkpoint")


def test_the_newest_checkpoint_that_is_whole_is_used_and_the_damaged_ones_are_named(tmp_path: Path) -> None:
    for iterations in (1, 2, 3):
        training = {"random": torch.Generator().get_state()}
        write_checkpoint(
            checkpoint_folder(tmp_path, iterations),
            Checkpoint(CONFIG, iterations, 0.0, dict(MODEL.state_dict()), training),
        )
    (checkpoint_folder(tmp_path, 3) / "training.safetensors").unlink()
    (checkpoint_folder(tmp_path, 2) / "checkpoint.json").write_text("{")
    found, damaged = read_newest(tmp_path)
    assert found.iterations == 1
    assert [error.folder.name for error in damaged] == ["0000003", "0000002"]
    with pytest.raises(DamagedCheckpoint, match="0000003"):
        read_newest(checkpoint_folder(tmp_path, 3))
    (checkpoint_folder(tmp_path, 1) / "generator.safetensors").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"All 3 checkpoints of .* are damaged"):
        read_newest(tmp_path)


def test_provenance_tells_what_the_weights_were_trained_before(tmp_path: Path) -> None:
    before = TrainedOn(title="Waves", source="", licence="GPL-3.0-or-later", config="x", iterations=50)
    write_checkpoint(tmp_path / "1", Checkpoint(CONFIG, 7, 0.0, dict(MODEL.state_dict()), {}, started_from=(before,)))
    provenance = load_generator(tmp_path / "1").provenance
    assert provenance.source == "Waves; then A clip (https://example.org)"
    assert provenance.licence == "CC0-1.0 and GPL-3.0-or-later"
    assert provenance.iterations == 50 + 7
    assert read_start(tmp_path / "1").started_from == (before,)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_truncated_file_is_a_sentence(tmp_path: Path, keep: int) -> None:
    file = saved(tmp_path / "checkpoint") / "generator.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(TrainingError, match="damaged or missing") as caught:
        load_generator(tmp_path / "checkpoint")
    assert "older checkpoint" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "cannot be read"), ("[]", r"of format \[\]"), ('{"format": "other"}', "of format 'other'")],
)
def test_a_damaged_description_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (saved(tmp_path / "checkpoint") / "checkpoint.json").write_text(text)
    with pytest.raises(TrainingError, match=sentence):
        load_generator(tmp_path / "checkpoint")


def test_weights_of_another_configuration_are_refused_by_name(tmp_path: Path) -> None:
    folder = saved(tmp_path / "checkpoint")
    description = json.loads((folder / "checkpoint.json").read_text())
    description["config"]["model"]["generator"]["canvas"] = True
    (folder / "checkpoint.json").write_text(json.dumps(description))
    with pytest.raises(TrainingError, match=r"nothing for 'generator\.canvas\.still'"):
        load_generator(folder)
    description["config"]["model"]["colour"] = "blue"
    (folder / "checkpoint.json").write_text(json.dumps(description))
    with pytest.raises(TrainingError, match=r"another version.*model\.colour"):
        load_generator(folder)


def test_a_checkpoint_from_before_keeps_the_features_it_learned_with(tmp_path: Path) -> None:
    folder = saved(tmp_path / "checkpoint")
    description = json.loads((folder / "checkpoint.json").read_text())
    assert description["config"]["model"]["front_end"].pop("spectrum_rate_hz") == 64000
    (folder / "checkpoint.json").write_text(json.dumps(description))
    assert load_generator(folder).config == CONFIG  # `stage` has not changed
    description["config"]["model"]["front_end"]["kind"] = "mel"
    (folder / "checkpoint.json").write_text(json.dumps(description))
    front_end = load_generator(folder).config.model.front_end
    assert front_end.spectrum_rate_hz == front_end.sample_rate_hz == 16000


def test_resuming_with_another_shape_names_the_differing_keys() -> None:
    values = CONFIG.to_dict()
    other = TrainConfig.from_dict(
        with_overrides(values, {"model.generator.motion_layers": 2, "discriminator.norm": "none"})
    )
    with pytest.raises(TrainingError, match=r"another discriminator\.norm, model\.generator\.motion_layers;"):
        check_same_shape(CONFIG, other, Path("runs/x"))
    check_same_shape(
        CONFIG, TrainConfig.from_dict(with_overrides(values, {"losses.l1": 3, "model.name": "y"})), Path("runs/x")
    )


def test_an_imported_generator_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds a generator alone"):
        read_checkpoint(saved(tmp_path / "checkpoint"))


def test_all_that_resuming_needs_comes_back(tmp_path: Path) -> None:
    shared = torch.randn(3, 4)
    training = {"a": shared, "b": shared.T, "random": torch.Generator().manual_seed(3).get_state()}
    write_checkpoint(tmp_path / "1", Checkpoint(CONFIG, 7, 1.5, dict(MODEL.state_dict()), training))
    found = read_checkpoint(tmp_path / "1")
    assert (found.iterations, found.elapsed_s) == (7, 1.5)
    assert all(torch.equal(found.training[name], training[name]) for name in training)


def test_an_optimiser_goes_on_as_if_never_stopped() -> None:
    def start() -> tuple[torch.nn.Linear, torch.optim.Adam]:
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 2)
        return layer, torch.optim.Adam(layer.parameters(), lr=0.1, betas=(0.3, 0.999))

    def step(layer: torch.nn.Linear, optimiser: torch.optim.Adam) -> None:
        optimiser.zero_grad()
        layer(torch.ones(1, 3)).square().sum().backward()
        optimiser.step()

    whole, optimiser = start()
    for _ in range(4):
        step(whole, optimiser)
    first, optimiser = start()
    for _ in range(2):
        step(first, optimiser)
    second, resumed = start()
    second.load_state_dict(first.state_dict())
    restore_optimiser(resumed, optimiser_tensors(optimiser))
    for _ in range(2):
        step(second, resumed)
    assert torch.equal(second.weight, whole.weight)
    with pytest.raises(TrainingError, match="another network"):
        restore_optimiser(torch.optim.Adam(torch.nn.Linear(4, 2).parameters()), optimiser_tensors(optimiser))


@pytest.mark.parametrize("path", sorted(Path("configs/train").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configurations_load_and_survive_json(path: Path) -> None:
    config = load_train_config(path)
    assert config.model.name == path.stem
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("losses: {motoin: 1}", r"Unknown setting 'losses\.motoin'\. Did you mean 'motion'"),
        ("sequence_frame: 8", "Did you mean 'sequence_frames'"),
        ("losses: {adversarial: wgangp}", "'wgan-gp'"),
        ("sequence_frames: 7", "even number"),
        ("optimiser: {betas: [0.5, 1.0]}", r"optimiser\.betas\[1\]"),
        ("clip: {crop: [1, 2, 3]}", "3 values; 4 were expected"),
        ("minutes: 0", "more than 0"),
        ("{minutes: 5, deterministic: true}", "give total_iterations"),
        ("intervals: {milestone: -1}", "0 or more"),
        ("just words", "a mapping of settings"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_wrong_configuration_is_a_sentence_with_its_file(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(TrainingError, match=sentence) as caught:
        load_train_config(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_flags_go_over_the_file_and_change_neither(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("losses: {l1: 2, motion: 3}\nminutes: 5")
    config = load_train_config(file, {"losses.l1": 7, "device": "cpu"})
    assert (config.losses.l1, config.losses.motion, config.minutes, config.device) == (7.0, 3.0, 5.0, "cpu")
    values = {"a": {"b": 1}}
    assert with_overrides(values, {"a.c": 2, "d.e": 3}) == {"a": {"b": 1, "c": 2}, "d": {"e": 3}}
    assert values == {"a": {"b": 1}}


def test_a_moved_run_folder_still_loads(tmp_path: Path) -> None:
    save_generator(checkpoint_folder(tmp_path / "run", 3), MODEL, CONFIG, 3)
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    assert load_generator(tmp_path / "elsewhere").iterations == 3


def test_a_checkpoint_of_the_version_before_keeps_its_two_parts(tmp_path: Path) -> None:
    folder = saved(tmp_path / "checkpoints" / "0001234")
    assert read_start(folder).config.clip.tuning_share == ClipConfig().tuning_share > 0
    description = json.loads((folder / "checkpoint.json").read_text())
    del description["tuning_loss"], description["config"]["clip"]["tuning_share"]
    (folder / "checkpoint.json").write_text(json.dumps(description))
    assert read_start(folder).config.clip.tuning_share == 0.0
    assert load_generator(folder).config.clip.tuning_share == 0.0
    assert read_start(folder).tuning_loss is None


@pytest.mark.parametrize("written", ["low", None, float("nan"), True])
def test_a_loss_that_is_no_number_makes_no_checkpoint_the_best(tmp_path: Path, written: object) -> None:
    for iterations, loss in ((1, 0.5), (2, written)):
        folder = saved(tmp_path / "checkpoints" / f"{iterations:07d}")
        description = json.loads((folder / "checkpoint.json").read_text())
        (folder / "checkpoint.json").write_text(json.dumps({**description, "tuning_loss": loss}))
    assert best_checkpoint(tmp_path) == tmp_path / "checkpoints" / "0000001"
