"""The show as a user starts it: whole processes, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ENDS_WITHIN_S, ROOT, decoded_NHWC, run, start, streams, wait_for_recording, write_sound


def test_with_nothing_it_says_so_and_shows_itself_on_the_page(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    code, said, complained = run("--no-osc", "--seconds", "1", cwd=tmp_path)
    assert (code, complained) == (0, "")
    assert "demo" in said
    assert "No screen answers, so the show is on its web page" in said
    assert "page     http://127.0.0.1:" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="hangs up")
def test_a_show_on_the_page_outlives_its_terminal(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    process = start("--no-osc", "--source", "demo", "--log", "log.jsonl", "--seconds", "4", cwd=tmp_path)
    assert process.stdout
    while "latency" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 0
    log = (tmp_path / "log.jsonl").read_text()
    assert "The terminal was closed. The show goes on" in log
    assert json.loads(log.splitlines()[-1])["hops"] == 80


def test_render_draws_every_hop_and_keeps_the_sound(tmp_path: Path) -> None:
    write_sound(tmp_path / "tone.wav", 1.5)
    code, _, _ = run("--no-osc", "--render", "tone.wav", "out.mp4", "--stats", "stats.json", cwd=tmp_path)
    frames, sound_s = streams(tmp_path / "out.mp4")
    assert (code, frames) == (0, 30)
    assert sound_s == pytest.approx(1.5, abs=0.06)
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert (stats["hops"], stats["skipped_hops"]) == (30, 0)


def test_several_sounds_become_several_files_and_a_bad_one_costs_only_itself(tmp_path: Path) -> None:
    for name, seconds in (("in/a.wav", 0.5), ("in/more/b.wav", 1.0), ("out/more/b.mp4", 0.5)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_sound(tmp_path / name, seconds)
    (tmp_path / "in" / "bad.mp3").write_text("no sound")
    film = ("--size", "96x54", "--fps", "30")
    code, said, complained = run("--no-osc", "--render", "in", "out", *film, cwd=tmp_path)
    assert code == 2
    assert decoded_NHWC(tmp_path / "out" / "a.mp4").shape == (15, 54, 96, 3)
    assert "rendered: 1 of 3 files" in said
    assert len(complained.strip().splitlines()) == 2
    assert "bad.mp3 is not a sound or video file" in complained
    assert f"{Path('out/more/b.mp4')} is there already and was left as it is" in complained
    assert sorted(file.name for file in (tmp_path / "out").rglob("*.*")) == ["a.mp4", "b.mp4"]


def test_ctrl_c_leaves_the_finished_files_and_no_part_of_another(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", 0.5)
    write_sound(tmp_path / "b.wav", 600.0)
    process = start("--no-osc", "--render", "a.wav", "b.wav", "out/", cwd=tmp_path)
    wait_for_recording(tmp_path / "out" / "a.mp4")
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, complained) == (0, "")
    assert "stopped: 1 of 2 files; a file that was not finished was deleted" in said
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_close_files_properly(tmp_path: Path, number: signal.Signals) -> None:
    process = start("--no-osc", "--source", "tone", "--out", "take.mp4", cwd=tmp_path)
    wait_for_recording(tmp_path / "take.mp4")
    process.send_signal(number)
    _, complained = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, complained) == (0, "")
    frames, sound_s = streams(tmp_path / "take.mp4")
    assert frames > 5
    assert sound_s == pytest.approx(frames / 20, abs=0.3)


MISTAKES = [
    (["--gain-db", "900"], "from -60 to 40 dB"),
    (["--gian-db", "3"], "Did you mean '--gain-db'"),
    (["--source", "absent.wav"], "There is no file absent.wav"),
    (["--source", "mic:nothing"], "sound input"),
    (["--model", "absent.onnx"], "There is no model file absent.onnx"),
    (["--backend", "tensorrt"], "There is no backend 'tensorrt'"),
    (["--source", "demo", "--out", "absent/x.mp4"], "Cannot write absent/x.mp4"),
    (["--source", "demo", "--out", "x.gif"], "There is no output 'x.gif'"),
    (
        ["--render", "demo", "absent/x.mp4"],
        "Cannot write absent/x.mp4: No such file or directory; give another file to --render",
    ),
    (["--render", "demo", "x.mp4", "--fps", "0"], "'0' is no frame rate"),
    (["--config", "bad.yaml"], "unknown key 'sources'. Did you mean 'source'"),
    (["--config", "range.yaml"], "from 0 to 2"),
    (["--render", "text.txt", "x.mp4"], "text.txt is not a sound or video file"),
]


@pytest.mark.parametrize(("flags", "part"), MISTAKES, ids=[" ".join(flags) for flags, _ in MISTAKES])
def test_mistakes_are_one_sentence_and_code_2(tmp_path: Path, flags: list[str], part: str) -> None:
    (tmp_path / "bad.yaml").write_text("sources: demo\n")
    (tmp_path / "range.yaml").write_text("controls:\n  brightness: 3\n")
    (tmp_path / "text.txt").write_text("no sound")
    code, _, complained = run(*flags, "--no-osc", "--seconds", "1", cwd=tmp_path)
    last = complained.strip().splitlines()[-1]
    assert code == 2
    assert last.startswith("error: ")
    assert part in last
    assert "Traceback" not in complained


def test_the_live_process_never_loads_torch(tmp_path: Path) -> None:
    program = (
        "import runpy, sys\n"
        "sys.argv = ['run_live.py', '--no-osc', '--source', 'demo', '--out', 'null', '--seconds', '0.5']\n"
        f"try:\n    runpy.run_path({str(ROOT / 'run_live.py')!r}, run_name='__main__')\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "assert 'torch' not in sys.modules and 'training' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=ENDS_WITHIN_S, capture_output=True)
