"""Takes that came from elsewhere and want more than to be replayed: a sentence each, and nothing outside their folder."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.errors import UserError
from engine.takes.take_log import LOG, SOUND
from tests.engine.takes.test_replay import live_show, replayed, state_event

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and pipes are made as on POSIX")


@pytest.fixture
def take(tmp_path: Path, probe_file: Path) -> Path:
    """Return a take of two seconds with a saved state."""
    folder = tmp_path / "take"
    show = live_show(folder, probe_file, seconds=2.0, live=False)
    show.play(lambda index: [state_event(np.float32([0.5]))] if index == 9 else [])
    assert show.take
    show.take.close()
    return folder


def sentence(folder: Path) -> str:
    with pytest.raises(UserError) as refusal:
        replayed(folder)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 1000
    return str(refusal.value)


def change_header(folder: Path, **changes: Any) -> None:
    first, *rest = (folder / LOG).read_text().splitlines(keepends=True)
    header = json.loads(first)
    header["take"].update(changes)
    (folder / LOG).write_text("".join([json.dumps(header) + "\n", *rest]))


def change_line(folder: Path, number: int, **changes: Any) -> None:
    lines = (folder / LOG).read_text().splitlines(keepends=True)
    lines[number] = json.dumps({**json.loads(lines[number]), **changes}) + "\n"
    (folder / LOG).write_text("".join(lines))


def replace_by_link(file: Path, target: str) -> None:
    file.unlink()
    file.symlink_to(target)


def replace_by_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def array_of(folder: Path) -> Path:
    return next((folder / "arrays").iterdir())


def replace_array(folder: Path, content: bytes) -> None:
    """Put other content into the take, with the checksum that it needs."""
    old = array_of(folder)
    name = hashlib.sha256(content).hexdigest() + ".npy"
    (folder / "arrays" / name).write_bytes(content)
    (folder / LOG).write_text((folder / LOG).read_text().replace(old.name, name))


def npy(array: np.ndarray, **options: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array, **options)
    return content.getvalue()


PLAYLIST = b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"
HUGE_HEADER = b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999,)}".ljust(117) + b"\n"
ATTACKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "log is a pipe": (lambda f: replace_by_pipe(f / LOG), "it is a pipe, and a file was expected"),
    "log never ends": (lambda f: replace_by_link(f / LOG, "/dev/zero"), "it is a device, and a file was expected"),
    "log is one line": (lambda f: (f / LOG).write_bytes(b"[" * (3 << 20)), "does not begin as the log of a take"),
    "sound is a pipe": (lambda f: replace_by_pipe(f / SOUND), "it is a pipe, and a file was expected"),
    "sound never ends": (lambda f: replace_by_link(f / SOUND, "/dev/zero"), "it is a device, and a file was expected"),
    "sound is a playlist": (lambda f: (f / SOUND).write_bytes(PLAYLIST), "is damaged"),
    "sound is another file": (lambda f: replace_by_link(f / SOUND, "/etc/passwd"), "is damaged"),
    "array is a pipe": (lambda f: replace_by_pipe(array_of(f)), "it is a pipe, and a file was expected"),
    "array never ends": (lambda f: replace_by_link(array_of(f), "/dev/zero"), "it is a device"),
    "array is a program": (lambda f: replace_array(f, npy(np.array([{}]), allow_pickle=True)), "other things than numbers"),
    "array fills the memory": (
        lambda f: replace_array(f, b"\x93NUMPY\x01\x00" + len(HUGE_HEADER).to_bytes(2, "little") + HUGE_HEADER),
        "its size is not what its header says",
    ),
    "array lies elsewhere": (
        lambda f: (f / LOG).write_text((f / LOG).read_text().replace(array_of(f).name, "../../../etc/passwd")),
        "is damaged at line",
    ),
    "rate fills the memory": (lambda f: change_header(f, source_rate_hz=2**31 - 1), "from 1 to 768000 was expected"),
    "input lies beside the sound": (lambda f: change_header(f, inputs={"a": [99]}, model_input="a"), "numbers from 0 to"),
    "input has no channel": (lambda f: change_header(f, inputs={"a": []}, model_input="a"), "numbers from 0 to"),
    "inputs without end": (
        lambda f: change_header(f, inputs={f"n{i}": [0] for i in range(1000)}, model_input="n0"), "at most 8 were expected"
    ),
    "inputs are a text": (lambda f: change_header(f, inputs="a"), "damaged header"),
    "model input is missing": (lambda f: change_header(f, inputs={"a": [0]}, model_input="b"), "one of a, mix was expected"),
    "model input without inputs": (lambda f: change_header(f, model_input="b"), "and there are none"),
    "model is a folder": (lambda f: change_header(f, model="/"), "was played with"),
    "model has no name": (lambda f: change_header(f, model="a\0b"), "a character that no text has"),
    "hop is far away": (lambda f: change_line(f, 2, hop=2**53), "is damaged at line"),
    "number has 5000 digits": (lambda f: change_header(f, threads=int("9" * 4000)), "a whole number of 4000 digits"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_take_is_one_sentence(take: Path, attack: str) -> None:
    act, expected = ATTACKS[attack]
    act(take)
    assert expected in sentence(take)


def test_an_end_that_is_far_away_is_reached_at_once(take: Path) -> None:
    lines = (take / LOG).read_text().splitlines()
    change_line(take, len(lines) - 1, hop=2**53, received_samples=2**53)
    assert 0 < len(replayed(take).frames) <= 40


def test_any_damage_is_replayed_or_refused_and_writes_nothing(take: Path, tmp_path: Path) -> None:
    """120 takes with a few bytes of log, sound or array changed, or cut off."""
    drawn = random.Random(18)
    files = {file: file.read_bytes() for file in (take / LOG, take / SOUND, array_of(take))}
    before = sorted(path for path in tmp_path.rglob("*"))
    refused = 0
    for _ in range(120):
        for file, whole in files.items():
            content = bytearray(whole)
            if file.name == LOG or drawn.random() < 0.3:
                for _ in range(drawn.randint(1, 3)):
                    content[drawn.randrange(min(len(content), 4000))] = drawn.randrange(256)
                if drawn.random() < 0.2:
                    del content[drawn.randrange(len(content)) :]
            file.write_bytes(content)
        try:
            replayed(take)
        except UserError:
            refused += 1
    assert refused > 20
    assert sorted(path for path in tmp_path.rglob("*")) == before
