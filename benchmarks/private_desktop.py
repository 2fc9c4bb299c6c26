"""A private desktop: an X screen with a window manager, a sound server, and the programs that run on them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from engine.core.clock import WallClock
from engine.core.errors import ConfigError

ROOT = Path(__file__).parent.parent
SINK_NAME = "fluid"
SINK_MODULE = f"module-null-sink sink_name={SINK_NAME} rate=48000 channels=2 format=float32le"
SCREEN_PROGRAMS, PULSE_PROGRAMS = ("Xvfb", "openbox"), ("pulseaudio", "pactl")
WITHIN_S = 60.0


class PrivateDesktop:
    """Ends everything it has started with `close`. Screen and sound server are started on demand."""

    def __init__(self, purpose: str, programs: Sequence[str], packages: str, home: Path | None = None) -> None:
        """Create the desktop's folder; programs run in `home`, by default in that folder.

        Raises ConfigError for a missing one of `programs`, with the `packages` to install.
        """
        for program in programs:
            if not shutil.which(program):
                raise ConfigError(
                    f"The {purpose} needs {program}, which is not installed (Debian, Ubuntu: apt install {packages})."
                )
        self._closing = ExitStack()
        # A socket's path may have no more than 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix=f"fluid-{purpose.split()[0]}-"))
        self._closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._home = home or self.folder
        sound = {"XDG_RUNTIME_DIR": str(self.folder), "PULSE_SERVER": f"unix:{self.folder}/pulse/native"}
        self.environment = {**os.environ, **sound, "DISPLAY": ""}
        self._daemon: subprocess.Popen[bytes] | None = None
        self._closing.callback(self.stop_sound)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._closing.close()

    @property
    def display(self) -> str:
        """The name of the screen for DISPLAY."""
        return self.environment["DISPLAY"]

    def start(self, command: Sequence[str], log: str) -> subprocess.Popen[bytes]:
        """Start a program on this desktop; its output goes to the file `log` in the desktop's folder."""
        with (self.folder / log).open("wb") as output:
            process = subprocess.Popen(
                command,
                env=self.environment,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._closing.callback(end, process)
        return process

    def output(self, log: str) -> str:
        """Return the output of a program so far."""
        return (self.folder / log).read_text(encoding="utf-8", errors="replace")

    def run(self, *command: str) -> str:
        """Run a short command on this desktop and return its output; a command that hangs is given up."""
        try:
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, check=False, timeout=WITHIN_S
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout

    def start_screen(self, width: int, height: int, *options: str) -> subprocess.Popen[bytes]:
        """Start an X server with further `options` of Xvfb, and a window manager. Raises ConfigError."""
        read_end, write_end = os.pipe()
        command = [
            "Xvfb",
            "-displayfd",
            str(write_end),
            "-screen",
            "0",
            f"{width}x{height}x24",
            "-nolisten",
            "tcp",
            "-noreset",
        ]
        server = subprocess.Popen([*command, *options], pass_fds=[write_end], stderr=subprocess.DEVNULL)
        self._closing.callback(end, server)
        os.close(write_end)
        with os.fdopen(read_end) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise ConfigError(f"Xvfb could not start a screen of {width}x{height}; start it by hand to see why.")
        self.environment["DISPLAY"] = f":{number}"
        self.start(["openbox"], "openbox.log")
        return server

    def start_sound(self) -> None:
        """Start a PulseAudio server with a null output, and wait until it answers. Raises ConfigError."""
        modules = ["module-native-protocol-unix", SINK_MODULE, "module-always-sink"]
        options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--realtime=no", "--high-priority=no"]
        self._daemon = subprocess.Popen(
            ["pulseaudio", *options, "--use-pid-file=no", *(part for module in modules for part in ("-L", module))],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: bool(self.run("pactl", "info")), "the sound server's start")

    def stop_sound(self, number: int = signal.SIGKILL) -> None:
        """End the sound server, if one runs."""
        if self._daemon and self._daemon.poll() is None:
            self._daemon.send_signal(signal.SIGCONT)
            self._daemon.send_signal(number)
            self._daemon.wait(WITHIN_S)

    def signal_sound(self, number: int) -> None:
        """Send the sound server a signal."""
        if self._daemon:
            self._daemon.send_signal(number)


def wait_until(condition: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
    """Return once `condition` is true. Raises ConfigError that names `what` did not happen."""
    clock = WallClock()
    until_s = clock.now_s() + within_s
    while not condition():
        if clock.now_s() > until_s:
            raise ConfigError(f"The benchmark cannot go on: {what} did not happen within {within_s:g} s.")
        clock.sleep(0.05)


def end(process: subprocess.Popen[bytes], patience_s: float = 15.0) -> None:
    """Terminate a process, and kill it when it does not end."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
