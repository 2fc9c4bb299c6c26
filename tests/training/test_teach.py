"""One command from a clip to a model file that the engine opens."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import ConfigError, TrainingError
from engine.model.backends.onnx_cpu import open_model
from tests.training.autopilot.test_plan import even_pace
from tests.training.autopilot.test_plan import plan as plan_of
from tests.training.autopilot.test_time_budget import InventedClocks, budget_of
from tests.training.clips import moving_clip, noise, write_clip
from tests.training.runs import words
from training.data.frames import shown_size
from training.loop.checkpoint import BEST, best_checkpoint, chosen_checkpoint, load_generator
from training.loop.trainer import Trainer
from training.teach import main, run_training
from training.train import model_name

SMALL = {
    "threads": "1",
    "total_iterations": "2",
    "sequence_frames": "4",
    "model.generator.channels_base": "32",
    "model.generator.motion_layers": "1",
    "model.generator.resonators": "4",
    "model.generator.relief_rank": "4",
    "model.generator.warp_rank": "2",
}
LAYERED = {
    "threads": "1",
    "total_iterations": "2",
    "sequence_frames": "4",
    **{
        f"model.generator.{name}": "4"
        for name in ("resonators", "modes", "flow_side", "residual_rank", "weight_side", "hidden")
    },
}
"""For the family that a clip of a still camera gets, where no setting is another family's."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_clip(tmp_path_factory.mktemp("clip") / "bar one.mp4", width=48)


def arguments(clip: Path, folder: Path, *more: str, small: dict[str, str] = SMALL, **settings: str) -> list[str]:
    values = {**small, **settings}
    flags = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    places = ["--run-folder", str(folder / "run"), "--cache-folder", str(folder / "cache")]
    return [str(clip), *places, *flags, *more]


def test_a_clip_becomes_a_model_file_and_the_same_command_continues(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(clip, tmp_path, "--minutes", "0.5", "--size", "48x32")) == 0
    printed = capfd.readouterr().out
    model_file = tmp_path / "run" / "bar_one.onnx"
    for part in (
        "stands still",
        "48x32",
        "0.5 minutes in total",
        f"run_live.py --model {model_file}",
        "of the clip's motion: ",
        f"watch     {tmp_path / 'run' / 'preview.mp4'}, the clip beside the model; ",
    ):
        assert part in printed
    # The clip on the left, the model on the right.
    assert shown_size(tmp_path / "run" / "preview.mp4") == (96, 32)
    opened = open_model(model_file, threads=1)
    assert (opened.card.name, opened.card.width, opened.card.height, opened.card.fps) == ("bar_one", 48, 32, 20.0)
    assert load_generator(tmp_path / "run").iterations == 2
    assert main(arguments(clip, tmp_path, "--minutes", "0.5", total_iterations="3")) == 0
    assert "continued after 2 iterations" in capfd.readouterr().out
    assert load_generator(tmp_path / "run").iterations == 3
    with pytest.raises(TrainingError, match="crop and size cannot change"):
        main(arguments(clip, tmp_path, "--minutes", "1", "--size", "64"))
    other = moving_clip(tmp_path / "other.mp4", seconds=2.5)
    with pytest.raises(TrainingError, match=r"holds a run on another clip, .*bar one.mp4; choose another --run-folder"):
        main(arguments(other, tmp_path, "--minutes", "1"))
    with pytest.raises(TrainingError, match=r"holds a run on another sound of the clip, .*bar one.mp4; choose another"):
        main(arguments(clip, tmp_path, "--minutes", "1", "--channels", "1"))


def test_a_still_camera_gets_the_clip_s_own_frames(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """At the clip's own 48x32 pixels, as a layered model; whoever continues it cannot change the family."""
    assert main(arguments(clip, tmp_path, "--minutes", "0.5", small=LAYERED)) == 0
    printed = capfd.readouterr().out
    for part in (
        "family    modal: the camera stands still, so the sound bends, mixes and lights the clip's own sharp frames",
        "model     48x32, one iteration takes",
        f"preview   {tmp_path / 'run' / 'preview.png'}, renewed every minute",
    ):
        assert part in printed
    model_file = tmp_path / "run" / "bar_one.onnx"
    assert printed.splitlines()[-1] == f"play it   python run_live.py --model {model_file}"
    card = open_model(model_file, threads=1).card
    assert (card.family, card.width, card.height) == ("modal", 48, 32)
    assert card.layers is not None
    with pytest.raises(
        TrainingError, match="already holds a run of the family 'modal', which cannot change; omit --family"
    ):
        main(arguments(clip, tmp_path, "--minutes", "1", "--family", "listen_and_move", small=LAYERED))


def test_a_report_never_costs_the_export(clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """At ten frames a second the held-out part is too short for the evaluation, and a folder stands where the report should be."""
    (tmp_path / "run" / "report.html").mkdir(parents=True)
    flags = arguments(clip, tmp_path, "--minutes", "5", "--size", "32", **{"model.fps": "10"})
    assert main(flags) == 0
    printed = capfd.readouterr()
    assert (tmp_path / "run" / "bar_one.onnx").is_file()
    assert "notice: there are no evaluation tables: " in printed.err
    *_, before, quality, trained, watch, following, play = printed.out.splitlines()
    labels = [line.split("  ")[0] for line in (before, quality, trained, watch, following, play)]
    assert labels == ["", "quality", "trained", "watch", "go on", "play it"]
    assert "of the clip's motion: " in quality
    assert quality.endswith("; synchrony not measured: there are no evaluation tables")
    assert "the report was not written (Is a directory)" in watch


def test_the_best_checkpoint_is_exported(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss rises by itself here: where it rises because training fails, rounding decides what can be exported."""
    monkeypatch.setattr(Trainer, "tuning_loss", lambda trainer: float(trainer.iteration))
    settings = {"total_iterations": "6", "intervals.checkpoint": "1"}
    assert main(arguments(clip, tmp_path, "--minutes", "0.5", "--size", "32", **settings)) == 0
    best = best_checkpoint(tmp_path / "run")
    assert best is not None
    assert int(best.name) < 6
    printed = capfd.readouterr().out
    assert f"the checkpoint after {int(best.name)} of 6 iterations, the best on" in printed
    exported = open_model(tmp_path / "run" / "bar_one.onnx", threads=1)
    assert exported.card.provenance.iterations == int(best.name)
    # The same choice where a run is exported by hand, and it is said.
    assert chosen_checkpoint(tmp_path / "run") == (best, BEST)
    command = [sys.executable, "-m", "export.to_onnx", str(tmp_path / "run"), "-o", str(tmp_path / "hand.onnx")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[0] == f"checkpoint {best}: the best, by its loss on the tuning part, of its run"
    assert open_model(tmp_path / "hand.onnx", threads=1).card.provenance.iterations == int(best.name)


@pytest.mark.parametrize("checkpoint_every", [1, 0])
def test_a_training_that_breaks_off_is_worth_a_model_where_it_left_a_checkpoint(
    clip: Path, tmp_path: Path, checkpoint_every: int
) -> None:
    """With such a learning rate the second loss is no number."""
    diverging = words(
        clip, tmp_path, optimiser__lr_generator="1e30", total_iterations=20, intervals__checkpoint=checkpoint_every
    )
    plan, budget = plan_of(10.0, even_pace(0.06)), budget_of(InventedClocks())
    if checkpoint_every:
        error = run_training(diverging, tmp_path / "run", plan, budget, None)
        assert "training stopped; the last good checkpoint is" in str(error)
        assert load_generator(tmp_path / "run").iterations == 1
    else:
        with pytest.raises(TrainingError, match="there is no checkpoint yet"):
            run_training(diverging, tmp_path / "run", plan, budget, None)


def test_a_crop_in_which_nothing_moves_is_refused_before_training(tmp_path: Path) -> None:
    frames = np.full((60, 64, 64, 3), 90, np.uint8)
    frames[:, 8:24, 8:24] = (np.arange(60) % 7 * 20)[:, None, None, None]
    path = write_clip(tmp_path / "corner.mp4", frames, noise(3.0))
    with pytest.raises(TrainingError, match=r"Nothing moves in the crop 32,32,32,32 of .*corner.mp4; choose a crop"):
        main(arguments(path, tmp_path, "--minutes", "5", "--size", "32", "--crop", "32,32,32,32"))
    assert not (tmp_path / "run").exists()


def test_the_plan_alone_writes_no_run(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(clip, tmp_path, "--plan", "--minutes", "3", "--size", "32x64", "--crop", "0,0,16,32")) == 0
    printed = capsys.readouterr().out
    # Settings that only one family knows leave no other choice.
    assert "family    listen_and_move: " in printed
    assert "crop      0,0,16,32: from --crop" in printed
    assert "3 minutes in total" in printed
    assert not (tmp_path / "run").exists()


def test_a_clip_of_high_definition_is_planned_with_textures_of_its_own_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = moving_clip(tmp_path / "high.mp4", seconds=3.0, size=720, width=1280)
    assert main(arguments(path, tmp_path, "--plan", "--minutes", "3", small=LAYERED)) == 0
    printed = capsys.readouterr().out
    assert "family    modal: " in printed
    assert "model     912x512, textures of up to twice its size; " in printed


def test_a_size_among_the_settings_is_planned_for(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The clip is 48 pixels wide and 64 high; a square crop is not squeezed."""
    settings = {"model.image_size": "32"}
    assert main(arguments(clip, tmp_path, "--plan", "--minutes", "3", **settings)) == 0
    printed = capsys.readouterr().out
    crop = next(line for line in printed.splitlines() if line.startswith("crop"))
    width, height = crop.split()[1].rstrip(":").split(",")[2:]
    assert width == height
    assert "model     32x32, " in printed


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--minutes", "0"], "--minutes is 0"),
        (["--minutes", "-3"], "--minutes is -3"),
        (["--minutes", "nan"], "--minutes is nan"),
        (["--crop", "0,0,64,64"], "reaches outside"),
        (["--size", "100"], "--size is 100; both sides must be multiples of 8"),
        (["--size", "64x32", "--crop", "0,0,16,32"], "another shape; give a --size of the crop's shape"),
        (["--size", "32", "--shape", "16:9"], "--shape and --size both give the frame a shape"),
        (
            ["--size", "32", "--set", "model.image_size=32"],
            "--size and --set model.image_size both give the frame a size",
        ),
        (["--shape", "16:9", "--set", "model.image_size=32"], "--shape and --set model.image_size both give"),
        (["--set", "model.image_size=16"], "--set model.image_size is 16; 32 pixels or more"),
        (["--shape", "16x9"], "--shape is '16x9'"),
        (["--set", "losses.l9=1"], r"losses\.l9"),
        (["--set", "losses.l1"], "has no '='"),
        (["--config", "configs/train/absent.yaml"], "Cannot read the configuration"),
        (["--family", "listen"], r"There is no family 'listen'.*Choose from: listen_and_move, modal"),
        (["--family", "modal"], r"Unknown setting 'model\.generator\.channels_base'"),
        (["--family", "modal", "--set", "model.family=modal"], "--family and --set model.family both name the family"),
        (
            ["--family", "modal", "--config", "configs/train/tiny.yaml"],
            "is for the family 'listen_and_move'; leave one",
        ),
    ],
)
def test_wrong_flags_are_refused_with_a_sentence(clip: Path, tmp_path: Path, flags: list[str], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        main(arguments(clip, tmp_path, *flags))
    assert not (tmp_path / "run").exists()


def test_a_mistake_on_the_command_line_is_one_sentence_without_usage(clip: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--minutes is 'ten'; a number was expected\.$"):
        main([str(clip), "--minutes", "ten"])


def test_a_clip_that_is_missing_leaves_with_code_2() -> None:
    command = [sys.executable, "-m", "training.teach", "absent.mp4"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert found.returncode == 2
    assert found.stderr.strip() == "error: There is no file absent.mp4; give the path of a sound or video file."


@pytest.mark.parametrize(
    ("file", "name"),
    [("a/My clip (1).mp4", "My_clip_1"), ("übung.mov", "übung"), ("...mp4", "clip"), ("!!.mp4", "clip")],
)
def test_the_model_is_named_after_the_file(file: str, name: str) -> None:
    assert model_name(Path(file)) == name
