"""The track and the channels of a source, as `--track` and `@CHANNELS` choose them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.audio.source import Source
from engine.audio.sources.registry import open_source
from engine.core.errors import UserError
from tests.engine.app.shows import InventedClock
from tests.engine.audio.sources.servers import WebServer, web_server
from tests.engine.media.many_sounds import Track, tone_of, write_film, write_recorder

EIGHT_HZ = tuple(500 * number for number in range(1, 9))


def heard(source: Source) -> tuple[list[int], list[str]]:
    """Return the tone of each channel, and the notices."""
    source.start()
    parts, told = [], list[str]()
    while (block := source.read()) is not None:
        parts.append(block[0])
        told += source.notices()
    told += source.notices()
    source.close()
    return [tone_of(channel_T, source.rate_hz) for channel_T in np.concatenate(parts).T], told


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(
        tmp_path / "film.mkv",
        Track((300,), "eng", "Music"),
        Track((1000, 2000), "ger", "Kommentar \x1b[2J", default=True),
        Track((0,), "fre"),
    )


@pytest.mark.parametrize(
    ("track", "tones_hz"),
    [(None, [1000, 2000]), ("1", [300]), (2, [1000, 2000]), ("eng", [300]), ("GER", [1000, 2000])],
)
def test_the_default_track_is_heard_or_the_one_asked_for(
    track: str | int | None, tones_hz: list[int], film: Path
) -> None:
    assert heard(open_source(str(film), live=False, track=track)) == (tones_hz, [])


@pytest.mark.parametrize("track", ["4", "0", "ita", "-1", "²"])
def test_a_track_that_is_not_there_is_a_sentence_that_names_the_tracks(track: str, film: Path) -> None:
    with pytest.raises(UserError) as caught:
        open_source(str(film), live=True, track=track)
    sentence = str(caught.value)
    assert f"3 sound tracks, 1 (eng, Music), 2 (ger, Kommentar \\x1b[2J), 3 (fre), and no track '{track}'" in sentence
    assert sentence.isprintable()


def test_a_silent_track_beside_another_is_told(film: Path) -> None:
    tones_hz, told = heard(open_source(str(film), live=False, track="fre"))
    assert tones_hz == [0]
    assert "silent" in told[0]
    assert "1 (eng, Music), 2 (ger" in told[0]


@pytest.mark.parametrize(
    ("choice", "tones_hz"),
    [("@3,4", [1500, 2000]), ("@5", [2500]), ("@8,1", [4000, 500]), ("@1-8", list(EIGHT_HZ))],
)
def test_channels_of_a_recorder_are_chosen(choice: str, tones_hz: list[int], tmp_path: Path) -> None:
    path = write_recorder(tmp_path / "recorder.wav", EIGHT_HZ)
    assert heard(open_source(f"{path}{choice}", live=False))[0] == tones_hz
    film = write_film(tmp_path / "film.mov", Track(EIGHT_HZ))
    assert heard(open_source(f"{film}{choice}", live=False))[0] == tones_hz
    clock = InventedClock()
    again = open_source(f"{path}{choice}", live=True, repeat=True, clock=clock)
    again.start()
    parts = []
    while clock.now_s() < 1002.5:
        block = again.read()
        assert block is not None
        parts.append(block[0])
        again.wait(0.1)
    again.close()
    assert [tone_of(channel_T[-48000:]) for channel_T in np.concatenate(parts).T] == tones_hz


def test_channels_of_the_chosen_track_are_chosen(film: Path) -> None:
    assert heard(open_source(f"{film}@2", live=False, track="ger"))[0] == [2000]
    with pytest.raises(UserError, match=r"film.mkv has no channel 2: it has channel 1 alone"):
        open_source(f"{film}@2", live=False, track="eng")


@pytest.mark.parametrize("live", [True, False])
def test_a_channel_that_is_not_there_is_a_sentence_with_their_number(live: bool, tmp_path: Path) -> None:
    path = write_recorder(tmp_path / "recorder.wav", EIGHT_HZ)
    for choice, missing in (("@9", "9"), ("@7-10", "9, 10")):
        with pytest.raises(UserError, match=rf"no channel {missing}: it has channels 1 to 8; choose among them."):
            open_source(f"{path}{choice}", live=live)
    with pytest.raises(UserError, match="demo has no channel 3: it has channels 1 to 2"):
        open_source("demo@3", live=live)


def test_a_file_of_that_name_wins(tmp_path: Path) -> None:
    write_recorder(tmp_path / "recorder.wav", EIGHT_HZ)
    path = write_recorder(tmp_path / "recorder.wav@3", (700, 900))
    assert heard(open_source(str(path), live=False))[0] == [700, 900]
    assert heard(open_source(f"{path}@2", live=False))[0] == [900]


def test_channels_of_generated_sounds(tmp_path: Path) -> None:
    assert open_source("demo@2", live=True).channels == 1
    assert heard(open_source("tone:1000@1", live=False))[0] == [1000]


@pytest.fixture
def web(film: Path, tmp_path: Path) -> Iterator[WebServer]:
    recorder = write_recorder(tmp_path / "recorder.wav", EIGHT_HZ)
    with web_server({"film.mkv": film.read_bytes(), "recorder.wav": recorder.read_bytes()}) as server:
        yield server


def test_track_and_channels_of_an_address(web: WebServer) -> None:
    assert heard(open_source(web.url("film.mkv"), live=False))[0] == [1000, 2000]
    assert heard(open_source(web.url("film.mkv"), live=False, track="eng"))[0] == [300]
    assert heard(open_source(web.url("recorder.wav") + "@3,8", live=False))[0] == [1500, 4000]
    with pytest.raises(UserError, match=r"recorder.wav has no channel 9: it has channels 1 to 8"):
        open_source(web.url("recorder.wav") + "@9", live=True)
    with pytest.raises(UserError, match=r"3 sound tracks, 1 \(eng, Music\)"):
        open_source(web.url("film.mkv"), live=True, track="4")
