"""Whole processes that play devices of a real sound server: what the machine plays, and an interface with 18 channels."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import av
import numpy as np
import pytest

from tests.conftest import PulseServer, require
from tests.engine.audio.sources.players import aux, load_sink, playing
from tests.processes import run

LEVELS = tuple(0.02 * (channel + 1) for channel in range(18))


@pytest.fixture
def variables(pulse_server: PulseServer) -> dict[str, str]:
    require(importlib.util.find_spec("pulsectl"), "pulsectl (pip install pulsectl)")
    load_sink(pulse_server, "scarlett", 18, aux(18))
    return {name: pulse_server.environment[name] for name in ("XDG_RUNTIME_DIR", "PULSE_SERVER")}


def sound_of(path: Path) -> np.ndarray:
    """Return the sound of a file [T, C]."""
    with av.open(str(path)) as file:
        channels = file.streams.audio[0].codec_context.channels
        frames = [frame.to_ndarray() for frame in file.decode(audio=0)]
    planar = frames[0].shape[0] == channels
    return np.concatenate([frame.T if planar else frame.reshape(-1, channels) for frame in frames])


def test_a_take_holds_every_channel_of_an_interface_and_the_film_is_stereo(
    pulse_server: PulseServer, variables: dict[str, str], tmp_path: Path
) -> None:
    with playing(pulse_server, LEVELS, "scarlett", aux(18)):
        code, said, complained = run(
            "--source", "mic:scarlett.monitor@18,1-16", "--out", "a.mp4", "--take", "t", "--seconds", "2", "--no-osc",
            cwd=tmp_path, **variables,
        )  # fmt: skip
    assert (code, complained) == (0, "")
    assert "mic: scarlett.monitor, 48000 Hz 17 channels" in said
    recorded_TC = sound_of(next((tmp_path / "t").glob("*.caf")))
    assert np.allclose(recorded_TC[-1], [LEVELS[17], *LEVELS[:16]], atol=1e-6)
    assert sound_of(tmp_path / "a.mp4").shape[1] == 2
    assert run("--replay", "t", "b.mp4", cwd=tmp_path)[0] == 0


def test_system_is_played_and_written(pulse_server: PulseServer, variables: dict[str, str], tmp_path: Path) -> None:
    # What the null sink had prepared before the player came, up to two seconds of silence, comes first.
    with playing(pulse_server, (0.3, 0.6), "fluid"):
        code, said, complained = run(
            "--source", "system", "--out", "a.mp4", "--take", "t", "--seconds", "4", "--no-osc", cwd=tmp_path, **variables
        )  # fmt: skip
    assert (code, complained) == (0, "")
    assert "system: fluid.monitor, 48000 Hz stereo" in said
    assert np.allclose(sound_of(next((tmp_path / "t").glob("*.caf")))[-1], (0.3, 0.6), atol=1e-6)


def test_pyaudio_captures_a_show(pulse_server: PulseServer, variables: dict[str, str], tmp_path: Path) -> None:
    require(
        importlib.util.find_spec("pyaudio"),
        "PyAudio (apt install portaudio19-dev gcc python3-dev; pip install pyaudio)",
    )
    flags = ("--source", "mic:pulse", "--capture", "pyaudio", "--seconds", "2", "--no-osc")
    with playing(pulse_server, (0.3, 0.6), "fluid"):
        code, _, complained = run(*flags, "--out", "null", "--take", "t", cwd=tmp_path, **variables)
    assert (code, complained) == (0, "")
    assert np.allclose(sound_of(next((tmp_path / "t").glob("*.caf")))[-1], (0.3, 0.6), atol=1e-3)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("mic:scarlett.monitor@19", "has no channel 19: it has channels 1 to 18"),
        ("mic:scarlett.monitor@0", "numbers from 1 to 64 were expected"),
        ("mic:theremin", "No sound input is called 'theremin'"),
        ("jack", "names no client"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_code_2(
    variables: dict[str, str], tmp_path: Path, source: str, says: str
) -> None:
    code, _, complained = run("--source", source, "--out", "null", "--seconds", "1", cwd=tmp_path, **variables)
    assert code == 2
    assert complained.startswith("error: ")
    assert says in complained
    assert complained.count("\n") == 1
