"""Wrong calls, as people type them: each is answered in one sentence with the way out, before a show begins, and with code 2."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

import run_live
from engine.app.command_line import ParsedCommand, parse_command
from engine.core.errors import USER_ERROR_EXIT_CODE, run_main
from tests.processes import write_sound

CALLS = [
    ("--gain 6", "Did you mean '--gain-db'?"),
    ("--gian-db 6", "Did you mean '--gain-db'?"),
    ("--gain_db 6", "Did you mean '--gain-db'?"),
    ("--gain-db loud", "gain_db takes a number from -60 to 40 dB, not 'loud'"),
    ("--gain-db 60", "from -60 to 40 dB"),
    ("--volume 3", "Did you mean --gain-db?"),
    ("--mic", "Did you mean --source mic?"),
    ("--onset 1", "Did you mean '--onset-brightness' or '--onset-zoom'"),
    ("--source", "--source came without SOURCE; add it"),
    ("--take", "--take came without FOLDER; add it"),
    ("--seconds 0", "a number from 0.001 up was expected"),
    ("missing.wav", "There is no file missing.wav"),
    ("song.wavv", "There is no file song.wavv"),
    ("notes.txt", "notes.txt is not a sound or video file"),
    ("album", "--render album FOLDER renders all in it"),
    ("song.wav other.wav", "A show plays one sound, and song.wav and other.wav came"),
    ("--listen song.wav", "write song.wav --listen"),
    ("--replay tonight out.mp4 --no-osc", "leave --no-osc out"),
    ("song.wav --source mic", "song.wav came without a flag, beside --source"),
    ("song.wav --out song.gif", "There is no output 'song.gif'"),
    ("song.wav --out absent/song.mp4", "Cannot write absent/song.mp4"),
    ("--render song.wav", "a sound and its video file were expected"),
    ("--render song.wav song.wav", "would overwrite its own input song.wav"),
    ("--replay tonight", "--replay came without TAKE OUT.mp4"),
    ("--replay tonight out.mp4", "There is no take in tonight"),
    ("--model absent.onnx", "There is no model file absent.onnx"),
    ("--model watr", "There is no model 'watr'. Did you mean 'water'?"),
    ("--model notes.txt", "notes.txt is damaged or not an ONNX file"),
    ("--backend cuda --source demo", "There is no backend 'cuda'"),
    ("--map motion", "--map takes PARAMETER=EXPRESSION"),
    ("--map glwo=level", "Did you mean 'glow'?"),
    ("--map glow=levle", "Did you mean 'level'?"),
    ("--config absent.yaml", "Cannot read the configuration absent.yaml"),
    ("--config notes.txt", "notes.txt holds"),
    ("--osc-port nine", "osc_port is 'nine'"),
    ("--stats absent/stats.json --source demo", "Cannot write absent/stats.json: there is no such folder"),
    ("--stats album --source demo", "Cannot write album: it is a folder"),
    ("--log absent/show.jsonl --source demo", "Cannot write the log absent/show.jsonl"),
    ("--calibrate --venue absent/venue.yaml", "Cannot write the venue's file absent/venue.yaml"),
    ("--calibrate-from film.mp4 --venue album", "Cannot write the venue's file album: it is a folder"),
    ("--venue hall.yaml", "to play with it, give --config hall.yaml"),
    ("--web-token short --web 0.0.0.0 --source demo", "web_token has 5 characters"),
]


@pytest.mark.parametrize(("call", "part"), CALLS, ids=[call for call, _ in CALLS])
def test_a_wrong_call_is_answered_in_one_sentence(
    call: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("no sound")
    (tmp_path / "album").mkdir()
    write_sound(tmp_path / "song.wav", 0.5)
    write_sound(tmp_path / "other.wav", 0.5)
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["run_live.py", *shlex.split(call)])
    for name, value in (("DISPLAY", ""), ("PULSE_SERVER", "unix:/nowhere")):
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as left:
        run_main(run_live.main)
    assert left.value.code == USER_ERROR_EXIT_CODE
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("error: ")
    assert part in sentence
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(
    not Path("/proc/self").exists() or os.name != "posix", reason="needs a folder that nobody may write into"
)
def test_a_folder_that_takes_no_files_is_refused_before_the_show(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run_live.py", "--source", "demo", "--no-osc", "--stats", "/proc/stats.json"])
    with pytest.raises(SystemExit) as left:
        run_main(run_live.main)
    said, complained = capsys.readouterr()
    assert left.value.code == USER_ERROR_EXIT_CODE
    assert "Cannot write /proc/stats.json" in complained
    assert "model" not in said


def test_a_loudspeaker_of_a_file_is_kept_beside_a_sound(tmp_path: Path) -> None:
    write_sound(tmp_path / "song.wav", 0.5)
    (tmp_path / "show.yaml").write_text("listen: HDMI\n")
    command = parse_command([str(tmp_path / "song.wav"), "--config", str(tmp_path / "show.yaml")])
    assert isinstance(command, ParsedCommand)
    assert command.resolved.config.listen == "HDMI"
