"""Plays constants into a real sound server: what arrives on a channel says which one it is."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence

from tests.conftest import PulseServer

_PUMP = (
    "import array, sys\n"
    "block = array.array('f', [float(level) for level in sys.argv[1:]] * 480).tobytes()\n"
    "while True: sys.stdout.buffer.write(block)"
)


def aux(channels: int) -> str:
    """Return the channel map of an interface whose channels are no places in a room."""
    return ",".join(f"aux{number}" for number in range(channels))


def pactl(server: PulseServer, *command: str) -> str:
    """Tell the server something, and return its answer."""
    done = subprocess.run(["pactl", *command], env=server.environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def load_sink(server: PulseServer, name: str, channels: int, channel_map: str | None = None) -> str:
    """Add an output, whose monitor is called NAME.monitor, and return the number of its module."""
    given = [f"channel_map={channel_map}"] if channel_map else []
    sink = [f"sink_name={name}", f"channels={channels}", "rate=48000", "format=float32le", *given]
    return pactl(server, "load-module", "module-null-sink", *sink)


@contextlib.contextmanager
def playing(
    server: PulseServer, levels: Sequence[float] = (0.5,), sink: str | None = None, channel_map: str | None = None
) -> Iterator[None]:
    """Play one constant on each channel of an output (default: the default one)."""
    sound = ["--raw", "--format=float32le", "--rate=48000", f"--channels={len(levels)}", "--latency-msec=20"]
    target = [*([f"--device={sink}"] if sink else []), *([f"--channel-map={channel_map}"] if channel_map else [])]
    pump = subprocess.Popen(
        [sys.executable, "-c", _PUMP, *map(str, levels)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    player = subprocess.Popen(
        ["pacat", *sound, *target], env=server.environment, stdin=pump.stdout, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        for process in (pump, player):
            process.kill()
            process.wait()
