"""Frames at their times: damage, gaps, wrong time stamps, joined films, sizes that change, interlaced film, what is refused."""

import itertools
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from engine.core.errors import MediaError
from engine.media import frame_reader
from engine.media.frame_reader import FrameReader, TimedFrame
from tests.training.clips import noise, numbered_frames, write_clip

FPS = 25


def film(
    path: Path,
    frames_NHWC: np.ndarray,
    times: list[int] | None = None,
    codec: str = "libx264",
    aspect: Fraction | None = None,
    start_s: float = 0.0,
) -> Path:
    """Write frames, one each 1/25 s or at the numbers `times`."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=FPS, options={"g": "5", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = frames_NHWC.shape[2], frames_NHWC.shape[1], "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for number, frame_HWC in zip(times or range(len(frames_NHWC)), frames_NHWC, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
            frame.pts, frame.time_base = number + round(start_s * FPS), Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def flashing(count: int, at: int, width: int = 64, height: int = 48) -> np.ndarray:
    frames = np.full((count, height, width, 3), 60, np.uint8)
    frames[at : at + 2] = 250
    return frames


def read(path: Path) -> list[TimedFrame]:
    return list(FrameReader(path).frames())


def flashes_s(path: Path) -> list[float]:
    """Return when it becomes bright, from the first frame on."""
    frames = read(path)
    bright = [frame.shown.pixels_HWC().mean() > 150 for frame in frames]
    return [
        round(frame.time_s - frames[0].time_s, 2)
        for frame, now, before in zip(frames[1:], bright[1:], bright, strict=False)
        if now and not before
    ]


def test_a_gap_holds_the_frame_before(tmp_path: Path) -> None:
    path = film(tmp_path / "gap.mkv", flashing(50, at=30), [*range(20), *range(45, 75)])
    assert flashes_s(path) == [pytest.approx((30 + 25) / FPS, abs=1 / FPS)]


def test_a_late_start_keeps_its_times(tmp_path: Path) -> None:
    frames = read(film(tmp_path / "late.mkv", flashing(10, at=5), start_s=0.8))
    assert frames[0].time_s == pytest.approx(0.8, abs=0.01)


def test_joined_films_play_on(tmp_path: Path) -> None:
    one = film(tmp_path / "one.ts", flashing(75, at=25), codec="mpeg2video").read_bytes()
    (tmp_path / "joined.ts").write_bytes(one + one)
    assert flashes_s(tmp_path / "joined.ts") == [pytest.approx(at, abs=1 / FPS) for at in (1.0, 4.0)]


def test_times_never_go_back(tmp_path: Path) -> None:
    one = film(tmp_path / "one.ts", flashing(25, at=10), codec="mpeg2video").read_bytes()
    (tmp_path / "thrice.ts").write_bytes(one * 3)
    times_s = [frame.time_s for frame in read(tmp_path / "thrice.ts")]
    assert len(times_s) == 75
    assert all(after >= before for before, after in itertools.pairwise(times_s))


def test_damaged_packets_are_left_out_and_told(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", numbered_frames(40), codec="mpeg4")
    whole = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    place = whole.find(packets[10])
    whole[place : place + len(packets[10])] = bytes(len(packets[10]))
    path.write_bytes(whole)
    reader = FrameReader(path)
    frames = list(reader.frames())
    assert 35 <= len(frames) <= 40
    assert frames[-1].time_s == pytest.approx(39 / FPS, abs=0.002)


def test_frames_that_the_decoder_guessed_in_part_are_told(tmp_path: Path) -> None:
    """Nothing is skipped there, and nothing raised."""
    random = np.random.default_rng(1)
    whole = film(tmp_path / "whole.ts", random.integers(0, 256, (50, 96, 128, 3)).astype(np.uint8))
    content = np.frombuffer(whole.read_bytes(), np.uint8).copy()
    # Bytes of the frames within packets of 188 bytes, whose heads stay as they are.
    places = 188 * random.integers(len(content) // 940, len(content) // 235, 40) + random.integers(20, 180, 40)
    content[places] ^= 0x5A
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(content.tobytes())
    reader = FrameReader(damaged)
    assert len(list(reader.frames())) > 40
    assert any("incomplete, so parts are grey, coarse or smeared" in notice for notice in reader.notices())
    reader = FrameReader(whole)
    assert len(list(reader.frames())) == 50
    assert reader.notices() == []


def test_a_mirrored_film_is_shown_as_its_matrix_says(tmp_path: Path) -> None:
    frames = np.full((5, 48, 64, 3), 40, np.uint8)
    frames[:, :16, -16:] = (220, 30, 30)
    path = film(tmp_path / "mirrored.mp4", frames)
    content = bytearray(path.read_bytes())
    struct.pack_into(">9i", content, content.find(b"tkhd") + 44, -65536, 0, 0, 0, 65536, 0, 64 << 16, 0, 1 << 30)
    path.write_bytes(content)
    pixels_HWC = read(path)[0].shown.pixels_HWC()
    assert pixels_HWC[4, 4, 0] > 180
    assert pixels_HWC[4, -4, 0] < 80


def test_a_circle_of_wide_pixels_is_round(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:144, :180]
    inside = ((columns - 90) * 64 / 45) ** 2 + (rows - 72) ** 2 < 50**2
    frames = np.repeat(np.where(inside[None, ..., None], 255, 40).astype(np.uint8), 3, axis=3)
    shown = read(film(tmp_path / "wide.mp4", np.repeat(frames, 3, axis=0), aspect=Fraction(64, 45)))[0].shown
    assert shown.size == (256, 144)
    bright = shown.pixels_HWC()[..., 0] > 150
    assert bright.any(axis=0).sum() / bright.any(axis=1).sum() == pytest.approx(1.0, abs=0.03)


def test_a_change_of_the_frame_size_is_told_with_its_moment(tmp_path: Path) -> None:
    large = film(tmp_path / "a.ts", flashing(50, at=10, width=128, height=96), codec="mpeg2video").read_bytes()
    small = film(tmp_path / "b.ts", flashing(50, at=10), codec="mpeg2video", start_s=2.0).read_bytes()
    path = tmp_path / "changes.ts"
    path.write_bytes(large + small)
    reader = FrameReader(path)
    sizes = [frame.shown.size for frame in reader.frames()]
    # The decoder of MPEG-2 may keep its last frame of a size.
    assert sizes in ([(128, 96)] * kept + [(64, 48)] * 50 for kept in (49, 50))
    (notice,) = reader.notices()
    assert "changes.ts changes from 128x96 to 64x48 at " in notice
    assert float(notice.split(" at ")[1].split()[0]) == pytest.approx(2.0, abs=1.01 / FPS)


def test_many_changes_of_the_frame_size_are_told_three_times_and_counted(tmp_path: Path) -> None:
    parts = [
        film(tmp_path / f"{number}.ts", flashing(5, 2, 128 >> number % 2, 96 >> number % 2)) for number in range(6)
    ]
    path = tmp_path / "changes.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    reader = FrameReader(path)
    assert len(list(reader.frames())) == 30
    assert len(reader.notices()) == 4
    assert reader.notices()[-1] == "The frame size of changes.ts changes 5 times in all."


def test_interlaced_film_loses_its_combs(tmp_path: Path) -> None:
    path = tmp_path / "interlaced.mkv"
    frames = np.full((10, 96, 128, 3), 40, np.uint8)
    for number, frame in enumerate(frames):
        frame[::2, 8 * number : 8 * number + 20] = 230
        frame[1::2, 8 * number + 4 : 8 * number + 24] = 230
    with av.open(str(path), "w") as container:
        options = {"flags": "+ildct+ilme", "qscale": "1"}
        stream: Any = container.add_stream("mpeg2video", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for frame_HWC in frames:
            frame = av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    shown = read(path)
    assert len(shown) == len(frames)
    middle = shown[5].shown.pixels_HWC()[20:-20, :, 0].astype(int)
    combs = np.abs(middle[1:-1] - (middle[:-2] + middle[2:]) / 2).max()
    stored = frames[5, 20:-20, :, 0].astype(int)
    assert combs < np.abs(stored[1:-1] - (stored[:-2] + stored[2:]) / 2).max() / 3


def test_odd_sizes_are_read_whole(tmp_path: Path) -> None:
    frames = np.full((3, 47, 63, 3), (200, 30, 30), np.uint8)
    with av.open(str(tmp_path / "odd.mkv"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=FPS, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 63, 47, "yuv444p"
        for frame_HWC in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        container.mux(stream.encode())
    pixels_HWC = read(tmp_path / "odd.mkv")[0].shown.pixels_HWC()
    assert pixels_HWC.shape == (47, 63, 3)
    assert np.abs(pixels_HWC.astype(int) - (200, 30, 30)).max() <= 3


def test_frames_larger_than_memory_allows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_reader, "LARGEST_WIDTH", 32)
    monkeypatch.setattr(frame_reader, "LARGEST_HEIGHT", 32)
    path = film(tmp_path / "large.mkv", flashing(3, at=1))
    with pytest.raises(MediaError, match=r"frames of 64x48, more than the 32x32"):
        read(path)


def test_a_film_of_which_nothing_can_be_decoded_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", numbered_frames(10))
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    content = path.read_bytes()
    for packet in packets:
        content = content.replace(packet, b"\xff" * len(packet))
    path.write_bytes(content)
    with pytest.raises(
        MediaError, match=r"nothing of its video \(h264\) can be decoded, so it is damaged, or of a kind"
    ):
        read(path)


def test_a_file_without_video_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "film.mkv", numbered_frames(5), noise(1.0))
    with av.open(str(path)) as source, av.open(str(tmp_path / "sound.mka"), "w") as container:
        track = container.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = track
                container.mux(packet)
    with pytest.raises(MediaError, match="no video track"):
        read(tmp_path / "sound.mka")


def test_a_protected_film_is_refused_with_its_codec(tmp_path: Path) -> None:
    path = tmp_path / "protected.mp4"
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb"}
    with av.open(str(path), "w", options={**key, "encryption_kid": "a7e61c373e219033c21091fa607bf3b8"}) as container:
        stream: Any = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame_HWC in numbered_frames(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        container.mux(stream.encode())
    with pytest.raises(MediaError, match=r"protected\.mp4 \(h264\) is protected against copying"):
        read(path)
