"""Files that would block or never end are refused at once, others are read within their limit."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from engine.core.small_files import LONGEST_LINE_BYTES, check_file, decode, open_file, read_bytes, read_lines, read_text

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and devices are files on POSIX alone")


def reason(path: Path | str) -> str:
    with pytest.raises(OSError, match=r".+") as refusal:
        read_bytes(path, 1000)
    return str(refusal.value.strerror)


def test_only_files_and_links_to_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link to a pipe").symlink_to("pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    assert read_bytes(tmp_path / "link", 1000) == b"content"
    for name in ("pipe", "link to a pipe"):
        assert reason(tmp_path / name) == "it is a pipe, and a file was expected"
    assert reason(tmp_path / "endless") == "it is a device, and a file was expected"
    assert reason(tmp_path) == "it is a folder, and a file was expected"
    assert "symbolic links" in reason(tmp_path / "loop")
    assert reason(tmp_path / "none") == "No such file or directory"
    assert reason("a\0b") == "its name holds a NUL byte"


def test_a_socket_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its path may be no longer than 107 characters.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind("socket")
        assert reason("socket") == "it is a socket, and a file was expected"


def test_sizes_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert reason(path) == "it is larger than the 0 KiB that such a file may have"
    with pytest.raises(OSError, match="larger than the 3 MiB"):
        check_file(path, 3 << 20)
    check_file(path)
    # The system's own files do not say how large they are.
    assert "larger" in reason("/proc/self/smaps")


def test_what_is_no_text_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ValueError, match="it is not UTF-8 text in line 2"):
        read_text(path, 1000)
    with pytest.raises(ValueError, match="it holds a NUL byte in line 3"):
        decode(b"\n\n\0")
    # Editors on Windows write a byte order mark.
    assert decode(b"\xef\xbb\xbfname: x") == "name: x"


def test_lines_come_in_bounded_pieces(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo \xff\n" + b"x" * (2 * LONGEST_LINE_BYTES) + b"\nlast")
    lines = list(read_lines(path))
    assert lines[:2] == ["one\n", "two �\n"]
    assert [len(line) for line in lines[2:]] == [LONGEST_LINE_BYTES, LONGEST_LINE_BYTES, 1, 4]


def test_a_file_that_becomes_a_pipe_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("engine.core.small_files.check_file", lambda path: None)
    with pytest.raises(OSError, match="it is a pipe"):
        open_file(tmp_path / "pipe")
