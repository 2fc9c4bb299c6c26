"""Which files are read as models: regular ones, once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.core.errors import ModelFileError
from engine.model.content import MOST_FILE_BYTES, read_content
from tests.conftest import require


def test_content_stands_for_its_path_and_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"one")
    content = read_content(path)
    path.write_bytes(b"two")
    assert read_content(content) is content
    assert (content.data, Path(content), str(content)) == (b"one", path, str(path))
    assert content.sha256 != read_content(path).sha256


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "There is no model file"),
        ("folder", "is a folder, not a file"),
        ("pipe", "is a pipe, not a file"),
        ("device", "is a device, not a file"),
        ("link", "is a link; give the path of the model file itself"),
        ("large", r"has 3\.2 GB; a model file has at most 2\.1 GB"),
        ("null", "is no path of a file"),
    ],
)
def test_no_other_kind_of_file_is_opened(kind: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        require(hasattr(os, "mkfifo"), "a system with named pipes")
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
        require(path.exists(), "/dev/zero")
    elif kind == "link":
        (tmp_path / "other").write_bytes(b"")
        path.symlink_to("other")
    elif kind == "large":
        with path.open("wb") as stream:
            stream.truncate(MOST_FILE_BYTES * 3 // 2)
    elif kind == "null":
        path = tmp_path / "a\0b"
    with pytest.raises(ModelFileError, match=says) as caught:
        read_content(path)
    assert str(caught.value).isprintable()
