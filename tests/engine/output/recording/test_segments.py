"""Segmented recordings: no frame or sample is lost between files, and no failure stops the show."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from engine.core.errors import ConfigError
from engine.output.frame import Frame, ShowFormat
from engine.output.recording.retention import SegmentRetention, read_duration_s
from engine.output.recording.segment_writer import RecordingConfig
from engine.output.recording.segments import SegmentedRecorder

ROOT = Path(__file__).parents[4]
FPS = 20
SECOND = 1 / 60
"""In minutes."""
DATE = "2025-01-31T20:15:00+0000"


def show_format(rate_hz: int = 48000, fps: float = FPS, live: bool = False) -> ShowFormat:
    return ShowFormat(title="test", width=32, height=24, fps=fps, sound_rate_hz=rate_hz, sound_channels=1, live=live)


def hum(show: ShowFormat, hops: int) -> np.ndarray:
    time_T = np.arange(round(hops / show.fps * show.sound_rate_hz)) / show.sound_rate_hz
    return (0.5 * np.sin(2 * np.pi * 440 * time_T)).astype(np.float32)


def frames(show: ShowFormat, hops: int, on: Sequence[range], skipped: Sequence[int] = ()):
    """Yield frames whose grey level encodes their index; `record` is on in the ranges `on`."""
    hum_T, taken, missed = hum(show, hops), 0, 0
    for index in range(hops):
        if index in skipped:
            missed += 1
            continue
        end = round((index + 1) / show.fps * show.sound_rate_hz)
        yield Frame(
            index=index,
            pixels_HWC=np.full((show.height, show.width, 3), 20 + 2 * (index % 100), np.uint8),
            features_F=np.zeros(1, np.float32),
            sound_TC=hum_T[taken:end, None],
            first_sample=taken,
            time_s=(index + 1) / show.fps,
            captured_s=None,
            values={"record": any(index in part for part in on)},
            skipped_hops=missed,
        )
        taken, missed = end, 0


def record(folder: Path, show: ShowFormat, hops: int, on: Sequence[range], skipped=(), date=lambda: DATE, **settings):
    notices: list[str] = []
    config = RecordingConfig(folder=folder, **{"segment_minutes": 2 * SECOND, "keep_free_bytes": 0, **settings})
    sink = SegmentedRecorder(config, date=date, notify=notices.append)
    sink.open(show)
    for frame in frames(show, hops, on, skipped):
        sink.show(frame)
    sink.close()
    sink.close()
    return sink, notices, sorted(folder.glob("*.m*"), key=lambda path: (len(path.name), path.name))


def indices_of(path: Path) -> list[int]:
    """Return the indices that the grey levels encode."""
    with av.open(str(path)) as container:
        return [round((f.to_ndarray(format="rgb24").mean() - 20) / 2) for f in container.decode(video=0)]


def sound_of(path: Path) -> np.ndarray:
    """Return the sound of a file, of the duration that the file states."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        samples = round(stream.duration * stream.time_base * stream.rate)
        sound_T = np.concatenate([block.to_ndarray()[0] for block in container.decode(audio=0)])
    assert samples <= len(sound_T) < samples + 1024
    return sound_T[:samples]


@pytest.mark.parametrize(("rate_hz", "fps"), [(48000, 20.0), (44100, 60.0), (48000, 16000 / 267)])
def test_no_frame_and_no_sample_is_lost_between_files(tmp_path, rate_hz, fps):
    show = show_format(rate_hz, fps)
    hops = round(5.2 * fps)
    sink, notices, paths = record(tmp_path, show, hops, [range(0, hops)])
    assert sink.lost_frames == 0
    assert notices == [f"Recording to {tmp_path}/show-2025-01-31T20-15-00.mp4."]
    assert [path.name[-6:] for path in paths] == ["00.mp4", "-2.mp4", "-3.mp4"]
    cut = round(2 * fps)
    indices_by_file = [indices_of(path) for path in paths]
    assert [len(indices) for indices in indices_by_file] == [cut, cut, hops - 2 * cut]
    all_indices = [index for indices in indices_by_file for index in indices]
    np.testing.assert_allclose(all_indices, np.arange(hops) % 100, atol=1)
    assert_hums(paths, hum(show, hops))


def assert_hums(paths: Sequence[Path], hum_T: np.ndarray) -> None:
    """Check that the files' sound, one after the other, is the hum, to the sample."""
    position = 0
    for path in paths:
        sound_T = sound_of(path)
        expected_T = hum_T[position : position + len(sound_T)]
        # The encoder distorts the first samples; later, a sample too many or too few would be twice as far off.
        np.testing.assert_allclose(sound_T[:2048], expected_T[:2048], atol=0.2)
        np.testing.assert_allclose(sound_T[2048:], expected_T[2048:], atol=0.014)
        position += len(sound_T)
    assert position == len(hum_T)


def test_each_start_begins_a_file(tmp_path):
    show = show_format()
    on = [range(5, 20), range(30, 75)]
    sink, notices, paths = record(tmp_path, show, 90, on)
    assert [indices_of(path)[0] for path in paths] == pytest.approx([5, 30, 70], abs=1)
    assert [len(indices_of(path)) for path in paths] == [15, 40, 5]
    hum_T = hum(show, 90)
    for path, (begin, end) in zip(paths, [(5, 20), (30, 70), (70, 75)], strict=True):
        assert_hums([path], hum_T[begin * 2400 : end * 2400])
    assert notices == [f"Recording to {paths[0]}.", f"Recording to {paths[1]}."]
    assert sink.lost_frames == 0


@pytest.mark.parametrize(
    ("skipped", "lengths"), [((38, 39, 40, 41, 60), [39, 39, 7]), ((40, 41), [40, 38, 10]), ((39,), [40, 40, 9])]
)
def test_skipped_hops_at_a_cut_keep_their_sound(tmp_path, skipped, lengths):
    show = show_format()
    _, _, paths = record(tmp_path, show, 90, [range(0, 90)], skipped=skipped)
    assert [len(indices_of(path)) for path in paths] == lengths
    assert_hums(paths, hum(show, 90))


def test_nothing_is_written_while_nothing_is_recorded(tmp_path):
    sink, notices, paths = record(tmp_path / "none", show_format(), 20, [])
    assert not (tmp_path / "none").exists()
    assert (notices, paths, sink.lost_frames) == ([], [], 0)


def test_files_are_never_written_over(tmp_path):
    taken = tmp_path / "show-2025-01-31T20-15-00.mkv"
    taken.write_text("precious")
    _, _, paths = record(tmp_path, show_format(), 20, [range(0, 20)], pattern="show-{date}.mkv")
    assert taken.read_text() == "precious"
    assert paths[1].name == "show-2025-01-31T20-15-00-2.mkv"
    assert len(indices_of(paths[1])) == 20


def test_the_oldest_are_deleted_when_that_is_wanted(tmp_path):
    (tmp_path / "show-precious.mp4").write_text("not ours")
    (tmp_path / "show-2024-01-31T20-15-00.mp4").write_text("was cut off")
    show = show_format()
    seconds = itertools.count()

    def date() -> str:
        return f"2025-01-31T20:15:{next(seconds):02}+0000"

    record(tmp_path, show, 200, [range(0, 200)], keep_hours=4 / 3600, date=date)
    # Four seconds stay, beside the file that is being written.
    assert dated(tmp_path) == ["20-15-02", "20-15-03", "20-15-04"]
    record(tmp_path, show, 10, [range(0, 10)], keep_hours=2 / 3600, date=date)
    assert dated(tmp_path) == ["20-15-04", "20-15-05"]
    assert (tmp_path / "show-precious.mp4").exists()


def dated(folder: Path) -> list[str]:
    return sorted(path.stem[-8:] for path in folder.iterdir() if "precious" not in path.name)


def test_an_unreadable_file_counts_as_empty(tmp_path):
    path = tmp_path / "show-2024-01-31T20-15-00.mp4"
    path.write_bytes(b"")
    assert read_duration_s(path) == read_duration_s(tmp_path / "none") == 0.0
    SegmentRetention(tmp_path, "show-{date}.mp4", 1.0).delete_oldest()
    assert path.exists()


def test_a_nearly_full_disk_is_not_written_to(tmp_path):
    sink, notices, paths = record(tmp_path, show_format(), 100, [range(0, 100)], keep_free_bytes=10**18)
    assert paths == []
    (line,) = notices
    assert "stops: only" in line
    assert "MB are free on the disk, and 1000000000000 MB have to stay free" in line
    assert "the next file is tried in 0.0333333 minutes" in line
    assert sink.lost_frames == 100


def test_each_switching_on_reports_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    sink, notices, _ = record(tmp_path / "file" / "shows", show_format(), 100, [range(0, 80), range(90, 100)])
    # Two files in a row fail with one notice; switching `record` off and on brings a second one.
    assert len(notices) == 2
    assert all("stops: Not a directory. The show goes on" in line for line in notices)
    assert sink.lost_frames == 90


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_stops_the_recording_and_not_the_show(small_disk):
    show, notices = show_format(), []
    config = RecordingConfig(folder=small_disk, segment_minutes=4 * SECOND, keep_free_bytes=0)
    sink = SegmentedRecorder(config, date=lambda: DATE, notify=notices.append)
    sink.open(show)
    noise = np.random.default_rng(0)
    shown = 0
    for frame in frames(show, 400, [range(0, 400)]):
        loud = noise.integers(0, 256, frame.pixels_HWC.shape, np.uint8)
        sink.show(replace(frame, pixels_HWC=loud))
        shown += 1
        if any("stops" in line for line in notices) and frame.index % 80 == 70:
            # Space is freed; the next file is written.
            for path in small_disk.iterdir():
                path.unlink()
    sink.close()
    assert shown == 400
    stops = [line for line in notices if "stops" in line]
    assert stops
    assert any("No space left on device" in line for line in stops), stops
    assert sink.lost_frames > 0


LIMITED = """
import resource, sys
from tests.engine.output.recording.test_segments import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000,) * 2)
noise = np.random.default_rng(0)
config = RecordingConfig(folder=Path(sys.argv[1]), segment_minutes=60, keep_free_bytes=0)
sink = SegmentedRecorder(config, notify=lambda line: print(line, flush=True))
sink.open(show_format())
for frame in frames(show_format(), 300, [range(0, 300)]):
    sink.show(replace(frame, pixels_HWC=noise.integers(0, 256, frame.pixels_HWC.shape, np.uint8)))
sink.close()
print("the show goes on", sink.lost_frames)
"""


def test_a_full_disk_is_reported_once_and_leaves_a_readable_file(tmp_path):
    limited = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    lines = limited.stdout.splitlines()
    assert limited.returncode == 0, limited.stderr
    assert lines[0].startswith("Recording to ")
    assert "stops: File too large. The show goes on" in lines[1]
    assert lines[2].startswith("the show goes on ")
    assert len(lines) == 3
    assert 0 < int(lines[2].split()[-1]) < 300
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size <= 20000
    with av.open(str(path)) as container:
        assert len([*container.decode(video=0)]) > 0


KILLED = """
import sys
from tests.engine.output.recording.test_segments import *
config = RecordingConfig(folder=Path(sys.argv[1]), segment_minutes=float(sys.argv[2]), keep_free_bytes=0)
sink = SegmentedRecorder(config, date=lambda: DATE)
sink.open(show_format())
for frame in frames(show_format(), 6000, [range(0, 6000)]):
    sink.show(frame)
sys.stdin.read()
"""


def kill_a_recorder(folder: Path, minutes: float, file: str, size_bytes: int) -> list[Path]:
    """Record in another process, kill it once `file` has grown to its size, and return what is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), str(minutes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
    )
    assert process.stdin
    while not (folder / file).exists() or (folder / file).stat().st_size < size_bytes:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdin.close()
    return sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))


def test_a_killed_process_leaves_all_but_the_newest_file_whole(tmp_path):
    paths = kill_a_recorder(tmp_path, 2 * SECOND, "show-2025-01-31T20-15-00-3.mp4", 1)
    assert [len(indices_of(path)) for path in paths[:-1]] == [40] * (len(paths) - 1)
    assert_hums(paths[:-1], hum(show_format(), 40 * (len(paths) - 1)))


def test_the_file_that_a_killed_process_was_writing_plays(tmp_path):
    (path,) = kill_a_recorder(tmp_path, 60.0, "show-2025-01-31T20-15-00.mp4", 60_000)
    # A second between key frames is what may be lost of it.
    assert len(indices_of(path)) >= 40
    with av.open(str(path)) as container:
        sound_T = np.concatenate([block.to_ndarray()[0] for block in container.decode(audio=0)])
    np.testing.assert_allclose(sound_T[4000:60_000], hum(show_format(), 30)[4000:60_000], atol=0.014)


@pytest.mark.parametrize("pattern", ["show.mp4", "{date}/{date}.mp4", "a/{date}.mp4"])
def test_names_without_a_date_are_refused(tmp_path, pattern):
    with pytest.raises(ConfigError, match=r"is no name for recordings; a file name with one \{date\} was expected"):
        RecordingConfig(folder=tmp_path, pattern=pattern)


def test_another_model_of_another_size_goes_into_the_same_file(tmp_path):
    show = show_format()
    sink = SegmentedRecorder(
        RecordingConfig(folder=tmp_path, keep_free_bytes=0), date=lambda: DATE, notify=lambda line: None
    )
    sink.open(show)
    for frame in frames(show, 20, [range(0, 20)]):
        pixels_HWC = frame.pixels_HWC if frame.index < 10 else np.full((48, 64, 3), 100, np.uint8)
        sink.show(replace(frame, pixels_HWC=pixels_HWC))
    sink.close()
    (path,) = tmp_path.iterdir()
    assert len(indices_of(path)) == 20
    assert indices_of(path)[-1] == 40
