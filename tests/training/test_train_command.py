"""The command line: flags, dry run, training, Ctrl-C in a process of its own, resuming."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip
from tests.training.runs import ONE_THREAD, TINY, words
from training.logging.records import read_records
from training.loop.checkpoint import find_checkpoint, load_generator
from training.loop.run_folder import checkpoint_folder
from training.train import argument_parser, main, overrides


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


def test_a_dry_run_prints_what_was_resolved_and_writes_nothing(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(clip, tmp_path, "--iterations", "7", "--minutes", "2", "--dry-run")) == 0
    printed, _, sizes = capsys.readouterr().out.partition("\n---\n")
    resolved = yaml.safe_load(printed)
    assert (resolved["total_iterations"], resolved["minutes"], resolved["clip"]["path"]) == (7, 2.0, str(clip))
    assert resolved["losses"]["adversarial"] == "hinge"
    for line in ("generator", "image discriminator", "video discriminator", "[1, 4, 3, 16, 16]"):
        assert line in sizes
    assert list(tmp_path.iterdir()) == []


def test_a_run_trains_refuses_to_be_overwritten_resumes_and_says_that_it_is_finished(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(clip, tmp_path, "--iterations", "2")) == 0
    with pytest.raises(TrainingError, match=r"holds a run already; continue it with --resume"):
        main(words(clip, tmp_path, "--iterations", "2"))
    run, cache = tmp_path / "run", ["--cache-folder", str(tmp_path / "cache")]
    assert main(["--resume", str(run), "--iterations", "3", *cache]) == 0
    assert load_generator(run).iterations == 3
    capsys.readouterr()
    stats = (run / "stats.jsonl").read_bytes()
    assert main(["--resume", str(run), *cache]) == 0
    assert f"{run} is finished: 3 iterations" in capsys.readouterr().out
    assert (run / "stats.jsonl").read_bytes() == stats
    with pytest.raises(TrainingError, match=r"trained with other settings: losses\.l1 1\.0 -> 2\.0; leave them"):
        main(["--resume", str(run), "--set", "losses.l1=2", "--iterations", "4", *cache])


def test_a_damaged_checkpoint_is_said_and_the_one_before_used(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, cache = tmp_path / "run", ["--cache-folder", str(tmp_path / "cache")]
    assert main(words(clip, tmp_path, "--iterations", "2", intervals__checkpoint=1)) == 0
    whole = (checkpoint_folder(run, 2) / "training.safetensors").read_bytes()
    (checkpoint_folder(run, 2) / "training.safetensors").write_bytes(whole[:1000])
    with pytest.raises(TrainingError, match="is damaged or missing"):
        main(["--resume", str(checkpoint_folder(run, 2)), *cache])
    capsys.readouterr()
    assert main(["--resume", str(run), *cache]) == 0
    notices = [line for line in capsys.readouterr().err.splitlines() if line.startswith("notice:")]
    assert len(notices) == 1
    assert "0000002/training.safetensors is damaged" in notices[0]
    assert f"; continuing from {checkpoint_folder(run, 1)}." in notices[0]
    assert (checkpoint_folder(run, 2) / "training.safetensors").read_bytes() == whole
    with pytest.raises(TrainingError, match=r"holds checkpoints after 0000001 \(0000002\)"):
        main(["--resume", str(checkpoint_folder(run, 1)), *cache])


def test_a_new_run_starts_from_the_weights_of_another(clip: Path, tmp_path: Path) -> None:
    cache = ["--cache-folder", str(tmp_path / "cache")]
    assert main(words(clip, tmp_path, "--iterations", "2")) == 0
    source, new = str(tmp_path / "run"), str(tmp_path / "new")
    other = moving_clip(tmp_path / "other.mp4", seconds=2.5)
    begin = ["--from", source, "--clip", str(other), "--set", "losses.l1=3", *cache]
    with pytest.raises(TrainingError, match="holds a run already"):
        main([*begin, "--run-folder", source])
    with pytest.raises(TrainingError, match=r"do not fit: model\.generator\.motion_layers 3 -> 2; leave"):
        main([*begin, "--run-folder", new, "--set", "model.generator.motion_layers=2"])
    with pytest.raises(TrainingError, match="Both --resume and --from"):
        main([*begin, "--resume", source])
    assert main([*begin, "--run-folder", new, "--iterations", "1", "--set", "optimiser.lr_generator=1e-12"]) == 0
    before, after = load_generator(Path(source)), load_generator(Path(new))
    assert after.iterations == 1
    assert after.provenance.source == "clip.mp4; then other.mp4"
    weight = "generator.blocks.0.skip.weight"
    torch.testing.assert_close(after.model.state_dict()[weight], before.model.state_dict()[weight], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "Nothing to train"),
        ([TINY], "names no clip"),
        ([TINY, "--clip", "absent.mp4"], "absent.mp4 does not exist"),
        ([TINY, "--set", "losses.l1"], "has no '='"),
        ([TINY, "--set", "losses.l9=1"], r"losses\.l9"),
        (["configs/train/absent.yaml"], "Cannot read the configuration"),
        (["--resume", "absent"], "neither a checkpoint nor a run folder"),
        (["--from", "absent"], "neither a checkpoint nor a run folder"),
    ],
)
def test_wrong_flags_are_a_sentence(tmp_path: Path, flags: list[str], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        main([*flags, "--run-folder", str(tmp_path / "run")] if "--resume" not in flags else flags)


@pytest.mark.parametrize(
    ("text", "value"), [("1e-5", 1e-5), ("-1", -1), ('"-1"', "-1"), ("'nan'", "nan"), ("ger", "ger")]
)
def test_a_setting_is_a_number_unless_it_is_quoted(text: str, value: object) -> None:
    assert overrides(argument_parser().parse_args(["--set", f"clip.track={text}"])) == {"clip.track": value}


def test_a_clip_that_is_too_short_says_how_long_it_must_be(tmp_path: Path) -> None:
    short = moving_clip(tmp_path / "short.mp4", seconds=0.2)
    with pytest.raises(TrainingError, match=r"has 4 frames .* at least 10 are needed"):
        main(words(short, tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C reaches a whole console group on Windows")
def test_control_c_writes_a_checkpoint_and_leaves(clip: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "training.train",
        *words(clip, tmp_path, "--iterations", "100000", "--set", "intervals.log=1"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ONE_THREAD)
    stats = tmp_path / "run" / "stats.jsonl"
    deadline = time.monotonic() + 60
    while (
        not any("l1" in record for record in read_records(stats))
        and time.monotonic() < deadline
        and process.poll() is None
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "--resume" in output
    assert "Traceback" not in errors
    assert "interrupted" in (tmp_path / "run" / "report.html").read_text()
    assert int(find_checkpoint(tmp_path / "run").name) >= 1


def test_another_clip_takes_neither_name_nor_licence_of_the_configurations_own(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["configs/train/demo.yaml", "--clip", str(clip), "--set", "clip.source=mine", "--dry-run"]) == 0
    resolved = yaml.safe_load(capsys.readouterr().out.partition("---")[0])
    assert resolved["model"]["name"] == "clip"
    assert (resolved["clip"]["title"], resolved["clip"]["source"], resolved["clip"]["licence"]) == (
        "",
        "mine",
        "unknown",
    )


def test_what_was_asked_for_is_blamed_not_the_file(clip: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"Unknown setting 'nonsense' \(asked for beside tiny\.yaml; docs/options\.md"
    ):
        main([TINY, "--clip", str(clip), "--set", "nonsense=1"])


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "..", "", "a\\\\b"])
def test_the_name_of_a_model_leads_to_no_other_folder(name: str) -> None:
    with pytest.raises(TrainingError, match="which cannot be the name of a run folder; choose one with --run-folder"):
        main([TINY, "--set", f'model.name="{name}"', "--set", "clip.path=absent.mp4"])
