"""The test clips of a data set: three from each film, with the sound of the same two seconds, and a label."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import MediaError, TrainingError, UserError
from tests.training.clips import noise, numbered_frames, numbers_of, write_clip
from training.cut_test_clips import main
from training.data.clip_sound import read_sound
from training.data.frames import file_frame_rate, read_whole_frames, shown_size

FPS, SECONDS = 12, 4.0
RATE_HZ = 48_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "videos" / "lions_roaring").mkdir(parents=True)
    frames = numbered_frames(round(FPS * SECONDS), 64, 64)
    sound = noise(SECONDS, rate_hz=RATE_HZ) * np.linspace(0.1, 1.0, round(SECONDS * RATE_HZ), dtype=np.float32)
    for place in ("lions_roaring/a.mp4", "b.mp4"):
        write_clip(folder / "videos" / place, frames, sound, FPS, rate_hz=RATE_HZ)
    (folder / "test.txt").write_text("lions_roaring/a.mp4\nb.mp4\n")
    (folder / "class_mapping.json").write_text('{"lions_roaring": "roaring, of lions"}')
    return folder


def test_three_clips_of_two_seconds_at_equal_distances(data: Path, tmp_path: Path) -> None:
    assert main([str(data), "-o", str(tmp_path / "real")]) == 0
    names = [f"{name}_{number}" for name in ("b", "lions_roaring_a") for number in (1, 2, 3)]
    assert sorted(path.stem for path in (tmp_path / "real").glob("*.mp4")) == names
    labels = (tmp_path / "real" / "labels.csv").read_text()
    assert labels == "".join(f'lions_roaring_a_{number},"roaring, of lions"\n' for number in (1, 2, 3))
    whole_S = read_sound(data / "videos" / "b.mp4", RATE_HZ)
    for number, start_s in enumerate(np.linspace(0.0, len(whole_S) / RATE_HZ - 2.0, 3).tolist(), 1):
        clip = tmp_path / "real" / f"b_{number}.mp4"
        seen = numbers_of(np.stack(list(read_whole_frames(clip, 6, 32))))
        # The first frame at its time or after it.
        assert seen == [math.ceil((start_s + frame / 6) * FPS - 1e-3) for frame in range(12)]
        part_S, heard_S = whole_S[round(start_s * RATE_HZ) :][: 2 * RATE_HZ], read_sound(clip, RATE_HZ)[: 2 * RATE_HZ]
        assert np.sqrt(np.square(heard_S).mean()) == pytest.approx(np.sqrt(np.square(part_S).mean()), rel=0.1)


def test_the_size_is_that_of_the_model_and_other_films_may_have_a_text(data: Path, tmp_path: Path) -> None:
    call = [str(data), "-o", str(tmp_path / "real"), "--model", "thegreatesthits", "--text", "hitting with a stick"]
    assert main(call) == 0
    assert "b_2,hitting with a stick\n" in (tmp_path / "real" / "labels.csv").read_text()
    assert shown_size(tmp_path / "real" / "b_1.mp4") == (256, 128)


def test_a_published_list_says_which_films_of_a_folder_are_for_tests(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films = data / "videos" / "lions_roaring"
    (films / "dva7eX6tikc_000010.mp4").write_bytes((films / "a.mp4").read_bytes())
    (data / "landscape.csv").write_text(
        "ytid,start_time,class,set\ndva7eX6tikc,10,thunder,test\nMJ9-HmGWw1k,1,rain,train\n"
    )
    real = tmp_path / "real"
    call = [str(films), "-o", str(real), "--model", "tempotokens", "--split", str(data / "landscape.csv")]
    assert main(call) == 0
    names = [f"dva7eX6tikc_000010_{number}" for number in (1, 2, 3)]
    assert sorted(path.stem for path in real.glob("*.mp4")) == names
    assert (real / "labels.csv").read_text() == "".join(f"{name},thunder\n" for name in names)
    assert (shown_size(real / f"{names[0]}.mp4"), file_frame_rate(real / f"{names[0]}.mp4")) == ((384, 384), 12.0)
    assert "1 film of 1 of the set test" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        (lambda data: (data / "test.txt").unlink(), TrainingError, "Cannot read .*test.txt"),
        (lambda data: (data / "test.txt").write_text("\n"), TrainingError, "test.txt lists no clip"),
        (lambda data: (data / "test.txt").write_text("c.mp4"), MediaError, "c.mp4"),
        (lambda data: (data / "test.txt").write_text("cats/c.mp4"), TrainingError, "has no text for 'cats'"),
    ],
)
def test_data_that_do_not_fit_are_one_sentence(change, error: type[UserError], sentence: str, data: Path) -> None:
    change(data)
    with pytest.raises(error, match=sentence):
        main([str(data), "-o", str(data / "real")])


def test_a_folder_that_cannot_be_made_is_one_sentence(data: Path) -> None:
    with pytest.raises(TrainingError, match="choose another folder with -o"):
        main([str(data), "-o", str(data / "test.txt" / "real")])
