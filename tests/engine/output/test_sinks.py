"""Video files: video and sound in sync and of one length, with lost sound, odd sizes, killed processes and full disks."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from engine.app.sink_registry import open_sinks
from engine.core.errors import SinkError
from engine.output.frame import Frame, ShowFormat
from engine.output.recording.video_file import VideoFileSink
from engine.output.recording.write_queue import QueuedFrame, make_write_queue

FPS = 20
COLOUR = (200, 40, 20)
FLASHES = (10, 30, 50)


def show_format(size=(32, 24), rate_hz=48000, channels=2, live=False) -> ShowFormat:
    return ShowFormat(
        title="test",
        width=size[0],
        height=size[1],
        fps=FPS,
        sound_rate_hz=rate_hz,
        sound_channels=channels,
        live=live,
    )


def frames(show: ShowFormat, count: int, skipped=()):
    """Yield frames that flash and beep together at FLASHES."""
    pending, taken = [], 0
    for index in range(count):
        begin, end = (round(k * show.sound_rate_hz / FPS) for k in (index, index + 1))
        time_T = np.arange(end - begin) / show.sound_rate_hz
        beep_T = (index in FLASHES) * 0.5 * np.sin(2 * np.pi * 1000 * time_T)
        pending.append(np.repeat(beep_T[:, None], show.sound_channels, 1).astype(np.float32))
        if index in skipped:
            continue
        pixels_HWC = np.full((show.height, show.width, 3), (255,) * 3 if index in FLASHES else COLOUR, np.uint8)
        yield Frame(
            index=index,
            pixels_HWC=pixels_HWC,
            features_F=np.zeros(1, np.float32),
            sound_TC=np.concatenate(pending),
            first_sample=taken,
            time_s=(index + 1) / FPS,
            captured_s=None,
        )
        pending, taken = [], end


def record(path: Path, show: ShowFormat, count: int = 63, skipped=()) -> VideoFileSink:
    sink = VideoFileSink(path)
    sink.open(show)
    for frame in frames(show, count, skipped):
        sink.show(frame)
    sink.close()
    sink.close()
    return sink


def flashes_of(path: Path) -> tuple[list[tuple[float, bool]], tuple[int, int]]:
    """Return the time of each frame and whether it flashes, and the size of all."""
    with av.open(str(path)) as container:
        decoded = [(float(f.time), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    return [(time_s, pixels_HWC[..., 2].mean() > 128) for time_s, pixels_HWC in decoded], decoded[0][1].shape[1::-1]


def beeps_of(path: Path) -> tuple[list[float], float, int]:
    """Return when beeps begin, how long the sound is, and its rate."""
    with av.open(str(path)) as container:
        blocks = list(container.decode(audio=0))
    rate_hz, start_s = blocks[0].sample_rate, float(blocks[0].time)
    sound_T = np.concatenate([block.to_ndarray()[0] for block in blocks])
    loud_s = np.flatnonzero(np.abs(sound_T) > 0.1) / rate_hz + start_s
    return list(loud_s[np.diff(loud_s, prepend=-1.0) > 0.2]), start_s + len(sound_T) / rate_hz, rate_hz


@pytest.mark.parametrize(
    ("name", "rate_hz", "channels", "size"),
    [
        ("a.mp4", 48000, 2, (32, 24)),
        ("a.mov", 44100, 1, (32, 24)),
        ("a.mkv", 48000, 2, (32, 24)),
        ("odd.mp4", 16000, 1, (33, 25)),
        ("rare.mp4", 12345, 2, (32, 24)),
    ],
)
def test_video_and_sound_are_in_sync_and_of_one_length(tmp_path, name, rate_hz, channels, size):
    path = tmp_path / name
    sink = record(path, show_format(size, rate_hz, channels))
    shown_frames, shown_size = flashes_of(path)
    beeps_s, length_s, file_rate_hz = beeps_of(path)
    assert sink.lost_frames == 0
    assert len(shown_frames) == 63
    assert shown_size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    flashes_s = [time_s for time_s, flash in shown_frames if flash]
    np.testing.assert_allclose(flashes_s, [k / FPS for k in FLASHES], atol=1e-3)
    np.testing.assert_allclose(beeps_s, flashes_s, atol=0.003)
    # The last block of an encoder is padded; the stream's own duration is exact.
    assert 63 / FPS - 1e-3 <= length_s < 63 / FPS + 1024 / file_rate_hz + 1e-3
    assert file_rate_hz == (rate_hz if rate_hz != 12345 else 48000)
    if path.suffix != ".mkv":
        with av.open(str(path)) as container:
            durations_s = [float(s.duration * s.time_base) for s in container.streams]
        np.testing.assert_allclose(durations_s, 63 / FPS, atol=2e-3)


def test_colours_survive(tmp_path):
    path = tmp_path / "colour.mp4"
    record(path, show_format(), 5)
    with av.open(str(path)) as container:
        pixels_HWC = next(container.decode(video=0)).to_ndarray(format="rgb24")
    np.testing.assert_allclose(pixels_HWC.mean((0, 1)), COLOUR, atol=3)


def test_skipped_hops_keep_sync(tmp_path):
    path = tmp_path / "skips.mp4"
    record(path, show_format(), skipped=(3, 4, 5, 20, 40, 41))
    shown_frames, _ = flashes_of(path)
    beeps_s, _, _ = beeps_of(path)
    assert len(shown_frames) == 57
    np.testing.assert_allclose([t for t, flash in shown_frames if flash], [0.5, 1.5, 2.5], atol=1e-3)
    np.testing.assert_allclose(beeps_s, [0.5, 1.5, 2.5], atol=0.003)


def queued_frame(index: int) -> QueuedFrame:
    return QueuedFrame(
        pixels_HWC=np.zeros((1, 1, 3), np.uint8),
        sound_TC=np.zeros((5, 1), np.float32),
        first_sample=5 * index,
        time_s=float(index),
    )


def test_samples_that_are_no_numbers_do_not_end_a_film(tmp_path):
    show = show_format()
    sink = VideoFileSink(tmp_path / "film.mp4")
    sink.open(show)
    for frame in frames(show, 63):
        if frame.index == 10:
            frame.sound_TC[[5, 6, 7], 0] = np.nan, np.inf, 1e30
        sink.show(frame)
    sink.close()
    beeps_s, _, _ = beeps_of(tmp_path / "film.mp4")
    assert len(beeps_s) == len(FLASHES)


def test_a_slow_disk_drops_the_oldest_pixels_and_no_sound():
    queue = make_write_queue(live=True, most_waiting=3, most_queued=6)
    for index in range(8):
        queue.put(queued_frame(index))
    queue.close()
    taken = []
    while (queued := queue.take()) is not None:
        taken.append((queued.time_s, queued.pixels_HWC is not None))
    # The two oldest were dropped with their sound, which becomes silence.
    assert taken == [(2, False), (3, False), (4, False), (5, True), (6, True), (7, True)]
    assert queue.lost_size == 5


def test_lost_sound_becomes_silence(tmp_path):
    path = tmp_path / "gap.mp4"
    sink = VideoFileSink(path)
    sink.open(show_format())
    for frame in frames(show_format(), 63):
        if not 15 <= frame.index < 25:
            sink.show(frame)
    sink.close()
    np.testing.assert_allclose(beeps_of(path)[0], [0.5, 1.5, 2.5], atol=0.003)


RECORDER = """
import sys
from tests.engine.output.test_sinks import *
sink, show = VideoFileSink(sys.argv[1]), show_format(live=False)
sink.open(show)
for frame in frames(show, 100000):
    sink.show(frame)
    if frame.index == 150:
        print("ready", flush=True)
"""


@pytest.mark.parametrize("name", ["killed.mp4", "killed.mov", "killed.mkv"])
def test_a_killed_process_leaves_a_file_that_plays(tmp_path, name):
    path = tmp_path / name
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", RECORDER, str(path)], stdout=subprocess.PIPE, cwd=root)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    # What may be lost: the queue of 40 frames, the encoder's look-ahead and one second between key frames.
    assert len(flashes_of(path)[0]) >= 40
    assert beeps_of(path)[0][:1] == pytest.approx([0.5], abs=0.003)


@pytest.mark.parametrize("place_of_file", ["missing/a.mp4", "folder.mp4"])
def test_a_path_that_cannot_be_written_is_refused_at_once(tmp_path, place_of_file):
    (tmp_path / "folder.mp4").mkdir()
    sink = VideoFileSink(tmp_path / place_of_file)
    with pytest.raises(SinkError, match=r"Cannot write .*; choose another place with --out"):
        sink.open(show_format())
    sink.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
@pytest.mark.parametrize("live", [True, False])
def test_a_full_disk_is_reported_once(tmp_path, live):
    (tmp_path / "full.mp4").symlink_to("/dev/full")
    show = show_format(live=live)
    sink = VideoFileSink(tmp_path / "full.mp4")
    errors = []
    try:
        sink.open(show)
        for frame in frames(show, 400):
            sink.show(frame)
        sink.close()
    except SinkError as error:
        errors.append(str(error))
    assert len(errors) == 1
    assert "No space left on device" in errors[0]
    sink.close()


@pytest.mark.parametrize(
    ("specs", "sentence"),
    [
        (["windw"], "Did you mean 'window'"),
        (["a.webm"], r"files ending in \.mp4"),
        (["a"], "There is no output 'a'"),
        (["null", "null"], "given twice"),
    ],
)
def test_unknown_outputs_are_refused(specs, sentence):
    with pytest.raises(SinkError, match=sentence):
        open_sinks(specs)


def test_outputs_are_made_by_name():
    assert [sink.name for sink in open_sinks(["null", "a.MP4", "window"])] == ["null", "a.MP4"]
