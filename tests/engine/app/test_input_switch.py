"""A whole show whose input is changed while it plays, on a real sound server with two outputs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.app.config import LiveConfig
from engine.app.input_switch import InputSwitch
from engine.audio.input_layout import UNNAMED
from engine.audio.sources.inputs import OpenInputs
from engine.audio.sources.portaudio import restart_portaudio
from engine.audio.sources.registry import open_source
from engine.audio.sources.web import BrowserSound
from engine.core.clock import WallClock
from engine.core.errors import ConfigError
from tests.conftest import PulseServer, require
from tests.engine.app.live_shows import show_of
from tests.engine.audio.sources.players import load_sink, pactl, playing
from tests.fixtures_display import wait_until


@pytest.fixture
def server(pulse_server: PulseServer) -> PulseServer:
    require(importlib.util.find_spec("pulsectl"), "pulsectl (pip install pulsectl)")
    load_sink(pulse_server, "left", 2)
    load_sink(pulse_server, "right", 1)
    restart_portaudio()
    return pulse_server


def wait_for_level(name: str, level: float) -> None:
    """Wait until an output plays a constant: what it had prepared before its player came is silence."""
    source = open_source(f"system:{name}.monitor", live=True)
    source.start()
    newest = [0.0]

    def is_heard() -> bool:
        block = source.read()
        if block is not None and len(block[0]):
            newest[0] = float(block[0][-1, 0])
        return abs(newest[0] - level) < 1e-3

    try:
        wait_until(is_heard, f"the level {level} from {name}")
    finally:
        source.close()


def sound_of(folder: Path) -> NDArray[np.float32]:
    """Return the sound of a take [T, C]."""
    with av.open(str(folder / "sound.caf")) as file:
        channels = file.streams.audio[0].codec_context.channels
        return np.concatenate([frame.to_ndarray().reshape(-1, channels) for frame in file.decode(audio=0)])


def test_an_output_of_the_machine_takes_the_place_of_another(
    server: PulseServer, tmp_path: Path, probe_file: Path
) -> None:
    with playing(server, (0.25, 0.25), "left"), playing(server, (0.5,), "right"):
        wait_for_level("left", 0.25)
        wait_for_level("right", 0.5)
        with show_of(tmp_path, probe_file, "--source", "system:left.monitor") as show:
            names = {choice.name for choice in show.control.inputs()}
            assert {"system:left.monitor", "system:right.monitor", "demo"} <= names
            assert show.choice("system:left.monitor").plays
            wait_until(lambda: show.received_samples > 0, "the first sound")
            show.control.play_input(show.choice("system:right.monitor").id)
            wait_until(lambda: any("comes from" in line for line in show.told), "the change")
            assert show.choice("system:right.monitor").plays
            assert not show.choice("system:left.monitor").plays
            received = show.received_samples
            wait_until(lambda: show.received_samples > received + 8000, "half a second")
    sound_TC = sound_of(tmp_path / "take")
    assert sound_TC.shape[1] == 2
    loud_T = np.abs(sound_TC).min(axis=1)
    assert np.any(np.isclose(loud_T, 0.25, atol=1e-3))
    assert np.isclose(loud_T[-1], 0.5, atol=1e-3)
    # The constant of the old one fades; with that of the new one the server may begin at once or after silence of its own.
    end = np.flatnonzero(np.isclose(loud_T, 0.25, atol=1e-3))[-1]
    assert np.abs(np.diff(sound_TC[end : end + 200], axis=0)).max() < 0.01


def test_a_generated_sound_takes_the_place_of_a_device_and_the_show_goes_on(
    server: PulseServer, tmp_path: Path, probe_file: Path
) -> None:
    with show_of(tmp_path, probe_file, "--source", "system:left.monitor") as show:
        show.control.play_input(show.choice("demo").id)
        wait_until(lambda: show.built.show.capture.latest().onsets > 2, "onsets of the demo")
        show.control.play_input(show.choice("system:left.monitor").id)
        wait_until(lambda: sum("comes from" in line for line in show.told) == 2, "the way back")


def test_the_capture_backend_that_was_chosen_opens_the_next_device(
    server: PulseServer, tmp_path: Path, probe_file: Path
) -> None:
    require(
        importlib.util.find_spec("pyaudio"),
        "PyAudio (apt install portaudio19-dev gcc python3-dev; pip install pyaudio)",
    )
    with playing(server, (0.25, 0.25)):
        wait_for_level("fluid", 0.25)
        with show_of(tmp_path, probe_file, "--source", "demo", "--capture", "pyaudio") as show:
            show.control.play_input(show.choice("mic:pulse").id)
            wait_until(lambda: "mic: pulse" in show.built.show.source.name, "the device")
            show.wait_for_hops(4)
    assert np.isclose(sound_of(tmp_path / "take")[-1, 0], 0.25, atol=1e-3)


def test_what_cannot_be_opened_leaves_the_old_one(server: PulseServer, tmp_path: Path, probe_file: Path) -> None:
    module = load_sink(server, "gone", 2)
    with show_of(tmp_path, probe_file, "--source", "demo") as show:
        gone = show.choice("system:gone.monitor")
        pactl(server, "unload-module", module)
        with pytest.raises(ConfigError, match=r"No output to listen to is called 'gone.monitor'.*demo keeps playing"):
            show.control.play_input(gone.id)
        with pytest.raises(ConfigError, match="no such input"):
            show.control.play_input("../../etc/passwd")
        assert show.choice("demo").plays
        received = show.received_samples
        wait_until(lambda: show.received_samples > received, "the show going on")


def test_an_input_that_gives_no_sound_leaves_the_old_one() -> None:
    inputs = OpenInputs(open_source("demo", live=True), UNNAMED)
    switch = InputSwitch(LiveConfig(source=("demo",), web="127.0.0.1"), inputs, WallClock(), BrowserSound())
    browser = next(choice for choice in switch.choices() if choice.name == "web")
    # Nobody sends.
    with pytest.raises(ConfigError, match=r"gives no sound.*demo keeps playing"):
        switch.play(browser.id)
    assert next(choice for choice in switch.choices() if choice.name == "demo").plays


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--source", "a=demo", "--source", "b=tone"), "has inputs with names (a, b)"),
        (("--source", "demo", "--listen"), "without --listen"),
    ],
)
def test_a_show_that_cannot_change_says_why(
    server: PulseServer, tmp_path: Path, probe_file: Path, flags: tuple[str, ...], says: str
) -> None:
    with show_of(tmp_path, probe_file, *flags) as show:
        other = next(choice for choice in show.control.inputs() if not choice.plays and choice.name != "b=tone")
        assert says in other.problem
        with pytest.raises(ConfigError) as refused:
            show.control.play_input(other.id)
        assert says in str(refused.value)
