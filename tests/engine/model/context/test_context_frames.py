"""Contexts: stills and clips of any shape, cameras that come and go, and a model that gets them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from cv2_enumerate_cameras import CameraInfo
from numpy.typing import NDArray

from engine.core.errors import ConfigError, MediaError, SourceError, StoppedError
from engine.model.backend import Backend
from engine.model.backends.onnx_cpu import open_model
from engine.model.context import camera as camera_module
from engine.model.context.camera import CameraContext, camera_names, camera_number
from engine.model.context.context_backend import ContextBackend
from engine.model.context.context_frames import FileContext
from engine.model.context.opening import ShowContext
from engine.model.rest import RestingBackend
from engine.model.session import Session
from tests.engine.media.test_frame_reader import film, flashing
from tests.engine.model.probe_model import CARD, HEIGHT, LOOKING_CARD, WIDTH, write_looking_probe

Pixels = NDArray[np.uint8]


def write_still(path: Path, level: int = 180, width: int = 40, height: int = 30) -> Path:
    cv2.imwrite(str(path), np.full((height, width, 3), level, np.uint8))
    return path


def write_clip(path: Path, levels: list[int], fps: int = 10) -> Path:
    """Write frames of one grey each."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"crf": "1"})
        video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
        for level in levels:
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), level, np.uint8), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
    return path


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png"])
def test_a_still_of_another_shape_is_cut_to_the_model_s(name: str, tmp_path: Path) -> None:
    still = FileContext(write_still(tmp_path / name), 16, 12)
    assert still.description == f"{name}, 40x30, its middle as 16x12"
    assert still.frame(0.0).shape == (12, 16, 3)
    assert still.frame(0.0) is still.frame(1e6)
    assert abs(int(still.frame(0.0).mean()) - 180) <= 2


@pytest.mark.parametrize("name", ["photo.jpg", "photo.JPEG", "photo %03d.jpg"])
def test_a_photo_of_usual_size_is_a_still(name: str, tmp_path: Path) -> None:
    """FFmpeg tells small ones, such as above, by what is in them, and others by their name alone."""
    grain = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    cv2.imwrite(str(tmp_path / name), grain)
    still = FileContext(tmp_path / name, 16, 12)
    assert still.description == f"{name}, 640x480, its middle as 16x12"


def test_a_clip_shows_the_frame_of_each_time_and_goes_round(tmp_path: Path) -> None:
    clip = FileContext(write_clip(tmp_path / "clip.mp4", [20, 90, 160, 230]), 48, 32)
    levels = [int(clip.frame(time_s).mean()) for time_s in (0.0, 0.05, 0.15, 0.35, 0.45, 4.25)]
    assert [round((level - 20) / 70) for level in levels] == [0, 0, 1, 3, 0, 2]
    assert clip.description == "clip.mp4, 48x32, 0.4 s that go round"


@pytest.mark.parametrize("content", [b"", b"no frames at all", b"\xff\xd8\xff\xe0 the beginning of a JPEG"])
def test_a_file_without_a_frame_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(MediaError, match=r"photo\.jpg"):
        FileContext(tmp_path / "photo.jpg", 16, 12)
    with pytest.raises(MediaError, match=r"nothing\.png"):
        FileContext(tmp_path / "nothing.png", 16, 12)


def test_a_model_gets_the_frame_of_its_hop(tmp_path: Path) -> None:
    clip = FileContext(write_clip(tmp_path / "clip.mp4", [50, 200]), WIDTH, HEIGHT)
    backend = ContextBackend(open_model(write_looking_probe(tmp_path / "looking.onnx")), {"still": clip})
    session = Session(RestingBackend(backend))
    silence = np.zeros(LOOKING_CARD.window_samples, np.float32)
    # A hop lasts 50 ms, and a frame of the clip 100.
    shown = [int(session.step(silence, {}, index).pixels_HWC.mean()) for index in (0, 1, 2, 3, 4)]
    assert [level > 120 for level in shown] == [False, False, True, True, False]
    early = session.early(silence, {}, 6)
    assert early is not None
    assert int(early.pixels_HWC.mean()) > 120


def test_a_clip_is_told_before_it_is_read_and_reading_can_be_stopped(tmp_path: Path) -> None:
    clip, told = write_clip(tmp_path / "clip.mp4", [20, 90, 160, 230]), list[str]()
    FileContext(write_still(tmp_path / "photo.png"), 48, 32, told.append)
    assert told == []
    asked = iter([False, False, True])
    with pytest.raises(StoppedError, match=r"context clip\.mp4 was not read to its end"):
        FileContext(clip, 48, 32, told.append, lambda: next(asked))
    assert told == ["context  reading clip.mp4"]


def test_what_is_wrong_with_a_clip_is_told(tmp_path: Path) -> None:
    large = film(tmp_path / "a.ts", flashing(5, at=1, width=128, height=96), codec="mpeg2video").read_bytes()
    small = film(tmp_path / "b.ts", flashing(5, at=1), codec="mpeg2video", start_s=0.2).read_bytes()
    clip, told = tmp_path / "changes.ts", list[str]()
    clip.write_bytes(large + small)
    FileContext(clip, 48, 32, told.append)
    assert told[0] == "context  reading changes.ts"
    assert told[1].startswith("The frame size of changes.ts changes from 128x96 to 64x48 at ")


def test_a_context_is_refused_where_the_model_looks_at_none() -> None:
    with pytest.raises(
        ConfigError, match=r"context is 'photo\.jpg', and the model 'probe' looks at none; leave out --context"
    ):
        ShowContext("photo.jpg").check(CARD)
    ShowContext("photo.jpg").check(LOOKING_CARD)
    ShowContext(None).check(CARD)


def test_a_camera_belongs_to_live_shows(tmp_path: Path) -> None:
    backend = open_model(write_looking_probe(tmp_path / "looking.onnx"))
    with pytest.raises(ConfigError, match="context is 'camera:0', and a camera shows the present alone"):
        ShowContext("camera:0").give_to(backend)


def test_a_camera_without_a_name_is_refused(tmp_path: Path) -> None:
    backend = open_model(write_looking_probe(tmp_path / "looking.onnx"))
    with pytest.raises(
        ConfigError, match=r"context is 'camera:', which names no camera; give its number or a part of its"
    ):
        ShowContext("camera:", live=True).give_to(backend)


def test_a_film_never_takes_the_place_of_the_context(tmp_path: Path) -> None:
    photo, other = write_still(tmp_path / "photo.png"), tmp_path / "film.mp4"
    context = ShowContext(str(photo))
    context.check_outputs(["window", str(other)])
    (tmp_path / "same.png").hardlink_to(photo)
    with pytest.raises(ConfigError, match=r"photo\.png', which would be overwritten; give another output"):
        context.check_outputs(["window", str(tmp_path / "same.png")])
    ShowContext("camera:0").check_outputs(["camera:0"])


def test_a_context_that_counts_as_none_is_told(tmp_path: Path) -> None:
    told = list[str]()
    FileContext(write_still(tmp_path / "night.png", level=0), 8, 8, told.append)
    assert told == ["context  night.png is black throughout (or transparent), which counts as none."]
    FileContext(write_still(tmp_path / "grey.png", level=1), 8, 8, told.append)
    assert len(told) == 1


def test_each_model_gets_the_original_at_its_own_size_whatever_played_before(tmp_path: Path) -> None:
    path, told = tmp_path / "photo.png", list[str]()
    cv2.imwrite(str(path), np.random.default_rng(3).integers(0, 255, (60, 80, 3), np.uint8))
    small = open_model(write_looking_probe(tmp_path / "small.onnx"))
    large = open_model(write_looking_probe(tmp_path / "large.onnx", 48, 36))
    silence = np.zeros(LOOKING_CARD.window_samples, np.float32)

    def frame(context: ShowContext, backend: Backend) -> Pixels:
        return Session(context.give_to(backend)).step(silence, {}, 0).pixels_HWC

    after_small = ShowContext(str(path), told.append)
    frame(after_small, small)
    assert np.array_equal(frame(after_small, large), frame(ShowContext(str(path), told.append), large))
    line = "context  photo.png, 80x60, its middle as "
    assert told == [f"{line}16x12", f"{line}48x36"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("nothing.jpg", None, "and there is no such file; give the path of a still or a clip."),
        ("empty.jpg", b"", "and a still or a clip was expected: "),
        ("text.jpg", b"no frames at all", "and a still or a clip was expected: "),
        ("n" * 300, None, "which cannot be opened (File name too long); give the path of a still or a clip."),
        (".", None, "which cannot be opened (it is a folder, and a file was expected); give the path"),
    ],
)
def test_a_file_that_gives_no_frame_is_one_sentence_about_a_context(
    name: str, content: bytes | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(name).write_bytes(content)
    backend = open_model(write_looking_probe(tmp_path / "looking.onnx"))
    with pytest.raises(MediaError) as refused:
        ShowContext(name).give_to(backend)
    assert str(refused.value).startswith(f"context is '{name[:20]}")
    assert expected in str(refused.value)
    assert "sound" not in str(refused.value).replace("is not a sound or video file that can be read", "")
    assert ShowContext(name).sha256 == (hashlib.sha256(content).hexdigest() if content is not None else "")


class Camera:
    """A camera that gives its frames one by one, when the test says so, and is gone after the last."""

    def __init__(self, levels: list[int]) -> None:
        self.levels: Iterator[int] = iter(levels)
        self.may_read = threading.Semaphore(0)
        self.waits = threading.Semaphore(0)

    def read(self) -> Pixels | None:
        self.waits.release()
        self.may_read.acquire()
        level = next(self.levels, None)
        return None if level is None else np.full((6, 8, 3), level, np.uint8)

    def close(self) -> None:
        pass

    def give(self) -> None:
        """Let one more frame through and wait until it was taken."""
        self.may_read.release()
        self.waits.acquire()


def test_an_unplugged_camera_keeps_its_last_frame_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "RETRY_S", 0.01)
    first, second = Camera([10, 20]), Camera([99])
    first.may_read.release()
    is_back = threading.Event()
    opened = iter([first, None, None])
    told: list[str] = []
    has_told = threading.Semaphore(0)

    def tell(line: str) -> None:
        told.append(line)
        has_told.release()

    def open_one(name: str) -> Camera | None:
        return second if is_back.is_set() else next(opened, None)

    context = CameraContext("stage left", tell, open_one)
    assert context.description == "camera stage left, 8x6"
    first.waits.acquire()
    first.waits.acquire()
    first.give()
    assert int(context.frame(0.0).mean()) == 20
    first.may_read.release()
    assert has_told.acquire(timeout=10)
    assert told == ["The camera 'stage left' is gone; its last frame stays until it is back."]
    assert int(context.frame(5.0).mean()) == 20
    is_back.set()
    second.may_read.release()
    assert has_told.acquire(timeout=10)
    assert told[1:] == ["The camera 'stage left' is back."]
    assert second.waits.acquire(timeout=10)
    assert second.waits.acquire(timeout=10)
    assert int(context.frame(9.0).mean()) == 99
    second.may_read.release(9)
    context.close()


def test_a_camera_that_gives_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "RETRY_S", 0.01)
    monkeypatch.setattr(camera_module, "FIRST_FRAME_S", 0.05)
    with pytest.raises(SourceError, match=r"The camera 'balcony' gives no frame; the number or a part of the name"):
        CameraContext("balcony", print, lambda name: None)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("1", 1),
        ("webcam", 2),
        ("hd", 0),
        ("920", 2),
        ("7", 7),
        ("", None),
        ("stage", None),
        ("²", None),
        ("9" * 11, None),
        ("9" * 5000, None),
    ],
)
def test_a_camera_is_found_by_number_or_by_a_part_of_its_name(name: str, number: int | None) -> None:
    assert camera_number(name, ["0: Integrated HD", "2: USB Webcam C920"]) == number


def test_cameras_are_named_in_the_order_of_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    cameras = [
        CameraInfo(10, "Integrated HD", "/dev/video10", None, None, 200),
        CameraInfo(2, "USB Webcam", "/dev/video2", None, None, 200),
    ]
    monkeypatch.setattr(camera_module, "enumerate_cameras", lambda interface: cameras)
    assert camera_names() == ["2: USB Webcam", "10: Integrated HD"]


def test_a_camera_that_goes_while_they_are_listed_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(interface: int) -> list[CameraInfo]:
        raise OSError("gone")

    monkeypatch.setattr(camera_module, "enumerate_cameras", gone)
    assert camera_names() == []


@pytest.mark.parametrize(
    "error",
    [OSError("gone"), ValueError(), OverflowError(), cv2.error("gone"), RuntimeError(), TypeError(), MemoryError()],
)
def test_a_camera_that_fails_on_being_opened_or_read_is_looked_for_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_module, "RETRY_S", 0.01)
    has_failed = threading.Event()

    class Failing(Camera):
        def read(self) -> Pixels | None:
            has_failed.set()
            raise error

    good = Camera([10, 20])
    good.may_read.release()
    opened = iter([None, Failing([])])

    def open_one(name: str) -> Camera | None:
        if not has_failed.is_set() and next(opened, None) is None:
            raise error
        return good if has_failed.is_set() else Failing([])

    context = CameraContext("0", lambda line: None, open_one)
    assert has_failed.is_set()
    assert int(context.frame(0.0).mean()) == 10
    good.may_read.release(9)
    context.close()


def test_looking_for_a_camera_that_is_not_there_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert camera_module.open_with_opencv("99") is None
    assert capfd.readouterr() == ("", "")
