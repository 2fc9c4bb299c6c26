"""Model files beside a clip that one of them made: its figures are perfect, those of the others are not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.clip_part import ClipPart, Extent, at_size, compared_format, read_part, rendered
from benchmarks.picture import main, names
from engine.core.errors import ConfigError, UserError
from engine.media.geometry import Box
from engine.model.backends.selection import open_backend, read_card
from engine.model.training_sound import TrainingSound
from tests.engine.model.layered_probe import CARD, HEIGHT, WIDTH, write_layered_probe
from tests.training.clips import RATE_HZ, write_clip
from training.data.video import ClipFormat
from training.data.windows import FrameRange

SECONDS, FPS = 8.0, 20


@pytest.fixture(scope="module")
def layered_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_layered_probe(tmp_path_factory.mktemp("layered") / "swirl.onnx")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, layered_file: Path) -> Path:
    """Bursts of noise, and what the layered probe makes of them."""
    loud = np.repeat(np.random.default_rng(5).random(round(SECONDS * FPS)) ** 3, RATE_HZ // FPS)
    sound_S = (0.3 * loud * np.random.default_rng(6).standard_normal(len(loud))).clip(-1, 1).astype(np.float32)
    count = round(SECONDS * FPS)
    whole = ClipPart(
        frames_THWC=np.zeros((count, HEIGHT, WIDTH, 3), np.uint8),
        sound_S=sound_S,
        frame_range=FrameRange(0, count),
        format=ClipFormat(fps=FPS, image_size=f"{WIDTH}x{HEIGHT}", sample_rate_hz=RATE_HZ),
        shifts=(),
    )
    frames = rendered(open_backend(layered_file, "onnx-cpu", 1), whole, conditioned=False)
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames, sound_S[None])


def flags(folder: Path, *more: str) -> list[str]:
    return ["--steps", "2", "--backend", "onnx-cpu", "--cache-folder", str(folder), "--no-record", *more]


def rows(printed: str) -> dict[str, list[str]]:
    """Return the cells of each row by its label."""
    lines = (re.split(r"\s{2,}", line.strip()) for line in printed.splitlines())
    return {label: cells for label, *cells in lines}


def test_who_made_the_clip_is_near_perfect_and_another_model_is_not(
    clip: Path, layered_file: Path, probe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    more = ["--no-conditioning", "--sheet", str(sheet), "--weights", str(tmp_path)]
    assert main([str(clip), str(layered_file), str(probe_file), *flags(tmp_path, *more)]) == 0
    printed = capsys.readouterr().out
    assert "clip.mp4, 6.4 to 8.0 s (held out), without input conditioning, backend onnx-cpu" in printed
    assert "ST-LPIPS is not measured: it needs alex_shift_tolerant.pth" in printed
    assert "FD and FVD-like (MobileNetV2) are not measured" in printed
    found = rows(printed)
    # The probe's frames have another shape, so it is compared with another part of the clip.
    late, _, own, other = range(4)
    assert found["frame"] == [f"{WIDTH}x{HEIGHT}", "96x72", f"{WIDTH}x{HEIGHT}", "16x12"]
    error = [float(value) for value in found["L1"]]
    assert error[own] < 0.03 < error[other]
    assert error[own] < error[late]
    assert float(found["SSIM"][own]) > 0.95 > float(found["SSIM"][other])
    assert float(found["motion share"][own]) == pytest.approx(1.0, abs=0.1)
    # Its frames are soft: there is nothing finer but what compression adds.
    for name in ("8 to 16 px", "16 to 32 px"):
        assert float(found[f"sharpness, {name}"][own]) == pytest.approx(1.0, abs=0.15)
    assert float(found["floor, shuffled sound"][own]) < float(found["loudness and motion"][own])
    assert float(found["way from floor to ceiling"][own]) == pytest.approx(1.0, abs=0.1)
    assert float(found["file MB"][own]) == pytest.approx(layered_file.stat().st_size / 1e6, rel=0.01)
    assert float(found["ms a frame, 2 threads, p95"][other]) > 0.0
    image = cv2.imread(str(sheet))
    assert image is not None
    # Three rows of six frames, the smallest of which are 96 pixels wide.
    assert image.shape[1] == 6 * 96 + 5 * 4


def test_the_frames_depend_on_the_sound_and_its_conditioning(clip: Path, tmp_path: Path) -> None:
    loud = TrainingSound(loudness_db=-3.0, quiet_db=-20.0, peak_db=0.0, bands=(), sound="a loud clip")
    file = write_layered_probe(tmp_path / "loud.onnx", replace(CARD, training_sound=loud))
    backend = open_backend(file, "onnx-cpu", 1)
    clip_format = compared_format(clip, backend.card, None)
    part = read_part(clip, clip_format, Extent(from_s=4.0, to_s=4.5), 1, tmp_path)
    plain = rendered(backend, part, conditioned=False)
    assert np.array_equal(plain, rendered(backend, part, conditioned=False))
    assert not np.array_equal(plain, rendered(backend, part, conditioned=True))
    assert not np.array_equal(plain, rendered(backend, part, conditioned=False, shift_samples=part.shifts[0]))


def test_the_part_is_what_the_flags_ask_for(clip: Path, layered_file: Path, tmp_path: Path) -> None:
    card = read_card(layered_file)
    clip_format = compared_format(clip, card, None)
    held_out = read_part(clip, clip_format, Extent(), 2, tmp_path)
    assert held_out.times_s == (6.4, 8.0)
    assert len(held_out.sound_of_part_S) == len(held_out.frames_THWC) * held_out.hop_samples
    assert all(2 * RATE_HZ <= shift <= (SECONDS - 2) * RATE_HZ for shift in held_out.shifts)
    assert read_part(clip, clip_format, Extent(longest_s=1.0), 1, tmp_path).times_s == (6.4, 7.4)
    second = Extent(from_s=1.0, to_s=2.0)
    cut = read_part(clip, compared_format(clip, card, Box(32, 18, 64, 36)), second, 1, tmp_path)
    whole = read_part(clip, clip_format, second, 1, tmp_path)
    assert cut.frames_THWC.shape == (20, 36, 64, 3)
    inside = whole.frames_THWC[:, 18:54, 32:96].astype(int)
    assert np.abs(cut.frames_THWC - inside).mean() < 2.0


def test_frames_are_brought_to_the_clip_s_size() -> None:
    small = np.full((6, 8, 3), 77, np.uint8)
    assert np.array_equal(at_size(small, 12, 16), np.full((12, 16, 3), 77))
    assert np.array_equal(at_size(small, 3, 4), np.full((3, 4, 3), 77))
    assert at_size(small, 6, 8) is small


def test_models_of_one_name_are_told_apart() -> None:
    assert names([Path("a/water.onnx"), Path("b/glass.onnx")]) == ["water", "glass"]
    assert len(set(names([Path("a/water.onnx"), Path("b/water.onnx")]))) == 2


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--from-s", "9"], r"--from-s and --to-s ask for 9 to 8 s; a part of the clip's 8\.0 s was expected"),
        (["--from-s", "2", "--to-s", "1"], "ask for 2 to 1 s"),
        (["--from-s", "1", "--to-s", "1.2"], r"The part has 4 frames at 20 a second; 8 or more"),
        (["--crop", "0,0,999,10"], "reaches outside"),
        (["--crop", "0,0,32,32"], r"--crop is 32x32, and 'layered probe' makes frames of 128x72, another shape"),
        (["--crop", "0,0,32"], "x,y,w,h in displayed pixels was expected"),
        (["--threads", "0"], "--threads is 0"),
        (["--shifts", "0"], "--shifts is 0"),
        (["--seconds", "nan"], "--seconds is nan"),
        (["--sheet", "sheet.jpg"], r"a name that ends in \.png was expected"),
        (["--weights", "absent.pth"], "absent.pth does not exist"),
    ],
)
def test_wrong_flags_are_refused_with_a_sentence(
    clip: Path, layered_file: Path, tmp_path: Path, more: list[str], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        main([str(clip), str(layered_file), *flags(tmp_path, *more)])


def test_a_clip_and_a_model_that_are_missing_are_named(layered_file: Path, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.mp4"):
        main(["absent.mp4", str(layered_file), *flags(tmp_path)])
    with pytest.raises(UserError, match=r"absent\.onnx"):
        main([str(clip), "absent.onnx", *flags(tmp_path)])


def test_a_sheet_that_cannot_be_written_is_said_before_anything_is_measured(
    clip: Path, layered_file: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "no folder" / "sheet.png"
    with pytest.raises(ConfigError, match=r"--sheet names a file in .*no folder, which is no folder"):
        main([str(clip), str(layered_file), *flags(tmp_path, "--sheet", str(sheet))])
