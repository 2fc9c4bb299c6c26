"""The faults of the overnight test: each is caused for real, from outside the show."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.night_desktop import TITLE, NightDesktop
from benchmarks.night_traffic import Traffic
from benchmarks.private_desktop import SINK_MODULE, SINK_NAME
from engine.app.config import SETTINGS
from engine.control.remotes.osc_addresses import address
from engine.core.clock import WallClock

FLOOD_MESSAGES = 5000
RECORD_S = 1.5
BUSY_PROCESSES = 2


@dataclass(slots=True)
class FaultTarget:
    """What a fault acts on."""

    desktop: NightDesktop
    traffic: Traffic
    show_id: int
    known: frozenset[str]
    """Names of the show's parameters."""
    busy: list[subprocess.Popen[bytes]] = field(default_factory=list)


Action = Callable[[FaultTarget], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: `start`, wait for `hold_s`, `stop`."""

    name: str
    hold_s: float
    start: Action
    stop: Action = lambda target: None
    excuses: bool = False
    """Whether nothing can be drawn or sampled meanwhile."""
    stops_product: bool = False
    obstacle: Callable[[FaultTarget], str | None] = lambda target: None
    """Why this machine cannot do it; None when it can."""


def _hang_sound(target: FaultTarget) -> None:
    target.desktop.signal_sound(signal.SIGSTOP)


def _wake_sound(target: FaultTarget) -> None:
    target.desktop.signal_sound(signal.SIGCONT)


def _kill_sound(target: FaultTarget) -> None:
    target.desktop.stop_sound(signal.SIGKILL)


def _restart_sound(target: FaultTarget) -> None:
    target.desktop.start_sound()


def _suspend_output(target: FaultTarget) -> None:
    target.desktop.run("pactl", "suspend-sink", SINK_NAME, "1")


def _resume_output(target: FaultTarget) -> None:
    target.desktop.run("pactl", "suspend-sink", SINK_NAME, "0")


def _unplug(target: FaultTarget) -> None:
    target.desktop.run("pactl", "unload-module", "module-null-sink")


def _plug_in(target: FaultTarget) -> None:
    target.desktop.run("pactl", "load-module", *SINK_MODULE.split())
    target.desktop.run("pactl", "set-default-sink", SINK_NAME)
    target.desktop.run("pactl", "set-default-source", SINK_NAME + ".monitor")


def _load_machine(target: FaultTarget) -> None:
    spin = [sys.executable, "-c", "while True: pass"]
    target.busy = [subprocess.Popen(spin) for _ in range(BUSY_PROCESSES)]


def _unload_machine(target: FaultTarget) -> None:
    for process in target.busy:
        process.kill()
        process.wait()


def _stop_show(target: FaultTarget) -> None:
    os.kill(target.show_id, signal.SIGSTOP)


def _continue_show(target: FaultTarget) -> None:
    os.kill(target.show_id, signal.SIGCONT)


def _move_window(target: FaultTarget) -> None:
    target.desktop.run("wmctrl", "-r", TITLE, "-e", "0,120,60,500,420")


def _enlarge_window(target: FaultTarget) -> None:
    target.desktop.run("wmctrl", "-r", TITLE, "-e", "0,20,20,900,700")


def _hide_window(target: FaultTarget) -> None:
    window = target.desktop.run("xdotool", "search", "--name", f"^{TITLE}$").split()
    target.desktop.run("xdotool", "windowminimize", *window[-1:])


def _show_window(target: FaultTarget) -> None:
    target.desktop.run("wmctrl", "-R", TITLE)


def _hang_screen(target: FaultTarget) -> None:
    target.desktop.signal_screen(signal.SIGSTOP)


def _wake_screen(target: FaultTarget) -> None:
    target.desktop.signal_screen(signal.SIGCONT)


def _fill_disk(target: FaultTarget) -> None:
    """Start to record, and fill the disk a moment later."""
    if "record" in target.known:
        target.traffic.send(address("record"), True)
        WallClock().sleep(RECORD_S)
    assert target.desktop.disk
    with suppress(OSError), (target.desktop.disk / "filler").open("wb") as filler:
        while True:
            filler.write(bytes(1 << 20))


def _empty_disk(target: FaultTarget) -> None:
    if "record" in target.known:
        target.traffic.send(address("record"), False)
    assert target.desktop.disk
    (target.desktop.disk / "filler").unlink(missing_ok=True)
    for recorded in target.desktop.disk.glob("recordings/**/*.*"):
        recorded.unlink(missing_ok=True)


def _no_disk(target: FaultTarget) -> str | None:
    return None if target.desktop.disk else "no small disk can be mounted here (root needed)"


def _flood(target: FaultTarget) -> None:
    target.traffic.flood(FLOOD_MESSAGES)


def _recall(number: int) -> Action:
    def recall(target: FaultTarget) -> None:
        target.traffic.send(address("scene"), number)

    return recall


def _no_scenes(target: FaultTarget) -> str | None:
    has_scenes = "scenes" in SETTINGS and "scene" in target.known
    return None if has_scenes else "this version of the show has no scenes"


MISSING_SCENE, CORRUPT_SCENE, SOUND_SCENE = 101, 102, 103

FAULTS: Sequence[Fault] = (
    # First the faults after which the process holds more memory for good, so that memory has settled after five minutes.
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
    """Write the scenes that the faults recall: with a missing model, a truncated one, and an intact one under another name."""
    folder.mkdir()
    content = model.read_bytes()
    (folder / "corrupt.onnx").write_bytes(content[: len(content) // 2])
    (folder / "sound.onnx").write_bytes(content)
    for number, name in ((MISSING_SCENE, "missing"), (CORRUPT_SCENE, "corrupt"), (SOUND_SCENE, "sound")):
        (folder / f"{number}.yaml").write_text(f"name: {name}\nmodel: {name}.onnx\n", encoding="utf-8")
