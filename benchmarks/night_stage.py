"""The stage of the night: a private sound server that can be hurt, a private screen that can be read, music, and the product."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.clock import WallClock
from engine.config import SETTINGS
from engine.errors import ConfigError
from engine.sources.demo import RATE_HZ, demo_sound

# H W C rows, columns, channels

ROOT = Path(__file__).parent.parent
SINK_NAME = "fluid"
SINK_MODULE = f"module-null-sink sink_name={SINK_NAME} rate=48000 channels=2 format=float32le"
TITLE = "Fluid night"
SCREEN = (1280, 800)
DISK_MIB = 640
"""Small enough to be filled in a moment, and more than the recorder leaves free for others."""
WITHIN_S = 60.0
PROGRAMS = ("pulseaudio", "pactl", "pacat", "Xvfb", "openbox", "wmctrl", "xdotool")


class Stage:
    """Everything that is started here ends with `close`."""

    def __init__(self) -> None:
        """Start screen, window manager, sound server and music. Raises ConfigError, naming a program that is missing."""
        for program in PROGRAMS:
            if not shutil.which(program):
                raise ConfigError(f"The night needs {program}, which is not installed (Debian, Ubuntu: apt install "
                                  "pulseaudio pulseaudio-utils libasound2-plugins xvfb openbox wmctrl xdotool).")  # fmt: skip
        self._closing = ExitStack()
        # A socket's path may have no more than 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="fluid-night-"))
        self._closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        sound = {"XDG_RUNTIME_DIR": str(self.folder), "PULSE_SERVER": f"unix:{self.folder}/pulse/native"}
        self.environment = {**os.environ, **sound}
        self._daemon: subprocess.Popen[bytes] | None = None
        self.show: subprocess.Popen[bytes] | None = None
        try:
            self.environment["DISPLAY"] = self._start_screen()
            self.start_sound()
            self._closing.callback(self.stop_sound)
            self.disk = self._mount_disk()
            self._closing.callback(Music(self.environment).close)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._closing.close()

    def start(self, command: Sequence[str], log: str) -> subprocess.Popen[bytes]:
        """Start a program on this stage; its words go to the file `log` in the stage's folder."""
        path = self.folder / log
        with path.open("wb") as words:
            process = subprocess.Popen(
                command, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=words, stderr=words
            )
        self._closing.callback(end, process)
        return process

    def start_show(self, options: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start the product on the server's sound, with a window and a recorder on the small disk."""
        command = [
            sys.executable,
            str(ROOT / "run_live.py"),
            "--source",
            "mic:pulse",
            "--title",
            TITLE,
            "--out",
            "window",
        ]
        recorder = ["--out", str(self.disk / "show.mp4")] if self.disk else []
        self.show = self.start([*command, *recorder, *options], "show.log")
        return self.show

    def words(self, log: str = "show.log") -> list[str]:
        """Return what a program has said so far."""
        return (self.folder / log).read_text(encoding="utf-8", errors="replace").splitlines()

    def tell(self, *command: str) -> str:
        """Run a short command on this stage and return what it says; one that hangs is given up."""
        try:
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, check=False, timeout=WITHIN_S
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout

    def start_sound(self) -> None:
        """Start the sound server and wait until it answers."""
        modules = ["module-native-protocol-unix", SINK_MODULE, "module-always-sink"]
        options = [
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--realtime=no",
            "--high-priority=no",
            "--use-pid-file=no",
        ]
        self._daemon = subprocess.Popen(
            ["pulseaudio", *options, *(part for module in modules for part in ("-L", module))],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: bool(self.tell("pactl", "info")), "the sound server's start")

    def stop_sound(self, number: int = signal.SIGKILL) -> None:
        """End the sound server."""
        if self._daemon and self._daemon.poll() is None:
            self._daemon.send_signal(signal.SIGCONT)
            self._daemon.send_signal(number)
            self._daemon.wait(WITHIN_S)

    def signal_sound(self, number: int) -> None:
        """Send the sound server a signal."""
        if self._daemon:
            self._daemon.send_signal(number)

    def signal_screen(self, number: int) -> None:
        """Send the screen's server a signal."""
        self._screen.send_signal(number)

    def screen(self) -> NDArray[np.uint8]:
        """Return the screen as it is now [H, W, 4], straight from the server's memory."""
        header = struct.unpack(">25I", self._frame_buffer[:100].tobytes())
        height, line_bytes, colours = header[5], header[12], header[19]
        start = header[0] + 12 * colours
        pixels = self._frame_buffer[start : start + height * line_bytes]
        return np.array(pixels).reshape(height, line_bytes // 4, 4)[:, : header[4]]

    def window_place(self) -> tuple[int, int, int, int] | None:
        """Return left, top, width and height of the show's window on the screen; None while there is none to see."""
        found = self.tell("xdotool", "search", "--onlyvisible", "--name", f"^{TITLE}$").split()
        if not found:
            return None
        said = self.tell("xdotool", "getwindowgeometry", "--shell", found[-1])
        facts = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        return (
            (int(facts["X"]), int(facts["Y"]), int(facts["WIDTH"]), int(facts["HEIGHT"])) if "WIDTH" in facts else None
        )

    def _start_screen(self) -> str:
        width, height = SCREEN
        memory = self.folder / "screen"
        memory.mkdir()
        read_end, write_end = os.pipe()
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp",
             "-fbdir", str(memory)],
            pass_fds=[write_end],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._screen = server
        self._closing.callback(end, server)
        os.close(write_end)
        with os.fdopen(read_end) as told:
            name = f":{told.readline().strip()}"
        self.environment["DISPLAY"] = name
        self.start(["openbox"], "openbox.log")
        self._frame_buffer = np.memmap(memory / "Xvfb_screen0", np.uint8, "r")
        return name

    def _mount_disk(self) -> Path | None:
        """Return a small disk of its own, where one can be mounted."""
        place = self.folder / "disk"
        place.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "fluid-night", str(place)],
            capture_output=True,
            check=False,
        )
        if mounted.returncode:
            return None
        self._closing.callback(subprocess.run, ["umount", "-l", str(place)], check=False)
        return place


class Music:
    """The demonstration, over and over, into the sound server, whenever there is one."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._sound = memoryview(demo_sound().mean(axis=1).astype(np.float32).tobytes())
        self._ended = threading.Event()
        self._player: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._play, name="music", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        if self._player:
            self._player.kill()
        self._thread.join(WITHIN_S)

    def _play(self) -> None:
        block_bytes, position = 4 * RATE_HZ // 100, 0
        while not self._ended.is_set():
            self._player = subprocess.Popen(
                ["pacat", "--raw", "--format=float32le", f"--rate={RATE_HZ}", "--channels=1", "--latency-msec=20"],
                env=self._environment,
                stdin=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert self._player.stdin
            with suppress(OSError):
                while not self._ended.is_set():
                    self._player.stdin.write(self._sound[position : position + block_bytes])
                    self._player.stdin.flush()
                    position = (position + block_bytes) % len(self._sound)
            self._player.kill()
            self._player.wait()
            # Without a server the player ends at once.
            self._ended.wait(0.1)


def flags(wanted: dict[str, object]) -> list[str]:
    """Return the flags for those of the wanted settings that this version of the product knows."""
    known = {name: value for name, value in wanted.items() if name in SETTINGS}
    return [part for name, value in known.items() for part in ("--" + name.replace("_", "-"), str(value))]


def free_port(kind: socket.SocketKind) -> int:
    """Return a port of this machine that nobody has taken."""
    with socket.socket(socket.AF_INET, kind) as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def wait_until(happened: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
    """Return once `happened` says so. Raises ConfigError, saying `what` did not happen."""
    clock = WallClock()
    until_s = clock.now_s() + within_s
    while not happened():
        if clock.now_s() > until_s:
            raise ConfigError(f"The night cannot go on: {what} did not happen within {within_s:g} s.")
        clock.sleep(0.05)


def end(process: subprocess.Popen[bytes], patience_s: float = 15.0) -> None:
    """Ask a process to end, and end it when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
