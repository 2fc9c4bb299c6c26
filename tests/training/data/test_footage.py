"""One clip or several, from video files or recordings in the layout of Sub-URMP."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.errors import MediaError, TrainingError
from engine.media.cleaning import cleaned
from tests.training.clips import (
    RATE_HZ,
    moving_clip,
    noise,
    numbered_frames,
    numbers_of,
    write_clip,
    write_recording,
    write_wav,
)
from training.data.config import ClipConfig
from training.data.footage import (
    MOST_NOTICES,
    Footage,
    footage_sha256,
    load_footage,
    mean_frame,
    most_spread,
    spread_frames,
)
from training.data.sources import file_digest
from training.data.video import Clip, ClipFormat
from training.data.windows import FrameRange, Segment, frame_tensor
from training.loop.config import TrainConfig

FORMAT = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ)
TEN = dataclasses.replace(FORMAT, fps=10)
STEPS = 8


def load(config: ClipConfig, folder: Path, clip_format: ClipFormat = FORMAT) -> Footage:
    return load_footage(config, clip_format, STEPS, folder / "cache")


def made_clip(count: int, level: int = 100) -> Clip:
    return Clip(np.full((count, 4, 4, 3), level, np.uint8), noise(count / 20)[0], FORMAT, f"{count}.mp4")


def test_one_video_is_one_clip(tmp_path: Path) -> None:
    path = moving_clip(tmp_path / "clip.mp4")
    footage = load(ClipConfig(path=str(path)), tmp_path)
    assert [(s.clip.file, s.frame_range) for s in footage.training] == [(str(path), FrameRange(0, 42))]
    assert [(s.clip.file, s.frame_range) for s in footage.tuning] == [(str(path), FrameRange(42, 48))]
    assert [(s.clip.file, s.frame_range) for s in footage.validation] == [(str(path), FrameRange(48, 60))]
    assert (footage.notices(), footage.format) == ([], FORMAT)
    assert footage_sha256(ClipConfig(path=str(path))) == file_digest(path)


def test_every_clip_is_split_by_itself(tmp_path: Path) -> None:
    paths = [str(moving_clip(tmp_path / f"{seconds}.mp4", seconds)) for seconds in (3.0, 1.0)]
    config = ClipConfig(path=paths[0], more=(paths[1],))
    footage = load(config, tmp_path)
    assert [s.frame_range for s in footage.training] == [FrameRange(0, 42), FrameRange(0, 14)]
    assert [s.frame_range for s in footage.tuning] == [FrameRange(42, 48), FrameRange(14, 16)]
    assert [s.frame_range for s in footage.validation] == [FrameRange(48, 60), FrameRange(16, 20)]
    assert footage_sha256(config) not in (footage_sha256(ClipConfig(path=path)) for path in paths)


def test_the_list_can_be_given_in_a_file_of_settings() -> None:
    config = TrainConfig.from_dict({"clip": {"path": "a.mp4", "more": ["b.mp4", "c.mp4"]}})
    assert config.clip.paths() == [Path("a.mp4"), Path("b.mp4"), Path("c.mp4")]
    assert TrainConfig.from_dict(config.to_dict()) == config


def test_a_clip_that_is_too_short_is_left_out_and_named() -> None:
    footage = Footage.of([made_clip(40), made_clip(6), made_clip(20)], STEPS)
    assert [len(s.clip.frames_NHWC) for s in footage.training] == [40, 20]
    left_out, *of_clips = footage.notices()
    assert left_out.startswith("left out: 6.mp4 has 6 frames")
    assert of_clips == [
        f"{name}.mp4: one still frame from start to end; the model cannot learn to move." for name in (40, 20)
    ]
    with pytest.raises(TrainingError, match=r"^6\.mp4 has 6 frames"):
        Footage.of([made_clip(6)], STEPS)
    with pytest.raises(TrainingError, match=r"None of 2 clips is long enough; 6\.mp4 has 6 frames"):
        Footage.of([made_clip(6), made_clip(7)], STEPS)


def test_of_hundreds_of_notices_a_few_are_told_and_how_many_there_are() -> None:
    footage = Footage.of([made_clip(count) for count in range(20, 320)], STEPS)
    told = footage.notices()
    assert len(told) == MOST_NOTICES + 1
    assert told[0].startswith("20.mp4: one still frame")
    assert told[-1] == "288 more such notices."
    one_more = Footage.of([made_clip(count) for count in range(20, 20 + MOST_NOTICES + 1)], STEPS)
    assert len(one_more.notices()) == MOST_NOTICES + 1
    assert one_more.notices()[-1].startswith("32.mp4")


def test_every_clip_is_checked(tmp_path: Path) -> None:
    silent = write_clip(tmp_path / "silent.mp4", numbered_frames(20), np.zeros((1, RATE_HZ), np.float32))
    config = ClipConfig(path=str(moving_clip(tmp_path / "clip.mp4")), more=(str(silent),))
    (notice,) = load(config, tmp_path).notices()
    assert "silent.mp4: the sound track is silent" in notice
    with pytest.raises(TrainingError, match=r"absent\.mp4 does not exist"):
        load(dataclasses.replace(config, more=("absent.mp4",)), tmp_path)
    with pytest.raises(TrainingError, match=r"clip\.path is empty"):
        load(ClipConfig(), tmp_path)


def test_mean_and_spread_cover_the_training_parts_and_nothing_else() -> None:
    footage = Footage.of([made_clip(200, 0), made_clip(100, 255)], STEPS)
    for segment in footage.validation:
        segment.clip.frames_NHWC[segment.frame_range.first :] = 90
    torch.testing.assert_close(footage.mean_frame(), torch.full((3, 4, 4), -1 / 3))
    assert footage.spread_frames().mean(dim=(1, 2, 3)).tolist() == [-1.0] * 160 + [1.0] * 80
    few = footage.spread_frames(6).mean(dim=(1, 2, 3))
    assert few.tolist() == [-1.0] * 4 + [1.0] * 2


def test_fewer_large_frames_are_spread() -> None:
    assert [most_spread(*size) for size in ((512, 512), (720, 1280), (4320, 7680))] == [256, 75, 16]
    clip = dataclasses.replace(made_clip(90), format=dataclasses.replace(FORMAT, image_size="1280x720"))
    assert len(spread_frames([Segment(clip, FrameRange(0, 90))])) == 75


def test_the_mean_of_a_segment_is_the_mean_of_its_frames() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (150, 4, 6, 3)).astype(np.uint8)
    clip = Clip(frames, noise(7.5)[0], FORMAT, "made.mp4")
    found = mean_frame([Segment(clip, FrameRange(20, 149))])
    torch.testing.assert_close(found, frame_tensor(clip, 20, 129).mean(dim=0), atol=1e-6, rtol=0)


def test_a_folder_of_videos_is_one_clip_each(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("b.mp4", "a.MP4"):
        moving_clip(folder / name)
    (folder / "a.json").write_text("{}")
    footage = load(ClipConfig(path=str(folder)), tmp_path)
    assert [Path(segment.clip.file).name for segment in footage.training] == ["a.MP4", "b.mp4"]
    assert footage_sha256(ClipConfig(path=str(folder))) == footage_sha256(
        ClipConfig(path=str(folder / "a.MP4"), more=(str(folder / "b.mp4"),))
    )


# Sub-URMP

SOUND = noise(4.0, seed=3)[0]


def test_a_recording_is_a_clip_with_one_continuous_track(tmp_path: Path) -> None:
    folder = write_recording(tmp_path, "cello03", numbered_frames(30), SOUND)
    footage = load(ClipConfig(path=str(folder)), tmp_path, TEN)
    (segment,) = footage.training
    assert numbers_of(segment.clip.frames_NHWC) == list(range(30))
    assert len(segment.clip.sound_S) == 3 * RATE_HZ
    np.testing.assert_allclose(segment.clip.sound_S, cleaned(SOUND[: 3 * RATE_HZ], RATE_HZ)[0], atol=1e-4)
    assert segment.clip.file == f"{folder / 'cello03'} from 0.5 s"
    assert segment.frame_range == FrameRange(0, 21)


def test_a_recording_at_another_rate_repeats_frames(tmp_path: Path) -> None:
    folder = write_recording(tmp_path, "cello03", numbered_frames(20), SOUND)
    footage = load(ClipConfig(path=str(folder)), tmp_path, FORMAT)
    assert numbers_of(footage.training[0].clip.frames_NHWC) == [k // 2 for k in range(40)]


def test_every_recording_of_the_instrument_is_a_clip_and_a_gap_makes_two(tmp_path: Path) -> None:
    write_recording(tmp_path, "cello10", numbered_frames(16), SOUND)
    folder = write_recording(tmp_path, "cello03", numbered_frames(40), SOUND)
    (folder / "cello03_2500.jpg").unlink()
    (tmp_path / "chunk" / "train" / "cello" / "cello10_2000.wav").unlink()
    (folder / "notes.txt").write_text("no frame")
    footage = load(ClipConfig(path=str(folder)), tmp_path, TEN)
    assert [Path(s.clip.file).name for s in footage.training] == [
        "cello03 from 0.5 s",
        "cello03 from 2.6 s",
        "cello10 from 0.5 s",
    ]
    assert [len(s.clip.frames_NHWC) for s in footage.training] == [20, 19, 15]
    np.testing.assert_allclose(
        footage.training[1].clip.sound_S, cleaned(SOUND[int(2.1 * RATE_HZ) :], RATE_HZ)[0], atol=1e-4
    )


def test_the_only_instrument_is_found_from_above(tmp_path: Path) -> None:
    folder = write_recording(tmp_path / "set", "cello03", numbered_frames(20), SOUND)
    for place in (folder, folder.parent, folder.parent.parent, tmp_path / "set"):
        assert len(load(ClipConfig(path=str(place)), tmp_path, TEN).training) == 1
    write_recording(tmp_path / "set", "horn01", numbered_frames(20), SOUND, instrument="horn")
    with pytest.raises(
        TrainingError, match=r"several instruments \(img/train/cello, img/train/horn …\); give the folder"
    ):
        load(ClipConfig(path=str(tmp_path / "set")), tmp_path, TEN)


def test_the_original_s_notation_names_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "a+b"
    folder = write_recording(root, "cello03", numbered_frames(20), SOUND)
    config, written = ClipConfig(path=str(folder)), ClipConfig(path=f"{root}+train+cello", more=(f"{root}+train+horn",))
    assert written.paths() == [folder, root / "img" / "train" / "horn"]
    assert footage_sha256(ClipConfig(path=written.path)) == footage_sha256(config)
    with pytest.raises(TrainingError, match=r"img/train/horn does not exist; give .* the layout of Sub-URMP"):
        load(written, tmp_path, TEN)
    (tmp_path / "x+y+z").mkdir()
    assert ClipConfig(path=str(tmp_path / "x+y+z")).paths() == [tmp_path / "x+y+z"]
    assert ClipConfig(path="absent+train+cello").paths() == [Path("absent+train+cello")]


def test_video_and_recordings_together(tmp_path: Path) -> None:
    folder = write_recording(tmp_path, "cello03", numbered_frames(20), SOUND)
    config = ClipConfig(path=str(moving_clip(tmp_path / "clip.mp4")), more=(str(folder),))
    assert [len(s.clip.frames_NHWC) for s in load(config, tmp_path).training] == [60, 40]


def test_folders_of_another_layout_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is a folder without img/SPLIT/INSTRUMENT"):
        load(ClipConfig(path=str(tmp_path)), tmp_path)
    folder = write_recording(tmp_path, "cello03", numbered_frames(20), SOUND)
    shutil.rmtree(tmp_path / "chunk")
    with pytest.raises(TrainingError, match=r"holds no frame .* with its sound in"):
        load(ClipConfig(path=str(folder)), tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("img/train/cello/cello03_700.jpg", b"no image", "cello03_700.jpg is not a readable image"),
        (
            "chunk/train/cello/cello03_700.wav",
            b"no sound",
            r"cello03_700.wav is not a sound or video file that can be read",
        ),
    ],
)
def test_a_damaged_part_is_named(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    folder = write_recording(tmp_path, "cello03", numbered_frames(20), SOUND)
    (tmp_path / name).write_bytes(content)
    with pytest.raises((MediaError, TrainingError), match=sentence):
        load(ClipConfig(path=str(folder)), tmp_path)


def test_chunks_that_do_not_fit_together_are_named(tmp_path: Path) -> None:
    folder = write_recording(tmp_path, "cello03", numbered_frames(20), SOUND)
    chunk = tmp_path / "chunk" / "train" / "cello" / "cello03_700.wav"
    write_wav(chunk, SOUND[:100])
    with pytest.raises(TrainingError, match=r"cello03_700\.wav holds 0\.01 s of sound; at least 0\.1 s"):
        load(ClipConfig(path=str(folder)), tmp_path)
    write_wav(chunk, SOUND[:8000], rate_hz=8000)
    with pytest.raises(TrainingError, match=r"cello03_700\.wav is at 8000 Hz, the chunk before at 16000 Hz"):
        load(ClipConfig(path=str(folder)), tmp_path)


def test_a_changed_part_is_another_clip(tmp_path: Path) -> None:
    folder = write_recording(tmp_path, "cello03", numbered_frames(20), SOUND)
    config = ClipConfig(path=str(folder))
    before = footage_sha256(config)
    load(config, tmp_path, TEN)
    write_wav(tmp_path / "chunk" / "train" / "cello" / "cello03_700.wav", SOUND[:8000])
    assert footage_sha256(config) != before
    changed = load(config, tmp_path, TEN).training[0].clip.sound_S
    assert np.corrcoef(changed[3200:4800], SOUND[:1600])[0, 1] > 0.999
