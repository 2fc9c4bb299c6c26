"""What happens to a show in a night, one after another: each fault is done for real, from outside the product."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.night_stage import TITLE, Stage
from benchmarks.night_traffic import Traffic
from benchmarks.own_stage import SINK_MODULE, SINK_NAME
from engine.app.config import SETTINGS
from engine.control.remotes.osc_addresses import address
from engine.core.clock import WallClock

FLOOD_MESSAGES = 5000
RECORD_S = 1.5
BUSY_PROCESSES = 2


@dataclass(slots=True)
class Night:
    """What a fault is done to."""

    stage: Stage
    traffic: Traffic
    show_id: int
    known: frozenset[str]
    """Names of the product's parameters."""
    busy: list[subprocess.Popen[bytes]] = field(default_factory=list)


Deed = Callable[[Night], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: `begin`, wait for `hold_s`, `finish`."""

    name: str
    hold_s: float
    begin: Deed
    finish: Deed = lambda night: None
    excuses: bool = False
    """Whether nothing can be drawn or seen while it lasts."""
    stops_product: bool = False
    obstacle: Callable[[Night], str | None] = lambda night: None
    """Why it cannot be done here; None when it can."""


def _hang_sound(night: Night) -> None:
    night.stage.signal_sound(signal.SIGSTOP)


def _wake_sound(night: Night) -> None:
    night.stage.signal_sound(signal.SIGCONT)


def _kill_sound(night: Night) -> None:
    night.stage.stop_sound(signal.SIGKILL)


def _restart_sound(night: Night) -> None:
    night.stage.start_sound()


def _suspend_output(night: Night) -> None:
    night.stage.tell("pactl", "suspend-sink", SINK_NAME, "1")


def _resume_output(night: Night) -> None:
    night.stage.tell("pactl", "suspend-sink", SINK_NAME, "0")


def _unplug(night: Night) -> None:
    night.stage.tell("pactl", "unload-module", "module-null-sink")


def _plug_in(night: Night) -> None:
    night.stage.tell("pactl", "load-module", *SINK_MODULE.split())
    night.stage.tell("pactl", "set-default-sink", SINK_NAME)
    night.stage.tell("pactl", "set-default-source", SINK_NAME + ".monitor")


def _load_machine(night: Night) -> None:
    spin = [sys.executable, "-c", "while True: pass"]
    night.busy = [subprocess.Popen(spin) for _ in range(BUSY_PROCESSES)]


def _unload_machine(night: Night) -> None:
    for process in night.busy:
        process.kill()
        process.wait()


def _stop_show(night: Night) -> None:
    os.kill(night.show_id, signal.SIGSTOP)


def _continue_show(night: Night) -> None:
    os.kill(night.show_id, signal.SIGCONT)


def _move_window(night: Night) -> None:
    night.stage.tell("wmctrl", "-r", TITLE, "-e", "0,120,60,500,420")


def _enlarge_window(night: Night) -> None:
    night.stage.tell("wmctrl", "-r", TITLE, "-e", "0,20,20,900,700")


def _hide_window(night: Night) -> None:
    window = night.stage.tell("xdotool", "search", "--name", f"^{TITLE}$").split()
    night.stage.tell("xdotool", "windowminimize", *window[-1:])


def _show_window(night: Night) -> None:
    night.stage.tell("wmctrl", "-R", TITLE)


def _hang_screen(night: Night) -> None:
    night.stage.signal_screen(signal.SIGSTOP)


def _wake_screen(night: Night) -> None:
    night.stage.signal_screen(signal.SIGCONT)


def _fill_disk(night: Night) -> None:
    """Begin to record, and take all room a moment later."""
    if "record" in night.known:
        night.traffic.send(address("record"), True)
        WallClock().sleep(RECORD_S)
    assert night.stage.disk
    with suppress(OSError), (night.stage.disk / "filler").open("wb") as filler:
        while True:
            filler.write(bytes(1 << 20))


def _empty_disk(night: Night) -> None:
    if "record" in night.known:
        night.traffic.send(address("record"), False)
    assert night.stage.disk
    (night.stage.disk / "filler").unlink(missing_ok=True)
    for recorded in night.stage.disk.glob("recordings/**/*.*"):
        recorded.unlink(missing_ok=True)


def _no_disk(night: Night) -> str | None:
    return None if night.stage.disk else "no small disk can be mounted here (root needed)"


def _flood(night: Night) -> None:
    night.traffic.flood(FLOOD_MESSAGES)


def _recall(number: int) -> Deed:
    def recall(night: Night) -> None:
        night.traffic.send(address("scene"), number)

    return recall


def _no_scenes(night: Night) -> str | None:
    there = "scenes" in SETTINGS and "scene" in night.known
    return None if there else "this version of the product has no scenes"


MISSING_SCENE, CORRUPT_SCENE, SOUND_SCENE = 101, 102, 103

FAULTS: Sequence[Fault] = (
    # First those after which the process holds more memory for good, so that it has settled after five minutes.
    Fault("product stopped 5 s", 5.0, _stop_show, _continue_show, excuses=True, stops_product=True),
    Fault("disk full 3 s", 3.0, _fill_disk, _empty_disk, obstacle=_no_disk),
    Fault("sound server killed, restarted after 3 s", 3.0, _kill_sound, _restart_sound),
    Fault("screen hangs 3 s", 3.0, _hang_screen, _wake_screen, excuses=True),
    Fault("sound server hangs 3 s", 3.0, _hang_sound, _wake_sound),
    Fault("output suspended 3 s", 3.0, _suspend_output, _resume_output),
    Fault("device unplugged 3 s", 3.0, _unplug, _plug_in),
    Fault("two busy processes 5 s", 5.0, _load_machine, _unload_machine),
    Fault("window moved and resized", 1.5, _move_window, _enlarge_window),
    Fault("window hidden 3 s", 3.0, _hide_window, _show_window, excuses=True),
    Fault(f"burst of {FLOOD_MESSAGES} OSC messages", 0.5, _flood),
    Fault("scene with a missing model", 0.5, _recall(MISSING_SCENE), obstacle=_no_scenes),
    Fault("scene with a corrupt model", 0.5, _recall(CORRUPT_SCENE), obstacle=_no_scenes),
    Fault("scene with another file of the model", 0.5, _recall(SOUND_SCENE), obstacle=_no_scenes),
)


def write_scenes(folder: Path, model: Path) -> None:
    """Write the scenes that the faults recall: with no model, with half a model, and with a whole one under another name."""
    folder.mkdir()
    content = model.read_bytes()
    (folder / "corrupt.onnx").write_bytes(content[: len(content) // 2])
    (folder / "sound.onnx").write_bytes(content)
    for number, name in ((MISSING_SCENE, "missing"), (CORRUPT_SCENE, "corrupt"), (SOUND_SCENE, "sound")):
        (folder / f"{number}.yaml").write_text(f"name: {name}\nmodel: {name}.onnx\n", encoding="utf-8")
