"""Clocks outside: where their senders find the show."""

from __future__ import annotations

import os
import queue
from contextlib import ExitStack

import pytest
from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf

from engine.app.tempo import OS2L, advertise_os2l

WAITS_S = 20.0
KIND = f"{OS2L}.local."
NAME = f"Fluid {os.getpid()}"


def test_senders_of_os2l_on_this_machine_find_the_show() -> None:
    found: queue.Queue[tuple[str, ServiceStateChange]] = queue.Queue()

    def on_change(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if name.startswith(NAME):
            found.put((name, state_change))

    browsing = Zeroconf(interfaces=["127.0.0.1"])
    browser = ServiceBrowser(browsing, KIND, handlers=[on_change])
    try:
        with ExitStack() as releasing:
            advertise_os2l(NAME, "localhost", 19996, pytest.fail, releasing)
            assert found.get(timeout=WAITS_S) == (f"{NAME}.{KIND}", ServiceStateChange.Added)
            info = browsing.get_service_info(KIND, f"{NAME}.{KIND}")
            assert info is not None
            assert info.port == 19996
        assert found.get(timeout=WAITS_S) == (f"{NAME}.{KIND}", ServiceStateChange.Removed)
    finally:
        browser.cancel()
        browsing.close()
