"""A finished movie has a whole index: what players read from it is what the fragments hold, and a full disk costs no frame."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest

from engine.output.frame import ShowFormat
from engine.output.recording.video_writer import Recording
from engine.output.recording.write_queue import QueuedFrame

ROOT = Path(__file__).parents[4]
SIDE = 32


def show_format(fps: float, rate_hz: int, live: bool) -> ShowFormat:
    return ShowFormat(
        title="a show", width=SIDE, height=SIDE, fps=fps, sound_rate_hz=rate_hz, sound_channels=2, live=live
    )


def frames(show: ShowFormat, hops: int, skipped: tuple[int, ...] = ()) -> Iterator[QueuedFrame]:
    """Yield frames of noise, which change the order of the encoded ones, and their sound."""
    rng, taken = np.random.default_rng(0), 0
    for index in range(hops):
        if index in skipped:
            continue
        end = round((index + 1) / show.fps * show.sound_rate_hz)
        yield QueuedFrame(
            pixels_HWC=rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8) // (1 + index % 7),
            sound_TC=rng.uniform(-0.5, 0.5, (end - taken, 2)).astype(np.float32),
            first_sample=taken,
            time_s=(index + 1) / show.fps,
        )
        taken = end


def write(path: Path, show: ShowFormat, hops: int, skipped: tuple[int, ...] = ()) -> Path:
    recording = Recording(path, show)
    for frame in frames(show, hops, skipped):
        recording.write(frame)
    recording.finish()
    return path


class Packet(NamedTuple):
    stream: int
    pts: int | None
    dts: int | None
    is_key: bool
    content: bytes


def packets_of(path: Path) -> list[Packet]:
    with av.open(str(path)) as container:
        read = [
            Packet(packet.stream_index, packet.pts, packet.dts, packet.is_keyframe, bytes(packet))
            for packet in container.demux()
            if packet.size
        ]
    return sorted(read, key=lambda packet: (packet.stream, packet.dts))


def fragments_of(path: Path) -> Path:
    """Return a copy with FFmpeg's own index of the same packets, of which nothing is encoded again."""
    copy = path.with_stem("copy")
    with av.open(str(path)) as given, av.open(str(copy), "w") as written:
        streams = [written.add_stream_from_template(stream) for stream in given.streams]
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                written.mux(packet)
    return copy


def duration_s(stream: Any) -> float:
    return float(stream.duration * stream.time_base)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.m4v"])
@pytest.mark.parametrize(
    ("fps", "rate_hz", "live", "hops", "skipped"),
    [
        (20.0, 48000, True, 63, ()),
        (20.0, 48000, False, 163, ()),
        (60.0, 44100, False, 200, ()),
        # Hops are missing inside a fragment and between two of them, and the first ones.
        (20.0, 16000, True, 100, (19, 20, 21, 40, 60, 61)),
        (16000 / 267, 48000, False, 300, (59, 60, 61, 62, 130)),
        (20.0, 48000, False, 90, (0, 1, 2)),
        (20.0, 48000, True, 1, ()),
    ],
)
def test_the_index_says_what_the_fragments_hold(tmp_path, name, fps, rate_hz, live, hops, skipped):
    path = write(tmp_path / name, show_format(fps, rate_hz, live), hops, skipped)
    assert packets_of(path) == packets_of(fragments_of(path))
    with av.open(str(path)) as container:
        video, audio = container.streams
        first = 0 if 0 not in skipped else len(skipped)
        assert video.frames == hops - len(skipped)
        assert duration_s(video) == pytest.approx((hops - first) / fps, abs=0.51 / fps)
        assert duration_s(audio) == pytest.approx(hops / fps, abs=1 / rate_hz)
        assert container.duration == pytest.approx(1e6 * hops / fps, abs=2)
        assert container.metadata["title"] == "a show"


def boxes_of(path: Path) -> list[bytes]:
    content, kinds, position = path.read_bytes(), [], 0
    while position < len(content):
        size = int.from_bytes(content[position : position + 4], "big")
        kinds.append(content[position + 4 : position + 8])
        position += size if size != 1 else int.from_bytes(content[position + 8 : position + 16], "big")
    assert position == len(content)
    return kinds


def test_a_finished_file_is_an_ordinary_one(tmp_path):
    path = write(tmp_path / "a.mp4", show_format(20.0, 48000, True), 100)
    assert boxes_of(path) == [b"ftyp", b"mdat", b"moov"]
    assert b"mvex" not in path.read_bytes().rpartition(b"moov")[2]


def test_one_can_go_to_any_moment_of_a_finished_file(tmp_path):
    path = write(tmp_path / "a.mp4", show_format(20.0, 48000, False), 400)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        for second in (15, 3, 19, 0, 7):
            container.seek(1_000_000 * second)
            # There is a key frame at least once a second.
            assert second - 1 <= float(next(container.decode(video)).time) <= second


def test_nothing_but_the_file_is_left_in_its_folder(tmp_path):
    path = write(tmp_path / "a.mp4", show_format(20.0, 48000, True), 100)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not move open files")
def test_a_file_that_is_moved_meanwhile_is_finished_all_the_same(tmp_path):
    show, path = show_format(20.0, 48000, True), tmp_path / "a.mp4"
    recording = Recording(path, show)
    for index, frame in enumerate(frames(show, 100)):
        recording.write(frame)
        if index == 50:
            path.rename(tmp_path / "b.mp4")
    recording.finish()
    assert not path.exists()
    assert boxes_of(tmp_path / "b.mp4") == [b"ftyp", b"mdat", b"moov"]


FULL_AT_THE_END = """
import resource, signal, sys
from tests.engine.output.recording.test_movie_index import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, show = Path(sys.argv[1]), show_format(20.0, 48000, True)
whole = write(path.with_name("whole.mp4"), show, 2000)
# The fragments have room, and their index has not.
resource.setrlimit(resource.RLIMIT_FSIZE, (whole.stat().st_size - 10_000,) * 2)
try:
    write(path, show, 2000)
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX systems")
def test_a_disk_that_is_full_at_the_end_costs_the_index_and_no_frame(tmp_path):
    limited = subprocess.run(
        [sys.executable, "-c", FULL_AT_THE_END, str(tmp_path / "a.mp4")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert limited.stdout == "File too large\n", limited.stderr
    assert boxes_of(tmp_path / "a.mp4")[-1] == b"mdat"
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 2000
