"""The clip cache: keys, entries that are decoded again, interruption, several processes, and a full disk."""

import dataclasses
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import training.data.cache as cache
from engine.core.atomic_files import PARTIAL_SUFFIX
from engine.core.errors import TrainingError
from tests.training.clips import RATE_HZ, noise, numbered_frames, numbers_of, write_clip
from training.data.cache import DESCRIPTION_FILE, FRAMES_FILE, LOCK, SOUND_FILE, load_clip
from training.data.sources import VideoFile
from training.data.video import ClipFormat

FORMAT = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", numbered_frames(20), noise(1.0))


def found_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != LOCK)


class Unreadable(VideoFile):
    """Fails when it is decoded instead of read from the cache."""

    def frames(self, clip_format: ClipFormat) -> Iterator[NDArray[np.uint8]]:
        raise AssertionError("decoded again")


class Interrupted(VideoFile):
    """Ctrl-C after one frame."""

    def frames(self, clip_format: ClipFormat) -> Iterator[NDArray[np.uint8]]:
        yield np.zeros((16, 16, 3), np.uint8)
        raise KeyboardInterrupt


class Killed(VideoFile):
    """The process dies after one frame."""

    def frames(self, clip_format: ClipFormat) -> Iterator[NDArray[np.uint8]]:
        yield np.zeros((16, 16, 3), np.uint8)
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_clip_is_decoded_once(path: Path, tmp_path: Path) -> None:
    first = load_clip(path, FORMAT, tmp_path / "cache")
    again = load_clip(Unreadable(path), FORMAT, tmp_path / "cache")
    assert np.array_equal(first.frames_NHWC, again.frames_NHWC)
    assert np.array_equal(first.sound_S, again.sound_S)
    assert len(again.sound_S) == 20 * 800


@pytest.mark.parametrize(
    "other",
    [{"crop": (0, 0, 16, 16)}, {"fps": 10}, {"image_size": 8}, {"image_size": "24x16"}, {"sample_rate_hz": 8000}],
    ids=lambda other: next(iter(other)),
)
def test_each_field_of_the_format_gives_another_entry(path: Path, tmp_path: Path, other: dict[str, object]) -> None:
    load_clip(path, FORMAT, tmp_path / "cache")
    shaped = dataclasses.replace(FORMAT, **other)  # type: ignore[arg-type]
    load_clip(path, shaped, tmp_path / "cache")
    assert len(found_in(tmp_path / "cache")) == 2


def test_an_entry_depends_on_the_content_not_on_the_path(path: Path, tmp_path: Path) -> None:
    load_clip(path, FORMAT, tmp_path / "cache")
    moved = path.rename(tmp_path / "moved.mp4")
    assert load_clip(Unreadable(moved), FORMAT, tmp_path / "cache").file == str(moved)
    write_clip(moved, numbered_frames(30), noise(1.5))
    assert len(load_clip(moved, FORMAT, tmp_path / "cache").frames_NHWC) == 30


def test_an_entry_of_another_version_is_decoded_again(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_clip(path, FORMAT, tmp_path / "cache")
    (name,) = found_in(tmp_path / "cache")
    monkeypatch.setattr(cache, "CACHE_VERSION", cache.CACHE_VERSION + 1)
    with pytest.raises(AssertionError, match="decoded again"):
        load_clip(Unreadable(path), FORMAT, tmp_path / "cache")
    load_clip(path, FORMAT, tmp_path / "cache")
    assert found_in(tmp_path / "cache") == [name]
    description = json.loads((tmp_path / "cache" / name / DESCRIPTION_FILE).read_text())
    assert description["version"] == cache.CACHE_VERSION
    # A process that has opened the old entry can still read it.
    assert numbers_of(before.frames_NHWC) == list(range(20))


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        (FRAMES_FILE, truncate),
        (SOUND_FILE, truncate),
        (DESCRIPTION_FILE, truncate),
        (FRAMES_FILE, Path.unlink),
        (DESCRIPTION_FILE, Path.unlink),
        (DESCRIPTION_FILE, lambda file: file.write_bytes(b"\xff\xfe")),
        (DESCRIPTION_FILE, lambda file: file.write_text("[]")),
        (DESCRIPTION_FILE, lambda file: file.write_text(f'{{"version": {cache.CACHE_VERSION}, "frames": "x"}}')),
    ],
)
def test_a_damaged_entry_is_decoded_again(path: Path, tmp_path: Path, file: str, damage) -> None:  # type: ignore[no-untyped-def]
    load_clip(path, FORMAT, tmp_path / "cache")
    (name,) = found_in(tmp_path / "cache")
    damage(tmp_path / "cache" / name / file)
    assert numbers_of(load_clip(path, FORMAT, tmp_path / "cache").frames_NHWC) == list(range(20))
    assert found_in(tmp_path / "cache") == [name]
    load_clip(Unreadable(path), FORMAT, tmp_path / "cache")


def test_an_interrupted_decoding_leaves_nothing(path: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_clip(Interrupted(path), FORMAT, tmp_path / "cache")
    assert found_in(tmp_path / "cache") == []
    assert len(load_clip(path, FORMAT, tmp_path / "cache").frames_NHWC) == 20


def load(path: Path, folder: Path, kind: type[VideoFile], clip_format: ClipFormat = FORMAT) -> tuple[list[int], int]:
    clip = load_clip(kind(path), clip_format, folder)
    return numbers_of(clip.frames_NHWC), len(clip.sound_S)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_process_leaves_no_entry_and_the_next_one_removes_its_folder(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    for clip_format in (FORMAT, dataclasses.replace(FORMAT, fps=10)):
        process = multiprocessing.get_context("spawn").Process(target=load, args=(path, folder, Killed, clip_format))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        # One each time: the second process removed what the first one, of another format, had left.
        assert [name.endswith(PARTIAL_SUFFIX) for name in found_in(folder)] == [True]
    assert load(path, folder, VideoFile)[0] == list(range(20))
    assert found_in(folder) == [cache.cache_key(VideoFile(path), FORMAT)]


def test_a_living_process_keeps_its_half_written_folder(path: Path, tmp_path: Path) -> None:
    class BesideAnotherProcess(VideoFile):
        def frames(self, clip_format: ClipFormat) -> Iterator[NDArray[np.uint8]]:
            other = dataclasses.replace(clip_format, fps=10)
            command = f"from tests.training.data.test_cache import *; load(Path({str(path)!r}), Path({str(tmp_path / 'cache')!r}), VideoFile, {other!r})"
            subprocess.run([sys.executable, "-c", command], check=True, timeout=60)
            assert sum(name.endswith(PARTIAL_SUFFIX) for name in found_in(tmp_path / "cache")) == 1
            return super().frames(clip_format)

    assert len(load_clip(BesideAnotherProcess(path), FORMAT, tmp_path / "cache").frames_NHWC) == 20
    assert len(found_in(tmp_path / "cache")) == 2


def test_two_processes_get_the_same_entry(path: Path, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap_async(load, [(path, tmp_path / "cache", VideoFile)] * 4, chunksize=1).get(60)
    assert found == [(list(range(20)), 16000)] * 4
    assert found_in(tmp_path / "cache") == [cache.cache_key(VideoFile(path), FORMAT)]


FULL_DISK = """
import resource, sys
from tests.training.data.test_cache import *
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    load(Path(sys.argv[1]), Path(sys.argv[2]), VideoFile)
except TrainingError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file size")
def test_a_full_disk_is_a_sentence_and_leaves_nothing(path: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(path), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith(f"Cannot write the cache {tmp_path / 'cache'} (File too large); free some space")
    assert len(done.stdout.splitlines()) == 1
    assert found_in(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_a_folder_is_a_sentence(path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Cannot write the cache .* choose another folder with --cache-folder"):
        load_clip(path, FORMAT, path / "cache")


def test_a_read_only_cache_can_still_be_read(path: Path, tmp_path: Path) -> None:
    load_clip(path, FORMAT, tmp_path / "cache")
    for lock in (tmp_path / "cache").glob(f".*{LOCK}"):
        lock.unlink()
    (tmp_path / "cache").chmod(0o500)
    try:
        load_clip(path, FORMAT, tmp_path / "cache")
        assert not list((tmp_path / "cache").glob(f".*{LOCK}"))
    finally:
        (tmp_path / "cache").chmod(0o700)
