"""Named inputs of real devices: an interface of eight channels on a private PulseAudio server, and a second one beside it."""

from __future__ import annotations

import importlib.util
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.source import Source
from engine.audio.sources.inputs import OpenInputs, open_inputs
from engine.audio.sources.registry import open_source
from engine.core.clock import WallClock
from tests.conftest import PulseServer, require

WITHIN_S = 60.0
LOUD = 0.1
INTERFACE, HALL = "interface", "hall"
TONES_HZ = tuple(300.0 + 200.0 * channel for channel in range(8))
HALL_HZ = 2600.0


def pactl(server: PulseServer, *arguments: str) -> str:
    return subprocess.run(
        ["pactl", *arguments], env=server.environment, check=True, capture_output=True, text=True
    ).stdout.strip()


class Player:
    """A null sink with a tone of its own in each channel."""

    def __init__(self, server: PulseServer, name: str, rate_hz: int, tones_hz: tuple[float, ...]) -> None:
        places = ",".join(f"aux{channel}" for channel in range(len(tones_hz)))
        self._server = server
        self._module = pactl(
            server, "load-module", "module-null-sink", f"sink_name={name}", f"rate={rate_hz}", "format=float32le",
            f"sink_properties=device.description={name}", f"channels={len(tones_hz)}", f"channel_map={places}",
        )  # fmt: skip
        sound = ["--raw", "--format=float32le", f"--rate={rate_hz}", f"--channels={len(tones_hz)}"]
        self._process = subprocess.Popen(
            ["pacat", *sound, f"--channel-map={places}", f"--device={name}", "--latency-msec=20"],
            env=server.environment,
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        time_T1 = np.arange(rate_hz)[:, None] / rate_hz
        self._second = (0.5 * np.sin(2 * np.pi * np.array(tones_hz) * time_T1)).astype(np.float32).tobytes()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Take the sink away."""
        pactl(self._server, "unload-module", self._module)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def _feed(self) -> None:
        assert self._process.stdin
        try:
            while True:
                self._process.stdin.write(self._second)
        except OSError:
            return


class Listener:
    """Reads open inputs as a show does."""

    def __init__(self, inputs: OpenInputs) -> None:
        self.inputs = inputs
        self.told: list[str] = []

    def until(self, reached: Callable[[dict[str, NDArray[np.float32]]], bool]) -> dict[str, NDArray[np.float32]]:
        """Read until the newest half second of each input, by its name, is as wanted; return it."""
        clock, source = WallClock(), self.inputs.source
        until_s = clock.now_s() + WITHIN_S
        newest_TC = np.zeros((source.rate_hz // 2, source.channels), np.float32)
        while True:
            block = source.read()
            self.told += source.notices()
            assert block is not None
            newest_TC = np.concatenate([newest_TC, block[0]])[-len(newest_TC) :]
            of_inputs = {one.name: newest_TC[:, one.columns] for one in self.inputs.layout.inputs}
            if len(block[0]) and reached(of_inputs):
                return of_inputs
            assert clock.now_s() < until_s, f"not reached; told {self.told}"
            source.wait(0.1)


@pytest.fixture
def devices(pulse_server: PulseServer) -> Iterator[tuple[Player, Player]]:
    require(importlib.util.find_spec("pulsectl"), "pulsectl (pip install pulsectl)")
    with ExitStack() as closing:
        players = (
            Player(pulse_server, INTERFACE, 48000, TONES_HZ),
            Player(pulse_server, HALL, 44100, (HALL_HZ, HALL_HZ)),
        )
        for player in players:
            closing.callback(player.close)
        yield players


@pytest.fixture
def listener() -> Iterator[Callable[..., Listener]]:
    with ExitStack() as closing:

        def listen(*texts: str) -> Listener:
            inputs = open_inputs(texts, None, partial(open_source, live=True))
            closing.callback(inputs.source.close)
            inputs.source.start()
            return Listener(inputs)

        yield listen


def all_loud(of_inputs: dict[str, NDArray[np.float32]]) -> bool:
    """Whether each channel was loud from the first to the last of these samples."""
    return all(
        (np.abs(part_TC).max(axis=0) > LOUD).all()
        for sound_TC in of_inputs.values()
        for part_TC in np.array_split(sound_TC, 8)
    )


def loudest_hz(sound_TC: NDArray[np.float32], source: Source) -> list[float]:
    spectra = np.abs(np.fft.rfft(sound_TC * np.hanning(len(sound_TC))[:, None], axis=0))
    return (np.argmax(spectra, axis=0) * source.rate_hz / len(sound_TC)).tolist()


def test_channels_of_one_interface_are_inputs_of_their_own(
    devices: tuple[Player, Player], listener: Callable[..., Listener]
) -> None:
    monitor = f"mic:{INTERFACE}.monitor"
    show = listener(f"drums={monitor}@1,2", f"voice={monitor}@5", f"all={monitor}@1-8", "beside=tone:1500")
    assert show.inputs.source.channels == 9
    heard = show.until(all_loud)
    of_interface = show.inputs.source
    assert loudest_hz(heard["drums"], of_interface) == pytest.approx(TONES_HZ[:2], abs=10)
    assert loudest_hz(heard["voice"], of_interface) == pytest.approx([TONES_HZ[4]], abs=10)
    assert loudest_hz(heard["all"], of_interface) == pytest.approx(TONES_HZ, abs=10)
    assert loudest_hz(heard["beside"], of_interface) == pytest.approx([1500.0], abs=10)


def test_a_second_interface_of_another_rate_follows_and_may_be_unplugged(
    devices: tuple[Player, Player], listener: Callable[..., Listener]
) -> None:
    show = listener(f"drums=mic:{INTERFACE}.monitor@1,2", f"hall=mic:{HALL}.monitor@1")
    heard = show.until(all_loud)
    assert loudest_hz(heard["drums"], show.inputs.source) == pytest.approx(TONES_HZ[:2], abs=10)
    assert loudest_hz(heard["hall"], show.inputs.source) == pytest.approx([HALL_HZ], abs=10)
    devices[1].unplug()
    heard = show.until(lambda of_inputs: not of_inputs["hall"].any())
    assert all_loud({"drums": heard["drums"]})
    assert any(f"{HALL} was lost" in line for line in show.told)
    assert not any(f"{INTERFACE} was lost" in line for line in show.told)
