"""The desktop of the click test: a private screen, a private sound server of either kind, and the real show as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.private_desktop import PULSE_PROGRAMS, ROOT, SCREEN_PROGRAMS, SINK_NAME, PrivateDesktop, wait_until

MONITOR = SINK_NAME + ".monitor"
PROGRAMS = {"pulse": PULSE_PROGRAMS, "jack": ("jackd", "jack_wait")}
PACKAGES = "pulseaudio pulseaudio-utils libasound2-plugins jackd2 xvfb openbox"
JACK_PERIOD = 256
SCREEN = (800, 820)
"""Width and height. The window opens 768 pixels wide, so the middle of the screen lies in it wherever it is placed."""


class ClickDesktop(PrivateDesktop):
    """Starts with screen and sound server."""

    def __init__(self, sound_server: str = "pulse") -> None:
        """Start both. Raises ConfigError for a missing program."""
        super().__init__("click test", (*PROGRAMS[sound_server], *SCREEN_PROGRAMS), PACKAGES, home=ROOT)
        try:
            self.start_screen(*SCREEN)
            if sound_server == "pulse":
                self.start_sound()
            else:
                self._start_jack()
        except BaseException:
            self.close()
            raise

    def start_show(self, model: Path, stats: Path, source: str, options: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start the show: the server's sound in, a window out."""
        show = [sys.executable, "run_live.py", "--source", source, "--model", str(model), "--out", "window"]
        return self.start([*show, "--no-osc", "--no-flash-guard", "--stats", str(stats), *options], "show.log")

    def _start_jack(self) -> None:
        name = self.folder.name
        self.environment |= {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
        driver = ["-d", "dummy", "-r", "48000", "-p", str(JACK_PERIOD), "-C", "2", "-P", "2"]
        self.start(["jackd", "-n", name, "-r", "--no-mlock", *driver], "jack.log")

        def answers() -> bool:
            output = self.run("jack_wait", "-s", name, "-c")
            return "running" in output and "not running" not in output

        wait_until(answers, "the sound server's start")
