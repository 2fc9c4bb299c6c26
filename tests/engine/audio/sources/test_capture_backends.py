"""The contract of capture backends, held by all of them on a real sound server."""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib.util
import os
import signal
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.sources.capture_backend import CaptureBackend, CaptureError, CaptureStream, StreamFormat
from engine.audio.sources.microphone import close_in_thread
from engine.audio.sources.portaudio import restart_portaudio
from engine.audio.sources.pyaudio_capture import quiet_stderr
from engine.audio.sources.sound_server import SoundServerCapture
from engine.audio.sources.sounddevice_capture import SounddeviceCapture
from engine.core.errors import SourceError
from tests.conftest import PulseServer, require
from tests.engine.audio.sources.players import playing
from tests.fixtures_display import wait_until

ASKED = StreamFormat(rate_hz=48000, channels=2, block_samples=256, latency_s=512 / 48000)
LOUD = 0.2
INPUTS = {"sounddevice": "pulse", "pyaudio": "pulse", "sound server": "fluid.monitor"}
"""What the server's default source is called by each backend."""


class Received:
    """What a stream has given so far."""

    def __init__(self) -> None:
        self.blocks: list[NDArray[np.float32]] = []
        self.ages_s: list[float] = []

    def __call__(self, sound_TC: NDArray[np.float32], age_s: float, has_lost: bool) -> None:
        self.blocks.append(sound_TC.copy())
        self.ages_s.append(age_s)

    @property
    def is_loud(self) -> bool:
        return bool(self.blocks) and float(np.abs(self.blocks[-1]).max()) > LOUD


def make(name: str) -> CaptureBackend:
    if name == "sound server":
        require(importlib.util.find_spec("pulsectl"), "pulsectl (pip install pulsectl)")
        return SoundServerCapture()
    require(ctypes.util.find_library("portaudio"), "PortAudio (apt install libportaudio2)")
    if name == "sounddevice":
        return SounddeviceCapture()
    require(
        importlib.util.find_spec("pyaudio"),
        "PyAudio (apt install portaudio19-dev gcc python3-dev; pip install pyaudio)",
    )
    from engine.audio.sources.pyaudio_capture import PyAudioCapture

    return PyAudioCapture()


@pytest.fixture(params=INPUTS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def backend(name: str, pulse_server: PulseServer) -> CaptureBackend:
    backend = make(name)
    # PortAudio may have been started before the server.
    backend.refresh()
    return backend


@contextlib.contextmanager
def opened(backend: CaptureBackend, name: str, received: Received) -> Iterator[CaptureStream]:
    stream = backend.open(backend.find(INPUTS[name]), ASKED, received)
    try:
        yield stream
    finally:
        # With a server that died, PortAudio's own `close` may never return.
        close_in_thread(stream)


def test_sound_arrives_in_blocks_with_their_age(name: str, backend: CaptureBackend, pulse_server: PulseServer) -> None:
    received = Received()
    with playing(pulse_server), opened(backend, name, received) as stream:
        wait_until(lambda: received.is_loud, "the sound")
        wait_until(lambda: len(received.blocks) > 200, "many blocks")
        assert stream.active
        assert {block.shape for block in received.blocks} == {(ASKED.block_samples, ASKED.channels)}
        assert all(block.dtype == np.float32 for block in received.blocks)
        assert np.array_equal(received.blocks[-1][:, 0], received.blocks[-1][:, 1])
        # Half a second is wrong for a server that was asked for 11 ms; the first ages may be wrong.
        assert np.median(np.abs(received.ages_s[-100:])) < 0.5
        assert 0.0 <= stream.latency_s < 0.5


def test_a_closed_stream_is_inactive_gives_nothing_more_and_closes_twice(
    name: str, backend: CaptureBackend, pulse_server: PulseServer
) -> None:
    received = Received()
    with opened(backend, name, received) as stream:
        wait_until(lambda: bool(received.blocks), "a block")
        stream.close()
        assert not stream.active
        assert stream.latency_s >= 0.0
        count = len(received.blocks)
        with opened(backend, name, Received()) as other:
            assert other.active
        assert len(received.blocks) == count


def test_a_server_that_dies_shows_and_a_new_one_opens(
    name: str, backend: CaptureBackend, pulse_server: PulseServer
) -> None:
    received = Received()
    with opened(backend, name, received):
        wait_until(lambda: bool(received.blocks), "a block")
        device = backend.find(INPUTS[name])
        pulse_server.stop(signal.SIGKILL)
        # Not always does PortAudio notice that its stream has ended.
        with pytest.raises(CaptureError):
            backend.open(device, ASKED, received)
    pulse_server.start()
    backend.refresh()
    again = Received()
    with opened(backend, name, again):
        wait_until(lambda: bool(again.blocks), "a block of the new server")


def test_names_that_do_not_exist_are_refused_with_those_that_do(name: str, backend: CaptureBackend) -> None:
    with pytest.raises(SourceError, match="No sound input is called 'theremin'; available: '"):
        backend.find("theremin")
    device = backend.find(None)
    assert backend.find((device.key or device.name).upper()) == device
    assert 1 <= backend.find(INPUTS[name]).channels <= 64
    assert backend.choose_rate_hz(device, 2, 44100) == 44100


def test_nothing_is_written_on_stderr(name: str, backend: CaptureBackend, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    backend.refresh()
    with opened(backend, name, Received()):
        pass
    assert capfd.readouterr().err == ""


def test_a_restart_of_portaudio_leaves_open_streams_alone(pulse_server: PulseServer) -> None:
    backend, received = make("sounddevice"), Received()
    backend.refresh()
    with opened(backend, "sounddevice", received) as stream:
        restart_portaudio()
        assert stream.active
        before = len(received.blocks)
        wait_until(lambda: len(received.blocks) > before + 10, "blocks after the restart")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere stderr is left alone")
def test_stderr_comes_back_after_two_inputs_were_opened_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    one, other = quiet_stderr(), quiet_stderr()
    with contextlib.ExitStack() as second:
        with one:
            second.enter_context(other)
            os.write(2, b"of two")
        os.write(2, b"of one")
    os.write(2, b"after both")
    assert capfd.readouterr().err == "after both"
