"""Names from model files, takes, scenes and folders reach terminal, log and help without a control character."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.model.probe_model import CARD, write_probe
from tests.processes import ROOT, run, write_sound

pytestmark = pytest.mark.skipif(os.name != "posix", reason="such file names exist on POSIX alone")

EVIL = "\x1b]0;owned\x07\x1b[2J\nerror: forged \u202egnp"
ESCAPED = r"\x1b]0;owned\x07\x1b[2J\nerror: forged \u202egnp"
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write a model whose file name means harm, and a unit of its card too; a card takes no control characters."""
    control = replace(CARD.controls[0], unit="%[x]) (")
    return write_probe(tmp_path / f"model {EVIL}.onnx", controls=(control,))


def harmless(*texts: str) -> None:
    for text in texts:
        assert not CONTROL.search(text), repr(text)
        assert not any(line.startswith("error: forged") for line in text.splitlines())


def test_help_and_configuration_of_a_hostile_model(tmp_path: Path, model: Path) -> None:
    for flag, expected in (("--help", "%[x]) ("), ("--dry-run", ESCAPED)):
        code, said, complained = run("--model", str(model), "--title", EVIL, flag, cwd=tmp_path)
        assert (code, complained) == (0, "")
        harmless(said)
        assert expected in said
    code, _, complained = run("--model", str(model), "--gain", "9", cwd=tmp_path)
    assert code == 2
    harmless(complained)
    assert complained.count("\n") == 1


def test_a_hostile_model_is_rendered_and_replayed(tmp_path: Path, model: Path) -> None:
    write_sound(tmp_path / f"{EVIL}.wav", 1.0)
    code, said, complained = run("--render", f"{EVIL}.wav", f"{EVIL}.mp4", "--model", str(model), cwd=tmp_path)
    assert code == 0, complained
    harmless(said, complained)
    assert ESCAPED in said
    show = ("--source", f"{EVIL}.wav", "--out", "null", "--model", str(model), "--no-osc", "--log", "show.jsonl")
    code, said, complained = run(*show, "--take", EVIL, cwd=tmp_path)
    assert code == 0, complained
    log = (tmp_path / "show.jsonl").read_text()
    harmless(said, complained, log)
    assert json.loads(log.splitlines()[0])["model"] == str(model)
    harmless(*run("--replay", EVIL, "replay.mp4", cwd=tmp_path)[1:])


@pytest.mark.parametrize(
    "flags",
    [
        ("--model", f"{EVIL}.onnx"),
        ("--config", EVIL),
        ("--replay", EVIL, "out.mp4"),
        ("--source", EVIL, "--out", "null"),
        ("--monitor", EVIL, "--out", "null", "--source", EVIL),
        (EVIL,),
        (f"--{EVIL}",),
        ("--map", f"glow={EVIL}"),
    ],
)
def test_hostile_words_are_one_line(tmp_path: Path, flags: tuple[str, ...]) -> None:
    code, said, complained = run(*flags, cwd=tmp_path)
    assert code == 2
    harmless(said, complained)
    assert complained.startswith("error: ")
    assert complained.count("\n") == 1


def test_a_hostile_midi_port_is_one_line(tmp_path: Path) -> None:
    code, said, complained = run(
        "--no-osc", "--midi", EVIL, "--source", "demo", "--seconds", "2", "--out", "null", cwd=tmp_path
    )
    assert (code, complained) == (0, "")
    harmless(said)
    assert sum(line.startswith("MIDI: ") or "MIDI port" in line for line in said.splitlines()) == 1


def test_hostile_keys_in_files_are_one_line(tmp_path: Path) -> None:
    escaped = json.dumps(EVIL)
    for text in (
        f"{escaped}: 1",
        f"controls: {{{escaped}: 1}}",
        f"mappings: {{glow: {escaped}}}",
        f"source: {{{escaped}: 1}}",
    ):
        (tmp_path / "show.yaml").write_text(text)
        code, said, complained = run("--config", "show.yaml", "--dry-run", cwd=tmp_path)
        assert code == 2
        harmless(said, complained)
        assert complained.count("\n") == 1


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("training.train", ["config.yaml", "--dry-run"]),
        ("training.sweep", [EVIL]),
        ("export.to_onnx", [EVIL, "-o", "out.onnx"]),
    ],
)
def test_training_and_export_print_no_control_characters(tmp_path: Path, module: str, words: list[str]) -> None:
    (tmp_path / "config.yaml").write_text(f"clip: {{title: {json.dumps(EVIL)}, {json.dumps(EVIL)}: 1}}\n")
    ran = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 2
    harmless(ran.stdout, ran.stderr)
    assert ran.stderr.splitlines()[-1].startswith(("error: ", "usage: ", f"python -m {module}: error"))
