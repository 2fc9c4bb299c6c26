"""A stage of one's own for click tests: a private sound server, a private screen, and the real show as a process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from engine.clock import WallClock
from engine.errors import ConfigError

ROOT = Path(__file__).parent.parent
SINK_NAME = "fluid"
MONITOR = SINK_NAME + ".monitor"
PROGRAMS = {"pulse": ("pulseaudio", "pactl"), "jack": ("jackd", "jack_wait")}
JACK_PERIOD = 256
WITHIN_S = 30.0
SCREEN = (800, 820)
"""Width and height. The window opens 768 pixels wide, so the middle of the screen lies in its picture wherever it is put."""


class Stage:
    """Everything that is started here ends with `close`."""

    def __init__(self, sound_server: str = "pulse", screen: tuple[int, int] = SCREEN) -> None:
        """Start the sound server, screen and window manager. Raises ConfigError, naming a program that is missing."""
        for program in (*PROGRAMS[sound_server], "Xvfb", "openbox"):
            if not shutil.which(program):
                raise ConfigError(f"The click test needs {program}, which is not installed (Debian, Ubuntu: apt install "
                                  "pulseaudio pulseaudio-utils libasound2-plugins jackd2 xvfb openbox).")  # fmt: skip
        self._closing = ExitStack()
        self.screen = screen
        try:
            # A socket's path may have no more than 107 characters.
            self.folder = Path(tempfile.mkdtemp(prefix="fluid-click-"))
            self._closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
            sound = {"XDG_RUNTIME_DIR": str(self.folder), "PULSE_SERVER": f"unix:{self.folder}/pulse/native"}
            self.environment = {**os.environ, **sound, "DISPLAY": ""}
            self.environment["DISPLAY"] = self.display = self._start_screen()
            self._start_pulse() if sound_server == "pulse" else self._start_jack()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._closing.close()

    def start(
        self, command: Sequence[str], log: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program on this stage; its words go to the file `log` in the stage's folder."""
        with (self.folder / log).open("wb") as words:
            process = subprocess.Popen(
                command,
                env=environment or self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
            )
        self._closing.callback(end, process)
        return process

    def start_show(self, model: Path, stats: Path, source: str, options: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start the product: the server's sound in, a window out."""
        show = [sys.executable, "run_live.py", "--source", source, "--model", str(model), "--out", "window"]
        return self.start([*show, "--no-osc", "--no-flash-guard", "--stats", str(stats), *options], "show.log")

    def words(self, log: str) -> str:
        """Return what a program has said so far."""
        return (self.folder / log).read_text(encoding="utf-8", errors="replace")

    def _start_screen(self) -> str:
        width, height = self.screen
        read_end, write_end = os.pipe()
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"],
            pass_fds=[write_end],
            stderr=subprocess.DEVNULL,
        )
        self._closing.callback(end, server)
        os.close(write_end)
        with os.fdopen(read_end) as told:
            name = f":{told.readline().strip()}"
        self.start(["openbox"], "openbox.log", {**self.environment, "DISPLAY": name})
        return name

    def _start_pulse(self) -> None:
        sink = f"module-null-sink sink_name={SINK_NAME} rate=48000 channels=2 format=float32le"
        modules = ["module-native-protocol-unix", sink, "module-always-sink"]
        options = [
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--realtime=no",
            "--high-priority=no",
            "--use-pid-file=no",
        ]
        self.start(["pulseaudio", *options, *(part for module in modules for part in ("-L", module))], "pulse.log")

        def answers() -> bool:
            return (
                subprocess.run(["pactl", "info"], env=self.environment, capture_output=True, check=False).returncode
                == 0
            )

        wait_until(answers, "the sound server's start")

    def _start_jack(self) -> None:
        name = self.folder.name
        self.environment |= {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
        driver = ["-d", "dummy", "-r", "48000", "-p", str(JACK_PERIOD), "-C", "2", "-P", "2"]
        self.start(["jackd", "-n", name, "-r", "--no-mlock", *driver], "jack.log")

        def answers() -> bool:
            asked = subprocess.run(
                ["jack_wait", "-s", name, "-c"], env=self.environment, capture_output=True, text=True, check=False
            )
            return "running" in asked.stdout and "not running" not in asked.stdout

        wait_until(answers, "the sound server's start")


def wait_until(happened: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
    """Return once `happened` says so. Raises ConfigError, saying `what` did not happen."""
    clock = WallClock()
    until_s = clock.now_s() + within_s
    while not happened():
        if clock.now_s() > until_s:
            raise ConfigError(f"The click test cannot go on: {what} did not happen within {within_s:g} s.")
        clock.sleep(0.05)


def end(process: subprocess.Popen[bytes], patience_s: float = 15.0) -> None:
    """Ask a process to end, and end it when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
