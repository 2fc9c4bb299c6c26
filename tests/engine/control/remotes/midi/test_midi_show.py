"""A whole show with a MIDI device in a real JACK server."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.engine.control.remotes.midi.conftest import JackDevice
from tests.processes import ENDS_WITHIN_S, decoded_NHWC, start, wait_for_recording

BLACK = 4
"""What lossy compression may make of 0."""


def test_a_whole_show_follows_a_controller_and_ends_while_it_sends(
    plug: Callable[[str], JackDevice], tmp_path: Path
) -> None:
    device = plug("pads")
    (tmp_path / "pads.yaml").write_text("assignments: [{note: 36, parameter: blackout}]")
    midi = ("--midi", "all", "--midi-api", "jack", "--controller", "pads.yaml")
    process = start("--no-osc", "--source", "tone", "--out", "show.mp4", *midi, cwd=tmp_path)
    assert process.stdout
    assert any(line == "midi     pads:out\n" for line in process.stdout)
    wait_for_recording(tmp_path / "show.mp4")
    device.send_until(lambda: [0x90, 36, 127] in device.received, "the lamp of the switch", [0x90, 36, 100])
    device.send(*([0xB0, 5, position % 128] for position in range(500)))
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 0
    shown = decoded_NHWC(tmp_path / "show.mp4")
    assert shown[0].max() > BLACK
    assert shown[-3:].max() <= BLACK
