"""Random hostile OSC over real sockets, UDP and TCP, into a real show without a window, for as long as it is given.

    python -m benchmarks.fuzz_osc --minutes 10

The show has listeners of its own, and who attacks subscribes to it. benchmarks/fuzzed_show.py says what is asked of it.
"""

from __future__ import annotations

import socket
from typing import Any

from benchmarks.fuzzed_show import FuzzedShow, FuzzRun, run_fuzz
from benchmarks.night_desktop import free_port
from benchmarks.osc_flood import SceneControl
from benchmarks.osc_flood_traffic import HOST
from benchmarks.osc_hostile_senders import Sender, TcpSender, answers_tcp
from benchmarks.private_desktop import PrivateDesktop, wait_until
from engine.control.parameter_table import ShowValues
from engine.control.remotes.osc_addresses import PING, address
from engine.core.errors import run_main
from engine.core.osc_names import OUT, SUBSCRIBE, UNSUBSCRIBE


def main() -> int:
    return run_fuzz("osc", 2000.0, fuzz)


def fuzz(stage: PrivateDesktop, run: FuzzRun) -> dict[str, Any]:
    """Return what became of a show under random datagrams."""
    port, tcp_port = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    ports = ["--osc-port", str(port), "--osc-tcp", str(tcp_port)]
    show = FuzzedShow(stage, run.model, [*ports, "--osc-out", f"{HOST}:{free_port(socket.SOCK_DGRAM)}"])
    control = SceneControl(port)
    wait_until(lambda: control.ask(PING) is not None, "the show's start")
    before = control.figures()
    senders = (
        Sender(port, [*run.names, SUBSCRIBE, UNSUBSCRIBE, f"{OUT}/level"], run.seed),
        TcpSender(tcp_port, [*run.names, SUBSCRIBE], run.seed),
    )
    rounds = 0

    def send(passed_s: float) -> None:
        nonlocal rounds
        while rounds < passed_s * run.a_second:
            # Every other one over TCP.
            senders[rounds % 2].send()
            rounds += 1

    def send_on() -> None:
        for sender in senders:
            sender.send()

    watched = show.watch(60.0 * run.minutes, lambda: control.ask_patiently(PING) is not None, send)
    answered_tcp = answers_tcp(tcp_port)
    kept = control.ask_patiently(address(ShowValues.flash_guard.name)) == [True]
    after = control.ask_figures()
    figures = show.figures(watched, kept, show.end(send_on), int(before["skipped_hops"]))
    return {
        "sent": senders[0].sent,
        "sent_tcp": senders[1].sent,
        "connected": senders[1].connected,
        "received": int(after.get("osc_received", 0)),
        "refused": int(after.get("osc_refused", 0)),
        "answered_tcp": answered_tcp,
        **figures,
        "met": figures["met"] and answered_tcp,
    }


if __name__ == "__main__":
    run_main(main)
