"""Shows that are told to end, once or fifty times, and shows whose terminal is closed: real processes, signals and terminals."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from tests.processes import ENDS_WITHIN_S, ROOT, environment, start, streams, wait_for_recording, write_sound
from tests.terminals import Terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX systems")
SOUND_S = 15


def wait_for(happened: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + ENDS_WITHIN_S
    while not happened():
        assert time.monotonic() < deadline_s, f"{what} did not happen"
        time.sleep(0.05)


@contextmanager
def in_terminal(*flags: str, cwd: Path, controls: bool = True) -> Iterator[Terminal]:
    terminal = Terminal([sys.executable, str(ROOT / "run_live.py"), *flags], cwd, environment(), controls=controls)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait(ENDS_WITHIN_S)


def hops(cwd: Path) -> int:
    return json.loads((cwd / "stats.json").read_text())["hops"]


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.mark.parametrize("numbers", [50 * [signal.SIGTERM], 50 * [signal.SIGINT], 20 * [signal.SIGINT, signal.SIGTERM]])
def test_a_burst_of_signals_ends_a_show_once_and_whole(tmp_path: Path, numbers: list[signal.Signals]) -> None:
    show = start("--no-osc", "--source", "tone", "--out", "take.mp4", "--stats", "stats.json", cwd=tmp_path)
    wait_for_recording(tmp_path / "take.mp4")
    for number in numbers:
        show.send_signal(number)
    _, complained = show.communicate(timeout=ENDS_WITHIN_S)
    assert (show.returncode, complained) == (0, "")
    frames, sound_s = streams(tmp_path / "take.mp4")
    assert sound_s == pytest.approx(hops(tmp_path) / 20, abs=0.3)
    assert hops(tmp_path) >= frames > 5


def test_a_show_that_is_kept_outlives_its_terminal(tmp_path: Path) -> None:
    film, flags = tmp_path / "take.mp4", ("--source", "tone", "--out", "take.mp4", "--stats", "stats.json")
    with in_terminal("--no-osc", *flags, "--log", "log.jsonl", cwd=tmp_path) as terminal:
        wait_for(lambda: size(film) > 20_000, "a recording")
        terminal.close()
        wait_for(lambda: "The terminal was closed" in (tmp_path / "log.jsonl").read_text(), "a line in the log")
        reached = size(film)
        wait_for(lambda: size(film) > reached + 20_000, "going on")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(ENDS_WITHIN_S) == 0
    assert b"output" in terminal.shown
    frames, sound_s = streams(film)
    assert sound_s == pytest.approx(hops(tmp_path) / 20, abs=0.3)
    assert hops(tmp_path) >= frames


def test_a_take_outlives_its_terminal(tmp_path: Path) -> None:
    with in_terminal("--no-osc", "--source", "tone", "--out", "null", "--take", "take", cwd=tmp_path) as terminal:
        wait_for(lambda: size(tmp_path / "take" / "sound.caf") > 100_000, "a take")
        terminal.close()
        reached = size(tmp_path / "take" / "sound.caf")
        wait_for(lambda: size(tmp_path / "take" / "sound.caf") > reached + 100_000, "going on")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(ENDS_WITHIN_S) == 0
    assert json.loads((tmp_path / "take" / "log.jsonl").read_text().splitlines()[-1])["end"] == "the show is over"


def test_a_show_that_nobody_keeps_ends_with_its_terminal(tmp_path: Path) -> None:
    with in_terminal(
        "--no-osc", "--source", "tone", "--out", "null", "--stats", "stats.json", cwd=tmp_path
    ) as terminal:
        wait_for(lambda: b"latency" in terminal.shown, "the start")
        terminal.close()
        assert terminal.process.wait(ENDS_WITHIN_S) == 0
    assert hops(tmp_path) >= 0


@pytest.mark.parametrize("controls", [True, False])
def test_a_rendering_is_finished_without_its_terminal(tmp_path: Path, controls: bool) -> None:
    """Also where no signal comes, and every write of the progress bar fails."""
    write_sound(tmp_path / "tone.wav", SOUND_S)
    flags = ("--render", "tone.wav", "out.mp4", "--stats", "stats.json")
    with in_terminal("--no-osc", *flags, cwd=tmp_path, controls=controls) as terminal:
        wait_for(lambda: b"frame/s" in terminal.shown, "the progress bar")
        terminal.close()
        assert terminal.process.poll() is None
        assert terminal.process.wait(ENDS_WITHIN_S) == 0
    frames, sound_s = streams(tmp_path / "out.mp4")
    assert (frames, hops(tmp_path)) == (20 * SOUND_S, 20 * SOUND_S)
    assert sound_s == pytest.approx(SOUND_S, abs=0.06)


def test_a_replay_that_is_told_to_end_leaves_a_whole_file(tmp_path: Path) -> None:
    taking = start("--no-osc", "--source", "tone", "--out", "null", "--take", "take", "--seconds", "6", cwd=tmp_path)
    taking.communicate(timeout=ENDS_WITHIN_S)
    replay = start("--replay", "take", "again.mp4", cwd=tmp_path)
    wait_for_recording(tmp_path / "again.mp4")
    replay.send_signal(signal.SIGTERM)
    _, complained = replay.communicate(timeout=ENDS_WITHIN_S)
    assert (replay.returncode, complained) == (0, "")
    frames, sound_s = streams(tmp_path / "again.mp4")
    assert frames > 0
    with av.open(str(tmp_path / "again.mp4")) as file:
        assert sound_s == pytest.approx((file.duration or 0) / av.time_base, abs=0.06)


def test_nobody_reads_what_a_show_prints(tmp_path: Path) -> None:
    show = start(
        "--no-osc", "--source", "tone", "--out", "null", "--seconds", "1", "--stats", "stats.json", cwd=tmp_path
    )
    for stream in (show.stdout, show.stderr):
        assert stream
        stream.close()
    assert show.wait(ENDS_WITHIN_S) == 0
    assert hops(tmp_path) > 10
