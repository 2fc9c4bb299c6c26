"""From a remote's message to the changed frame on the screen.

    python -m benchmarks.remote_latency --remotes osc oscquery web midi --changes 100

Starts a private screen, a sound server and, on them, the show as a user starts it with a probe model. Each remote sets a parameter from dark
to bright at random phases, and one pixel of the screen is read about every millisecond. `floor` is the model's own parameter and takes
effect in the next step, `brightness` is an effect of the window. The goals are one hop and one frame of the display, and one frame of the
display.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.click_desktop import SCREEN, ClickDesktop
from benchmarks.click_figures import spread_ms
from benchmarks.click_light import Light, Screen
from benchmarks.private_desktop import end, wait_until
from benchmarks.record import append_record, print_table
from benchmarks.remote_senders import REMOTES, Sender
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, run_main
from engine.model.file import read_card
from export.probe import write_probe_file

DARK, BRIGHT, LIT = 0.1, 0.9, 128
PARAMETERS = {
    # Value when dark, value when bright, and the value of the other one meanwhile.
    "floor": (DARK, BRIGHT, ("brightness", 1.0)),
    "brightness": (2 * DARK, 2 * BRIGHT, ("floor", 0.5)),
}
REST_S = (0.15, 0.25)
"""Shortest and longest time between two changes."""
SETTLE_S = 3.0
"""Time in which a MIDI port is found, and the clocks of the sound server settle."""
DISPLAY_HZ = 60.0
"""The present loop's rate on a screen that tells none."""


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.changes < 1:
        raise ConfigError(f"--changes is {arguments.changes}; 1 or more were expected.")
    rows: list[list[object]] = []
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "probe.onnx"
        write_probe_file(model, arguments.fps, 128)
        for remote in arguments.remotes:
            for parameter, delays_s in measure(remote, model, arguments.changes, arguments.seed).items():
                goal_ms = 1e3 / DISPLAY_HZ + (1e3 * read_card(model).hop_s if parameter == "floor" else 0.0)
                spread = spread_ms(delays_s)
                missed = arguments.changes - len(delays_s)
                figures = [round(spread.get(key, 0.0), 1) for key in ("p50", "p95", "max")]
                rows.append([remote, parameter, *figures, missed, round(goal_ms, 1)])
                records.append(
                    {"remote": remote, "parameter": parameter, **spread, "missed": missed, "goal_ms": goal_ms}
                )
    print_table(["remote", "parameter", "p50 ms", "p95 ms", "max ms", "missed", "goal ms"], rows)
    append_record("remote_latency", {"fps": arguments.fps, "changes": arguments.changes, "rows": records})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how long a remote's message takes to change the screen.")
    parser.add_argument("--remotes", nargs="+", choices=tuple(REMOTES), default=list(REMOTES))
    parser.add_argument(
        "--changes", type=int, default=100, help="changes of each parameter by each remote (default 100)"
    )
    parser.add_argument("--fps", type=float, default=20.0, help="frame rate of the probe (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the times between changes")
    return parser


def measure(remote: str, model: Path, changes: int, seed: int) -> dict[str, list[float]]:
    """Play a show with one kind of remote and return the delays in seconds by parameter. Raises ConfigError."""
    kind = REMOTES[remote]
    with ClickDesktop(kind.sound_server) as desktop:
        show = desktop.start_show(
            model, desktop.folder / "stats.json", "demo", ["--gain-db", "-60", *kind.options(desktop.folder)]
        )
        light = Light(Screen(desktop.display), SCREEN[0] // 2, SCREEN[1] // 2, LIT)
        try:
            sender = _connected(lambda: kind.connect(desktop.environment), show, lambda: desktop.output("show.log"))
            WallClock().sleep(SETTLE_S)
            delays_s = {name: _changes(sender, light, name, changes, seed) for name in PARAMETERS}
            sender.close()
            end(show)
        finally:
            light.close()
    return delays_s


def _connected(connect: Callable[[], Sender], show: Any, said: Callable[[], str]) -> Sender:
    """Wait until the show plays and its remote answers."""
    found: list[Sender] = []

    def is_connected() -> bool:
        if show.poll() is not None:
            raise ConfigError(f"The show ended before it began; its last output: {said()[-600:]}")
        # The last line of the start report, after which the frames begin.
        if "onsets on the shown frame" not in said():
            return False
        try:
            found.append(connect())
        except OSError:
            return False
        return True

    wait_until(is_connected, "the show and its remote")
    return found[0]


def _changes(sender: Sender, light: Light, name: str, changes: int, seed: int) -> list[float]:
    """Set a parameter to bright and back at random times; return from each message to its light, in seconds."""
    clock, random = WallClock(), np.random.default_rng(seed)
    dark, bright, (other, value) = PARAMETERS[name]
    sender.set(other, value)
    delays_s: list[float] = []
    for _ in range(changes):
        sender.set(name, dark)
        clock.sleep(random.uniform(*REST_S))
        seen = len(light.rises_s)
        sent_s = clock.now_s()
        sender.set(name, bright)
        clock.sleep(REST_S[0])
        delays_s += [rise_s - sent_s for rise_s in _rises(light.rises_s, seen)]
    return delays_s


def _rises(rises_s: Sequence[float], seen: int) -> Sequence[float]:
    """Return the first rise after those that were seen before, if there is one."""
    return rises_s[seen : seen + 1]


if __name__ == "__main__":
    run_main(main)
