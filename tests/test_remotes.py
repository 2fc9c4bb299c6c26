"""OSC packets over UDP and a MIDI port, in whole processes."""

from __future__ import annotations

import re
import signal
import socket
import time
from pathlib import Path

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.tcp_client import SimpleTCPClient
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


def heard_until(listener: socket.socket, address: str, value: object) -> set[str]:
    """Return the addresses that a listener hears up to that value."""
    heard = set[str]()
    while True:
        told = OscMessage(listener.recv(65536))
        heard.add(told.address)
        if told.address == address and told.params == [value]:
            return heard


def test_a_listener_hears_the_show_and_follows_what_others_set(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.settimeout(60.0)
        listener.bind(("127.0.0.1", 0))
        out = f"127.0.0.1:{listener.getsockname()[1]}"
        flags = ("--osc-port", "0", "--osc-tcp", "0", "--osc-out", out, "--osc-out-rate", "60")
        process = start("--source", "demo", "--out", "null", *flags, cwd=tmp_path)
        assert process.stdout
        ports = None
        while ports is None:
            line = process.stdout.readline()
            assert line, "the show ended"
            ports = re.search(r"^osc .* port (\d+), tcp port (\d+)$", line.rstrip())
        heard = heard_until(listener, "/fluid/out/model", "water")
        assert {"/fluid/out/level", "/fluid/out/beat_phase", "/fluid/out/tempo"} <= heard
        connected = SimpleTCPClient("127.0.0.1", int(ports[2]))
        connected.send_message("/fluid/zoom", 2.5)
        heard_until(listener, "/fluid/zoom", 2.5)
        client = SimpleUDPClient("127.0.0.1", int(ports[1]))
        client.send_message("/fluid/glow", 0.5)
        heard_until(listener, "/fluid/glow", 0.5)
        heard_until(listener, "/fluid/out/recording", 0)
        connected.close()
        process.send_signal(signal.SIGTERM)
        _, complained = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, complained) == (0, "")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--osc-out", "10.0.0.7"), "a host and a port were expected, e.g. 10.0.0.7:9001"),
        (("--osc-out-rate", "100"), "osc_out_rate is '100'; a number from 1 to 60 was expected."),
        (("--no-osc", "--osc-tcp", "9001"), "osc_tcp is 9001 and osc is off; leave out --osc-tcp or --no-osc."),
    ],
)
def test_what_cannot_be_told_or_listened_to_ends_before_the_show(tmp_path: Path, flags, sentence) -> None:
    code, _, complained = run("--source", "demo", "--out", "null", *flags, cwd=tmp_path)
    assert code == 2
    assert sentence in complained


def test_a_midi_port_that_cannot_be_had_costs_a_line_and_not_the_show(tmp_path: Path) -> None:
    flags = ("--no-osc", "--source", "demo", "--out", "null", "--seconds", "3", "--midi", "no such port")
    code, said, complained = run(*flags, cwd=tmp_path)
    assert (code, complained) == (0, "")
    assert "There is no MIDI port 'no such port'" in said or "no port can be opened here" in said
