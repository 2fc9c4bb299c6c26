"""Run log: TensorBoard's own reader finds its events, and a resumed run records nothing twice."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training.logging.event_log import EventLog
from training.logging.records import append_record, drop_after, read_records
from training.logging.run_log import RunLog


def test_tensorboard_finds_curves_images_animations_and_sound(tmp_path: Path) -> None:
    log = EventLog(tmp_path, 1)
    frames = np.random.default_rng(0).integers(0, 255, (5, 8, 16, 3)).astype(np.uint8)
    tone = np.sin(np.arange(1600) / 10).astype(np.float32)
    log.scalar("loss/l1", 0.5, 3)
    log.image("sheet", frames[0], 3)
    log.video("sample", frames, 10, 3)
    log.sound("sound", tone, 16000, 3)
    found = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in found.Scalars("loss/l1")] == [(3, 0.5)]
    (tmp_path / "sample.gif").write_bytes(found.Images("sample")[0].encoded_image_string)
    with Image.open(tmp_path / "sample.gif") as animation:
        assert (animation.format, animation.n_frames, animation.size) == ("GIF", 5, (16, 8))
        assert animation.info["duration"] == 100
    assert found.Images("sheet")[0].encoded_image_string.startswith(b"\x89PNG")
    sound = found.Audio("sound")[0]
    assert (sound.sample_rate, sound.length_frames, sound.content_type) == (16000, 1600, "audio/wav")


def test_tensorboard_drops_events_that_a_resumed_run_writes_again(tmp_path: Path) -> None:
    first = EventLog(tmp_path, 1)
    for step in range(1, 8):
        first.scalar("l1", step, step)
    resumed = EventLog(tmp_path, 5)
    resumed.path = resumed.path.with_name(first.path.name + ".2")
    for step in range(5, 9):
        resumed.scalar("l1", 10 * step, step)
    found = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in found.Scalars("l1")] == [
        *((step, step) for step in range(1, 5)),
        *((step, 10 * step) for step in range(5, 9)),
    ]


def test_losses_are_means_and_quality_stands_apart_from_them(tmp_path: Path) -> None:
    with RunLog(tmp_path, 2, 0) as log:
        log.add({"l1": torch.tensor(0.5)}, 0.5, 1.0)
        log.add({"l1": torch.tensor(0.25), "psnr_db": torch.tensor(20.0)}, 1.0, 2.0)
        log.log(2, 2.0, 0.125)
    (record,) = read_records(tmp_path / "stats.jsonl")
    assert record == {"iteration": 2, "elapsed_s": 2.0, "learning_rate": 0.125, "l1": 0.375, "psnr_db": 20.0}
    found = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert found.Tags()["scalars"] == ["loss/l1", "quality/psnr_db", "learning_rate"]


def test_records_after_a_checkpoint_and_incomplete_lines_are_dropped_and_events_stay(tmp_path: Path) -> None:
    file = tmp_path / "stats.jsonl"
    assert read_records(file) == []
    drop_after(file, 0)
    for iteration in (2, 4, 6):
        append_record(file, {"iteration": iteration, "elapsed_s": 1.0, "l1": 0.5})
    append_record(file, {"iteration": 6, "event": "notice"})
    with file.open("ab") as opened:
        opened.write(b'[1]\n{"iteration": "x"}\n{"iteration": 8, "l1"')
    drop_after(file, 4)
    append_record(file, {"iteration": 6, "elapsed_s": 1.0, "l1": 0.25})
    assert [(r["iteration"], r.get("l1")) for r in read_records(file)] == [(2, 0.5), (4, 0.5), (6, None), (6, 0.25)]
    assert len(file.read_text().splitlines()) == 4
    append_record(file, {"iteration": 6, "validation": {"l1": 0.1, "mean_frame_l1": 0.2, "motion_share": 0.8}})
    drop_after(file, 6, validated=5)
    assert len(read_records(file)) == 4
