"""Recording a take: bit-exact, readable however the process ends, and never a hindrance to the show."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from engine.control.parameter_store import ControlEvent, ControlSnapshot
from engine.core.errors import ConfigError, SinkError
from engine.takes import recorder
from engine.takes.recorder import TakeRecorder
from engine.takes.take_arrays import ARRAYS, with_arrays
from engine.takes.take_log import LOG, SOUND, HopLine, TakeHeader, write_line
from engine.takes.take_log_reading import read_header, read_lines
from engine.takes.take_sound import SoundFile, read_sound
from tests.engine.model.probe_model import CARD

ROOT = Path(__file__).parents[3]
RATE_HZ, HOP = 48000, 2400


def header(channels: int = 2, **changes: object) -> TakeHeader:
    fields = {
        "date": "2025-01-31T20:15:00+0000",
        "model": "probe.onnx",
        "card_name": CARD.name,
        "graph_sha256": CARD.graph_sha256,
        "sample_rate_hz": CARD.sample_rate_hz,
        "hop_samples": CARD.hop_samples,
        "source": "test",
        "source_rate_hz": RATE_HZ,
        "source_channels": channels,
        "backend": "onnx-cpu",
        "description": "onnx-cpu, 1 thread",
        "threads": 1,
        "versions": {},
        "settings": {},
        "mappings": {},
    }
    return TakeHeader(**{**fields, **changes})  # type: ignore[arg-type]


def any_bits(samples: int, channels: int) -> np.ndarray:
    """Return every kind of float32: far above 1, denormal, infinite, not a number."""
    bits = np.random.default_rng(3).integers(0, 2**32, (samples, channels), dtype=np.uint64)
    return bits.astype(np.uint32).view(np.float32)


def sound_of(folder: Path, channels: int = 2) -> np.ndarray:
    blocks = list(read_sound(folder / SOUND, RATE_HZ, channels))
    return np.concatenate([np.zeros((0, channels), np.float32), *blocks])


def lines_of(folder: Path) -> list[HopLine]:
    return list(read_lines(folder / LOG))


@pytest.mark.parametrize("channels", [1, 2, 4, 8])
@pytest.mark.parametrize("rate_hz", [48000, 44100, 12345])
def test_sound_comes_back_bit_exact(tmp_path, channels, rate_hz):
    sound_TC = any_bits(30_011, channels)
    sound = SoundFile(tmp_path / SOUND, rate_hz, channels)
    for begin in range(0, len(sound_TC), 7001):
        sound.write(sound_TC[begin : begin + 7001])
    unfinished = np.concatenate(list(read_sound(tmp_path / SOUND, rate_hz, channels)))
    sound.close()
    finished = np.concatenate(list(read_sound(tmp_path / SOUND, rate_hz, channels)))
    assert finished.tobytes() == unfinished.tobytes() == sound_TC.tobytes()


def test_the_log_holds_what_changed_and_nothing_else(tmp_path):
    state = {"memory": np.array([0.1, -3e-40], np.float32)}
    told: list[str] = []
    take = TakeRecorder(tmp_path / "take", header(), live=True, notify=told.append)
    take.open()
    values = {"gain_db": 0.1, "freeze": False, "seed": 3}
    for hop in range(40):
        take.add_sound(np.full((HOP, 2), hop, np.float32))
        if hop == 5:
            values = {**values, "gain_db": 6.0}
        if hop == 7:
            values = {"gain_db": 6.0, "seed": 3, "motion": 1.0}
        events = (ControlEvent("scene", 3),) if hop == 8 else ()
        show_events = (
            [{"kind": "state", "state": state, "fade_hops": np.int64(3), "is_held": False}] if hop == 8 else []
        )
        if hop != 20:
            take.note(hop, int(hop == 21), ControlSnapshot(values, events), failed=hop == 9, show_events=show_events)
    take.close()
    take.close()
    assert told == []
    lines = lines_of(tmp_path / "take")
    assert [line.hop for line in lines] == [0, 5, 7, 8, 9, 19, 21, 31, 39]
    assert lines[0].values == {"gain_db": 0.1, "freeze": False, "seed": 3}
    assert type(lines[0].values["freeze"]) is bool
    assert lines[1].values == {"gain_db": 6.0}
    assert (lines[2].values, lines[2].removed) == ({"motion": 1.0}, ("freeze",))
    assert lines[3].events == (ControlEvent("scene", 3),)
    assert [line.hop for line in lines if line.failed] == [9]
    assert [(line.hop, line.skipped_hops) for line in lines if line.skipped_hops] == [(21, 1)]
    assert all(line.received_samples == (line.hop + 1) * 2400 for line in lines)
    assert lines[-1].end == "the show is over"
    event = with_arrays(lines[3].show_events[0], tmp_path / "take")
    assert event["state"]["memory"].tobytes() == state["memory"].tobytes()
    assert (event["kind"], event["fade_hops"], event["is_held"]) == ("state", 3, False)
    assert read_header((tmp_path / "take" / LOG).read_text().splitlines()[0], tmp_path) == header()
    assert len(sound_of(tmp_path / "take")) == 40 * HOP


def test_an_array_is_written_once_and_checked(tmp_path):
    state = {"a": np.arange(3), "b": np.arange(3)}
    line = HopLine(hop=1, received_samples=1, show_events=({"kind": "state", "state": state},))
    (written,) = json.loads(write_line(line, tmp_path))["show_events"]
    (file,) = (tmp_path / "arrays").iterdir()
    assert with_arrays(written, tmp_path)["state"]["b"].tolist() == [0, 1, 2]
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(ConfigError, match="altered or damaged"):
        with_arrays(written, tmp_path)
    file.unlink()
    with pytest.raises(ConfigError, match="The take lacks"):
        with_arrays(written, tmp_path)


def test_a_file_that_holds_no_array_is_refused(tmp_path):
    content = b"no array"
    name = hashlib.sha256(content).hexdigest() + ".npy"
    (tmp_path / ARRAYS).mkdir()
    (tmp_path / ARRAYS / name).write_bytes(content)
    with pytest.raises(ConfigError, match=r"holds no array \(.*\); copy the whole folder"):
        with_arrays({"array": name}, tmp_path)


def test_a_take_is_never_overwritten(tmp_path):
    first = TakeRecorder(tmp_path, header(), live=True)
    first.open()
    first.close()
    before = (tmp_path / LOG).read_bytes()
    with pytest.raises(SinkError, match="already holds a take; choose another folder with --take"):
        TakeRecorder(tmp_path, header(), live=True).open()
    assert (tmp_path / LOG).read_bytes() == before


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"Cannot write a take to .*: Not a directory; choose another"):
        TakeRecorder(tmp_path / "file" / "take", header(), live=True).open()


def test_a_take_leaves_the_space_that_has_to_stay_free(tmp_path, monkeypatch):
    free_bytes = shutil.disk_usage(tmp_path).free
    told: list[str] = []
    with pytest.raises(
        SinkError, match=r"Cannot write a take to .*: \d+ MB have to stay free on the disk; choose another"
    ):
        TakeRecorder(tmp_path / "none", header(), live=True, keep_free_bytes=10 * free_bytes).open()
    take = TakeRecorder(tmp_path / "take", header(), live=False, notify=told.append, keep_free_bytes=1)
    monkeypatch.setattr(recorder, "CHECK_EVERY_S", 0.0)
    take.open()
    used = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: used._replace(free=0))
    for hop in range(40):
        take.add_sound(np.zeros((HOP, 2), np.float32))
        take.note(hop, 0, ControlSnapshot({}, ()))
    take.close()
    (notice,) = told
    assert notice.endswith("cannot be written (0 MB have to stay free on the disk). It can be replayed up to here.")
    assert lines_of(tmp_path / "take")[-1].end == "0 MB have to stay free on the disk"


def test_a_disk_that_does_not_respond_ends_the_take_and_not_the_show(tmp_path, monkeypatch):
    answers = threading.Event()
    write = SoundFile.write

    def slow_write(self: SoundFile, sound_TC: np.ndarray) -> None:
        answers.wait(60)
        write(self, sound_TC)

    monkeypatch.setattr(SoundFile, "write", slow_write)
    told: list[str] = []
    take = TakeRecorder(tmp_path / "take", header(1), live=True, notify=told.append)
    take.open()
    second_TC = np.zeros((RATE_HZ, 1), np.float32)
    hops = 0
    # 30 s and 32 MiB of sound may wait; memory stays within that however long the disk is away.
    while not told and hops < 10_000:
        take.add_sound(second_TC)
        take.note(hops, 0, ControlSnapshot({}, ()))
        hops += 1
    assert 200 < hops < 230
    assert len(told) == 1
    assert told[0].endswith("ends here: the disk fell more than 30 s behind. It can be replayed up to here.")
    take.add_sound(second_TC)
    take.note(hops, 0, ControlSnapshot({"gain_db": 1.0}, ()))
    answers.set()
    take.close()
    lines = lines_of(tmp_path / "take")
    assert lines[-1].end == "the disk fell more than 30 s behind"
    assert lines[-1].received_samples == len(sound_of(tmp_path / "take", 1))
    assert hops - 3 <= lines[-1].hop < hops
    assert len(told) == 1


RECORDER = """
import resource, sys
from tests.engine.takes.test_recorder import *
if len(sys.argv) > 3:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
take = TakeRecorder(sys.argv[1], header(), live=sys.argv[2] == "live", notify=lambda line: print(line, flush=True))
take.open()
for hop in range(400):
    take.add_sound(np.full((HOP, 2), hop, np.float32))
    take.note(hop, 0, ControlSnapshot({"gain_db": float(hop)}, ()))
print("written", flush=True)
if len(sys.argv) > 3:
    take.close()
    print("the show goes on")
else:
    sys.stdin.read()
"""


def start_recorder(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RECORDER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def assert_runs(process: subprocess.Popen) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.02)


def test_a_killed_process_leaves_a_take_to_its_last_second(tmp_path):
    process = start_recorder(str(tmp_path / "take"), "live")
    assert process.stdout
    assert process.stdout.readline() == "written\n"
    # The portion that is not yet full stays in memory; the others are written as soon as the writer comes to them.
    while not (tmp_path / "take" / SOUND).stat().st_size >= 390 * HOP * 8:
        assert_runs(process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    sound_TC = sound_of(tmp_path / "take")
    # The kill may come in the middle of a write, and so of a hop.
    np.testing.assert_array_equal(sound_TC[:, 0], np.arange(len(sound_TC)) // HOP)
    lines = lines_of(tmp_path / "take")
    assert lines[-1].end is None
    assert 380 <= lines[-1].hop <= 399
    assert lines[-1].received_samples <= len(sound_TC)


@pytest.mark.parametrize("pace", ["live", "offline"])
def test_a_full_disk_ends_the_take_with_one_notice(tmp_path, pace):
    process = start_recorder(str(tmp_path / "take"), pace, "1000000")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    lines = output.splitlines()
    assert lines[-1] == "the show goes on"
    (notice,) = (line for line in lines if "ends here" in line)
    assert notice.endswith("ends here: it cannot be written (File too large). It can be replayed up to here.")
    log = lines_of(tmp_path / "take")
    assert log[-1].end == "File too large"
    assert 0 < log[-1].received_samples <= len(sound_of(tmp_path / "take"))


def test_a_full_file_system_ends_the_take_with_one_notice(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        told: list[str] = []
        take = TakeRecorder(disk / "take", header(), live=False, notify=told.append)
        take.open()
        for hop in range(400):
            take.add_sound(np.full((HOP, 2), hop, np.float32))
            take.note(hop, 0, ControlSnapshot({"gain_db": float(hop)}, ()))
        take.close()
        (notice,) = told
        assert "No space left on device" in notice
        log = lines_of(disk / "take")
        assert 0 < log[-1].received_samples <= len(sound_of(disk / "take"))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_sound_that_is_not_the_takes_is_refused(tmp_path):
    SoundFile(tmp_path / SOUND, 44100, 2).close()
    with pytest.raises(ConfigError, match="is not the sound of this take: pcm_f32le with 2 channels at 44100 Hz"):
        sound_of(tmp_path)
    (tmp_path / SOUND).write_bytes(b"nonsense")
    with pytest.raises(ConfigError, match=r"sound\.caf is damaged"):
        sound_of(tmp_path)
    with pytest.raises(ConfigError, match=r"sound\.caf is missing"):
        sound_of(tmp_path / "none")


def test_ordinary_players_open_the_sound(tmp_path):
    sound = SoundFile(tmp_path / SOUND, RATE_HZ, 2)
    sound.write(np.zeros((RATE_HZ, 2), np.float32))
    sound.close()
    with av.open(str(tmp_path / SOUND)) as container:
        assert float(container.streams.audio[0].duration * container.streams.audio[0].time_base) == pytest.approx(1.0)
