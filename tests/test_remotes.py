"""OSC packets over UDP and a MIDI port, in whole processes."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

from pythonosc.udp_client import SimpleUDPClient

from engine.control.former_names import renamed
from tests.processes import ENDS_WITHIN_S, decoded_NHWC, run, start, wait_for_recording

BLACK = 4
"""What lossy compression may make of 0."""


def test_osc_packets_change_the_frames(tmp_path: Path) -> None:
    process = start("--source", "tone", "--out", "show.mp4", "--osc-port", "0", cwd=tmp_path)
    assert process.stdout
    lines, port = [], None
    while port is None:
        lines.append(process.stdout.readline())
        assert lines[-1], "the show ended"
        port = re.search(r"^osc .*\b(\d{4,5})\b", lines[-1])
    client = SimpleUDPClient("127.0.0.1", int(port[1]))
    wait_for_recording(tmp_path / "show.mp4")
    for value in (0.1, 0.2):
        client.send_message("/fluid/hit_zoom", value)
    client.send_message("/fluid/blackout", 1)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, complained) == (0, "")
    assert said.count(renamed("hit_zoom", "onset_zoom")) == 1
    shown = decoded_NHWC(tmp_path / "show.mp4")
    assert shown[:5].max(axis=(1, 2, 3)).min() > 10 * BLACK
    assert shown[-5:].max() <= BLACK


def test_a_controller_file_with_a_mistake_is_one_sentence_before_the_show(tmp_path: Path) -> None:
    (tmp_path / "pad.yaml").write_text("assignments:\n- {note: 36, parameter: blakout}\n")
    code, said, complained = run("--midi", "all", "--controller", "pad.yaml", cwd=tmp_path)
    assert (code, said) == (2, "")
    assert complained == (
        "error: The controller file pad.yaml moves 'blakout' with note 36, which is no parameter. Did you mean 'blackout'?\n"
    )


def test_a_midi_port_that_cannot_be_had_costs_a_line_and_not_the_show(tmp_path: Path) -> None:
    flags = ("--no-osc", "--source", "demo", "--out", "null", "--seconds", "3", "--midi", "no such port")
    code, said, complained = run(*flags, cwd=tmp_path)
    assert (code, complained) == (0, "")
    assert "There is no MIDI port 'no such port'" in said or "this machine has no sequencer" in said
