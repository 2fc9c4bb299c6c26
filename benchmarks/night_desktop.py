"""The desktop of the overnight test: a private sound server that can fail, a private screen that can be read, music, and the show."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.private_desktop import PULSE_PROGRAMS, ROOT, SCREEN_PROGRAMS, WITHIN_S, PrivateDesktop
from engine.app.config import SETTINGS
from engine.audio.sources.demo import RATE_HZ, demo_sound

# H W C rows, columns, channels

TITLE = "Fluid night"
SCREEN = (1280, 800)
DISK_MIB = 640
"""Small enough to be filled quickly, larger than the free space that the recorder keeps."""
PROGRAMS = (*PULSE_PROGRAMS, "pacat", *SCREEN_PROGRAMS, "wmctrl", "xdotool")
PACKAGES = "pulseaudio pulseaudio-utils libasound2-plugins xvfb openbox wmctrl xdotool"


class NightDesktop(PrivateDesktop):
    """Starts with screen, sound server, small disk and music."""

    def __init__(self) -> None:
        """Start all. Raises ConfigError for a missing program."""
        super().__init__("night", PROGRAMS, PACKAGES)
        try:
            memory = self.folder / "screen"
            memory.mkdir()
            self._screen = self.start_screen(*SCREEN, "-fbdir", str(memory))
            self._frame_buffer = np.memmap(memory / "Xvfb_screen0", np.uint8, "r")
            self.start_sound()
            self.disk = self._mount_disk()
            self._closing.callback(Music(self.environment).close)
        except BaseException:
            self.close()
            raise

    def start_show(self, options: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start the show on the server's sound, with a window and a recorder on the small disk."""
        command = [sys.executable, str(ROOT / "run_live.py"), "--source", "mic:pulse", "--title", TITLE]
        recorder = ["--out", str(self.disk / "show.mp4")] if self.disk else []
        return self.start([*command, "--out", "window", *recorder, *options], "show.log")

    def show_lines(self) -> list[str]:
        """Return the lines that the show has printed so far, with paths relative to the desktop's folder."""
        return self.output("show.log").replace(f"{self.folder}/", "").splitlines()

    def signal_screen(self, number: int) -> None:
        """Send the X server a signal."""
        self._screen.send_signal(number)

    def screen_pixels(self) -> NDArray[np.uint8]:
        """Return the screen [H, W, 4], read from the X server's memory."""
        header = struct.unpack(">25I", self._frame_buffer[:100].tobytes())
        height, line_bytes, colours = header[5], header[12], header[19]
        start = header[0] + 12 * colours
        pixels = self._frame_buffer[start : start + height * line_bytes]
        return np.array(pixels).reshape(height, line_bytes // 4, 4)[:, : header[4]]

    def window_rectangle(self) -> tuple[int, int, int, int] | None:
        """Return left, top, width and height of the show's window on the screen; None while it is not visible."""
        found = self.run("xdotool", "search", "--onlyvisible", "--name", f"^{TITLE}$").split()
        if not found:
            return None
        output = self.run("xdotool", "getwindowgeometry", "--shell", found[-1])
        geometry = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
        return (
            (int(geometry["X"]), int(geometry["Y"]), int(geometry["WIDTH"]), int(geometry["HEIGHT"]))
            if "WIDTH" in geometry
            else None
        )

    def _mount_disk(self) -> Path | None:
        """Mount a small disk where that is allowed, and return its path."""
        folder = self.folder / "disk"
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "fluid-night", str(folder)],
            capture_output=True,
            check=False,
        )
        if mounted.returncode:
            return None
        self._closing.callback(subprocess.run, ["umount", "-l", str(folder)], check=False)
        return folder


class Music:
    """Plays the demo sound in a loop into the sound server, whenever one runs."""

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
            # Without a server the player exits at once.
            self._ended.wait(0.1)


def flags(wanted: dict[str, object]) -> list[str]:
    """Return the flags of the wanted settings that this version of the show has."""
    known = {name: value for name, value in wanted.items() if name in SETTINGS}
    return [part for name, value in known.items() for part in ("--" + name.replace("_", "-"), str(value))]


def free_port(kind: socket.SocketKind) -> int:
    """Return a free port of this machine."""
    with socket.socket(socket.AF_INET, kind) as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
