"""Films as phones make them, with a known offset; and files that are no such film."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml

from engine.app.config_reading import read_config_file, resolve
from engine.control.parameter_table import TABLE
from engine.core.errors import ConfigError, MediaError
from engine.ops.calibration.clicks import click_sound, click_starts
from engine.ops.calibration.command import calibrate_from
from engine.ops.calibration.film import offset_of_film

RATE_HZ = 44100
SECONDS = 14.0


def write_film(
    path: Path, offset_s: float, fps: float, sound: bool = True, flashing: bool = True, codec: str = "aac"
) -> Path:
    """Write a film of a small bright screen in a grey room, which flashes `offset_s` after each click.

    With the codec pcm_f32le one sample of its sound is no number.
    """
    generator = np.random.default_rng(0)
    starts = np.asarray(click_starts(18, 0, RATE_HZ, first_s=1.0, gap_s=(0.4, 0.9)))
    sound_T = 0.01 * generator.standard_normal(round(SECONDS * RATE_HZ))
    for start in starts:
        sound_T[start : start + len(click_sound(RATE_HZ))] += 0.3 * click_sound(RATE_HZ)
    with av.open(str(path), "w") as container:
        film: Any = container.add_stream(
            "libx264", rate=Fraction(fps).limit_denominator(1001), options={"preset": "ultrafast"}
        )
        film.width, film.height, film.pix_fmt = 160, 96, "yuv420p"
        track: Any = container.add_stream(codec, rate=RATE_HZ, layout="mono") if sound else None
        for index in range(round(SECONDS * fps)):
            frame_HW3 = np.full((96, 160, 3), 70, np.uint8)
            since_s = index / fps - (starts / RATE_HZ + offset_s)
            lit = flashing and bool(((since_s >= 0.0) & (since_s < 0.12)).any())
            frame_HW3[30:60, 90:130] = 220 if lit else 15
            container.mux(film.encode(av.VideoFrame.from_ndarray(frame_HW3, "rgb24")))
        container.mux(film.encode(None))
        if sound:
            is_float = codec == "pcm_f32le"
            sound_T[len(sound_T) // 2] = np.nan if is_float else 0.0
            frame = av.AudioFrame.from_ndarray(sound_T.astype(np.float32)[None], "flt" if is_float else "fltp", "mono")
            frame.sample_rate, frame.pts = RATE_HZ, 0
            container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return path


@pytest.mark.parametrize(("fps", "offset_s"), [(24, 0.110), (25, 0.040), (30, 0.075), (60, 0.022)])
def test_the_offset_of_a_film_is_found(tmp_path: Path, fps: float, offset_s: float) -> None:
    offset = offset_of_film(write_film(tmp_path / "film.mp4", offset_s, fps))
    assert offset.pairs == 18
    assert offset.median_s == pytest.approx(offset_s, abs=0.3 / fps)


def test_a_sample_that_is_no_number_hides_no_click(tmp_path: Path) -> None:
    offset = offset_of_film(write_film(tmp_path / "film.mkv", 0.075, 30, codec="pcm_f32le"))
    assert offset.pairs == 18
    assert offset.median_s == pytest.approx(0.075, abs=0.01)


def test_a_gap_in_the_sound_of_a_film_moves_nothing(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", 0.079, 30)
    with av.open(str(film)) as whole, av.open(str(tmp_path / "gap.mp4"), "w") as gap:
        streams = [gap.add_stream_from_template(stream) for stream in whole.streams]
        for packet in whole.demux():
            is_sound, time_s = packet.stream.type == "audio", float((packet.pts or 0) * packet.time_base)
            if packet.dts is not None and not (is_sound and 3.0 <= time_s < 3.06):
                packet.stream = streams[packet.stream.index]
                gap.mux(packet)
    offset, mended = offset_of_film(film), offset_of_film(tmp_path / "gap.mp4")
    assert mended.median_s == pytest.approx(offset.median_s, abs=0.001)


def test_the_venue_file_is_a_configuration_that_a_show_loads(tmp_path: Path) -> None:
    film, venue, lines = write_film(tmp_path / "film.mp4", 0.075, 30), tmp_path / "venue.yaml", list[str]()
    calibrate_from(film, venue, lines.append)
    look_ahead_ms = yaml.safe_load(venue.read_text())["controls"]["look_ahead_ms"]
    assert look_ahead_ms == pytest.approx(75.0, abs=10.0)
    assert resolve(read_config_file(venue), {}, {}, TABLE).config.controls == {"look_ahead_ms": look_ahead_ms}
    assert "75 ms after" in lines[0] or abs(look_ahead_ms - 75.0) > 0.5
    assert str(venue) in lines[1]


@pytest.mark.parametrize("kind", ["missing", "text", "silent", "dark"])
def test_other_files_are_refused_in_one_sentence(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "film.mp4"
    if kind == "text":
        path.write_text("no film\n" * 100)
    elif kind != "missing":
        write_film(path, 0.05, 25, sound=kind != "silent", flashing=kind != "dark")
    with pytest.raises((ConfigError, MediaError), match="film") as caught:
        calibrate_from(path, tmp_path / "venue.yaml")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "venue.yaml").exists()


def test_a_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(ConfigError, match="Cannot write"):
        calibrate_from(write_film(tmp_path / "film.mp4", 0.05, 25), tmp_path / "file" / "venue.yaml")
