"""A private X screen for tests that open real windows."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.conftest import require

STARTS_WITHIN_S = 20.0


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A virtual screen of 1280 x 800 with a window manager; DISPLAY names it."""
    for command in ("Xvfb", "openbox", "wmctrl", "xdotool", "xwd"):
        require(shutil.which(command), f"{command} (apt install xvfb openbox wmctrl xdotool x11-apps)")
    read_end, write_end = os.pipe()
    arguments = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    server = subprocess.Popen(arguments, pass_fds=[write_end], stderr=subprocess.DEVNULL)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        name = f":{pipe.readline().strip()}"
    monkeypatch.setenv("DISPLAY", name)
    manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL)
    deadline_s = time.monotonic() + STARTS_WITHIN_S
    while subprocess.run(["wmctrl", "-m"], capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline_s, "openbox did not start"
        time.sleep(0.05)
    try:
        yield name
    finally:
        for process in (manager, server):
            process.terminate()
            process.wait(STARTS_WITHIN_S)
