"""Devices as people name them, on a real sound server: channels of large interfaces, what the machine plays, what comes back."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.sources.device_table import device_table
from engine.audio.sources.microphone import Microphone
from engine.audio.sources.portaudio import restart_portaudio
from engine.audio.sources.registry import open_source
from engine.core.errors import ConfigError, SourceError
from tests.conftest import PulseServer, require
from tests.engine.audio.sources.players import aux, load_sink, pactl, playing
from tests.fixtures_display import wait_until

EIGHTEEN = tuple(0.05 * (channel + 1) for channel in range(18))


@pytest.fixture
def server(pulse_server: PulseServer) -> PulseServer:
    require(importlib.util.find_spec("pulsectl"), "pulsectl (pip install pulsectl)")
    restart_portaudio()
    return pulse_server


class Reception:
    """An open source, its newest samples and its notices."""

    def __init__(self, source: Microphone) -> None:
        self.source = source
        self.lines: list[str] = []
        self.last_C: NDArray[np.float32] = np.zeros(source.channels, np.float32)

    def read(self) -> None:
        sound_TC, _ = self.source.read()
        self.lines += self.source.notices()
        if len(sound_TC):
            self.last_C = sound_TC[-1]

    def wait_for_levels(self, levels_C: Sequence[float]) -> None:
        def has_come() -> bool:
            self.read()
            return np.allclose(self.last_C, levels_C, atol=1e-3)

        wait_until(has_come, f"the levels {levels_C} in {self.source.name}")

    def wait_for_line(self, says: str) -> None:
        def is_said() -> bool:
            self.read()
            return any(says in line for line in self.lines)

        wait_until(is_said, f"'{says}'")


@contextlib.contextmanager
def receiving(spec: str) -> Iterator[Reception]:
    source = open_source(spec, live=True)
    assert isinstance(source, Microphone)
    source.start()
    try:
        yield Reception(source)
    finally:
        source.close()


@pytest.mark.parametrize(
    ("choice", "channels"),
    [("", (1, 2)), ("@5", (5,)), ("@3,4", (3, 4)), ("@18,1", (18, 1)), ("@1-18", tuple(range(1, 19)))],
)
def test_channels_of_an_interface_arrive_as_they_are(
    server: PulseServer, choice: str, channels: tuple[int, ...]
) -> None:
    load_sink(server, "scarlett", 18, aux(18))
    with playing(server, EIGHTEEN, "scarlett", aux(18)), receiving(f"mic:Scarlett.monitor{choice}") as reception:
        reception.wait_for_levels([EIGHTEEN[channel - 1] for channel in channels])
        assert reception.source.channels == len(channels)


def test_the_default_input_gives_its_own_channels(server: PulseServer) -> None:
    load_sink(server, "eight", 8)
    pactl(server, "set-default-source", "eight.monitor")
    with playing(server, EIGHTEEN[:8], "eight"):
        for spec in ("mic@7,3", "mic:pulse@7,3"):
            with receiving(spec) as reception:
                reception.wait_for_levels([EIGHTEEN[6], EIGHTEEN[2]])


def test_the_default_input_is_read_from_the_server_itself_and_follows_the_users_choice(server: PulseServer) -> None:
    with playing(server, (0.3, 0.6), "fluid"), receiving("mic") as reception:
        assert "Monitor of" in reception.source.name
        reception.wait_for_levels((0.3, 0.6))
        load_sink(server, "other", 2)
        with playing(server, (0.2, 0.4), "other"):
            pactl(server, "set-default-source", "other.monitor")
            reception.wait_for_levels((0.2, 0.4))
        assert any("has moved: the sound comes from" in line for line in reception.lines)


@pytest.mark.parametrize("missing", ["server", "library"])
def test_without_the_server_or_its_library_portaudio_is_the_way_in(
    server: PulseServer, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    if missing == "library":
        monkeypatch.setattr("engine.audio.sources.input_choice.can_read_server", lambda: False)
    else:
        monkeypatch.setattr("engine.audio.sources.sound_server.list_sources", lambda server, monitors_only: [])
    assert open_source("mic", live=True).name == "mic: pulse"
    assert open_source("mic:pulse", live=True, capture="sounddevice").name == "mic: pulse"


def test_a_channel_that_the_input_lacks_is_refused_with_their_number(server: PulseServer) -> None:
    load_sink(server, "eight", 8)
    with pytest.raises(SourceError, match=r"has no channel 9: it has channels 1 to 8; choose among them"):
        open_source("mic:eight.monitor@1,9", live=True)


def test_a_name_that_nobody_has_is_refused_with_all_names(server: PulseServer) -> None:
    load_sink(server, "scarlett", 2)
    with pytest.raises(SourceError, match=r"'theremin'; available: 'pulse', .*'fluid\.monitor', 'scarlett\.monitor'"):
        open_source("mic:theremin", live=True)


def test_system_is_what_the_machine_plays_and_follows_the_default_output(server: PulseServer) -> None:
    with receiving("system") as reception:
        assert reception.source.channels == 2
        with playing(server, (0.3, 0.6), "fluid"):
            reception.wait_for_levels((0.3, 0.6))
        load_sink(server, "hdmi", 2)
        with playing(server, (0.2, 0.4), "hdmi"):
            pactl(server, "set-default-sink", "hdmi")
            reception.wait_for_levels((0.2, 0.4))
        assert any("has moved: the sound comes from" in line for line in reception.lines)


def test_system_by_name_stays_with_its_output_and_gives_its_channels(server: PulseServer) -> None:
    load_sink(server, "surround", 8, aux(8))
    with playing(server, EIGHTEEN[:8], "surround", aux(8)), receiving("system:surround.monitor@8,2") as reception:
        reception.wait_for_levels([EIGHTEEN[7], EIGHTEEN[1]])
        pactl(server, "set-default-sink", "surround")
        pactl(server, "set-default-sink", "fluid")
        reception.wait_for_levels([EIGHTEEN[7], EIGHTEEN[1]])
        assert reception.lines == []
    with pytest.raises(SourceError, match="No output to listen to is called 'opera'; available: '"):
        open_source("system:opera", live=True)


def test_an_interface_that_comes_back_with_fewer_channels_plays_on(server: PulseServer) -> None:
    def plug_in(channels: int, rate_hz: int) -> str:
        pactl(
            server,
            "load-module",
            "module-null-sink",
            "sink_name=behind",
            "channels=4",
            "rate=48000",
            f"channel_map={aux(4)}",
        )
        maps = [f"channel_map={aux(channels)}", f"master_channel_map={aux(channels)}"]
        names = ["source_name=mixer", "master=behind.monitor", "source_properties=device.description=Mixer"]
        form = [f"channels={channels}", f"rate={rate_hz}", "remix=no"]
        return pactl(server, "load-module", "module-remap-source", *names, *form, *maps)

    module = plug_in(4, 48000)
    with playing(server, EIGHTEEN[:4], "behind", aux(4)), receiving("mic:Mixer@2,4") as reception:
        reception.wait_for_levels((EIGHTEEN[1], EIGHTEEN[3]))
        pactl(server, "unload-module", module)
        reception.wait_for_line("was lost")
        plug_in(2, 44100)
        reception.wait_for_line(
            "with 48000 Hz and 2 channels; its sound is converted to the show's 48000 Hz and 2, channel 4 is silent"
        )
        reception.wait_for_levels((EIGHTEEN[1], 0.0))


def test_devices_are_listed_as_source_takes_them(server: PulseServer) -> None:
    load_sink(server, "scarlett", 18, aux(18))
    lines = device_table()
    assert any(line.startswith("mic:pulse  (") for line in lines)
    assert [line for line in lines if line.startswith("system:")] == [
        "system:fluid.monitor  (2 channels, 48000 Hz), played now: system",
        "system:scarlett.monitor  (18 channels, 48000 Hz)",
    ]


def test_without_a_server_there_is_no_system_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    require(importlib.util.find_spec("pulsectl"), "pulsectl (pip install pulsectl)")
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    with pytest.raises(SourceError, match=r"No sound server answers"):
        open_source("system", live=True)


def test_macos_is_told_about_blackhole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(SourceError, match="BlackHole"):
        open_source("system", live=True)


def test_an_unknown_capture_backend_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no capture backend 'pyadio'\. Did you mean 'pyaudio'"):
        open_source("mic", live=True, capture="pyadio")
