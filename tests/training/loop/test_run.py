"""A run leaves what it should, and stops with a sentence."""

import contextlib
import json
import sys
from pathlib import Path

import pytest
import torch

from engine.core.errors import TrainingError
from tests.training.clips import noise, write_wav
from tests.training.loop.limits import files_no_larger_than
from tests.training.runs import PLAIN
from tests.training.runs import small_config as config
from training.data.clip_sound import read_sound
from training.data.config import ClipConfig, SamplesConfig
from training.data.footage import Footage
from training.data.frames import read_frames
from training.data.training_sound import segments_sound
from training.data.video import Clip, ClipFormat
from training.logging.records import read_records
from training.loop.checkpoint import best_checkpoint, load_generator, read_checkpoint
from training.loop.config import IntervalConfig
from training.loop.run import Run
from training.loop.run_folder import checkpoint_folders
from training.train import RUN_OUTPUTS

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_run_leaves_checkpoint_samples_and_statistics(clip: Clip, tmp_path: Path) -> None:
    settings = config(intervals=IntervalConfig(log=2, sample=4, checkpoint=2, checkpoints_kept=1), total_iterations=5)
    found = Run(settings, clip, tmp_path, RUN_OUTPUTS).run()
    assert found is not None
    assert 0.0 < found.mean_frame_l1 < 1.0
    assert [folder.name for folder in checkpoint_folders(tmp_path)] == ["0000005"]
    assert sorted(file.name for file in (tmp_path / "samples").iterdir()) == [
        f"000000{i}.{kind}" for i in (4, 5) for kind in ("mp4", "png")
    ]
    records = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert [record["iteration"] for record in records if "l1" in record] == [2, 4, 5]
    assert [record["iteration"] for record in records if "validation" in record] == [4, 5]
    assert [record["event"] for record in records if "event" in record] == ["started", "finished"]
    assert "Held-out error" in (tmp_path / "report.html").read_text()
    loaded = load_generator(tmp_path)
    assert loaded.iterations == 5
    assert (
        loaded.training_sound
        == read_checkpoint(tmp_path).training_sound
        == segments_sound(
            Footage.of([clip], settings.sequence_frames, settings.clip.tuning_share).training, settings.clip_title()
        )
    )


def test_a_title_with_a_line_break_does_not_stop_a_run(clip: Clip, tmp_path: Path) -> None:
    run = Run(config(clip=ClipConfig(title="one\ntwo \udcff")), clip, tmp_path, RUN_OUTPUTS)
    assert run.training_sound.sound.startswith(r"one\ntwo \udcff, ")


def test_the_best_checkpoint_is_kept_beside_the_newest(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(PLAIN, intervals=IntervalConfig(checkpoint=1, checkpoints_kept=1), total_iterations=5)
    run = Run(settings, clip, tmp_path, RUN_OUTPUTS)
    losses = iter([0.5, 0.2, 0.3, 0.2, 0.4])
    monkeypatch.setattr(run.trainer, "tuning_loss", lambda: next(losses))
    run.run()
    assert [folder.name for folder in checkpoint_folders(tmp_path)] == ["0000004", "0000005"]
    assert best_checkpoint(tmp_path) == tmp_path / "checkpoints" / "0000004"
    assert read_checkpoint(tmp_path).tuning_loss == 0.4


def test_without_a_tuning_part_no_checkpoint_is_the_best(clip: Clip, tmp_path: Path) -> None:
    Run(config(PLAIN, clip=ClipConfig(tuning_share=0.0)), clip, tmp_path, RUN_OUTPUTS).run()
    assert best_checkpoint(tmp_path) is None
    assert read_checkpoint(tmp_path).tuning_loss is None


def test_sounds_from_outside_are_played_at_each_sample_with_their_sound(clip: Clip, tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write_wav(tmp_path / name, noise(3.0)[0])
    (tmp_path / "more").mkdir()
    write_wav(tmp_path / "more" / "b.wav", noise(0.5)[0])
    sounds = tuple(str(tmp_path / name) for name in ("a.wav", "b.wav", "more/b.wav"))
    settings = config(PLAIN, intervals=IntervalConfig(sample=2), samples=SamplesConfig(sounds=sounds, seconds=1.0))
    Run(settings, clip, tmp_path / "run", RUN_OUTPUTS).run()
    written = sorted(file.name for file in (tmp_path / "run" / "samples").glob("*-*.mp4"))
    assert written == sorted(f"000000{i}-{name}.mp4" for i in (2, 4) for name in ("a", "b-wav", "b-wav-2"))
    for name, seconds in (("a", 1.0), ("b-wav-2", 0.5)):
        video = tmp_path / "run" / "samples" / f"0000004-{name}.mp4"
        frames = list(read_frames(video, ClipFormat(fps=20, image_size=16, sample_rate_hz=16000)))
        assert len(frames) == round(20 * seconds)
        assert len(read_sound(video, 16000)) == pytest.approx(16000 * seconds, abs=1100)
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("<video") == 4
    assert "b-wav-2" in page


@pytest.mark.parametrize("name", ["absent.wav", "text.wav"])
def test_a_sound_that_cannot_be_read_is_told_before_the_training(clip: Clip, tmp_path: Path, name: str) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    settings = config(PLAIN, samples=SamplesConfig(sounds=(str(tmp_path / name),)))
    with pytest.raises(TrainingError, match=rf"samples\.sounds.*{name}|{name}.*samples\.sounds"):
        Run(settings, clip, tmp_path / "run", RUN_OUTPUTS)


def test_a_request_to_stop_writes_a_checkpoint(clip: Clip, tmp_path: Path) -> None:
    run = Run(config(total_iterations=1000), clip, tmp_path, RUN_OUTPUTS)
    whole_step = run.trainer.step

    def step_then_ask(progress: float) -> dict[str, torch.Tensor]:
        run.stop_requested = run.trainer.iteration == 2
        return whole_step(progress)

    run.trainer.step = step_then_ask  # type: ignore[method-assign]
    assert run.run() is None
    assert read_checkpoint(tmp_path).iterations == 3


def test_a_run_killed_after_its_last_validation_makes_no_second_one(clip: Clip, tmp_path: Path) -> None:
    """Killed between that and the record of the end, it is validated again when it is resumed."""
    settings = config(PLAIN, total_iterations=2)
    Run(settings, clip, tmp_path, RUN_OUTPUTS).run()
    records = read_records(tmp_path / "stats.jsonl")
    assert records[-1]["event"] == "finished"
    (tmp_path / "stats.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records[:-1]))
    assert Run(settings, clip, tmp_path, RUN_OUTPUTS, read_checkpoint(tmp_path)).run() is not None
    again = read_records(tmp_path / "stats.jsonl")
    assert [r["validation"] for r in again if "validation" in r] == [
        r["validation"] for r in records if "validation" in r
    ]
    assert [r["event"] for r in again if "event" in r] == ["started", "resumed", "finished"]


def test_a_limit_of_time_ends_the_run(clip: Clip, tmp_path: Path) -> None:
    run = Run(config(PLAIN, minutes=0.5 / 60, total_iterations=100000), clip, tmp_path, RUN_OUTPUTS)
    run.run()
    assert 0 < run.trainer.iteration < 1000
    assert run.progress() == 1.0


def test_a_loss_that_is_no_number_stops_and_names_the_last_good_checkpoint(clip: Clip, tmp_path: Path) -> None:
    run = Run(config(PLAIN), clip, tmp_path, RUN_OUTPUTS)
    run.trainer.step()
    folder = run.save()
    with torch.no_grad():
        run.trainer.model.generator.seed.conv.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="'l1' is nan") as caught:
        run.run()
    assert f"the last good checkpoint is {folder}; try lower rates: --from {folder}" in str(caught.value)
    assert "optimiser.lr_generator=0.0015" in str(caught.value)
    assert not any(torch.isnan(value).any() for value in load_generator(tmp_path).model.state_dict().values())
    assert str(caught.value) == read_records(tmp_path / "stats.jsonl")[-1]["why"]
    assert "stopped by an error" in (tmp_path / "report.html").read_text()


def test_weights_that_broke_in_the_last_step_are_not_kept(clip: Clip, tmp_path: Path) -> None:
    """The loss of an iteration is that of the weights before it: a checkpoint right after it could already be broken."""
    run = Run(config(PLAIN, intervals=IntervalConfig(log=0, sample=0, checkpoint=1)), clip, tmp_path, RUN_OUTPUTS)
    whole_step = run.trainer.step

    def step_then_break(progress: float) -> dict[str, torch.Tensor]:
        terms = whole_step(progress)
        if run.trainer.iteration == 2:
            with torch.no_grad():
                run.trainer.model.generator.seed.conv.weight[0] = float("inf")
        return terms

    run.trainer.step = step_then_break  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match=r"seed\.conv\.weight' is no finite number after 2 iterations"):
        run.run()
    assert [folder.name for folder in checkpoint_folders(tmp_path)] == ["0000001"]


def test_validation_and_samples_leave_the_random_numbers_alone(clip: Clip, tmp_path: Path) -> None:
    ends: list[dict[str, torch.Tensor]] = []
    for sample in (0, 1):
        settings = config(intervals=IntervalConfig(log=1, sample=sample, checkpoint=0), total_iterations=3)
        torch.manual_seed(5)
        run = Run(settings, clip, tmp_path / str(sample), RUN_OUTPUTS)
        everywhere = torch.get_rng_state()
        run.run()
        assert torch.equal(torch.get_rng_state(), everywhere)
        ends.append(run.trainer.checkpoint(0.0).training)
    assert all(torch.equal(ends[1][name], value) for name, value in ends[0].items())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of file sizes")
def test_a_full_disk_stops_nothing_but_the_end(clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The disk is full from the third iteration to the fifth, and again at the end."""
    settings = config(intervals=IntervalConfig(log=1, sample=3, checkpoint=1, checkpoints_kept=1), total_iterations=8)
    run = Run(settings, clip, tmp_path, RUN_OUTPUTS)
    whole_step, full = run.trainer.step, contextlib.ExitStack()

    def step_on_a_changing_disk(progress: float) -> dict[str, torch.Tensor]:
        if run.trainer.iteration in (2, 7):
            size = (tmp_path / "stats.jsonl").stat().st_size
            full.enter_context(files_no_larger_than(size + 10))
        if run.trainer.iteration == 5:
            full.close()
        return whole_step(progress)

    run.trainer.step = step_on_a_changing_disk  # type: ignore[method-assign]
    with full, pytest.raises(TrainingError, match=r"Cannot write the checkpoint .*0000008") as caught:
        run.run()
    last = tmp_path / "checkpoints" / "0000007"
    assert str(caught.value).endswith(f"; go on with --resume {tmp_path}, the last good checkpoint is {last}.")
    best = best_checkpoint(tmp_path)
    assert checkpoint_folders(tmp_path) == sorted({last, best or last})
    assert read_checkpoint(tmp_path).iterations == 7
    notices = [line for line in capsys.readouterr().err.splitlines() if "notice" in line]
    for what in ("a checkpoint", "stats.jsonl", "the TensorBoard log", "a contact sheet"):
        failed, again = f"notice: {what} could not be written (", f"notice: {what} can be written again"
        assert sum(failed in line for line in notices) in (1, 2), (what, notices)
        assert what == "a contact sheet" or sum(again in line for line in notices) == 1
    logged = [record["iteration"] for record in read_records(tmp_path / "stats.jsonl") if "l1" in record]
    assert logged == [1, 2, 6, 7]
    assert [path for path in tmp_path.rglob("*.part")] == []
