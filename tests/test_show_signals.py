"""Shows that are told to end, once or fifty times, and shows whose terminal is closed: real processes, signals and terminals."""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from onnx import helper, numpy_helper

from engine.model.file import sealed
from tests.engine.model.probe_model import CARD, program
from tests.processes import (
    ENDS_WITHIN_S,
    environment,
    live_command,
    start,
    streams,
    wait_for_recording,
    write_sound,
)
from tests.terminals import Terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX systems")
SOUND_S = 15
SLOW_SIZE, SLOW_PRODUCTS = 4096, 1000


def wait_for(happened: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + ENDS_WITHIN_S
    while not happened():
        assert time.monotonic() < deadline_s, f"{what} did not happen"
        time.sleep(0.05)


@contextmanager
def in_terminal(*flags: str, cwd: Path, controls: bool = True) -> Iterator[Terminal]:
    terminal = Terminal(live_command(*flags), cwd, environment(), controls=controls)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait(ENDS_WITHIN_S)


def hops(cwd: Path) -> int:
    return json.loads((cwd / "stats.json").read_text())["hops"]


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def write_slow(path: Path) -> Path:
    """Write a probe whose step takes minutes on any machine, and little memory."""
    model = program(CARD)
    model.graph.initializer.append(numpy_helper.from_array(np.array([SLOW_SIZE, SLOW_SIZE], np.int64), "wide"))
    features = next(node for node in model.graph.node if "features" in node.output)
    features.output[0] = "own_features"
    model.graph.node.append(helper.make_node("Expand", ["gain", "wide"], ["product 0"]))
    for number in range(SLOW_PRODUCTS):
        before, after = f"product {number}", f"product {number + 1}"
        model.graph.node.append(helper.make_node("MatMul", [before, "product 0"], [after]))
    model.graph.node.append(helper.make_node("ReduceMax", [f"product {SLOW_PRODUCTS}"], ["largest"], keepdims=0))
    model.graph.node.append(helper.make_node("Mul", ["largest", "zero"], ["nothing"]))
    model.graph.node.append(helper.make_node("Add", ["own_features", "nothing"], ["features"]))
    path.write_bytes(sealed(model.SerializeToString(), CARD))
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("output", ["live", "file", "folder"])
def test_a_show_whose_model_is_being_tested_ends_when_it_is_told(
    tmp_path: Path, number: signal.Signals, output: str
) -> None:
    """The test alone would take longer than this one waits."""
    model, sound = write_slow(tmp_path / "slow.onnx"), write_sound(tmp_path / "tone.wav", 1.0)
    flags = {
        "live": ("--no-osc", "--source", "tone", "--out", "null"),
        "file": ("--render", str(sound), "out.mp4"),
        "folder": ("--render", str(sound), str(sound), "films/"),
    }[output]
    stats = () if output == "folder" else ("--stats", "stats.json")
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    show = start(*flags, *stats, "--backend", "onnx-cpu", "--model", str(model), cwd=tmp_path, **cache)
    process = psutil.Process(show.pid)
    wait_for(lambda: [c for c in process.children() if "first_test_process" in " ".join(c.cmdline())], "a first test")
    children = process.children(recursive=True)
    show.send_signal(number)
    said, complained = show.communicate(timeout=ENDS_WITHIN_S)
    assert (show.returncode, complained) == (0, "")
    assert "stopped: before the show began" in said
    assert not any(child.is_running() for child in children)
    if stats:
        assert hops(tmp_path) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_show_that_waits_for_an_address_ends_when_it_is_told(tmp_path: Path, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}/live"
        process = start("--source", place, "--out", "null", "--no-osc", cwd=tmp_path)
        with silent.accept()[0]:
            process.send_signal(number)
            said, complained = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 0, complained
    assert "stopped: before the show began" in said


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
        wait_for(lambda: b" left" in terminal.shown, "the progress bar")
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
