"""The command that renders clips, end to end with tiny random weights in the published layout, and every mistake in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from benchmarks.tempotokens_tiny import write_tiny_weights
from engine.core.errors import MediaError, SinkError, TrainingError, UserError
from tests.training.clips import frames_of, write_wav
from training.diffusion.job_flags import duration
from training.diffusion.tempotokens import published
from training.render import main

SIZE = ("--width", "32", "--height", "16", "--steps", "2")
RATE_HZ = 44100


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("weights")
    write_tiny_weights(folder)
    return folder


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """2.5 s at a rate that no network takes: quiet, then loud."""
    times_S = np.arange(int(2.5 * RATE_HZ)) / RATE_HZ
    sound_S = np.sin(2 * np.pi * 330 * times_S) * np.where(times_S < 1.2, 0.01, 0.8)
    return write_wav(tmp_path / "song.wav", sound_S.astype(np.float32), RATE_HZ)


def words(weights: Path, sound: Path, output: Path, *more: str) -> list[str]:
    given = ["--family", "tempotokens", "--audio", str(sound), "-o", str(output), "--weights", str(weights)]
    return [*given, *SIZE, "--seed", "3", *more]


def test_a_sound_becomes_a_clip_with_its_sound(
    weights: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "clip.mp4"
    assert main(words(weights, sound, clip)) == 0
    told = capsys.readouterr().out
    assert "plan      30 frames of 32x16 at 12 a second from 2 segments of 2 s of sound; 2 steps of 3 windows" in told
    assert "GiB in float32 on cpu" in told
    assert "seed      3" in told
    assert "notice    The sound is read in segments of 2 s; its 2.50 s are padded with silence to 4 s." in told
    assert frames_of(clip).shape == (30, 16, 32, 3)
    with av.open(str(clip)) as container:
        heard_S = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        rate_hz = container.streams.audio[0].rate
    assert rate_hz == 48000
    assert abs(len(heard_S) / rate_hz - 2.5) < 0.1
    assert np.abs(heard_S[:rate_hz]).max() < 0.1 < np.abs(heard_S[-rate_hz:]).max()
    assert cv2.imread(f"{clip}.preview.png").shape == (16, 8 * 32, 3)


def test_a_loop_of_a_text_that_is_too_long(
    weights: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--seconds", "0.5", "--start", "1", "--text", "owl" * 30, "--loop", "--no-preview", "--save-memory")
    assert main(words(weights, sound, tmp_path / "clip.mp4", *more)) == 0
    told = capsys.readouterr().out
    assert "reads 77 words and pieces of words; left out: 'owlowlowlowlowlowlowl'." in told
    assert len(frames_of(tmp_path / "clip.mp4")) == 6
    assert not (tmp_path / "clip.mp4.preview.png").exists()


def test_all_files_are_shown_and_checked(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--family", "tempotokens", "--weights", str(weights), "--check-weights"]) == 0
    table = capsys.readouterr().out
    assert table.count(" fits") == 12
    # The published UNet has another checksum.
    assert next(line for line in table.splitlines() if line.startswith(published.UNET)).split()[-2:] == [
        "other",
        "fits",
    ]


def test_missing_files_are_shown_with_their_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainingError, match=r"12 of 12 files in .* are missing or cannot be used"):
        main(["--family", "tempotokens", "--weights", str(tmp_path), "--check-weights"])
    assert f"{published.BEATS_FILE}: {published.BEATS_PLACE}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "kind", "sentence"),
    [
        (("--family", "tempotoken"), TrainingError, "no family 'tempotoken'.*Did you mean 'tempotokens'"),
        (("--mapper", "landscape"), TrainingError, "lacks landscape/learned_embeds.pth; --check-weights"),
        (("--mapper", "landscap"), TrainingError, "holds no such mapper. Did you mean 'landscape'. It holds vggsound"),
        (("--text", "a \udcff"), TrainingError, "--text holds a byte that is no UTF-8 at its character 3"),
        (("--fps", "10"), UserError, "--fps is '?10'?; one of 24, 12, 8, 6 was expected"),
        (("--width", "100"), TrainingError, "--width is 100; a multiple of 8"),
        (("--steps", "0"), TrainingError, "--steps is 0; from 1 to 1000"),
        (("--steps", "1001"), TrainingError, "--steps is 1001; from 1 to 1000"),
        (("--seed", "-1"), TrainingError, "--seed is -1"),
        (("--guidance", "0"), TrainingError, "--guidance is 0; at least 1"),
        (("--precision", "float16"), TrainingError, "--precision float16 needs a graphics card"),
        (("--seconds", "0.01"), TrainingError, "has 0.010 s; at least one frame of 0.083 s was expected"),
        (("--seconds", "0"), TrainingError, "--seconds 0.0; at least 0 and more than 0"),
        (("--seconds", "inf"), TrainingError, "--seconds inf; at least 0 and more than 0"),
        (("--start", "nan"), TrainingError, "--start is nan"),
        (("--most-memory", "nan"), TrainingError, "--most-memory is nan; a positive number"),
        (("--most-memory", "-1"), TrainingError, "--most-memory is -1; a positive number"),
        (("--guidance", "inf"), TrainingError, "--guidance is inf; at least 1, and a finite number"),
        (("-o", "clip.xyz"), TrainingError, "--output is clip.xyz; a film was expected, as clip.mp4"),
        (("--start", "9"), TrainingError, "has 2.50 s of sound; --start 9 is behind its end"),
        (
            ("--most-memory", "0.0001"),
            TrainingError,
            "needs .* GiB and cpu has 0.00 GiB; lower --width, --height or --window-frames",
        ),
        (("--audio", "absent.wav"), MediaError, "absent.wav"),
        (("-o", "absent/clip.mp4"), SinkError, "Cannot write absent/clip.mp4: there is no such folder"),
        (("--weights", "absent"), TrainingError, "absent is no folder"),
    ],
)
def test_mistakes_are_one_sentence(
    weights: Path, sound: Path, tmp_path: Path, more: tuple[str, ...], kind: type[UserError], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        main(words(weights, sound, tmp_path / "clip.mp4", *more))


def test_what_is_rendered_from_is_not_overwritten(weights: Path, sound: Path, tmp_path: Path) -> None:
    film = tmp_path / "song.mp4"
    assert main(words(weights, sound, film, "--seconds", "0.2", "--no-preview")) == 0
    before = film.read_bytes()
    with pytest.raises(TrainingError, match=r"song\.mp4, which is --audio too and would be lost"):
        main(words(weights, film, film))
    assert film.read_bytes() == before


def test_without_its_libraries_the_way_out_is_told(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("training.diffusion.tempotokens")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(
        TrainingError,
        match=r"'tempotokens' needs diffusers, which is not installed; run: pip install -e '\.\[diffusion\]'",
    ):
        main(["--family", "tempotokens", "--weights", str(weights), "--check-weights"])


def test_what_is_missing_in_the_command_is_told(weights: Path) -> None:
    with pytest.raises(UserError, match="--family"):
        main(["--weights", str(weights)])
    with pytest.raises(TrainingError, match="--audio is missing"):
        main(["--family", "tempotokens", "--weights", str(weights)])


def test_times_are_told_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (0.2, 80.0, 600.0, 9000.0)] == ["1 s", "80 s", "10 min", "2.5 h"]
