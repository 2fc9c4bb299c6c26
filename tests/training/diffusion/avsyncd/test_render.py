"""Rendering with `python -m training.render --family avsyncd`, from files of small networks to the clip."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soundfile
import torch

from engine.core.errors import MediaError, TrainingError
from tests.training.diffusion.avsyncd.published_folder import write_folder
from training.diffusion.avsyncd.published import AUDIO, unet_file
from training.render import main

RATE_HZ = 48000


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights, a photo, and sounds of 2 s and of 3 s, which begin alike, and one that does not."""
    folder = write_folder(tmp_path_factory.mktemp("weights"))
    random = np.random.default_rng(0)
    cv2.imwrite(str(folder / "photo.png"), random.integers(0, 256, (40, 60, 3), np.uint8))
    sound = 0.3 * random.standard_normal(3 * RATE_HZ)
    soundfile.write(folder / "short.wav", sound[: 2 * RATE_HZ], RATE_HZ)
    soundfile.write(folder / "long.wav", sound, RATE_HZ)
    soundfile.write(folder / "quiet.wav", 0.01 * sound[: 2 * RATE_HZ], RATE_HZ)
    return folder


def words(folder: Path, output: Path, sound: str = "short.wav", *more: str) -> list[str]:
    text = ["--text", "lions roaring", "--steps", "2", "--width", "16", "--height", "8", "--seed", "3", "--no-preview"]
    files = ["--image", str(folder / "photo.png"), "--audio", str(folder / sound), "-o", str(output)]
    return ["--family", "avsyncd", "--weights", str(folder), *text, *files, *more]


def test_a_clip_has_the_length_and_the_sound_of_its_sound(given: Path, tmp_path: Path) -> None:
    assert main(words(given, tmp_path / "clip.mp4", "short.wav", "--seconds", "0.7")) == 0
    with av.open(str(tmp_path / "clip.mp4")) as file:
        assert [frame.to_ndarray(format="rgb24").shape for frame in file.decode(video=0)] == [(8, 16, 3)] * 4
    with av.open(str(tmp_path / "clip.mp4")) as file:
        assert file.streams.video[0].average_rate == 6
        assert float(sum(frame.samples for frame in file.decode(audio=0))) == pytest.approx(0.7 * RATE_HZ, rel=0.1)


def test_what_is_unusual_is_told_before(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(words(given, tmp_path / "clip.mp4", "long.wav", "--text", "lion roaring"))
    told = capsys.readouterr().out
    assert "18 frames of 16x8 at 6 a second, in 2 chunks of 12 with 3 steps" in told
    assert "'lion roaring' is no class that avsync15 was trained with. Did you mean 'lions roaring'?" in told
    assert "avsync15 was trained with 256x256 pixels" in told
    assert "the last one is padded with silence to 3.50 s" in told


def test_a_loop_is_planned_and_rendered(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(words(given, tmp_path / "clip.mp4", "long.wav", "--loop"))
    told = capsys.readouterr().out
    assert "18 frames of 16x8 at 6 a second, in 2 chunks of 12 with 3 steps, as a loop" in told
    assert "padded" not in told
    with av.open(str(tmp_path / "clip.mp4")) as file:
        assert len(list(file.decode(video=0))) == 18


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--audio-guidance", "0.5"), "The audio guidance is 0.5; from 1"),
        (("--seam-frames", "12"), "--seam-frames is 12; from 1"),
        (("--seconds", "0.1"), "at least one frame of 0.167 s"),
        (("--model", "landscapes"), "landscapes_audio-cond_cfg.* and 1 other file"),
    ],
)
def test_what_cannot_be_is_refused(given: Path, tmp_path: Path, flags: tuple[str, str], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        main(words(given, tmp_path / "clip.mp4", "short.wav", *flags))
    assert not (tmp_path / "clip.mp4").exists()


def test_a_still_is_needed(given: Path, tmp_path: Path) -> None:
    without = [
        word for word in words(given, tmp_path / "clip.mp4") if word not in ("--image", str(given / "photo.png"))
    ]
    with pytest.raises(TrainingError, match="--image is missing"):
        main(without)


def test_a_file_that_is_no_still_is_refused(given: Path, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("no frame")
    with pytest.raises(MediaError, match=r"words\.png"):
        main(words(given, tmp_path / "clip.mp4", "short.wav", "--image", str(tmp_path / "words.png")))


def test_it_is_told_what_is_cut_of_a_text(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The text encoder reads 75 tokens, which are letters here."""
    main(words(given, tmp_path / "clip.mp4", "short.wav", "--seconds", "0.2", "--text", "a" * 70 + "bcdefghi"))
    assert "--text has 78 tokens and the text encoder reads 75; this is cut: ghi" in capsys.readouterr().out


def test_weights_are_checked(given: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--family", "avsyncd", "--weights", str(given), "--check-weights"]) == 0
    table = capsys.readouterr().out
    assert "missing" not in table
    assert table.count("fits") == 11


def test_weights_of_another_kind_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path)
    torch.save({"modality_trunks.vision.blocks.0.norm_1.weight": torch.zeros(3)}, folder / AUDIO)
    (folder / unet_file("avsync15")).unlink()
    with pytest.raises(TrainingError, match="2 of 11 files"):
        main(["--family", "avsyncd", "--weights", str(folder), "--check-weights"])
    table = capsys.readouterr().out
    assert "no 'modality_trunks.audio'; ImageBind's own file" in table
    assert "github.com/lzhangbj/ASVA" in table
