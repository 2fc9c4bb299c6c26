"""Random hostile MIDI over JACK into a real show without a window, for as long as it is given.

    python -m benchmarks.fuzz_midi --minutes 10

The show has a controller on every number, so what is valid moves parameters. benchmarks/fuzzed_show.py says what is asked of it; its
memory is with that of the process that opens the port.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.fuzzed_show import LOCKED, WAITS_S, FuzzedShow, FuzzRun, run_fuzz
from benchmarks.night_desktop import free_port
from benchmarks.osc_flood import SceneControl
from benchmarks.private_desktop import ROOT, PrivateDesktop, wait_until
from benchmarks.private_jack import PACKAGES, PROGRAMS, start_jack
from engine.control.parameter_table import ShowValues, parameters_for
from engine.control.remotes.osc_addresses import PING, address
from engine.core.errors import run_main
from engine.model.file import read_card

DEVICE = "rubbish"


def main() -> int:
    return run_fuzz("midi", 2000.0, fuzz, PROGRAMS, PACKAGES)


def fuzz(stage: PrivateDesktop, run: FuzzRun) -> dict[str, Any]:
    """Return what became of a show under random MIDI."""
    start_jack(stage)
    port = free_port(socket.SOCK_DGRAM)
    sender = _sender(stage, run.seed, run.a_second)
    midi = ["--midi", DEVICE, "--midi-api", "jack", "--controller", str(_controller_file(stage.folder, run.model))]
    show = FuzzedShow(stage, run.model, ["--osc-port", str(port), *midi])
    control = SceneControl(port)
    wait_until(lambda: control.ask(PING) is not None, "the show's start")
    wait_until(lambda: f"midi     {DEVICE}" in show.said, "the port")
    before, begun = control.figures(), _sent(sender)
    # The sender is a process of its own.
    watched = show.watch(60.0 * run.minutes, lambda: control.ask_patiently(PING) is not None, lambda passed_s: None)
    kept = control.ask_patiently(address(ShowValues.flash_guard.name)) == [True]
    sent = _sent(sender) - begun
    figures = show.figures(watched, kept, show.end(lambda: None), int(before["skipped_hops"]))
    assert sender.stdin
    sender.stdin.close()
    sender.wait(WAITS_S)
    gave_up = show.said.count("gave up")
    return {"sent": sent, "gave_up": gave_up, **figures, "met": figures["met"] and not gave_up}


def _sender(stage: PrivateDesktop, seed: int, a_second: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fuzz_midi_sender", DEVICE, str(seed), str(a_second)],
        env=stage.environment,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _sent(sender: subprocess.Popen[str]) -> int:
    """Return how many messages were sent so far."""
    assert sender.stdin
    assert sender.stdout
    sender.stdin.write("\n")
    sender.stdin.flush()
    # The library prints lines of its own.
    return next(int(line) for line in sender.stdout if line.strip().isdigit())


def _controller_file(folder: Path, model: Path) -> Path:
    """Write a file that gives every controller and note a parameter that is not locked."""
    names = [p.name for p in parameters_for(read_card(model)) if p.kind != "event" and p.name not in LOCKED]
    senders = [f"{kind}: {number}" for kind in ("control", "note") for number in range(128)]
    lines = [f"- {{{sender}, parameter: {names[index % len(names)]}}}" for index, sender in enumerate(senders)]
    path = folder / "every.yaml"
    path.write_text("assignments:\n" + "\n".join(lines), encoding="utf-8")
    return path


if __name__ == "__main__":
    run_main(main)
