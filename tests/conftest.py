"""Real parts for the tests: a tiny model file and a private sound server.

Why tests/training has a process of its own (__main__.py). What is known of the native libraries:
- Flush-to-zero is a switch of the thread. Opening a model with onnx-cpu on two threads leaves it on in the main thread, and
  torch.set_flush_denormal in the torch backend does so, too; importing torch or OpenVINO, and opening a model with OpenVINO, does
  not. hypothesis refuses to draw floats then, unless the strategy says allow_subnormal=False; test_conventions.py holds that all do.
- submitit closes the stream of OpenVINO's log handler, see below. torch reads OMP_WAIT_POLICY when it is loaded, see training.
What was tried: runs of all tests in one process, with faulthandler on, get past 98 % and end in tests/training/test_train_command.py,
without a summary and without a fault report, so by a signal and not by a crash in native code. Alone, that file passes, and so do
both halves. Who sends or leaves the signal is not known; a pair of libraries that cannot live together was not found.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import training  # noqa: F401  (before any test loads torch)
from tests.engine.model.probe_model import write_probe

pytest_plugins = ["tests.fixtures_display"]

# Before OpenVINO: what submitit does to logging on import closes the stream of the handler that OpenVINO brings, and that
# stream is pytest's own.
with contextlib.suppress(ImportError):
    import submitit  # noqa: F401

# Under nohup a SIGHUP is ignored, here and in every process that a test starts.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# A show leaves a niceness that was chosen as it is. As root it would raise its priority, and a page or a second show beside it would
# have next to no time on a small machine: there a show that starts in 4 s took 15 s.
if hasattr(os, "nice") and os.nice(0) == 0:
    os.nice(1)

SINK_NAME = "fluid"
START_WITHIN_S = 20.0


def require(present: object, what: str) -> None:
    """Skip a test whose part is missing on this machine; fail on the build machine, where every part can be installed."""
    if present:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing; .ci/run must install it")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache folder of this run's own, for what the engine compiles and remembers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def probe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the probe model file."""
    return write_probe(tmp_path_factory.mktemp("model") / "probe.onnx")


class PulseServer:
    """A PulseAudio daemon of our own, whose only output is heard on its only input."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": f"unix:{folder}/pulse/native"}
        self._daemon: subprocess.Popen[bytes] | None = None
        self._keep_alive: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        modules = ["module-native-protocol-unix", self.null_sink(), "module-always-sink"]
        self._daemon = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--realtime=no", "--high-priority=no",
             "--use-pid-file=no", f"--log-target=file:{self.folder}/log", *(part for m in modules for part in ("-L", m))],
            env=self.environment,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline_s = time.monotonic() + START_WITHIN_S
        while subprocess.run(["pactl", "info"], env=self.environment, capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline_s, "the private PulseAudio daemon did not start"
            time.sleep(0.1)
        # Without a player the null sink sleeps for up to two seconds at a time.
        self._keep_alive = subprocess.Popen(
            [*self._player(20, "--client-name=keep-alive"), "/dev/zero"],
            env=self.environment,
            stderr=subprocess.DEVNULL,
        )

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        """End the daemon, and its keep-alive player with it."""
        for process, number in ((self._keep_alive, signal.SIGTERM), (self._daemon, with_signal)):
            if process and process.poll() is None:
                process.send_signal(number)
                process.wait(START_WITHIN_S)

    def send_signal(self, number: int) -> None:
        """Send the daemon a signal, e.g. SIGSTOP and SIGCONT for a machine that hangs for a while."""
        assert self._daemon
        self._daemon.send_signal(number)

    def player(self) -> subprocess.Popen[bytes]:
        """Return a process that plays what is written to its stdin: float32, mono, 48 kHz."""
        process = subprocess.Popen(
            self._player(20), env=self.environment, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdin
        # A pipe of the usual 64 KiB would hold a third of a second of sound back.
        fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, 4096)
        return process

    @staticmethod
    def _player(latency_ms: int, *options: str) -> list[str]:
        sound = ["--raw", "--format=float32le", "--rate=48000", "--channels=1"]
        return ["pacat", *sound, f"--latency-msec={latency_ms}", *options]

    @staticmethod
    def null_sink() -> str:
        """Return the arguments of `pactl load-module` for the output."""
        return f"module-null-sink sink_name={SINK_NAME} rate=48000 channels=2 format=float32le"


@pytest.fixture
def pulse_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    """A private PulseAudio daemon, with this process and its children as clients."""
    require(shutil.which("pulseaudio"), "pulseaudio (apt install pulseaudio)")
    require(shutil.which("pacat"), "pacat (apt install pulseaudio-utils)")
    # A socket's path may have no more than 107 characters, which pytest's own folders exceed.
    folder = Path(tempfile.mkdtemp(prefix="fluid-pulse-"))
    server = PulseServer(folder)
    for name in ("XDG_RUNTIME_DIR", "PULSE_SERVER"):
        monkeypatch.setenv(name, server.environment[name])
    server.start()
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
