"""Several inputs with names, by whole processes: a film of stems, a show of them with its take, and health."""

from __future__ import annotations

import json
import threading
import urllib.request
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.processes import ENDS_WITHIN_S, decoded_NHWC, run, start, streams, write_sound

STEMS = ("drums", "voice", "room")
MAPPINGS = ("--map", "glow=drums.onset", "--map", "colour_turn=0.4 * voice.level", "--no-osc")


@pytest.fixture
def stems(tmp_path: Path) -> list[str]:
    for name in STEMS[:2]:
        write_sound(tmp_path / f"{name}.wav", 2.0)
    return [f"{name}={name}.wav" for name in STEMS[:2]] + ["room=demo"]


def sound_of(film: Path) -> NDArray[np.float32]:
    with av.open(str(film)) as file:
        return np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1)


def test_stems_become_one_film_with_a_stereo_mix(tmp_path: Path, stems: list[str]) -> None:
    code, said, complained = run("--render", *stems, "film.mp4", "--model-input", "mix", *MAPPINGS, cwd=tmp_path)
    assert (code, complained) == (0, "")
    assert "inputs   drums (mono), voice (mono), room (stereo); the model gets the mix of all" in said
    frames, sound_s = streams(tmp_path / "film.mp4")
    assert (frames, sound_s) == (40, pytest.approx(2.0, abs=0.05))
    sound_CT = sound_of(tmp_path / "film.mp4")
    assert sound_CT.shape[0] == 2
    assert np.abs(sound_CT).max() > 0.1
    # The demo sound is wider than the middle.
    assert np.abs(sound_CT[0] - sound_CT[1]).max() > 0.01
    assert run("--render", *stems, "plain.mp4", "--model-input", "mix", "--no-osc", cwd=tmp_path)[0] == 0
    assert not np.array_equal(decoded_NHWC(tmp_path / "film.mp4"), decoded_NHWC(tmp_path / "plain.mp4"))


def test_a_show_of_stems_is_replayed(tmp_path: Path, stems: list[str]) -> None:
    sources = [part for stem in stems for part in ("--source", stem)]
    code, _, complained = run(*sources, *MAPPINGS, "--out", "null", "--take", "take", cwd=tmp_path)
    assert (code, complained) == (0, "")
    header = json.loads((tmp_path / "take" / "log.jsonl").read_text().splitlines()[0])["take"]
    assert header["inputs"] == {"drums": [0], "voice": [1], "room": [2, 3]}
    assert (header["model_input"], header["source_channels"]) == ("drums", 4)
    code, _, complained = run("--replay", "take", "replay.mp4", cwd=tmp_path)
    assert (code, complained) == (0, "")
    assert streams(tmp_path / "replay.mp4")[0] > 5


def test_the_levels_of_inputs_are_monitored(tmp_path: Path) -> None:
    process = start(
        "--no-osc", "--source", "a=demo", "--source", "b=tone", "--out", "null", "--health-port", "0", "--log", "log.jsonl",
        cwd=tmp_path,
    )  # fmt: skip
    try:
        assert process.stdout
        lines, timer = [], threading.Timer(ENDS_WITHIN_S, process.kill)
        timer.start()
        for line in process.stdout:
            lines.append(line)
            if "health" in line:
                break
        timer.cancel()
        address = next(word for word in lines[-1].split() if word.startswith("http")).rstrip(".,;/")
        address = address.removesuffix("/health").removesuffix("/metrics")
        with urllib.request.urlopen(f"{address}/metrics", timeout=ENDS_WITHIN_S) as answer:
            page = answer.read().decode()
    finally:
        process.terminate()
        process.communicate(timeout=ENDS_WITHIN_S)
    assert 'fluid_input_level{input="a"}' in page
    assert 'fluid_input_level{input="b"}' in page


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--source", "a=demo", "--source", "a=tone"], "Two inputs are called 'a'"),
        (["--source", "a=demo", "--source", "b=absent.wav"], "absent.wav"),
        (["--source", "a=demo", "--map", "glow=b.onset"], "names 'b', which is no input of this show"),
        (["--source", "a=demo@7"], "has no channel 7"),
    ],
)
def test_mistakes_are_one_sentence_and_code_2(tmp_path: Path, flags: list[str], part: str) -> None:
    code, _, complained = run(*flags, "--no-osc", "--out", "null", "--seconds", "1", cwd=tmp_path)
    assert code == 2
    assert complained.startswith("error: ")
    assert part in complained
    assert complained.count("\n") == 1
