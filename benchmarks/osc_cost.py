"""Processor time that each kind of OSC datagram costs a show, without a socket.

    python -m benchmarks.osc_cost

Datagrams of the floods in benchmarks/osc_flood.py are put and applied in batches as they arrive at 5,000 a second, on an invented
clock, so that every limit acts as in a show; the step's snapshot and the collection of garbage between two hops are counted too.
It is processor time and not time passed, so other programs change it little.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from pathlib import Path

from benchmarks.osc_flood import MODEL
from benchmarks.osc_flood_traffic import HOST, KINDS, LOCKED, SPOOFED, STRANGER, STRANGERS
from benchmarks.record import append_record, print_table
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.osc_inbox import Inbox
from engine.control.remotes.osc_senders import AllowedSenders
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.errors import run_main
from engine.model.card import ModelCard
from engine.model.file import read_card

A_SECOND, BATCH, HOPS_A_SECOND = 5000, 12, 20
DIFFERENT = 5000
SENDER = (HOST, 5005)


class DatagramClock:
    """Time that passes with each datagram."""

    def __init__(self) -> None:
        self.datagrams = 0

    def now_s(self) -> float:
        return self.datagrams / A_SECOND

    def sleep(self, duration_s: float) -> None:
        """Nobody sleeps here."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the processor time that each kind of OSC datagram costs.")
    parser.add_argument("--model", type=Path, default=MODEL, help="model file (default: the one shipped)")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="KIND")
    parser.add_argument("--datagrams", type=int, default=20_000, help="of each kind (default 20000)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each kind; the fastest counts (default 3)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    card = read_card(arguments.model)
    costs_us = {
        kind: round(min(cost_us(card, kind, arguments.datagrams) for _ in range(arguments.repeats)), 1)
        for kind in arguments.kinds
    }
    print_table(["kind", "µs a datagram"], list(costs_us.items()))
    if not arguments.no_record:
        append_record("osc_cost", {"datagrams": arguments.datagrams, "cost_us": costs_us}, model=card.name)
    return 0


def cost_us(card: ModelCard, kind: str, datagrams: int) -> float:
    """Return the processor time of one datagram of a kind."""
    clock, rolled = DatagramClock(), random.Random(kind)
    store = ParameterStore(parameters_for(card), {}, _forget)
    access = RemoteAccess(store, (LOCKED,), _forget, clock)
    inbox, allowed = Inbox(access, lambda: {"hops": 1}, clock), AllowedSenders((HOST,))
    made = [KINDS[kind](rolled) for _ in range(DIFFERENT)]
    host = STRANGER if kind == STRANGERS else HOST
    sender = None if kind == SPOOFED else SENDER
    # As in a show, which collects between two hops.
    gc.collect()
    gc.disable()
    try:
        began_s = time.process_time()
        for number in range(1, datagrams + 1):
            clock.datagrams = number
            if allowed.admits(host):
                inbox.put(made[number % DIFFERENT], sender)
            if number % BATCH == 0:
                inbox.apply()
            if number % (A_SECOND // HOPS_A_SECOND) == 0:
                store.take_snapshot(number)
                gc.collect(0)
        return 1e6 * (time.process_time() - began_s) / datagrams
    finally:
        gc.enable()


def _forget(line: str) -> None:
    """Nobody reads."""


if __name__ == "__main__":
    run_main(main)
