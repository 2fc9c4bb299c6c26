"""Rendering the clip of a run: what is told before, the cache, and what an interruption leaves."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from engine.core.errors import MediaError, TrainingError, UserError
from tests.training.clips import apart
from tests.training.distillation.given import words, write_given
from training.diffusion.avsyncd.published import VAE
from training.distillation.command import FOLDER, rendered_clip
from training.distillation.record import RECORD
from training.distillation.teacher import FILM
from training.teach import main, parsed


def asked(given: Path, place: Path, *more: str) -> Namespace:
    return parsed(words(given, place, *more))


def render(given: Path, place: Path, *more: str, now_s: Callable[[], float] | None = None) -> Path:
    clip = rendered_clip(asked(given, place, *more), place / "run" / "photo.mp4", now_s or (lambda: 0.0))
    assert clip is not None
    return clip


def films(place: Path) -> dict[str, int]:
    """Return the rendered stretches, each with when it was written."""
    return {film.parent.name: film.stat().st_mtime_ns for film in (place / "cache" / FOLDER).glob(f"*/{FILM}")}


def test_a_clip_of_all_stretches(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = render(given, tmp_path)
    told = capsys.readouterr().out
    for part in (
        "teacher   avsyncd, for 2 s of sound: 12 frames of 64x32 at 6 a second",
        "stroke.wav has 0.50 s, and the teacher sees 2 s at once.",
        "render    3 of 3 stretches, 6 s, of 2 sounds; about ",
        "time      2 minutes in total: up to 60 s for rendering, and the rest for training, evaluation and export",
        "rendering 2 of 3: short.wav from 0 s; about",
        f"rendered  {clip}: 6 s, 144 frames at 24 a second",
    ):
        assert part in told
    assert len(films(tmp_path)) == 3
    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(clip)) as container:
        heard_S = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert np.stack(frames).shape == (144, 32, 64, 3)
    # Struck every half second; the third stretch is of the other song, whose tone is another.
    assert len(heard_S) == pytest.approx(6 * 48000, abs=2048)
    assert cv2.imread(str(tmp_path / "run" / "rendering.png")) is not None


def test_what_is_rendered_is_not_rendered_again(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in the same run, nor in another one with other names of the same files."""
    first = render(given, tmp_path).read_bytes()
    before = films(tmp_path)
    capsys.readouterr()
    assert render(given, tmp_path).read_bytes() == first
    moved = write_given(tmp_path / "moved")
    (moved / "photo.png").rename(moved / "other.png")
    again = ("--image", str(moved / "other.png"), "--run-folder", str(tmp_path / "other"))
    assert render(moved, tmp_path, *again).read_bytes() == first
    assert films(tmp_path) == before
    told = capsys.readouterr().out
    assert told.count("render    3 of 3 stretches, 6 s, of 2 sounds, 3 of them rendered before\n") == 2
    assert "rendering" not in told.replace("for rendering", "").replace("renderings", "")


@pytest.mark.parametrize(
    "other", [("--seed", "5"), ("--audio-guidance", "8"), ("--text", "hammering"), ("--steps", "3"), ("--image", "")]
)
def test_another_request_is_another_rendering(given: Path, tmp_path: Path, other: tuple[str, str]) -> None:
    render(given, tmp_path, "--audio", str(given / "songs" / "more"))
    before = films(tmp_path)
    if other[0] == "--image":
        cv2.imwrite(str(tmp_path / "black.png"), np.zeros((32, 32, 3), np.uint8))
        other = ("--image", str(tmp_path / "black.png"))
    render(given, tmp_path, "--audio", str(given / "songs" / "more"), *other)
    assert len(films(tmp_path)) == len(before) + 1


def test_an_interrupted_rendering_goes_on(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], one_thread: None
) -> None:
    """Ctrl-C after the first stretch, and leftovers of a process that was killed in the second."""
    ticks = itertools.count()

    def now_s() -> float:
        # Asked when it begins, for the plan, and twice for each stretch.
        if next(ticks) == 4:
            raise KeyboardInterrupt
        return 0.0

    with pytest.raises(KeyboardInterrupt):
        render(given, tmp_path, now_s=now_s)
    assert "stopped   1 of 3 stretches are kept; the same command goes on from there" in capsys.readouterr().out
    (first,) = before = films(tmp_path)
    assert not (tmp_path / "run" / "photo.mp4").exists()
    clip = render(given, tmp_path)
    assert "1 of them rendered before" in capsys.readouterr().out
    assert films(tmp_path)[first] == before[first]
    assert len(films(tmp_path)) == 3
    assert apart(clip, render(given, tmp_path / "never_interrupted")) < 0.1


def test_what_a_killed_process_left_is_removed(given: Path, tmp_path: Path) -> None:
    render(given, tmp_path)
    entry = next((tmp_path / "cache" / FOLDER).glob(f"*/{FILM}")).parent
    leftover = entry.rename(entry.with_name(f".{entry.name}.123.part"))
    render(given, tmp_path)
    assert (entry / FILM).is_file()
    assert not leftover.exists()


def test_the_time_for_rendering_is_kept(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A stretch takes 40 s, more than was thought, and there are 60: the second one would be late."""
    ticks = itertools.chain([0.0, 0.0, 0.0], itertools.count(40.0, 40.0))
    render(given, tmp_path, now_s=lambda: next(ticks))
    told = capsys.readouterr().out
    assert "notice    the time for rendering is over; 1 of 3 stretches are what is trained on" in told
    assert "2 s, 48 frames" in told
    assert len(films(tmp_path)) == 1
    # The clip of the run stays the same.
    render(given, tmp_path)
    assert len(films(tmp_path)) == 1


def test_the_plan_alone_renders_nothing(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(given, tmp_path, "--plan")) == 0
    assert "render    3 of 3 stretches" in capsys.readouterr().out
    assert not (tmp_path / "run" / RECORD).exists()
    assert films(tmp_path) == {}


@pytest.mark.parametrize(
    ("more", "kind", "sentence"),
    [
        (("--teacher", "avsynd"), TrainingError, "no teacher 'avsynd'. Did you mean 'avsyncd'?.*Choose from: avsyncd,"),
        (("--weights", "absent"), TrainingError, "absent is no folder; the folder with the weights was expected"),
        (("--weights", "."), TrainingError, r"\. lacks .* and \d+ other files; --check-weights"),
        (("--audio", "absent.wav"), MediaError, r"no file absent\.wav"),
        (("--audio", "configs"), TrainingError, "configs holds no sound; a folder with songs was expected"),
        (("--image", "absent.png"), MediaError, r"absent\.png"),
        (("--stretch", "1"), TrainingError, "--stretch is 1; at least the 2 s that the teacher sees at once"),
        (("--stretch", "inf"), TrainingError, "--stretch is inf; at least the 2 s .* and at most 3600"),
        (("--minutes", "0"), TrainingError, "--minutes is 0; a finite number above 0 was expected"),
        (("--minutes", "inf"), TrainingError, "--minutes is inf; a finite number above 0 was expected"),
        (("--feature-network", "no.such:thing"), TrainingError, "--feature-network no.such:thing cannot be had"),
        (
            ("--minutes", "1e-9"),
            TrainingError,
            r"Rendering 2 s takes about \d+ s here, and --minutes 1e-09 leaves less",
        ),
        (("--width", "20"), TrainingError, "--width is 20; a multiple of 8"),
        (("--size", "100"), TrainingError, "--size is 100; both sides must be multiples of 8"),
        (("--set", "losses.l9=1"), TrainingError, r"losses\.l9"),
        (("--family", "modul"), TrainingError, "There is no family 'modul'.*Did you mean 'modal'"),
        (("--most-memory", "0.0001"), TrainingError, "needs .* GiB and cpu has 0.00 GiB"),
        (("clip.mp4",), UserError, r"Unknown argument 'clip\.mp4'"),
    ],
)
def test_mistakes_are_one_sentence_before_anything_is_rendered(
    given: Path, tmp_path: Path, more: tuple[str, ...], kind: type[UserError], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        main(words(given, tmp_path, *more))
    assert films(tmp_path) == {}


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        ("--image", "--image is missing; add the still"),
        ("--audio", "--audio is missing; --teacher needs the sounds"),
        ("--weights", "--weights is missing; --teacher needs the folder"),
        ("--minutes", "--minutes is missing; --teacher needs the time"),
    ],
)
def test_what_is_missing_is_told(given: Path, tmp_path: Path, left_out: str, sentence: str) -> None:
    given_words = words(given, tmp_path)
    place = given_words.index(left_out)
    with pytest.raises(TrainingError, match=sentence):
        main(given_words[:place] + given_words[place + 2 :])


def test_weights_are_checked_before_anything_is_planned(given: Path, tmp_path: Path) -> None:
    """They are shown by the teacher's command too, as the sentence about missing ones says."""
    own = Path(shutil.copytree(given / "weights", tmp_path / "own"))
    (own / VAE).write_bytes(b"no weights")
    for more in (("--plan",), ("--check-weights",)):
        with pytest.raises(TrainingError, match=r"can read safely|1 of \d+ files in .* are missing or cannot be used"):
            main(words(given, tmp_path, "--weights", str(own), *more))


def test_sounds_that_are_too_short_are_refused(given: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"None of the sounds is long enough \(.*stroke.wav has 0.50 s"):
        main(words(given, tmp_path, "--audio", str(given / "songs" / "stroke.wav")))


def test_a_teacher_that_is_not_there_leaves_with_code_2() -> None:
    command = [sys.executable, "-m", "training.teach", "--teacher", "tempotoken"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 2
    assert found.stderr.strip().startswith("error: There is no teacher 'tempotoken'. Did you mean 'tempotokens'?")


def test_teaching_by_a_clip_reads_no_library_of_diffusion_models() -> None:
    code = (
        "import sys, training.teach; training.teach.parsed(['clip.mp4']); "
        "print([name for name in ('diffusers', 'transformers') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.strip() == "[]"
