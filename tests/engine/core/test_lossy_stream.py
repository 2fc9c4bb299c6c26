"""What nobody reads any more ends no program: real pipes, the device that is always full, a closed stream."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from engine.core.lossy_stream import LossyStream, outlive_readers

ROOT = Path(__file__).parents[3]

PROGRAM = """
import sys
from engine.core.errors import ConfigError, run_main
def main():
    sys.stdin.read()
    for line in range(20000):
        print("a long line that fills every buffer", line)
        print("and so does this one", line, file=sys.stderr)
    print("done", file=open(sys.argv[1], "w"))
    if sys.argv[2] == "fails":
        raise ConfigError("a sentence that nobody reads.")
    return 0
run_main(main)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX systems")
@pytest.mark.parametrize(("ending", "code"), [("ends", 0), ("fails", 2)])
def test_a_program_whose_output_is_closed_goes_on_to_its_end(tmp_path: Path, ending: str, code: int) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "done"), ending],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdin
    assert program.stdout
    assert program.stderr
    program.stdout.close()
    program.stderr.close()
    program.stdin.close()
    assert program.wait(60) == code
    assert (tmp_path / "done").read_text() == "done\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_behind_a_stream_loses_lines() -> None:
    stream = LossyStream(io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True))
    assert stream.write("one line\n") == 9
    stream.writelines(["two\n", "three\n"])
    stream.flush()


def test_a_stream_is_still_what_it_was() -> None:
    inner = io.StringIO()
    stream = LossyStream(inner)
    print("a line", file=stream)
    assert inner.getvalue() == "a line\n"
    assert not stream.isatty()
    inner.close()
    print("lost", file=stream)
    stream.flush()


def test_letters_that_the_terminal_does_not_have_are_escapes() -> None:
    inner = io.BytesIO()
    stream = LossyStream(io.TextIOWrapper(inner, encoding="cp1252"))
    print("日 ü", file=stream)
    stream.flush()
    assert inner.getvalue().split() == [b"\\u65e5", b"\xfc"]


def test_streams_that_stand_in_for_standard_output_stay(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    outlive_readers()
    assert sys.stdout is before
