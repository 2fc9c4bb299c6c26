"""A camera as context. It is read in a thread of its own; while it is unplugged its last frame stays, and it is looked for again."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import cv2
import numpy as np
from cv2_enumerate_cameras import enumerate_cameras
from numpy.typing import NDArray

from engine.core.errors import SourceError
from engine.core.structured import shortened

# H W C rows, columns, channels of pixels

FIRST_FRAME_S = 5.0
RETRY_S = 2.0
_MOST_DIGITS = 4
# OpenCV ships no types for it.
_logging: Any = cv2.utils.logging
# Names and numbers of cameras belong to one interface of a system. Of those on Windows, DirectShow opens a camera at once and knows OBS's.
_INTERFACES = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
_NOT_THERE = (OSError, ValueError, OverflowError, TypeError, RuntimeError, MemoryError, cv2.error)
"""What listing, opening and reading may raise while a camera is unplugged, or of a number that none has. The thread goes on looking: if
it ended, the last frame would stay for ever, and nobody would be told."""


class Capture(Protocol):
    """An open camera."""

    def read(self) -> NDArray[np.uint8] | None:
        """Wait for the next frame and return it [H, W, C] in RGB; None where the camera is gone."""
        ...

    def close(self) -> None: ...


OpenCapture = Callable[[str], Capture | None]
"""Opens the camera of a name or number; None where it is not there."""


class CameraContext:
    """The newest frame of a camera."""

    def __init__(self, name: str, tell: Callable[[str], None], open_capture: OpenCapture | None = None) -> None:
        """Wait for the first frame. Raises SourceError for a camera that gives none within FIRST_FRAME_S."""
        self._name, self._tell = name, tell
        self._open = open_capture or open_with_opencv
        self._newest: NDArray[np.uint8] | None = None
        self._has_begun, self._is_over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()
        self._has_begun.wait(FIRST_FRAME_S)
        if self._newest is None:
            self.close()
            known = ", ".join(camera_names()) or "none that this system names"
            raise SourceError(
                f"The camera '{shortened(name)}' gives no frame; the number or a part of the name of a camera that no other program uses was "
                f"expected (cameras here: {known})."
            )

    @property
    def description(self) -> str:
        assert self._newest is not None
        height, width = self._newest.shape[:2]
        return f"camera {self._name}, {width}x{height}"

    def frame(self, time_s: float) -> NDArray[np.uint8]:
        """Return the newest frame, whatever the time."""
        assert self._newest is not None
        return self._newest

    def close(self) -> None:
        """End the thread; a camera that hangs does not hold up the end of the show."""
        self._is_over.set()
        self._thread.join(RETRY_S)

    def _run(self) -> None:
        is_gone = False
        while not self._is_over.is_set():
            capture = self._opened()
            if capture is not None:
                has_frame = self._read_all(capture, is_gone)
                with suppress(*_NOT_THERE):
                    capture.close()
                is_gone = is_gone and not has_frame
            if self._is_over.is_set():
                return
            if not is_gone and self._newest is not None:
                self._tell(f"The camera '{self._name}' is gone; its last frame stays until it is back.")
                is_gone = True
            self._is_over.wait(RETRY_S)

    def _opened(self) -> Capture | None:
        """Open the camera; None where it is not there, or is unplugged at this moment."""
        try:
            return self._open(self._name)
        except _NOT_THERE:
            return None

    def _read_all(self, capture: Capture, was_gone: bool) -> bool:
        """Read frames until there are no more; return whether there was one."""
        has_frame = False
        while not self._is_over.is_set():
            try:
                frame_HWC = capture.read()
            except _NOT_THERE:
                break
            if frame_HWC is None:
                break
            if was_gone and not has_frame:
                self._tell(f"The camera '{self._name}' is back.")
            self._newest, has_frame = frame_HWC, True
            self._has_begun.set()
        return has_frame


def camera_names() -> list[str]:
    """Return the names of the cameras, each with its number, in the order of the numbers; empty where the system tells none."""
    interface = _INTERFACES.get(sys.platform)
    # A camera may be unplugged while they are listed.
    with suppress(*_NOT_THERE):
        cameras = enumerate_cameras(interface) if interface is not None else []
        return [f"{one.index}: {one.name}" for one in sorted(cameras, key=lambda camera: camera.index)]
    return []


def camera_number(name: str, names: list[str]) -> int | None:
    """Return the number of the camera that is meant: `name` is the number itself or a part of the name; None where there is none.

    920 is the C920 where no camera has that number.
    """
    known = {int(number): title for number, _, title in (one.partition(": ") for one in names)}
    is_number = name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS
    if is_number and int(name) in known:
        return int(name)
    fitting = [number for number, title in known.items() if name and name.casefold() in title.casefold()]
    if fitting:
        return fitting[0]
    return int(name) if is_number else None


def open_with_opencv(name: str) -> Capture | None:
    """Open a camera with OpenCV."""
    number = camera_number(name, camera_names())
    if number is None:
        return None
    level = _logging.setLogLevel(_logging.LOG_LEVEL_SILENT)
    try:
        # It would print ten lines at each try while a camera is unplugged, which is told in one sentence.
        capture = cv2.VideoCapture(number, _INTERFACES.get(sys.platform, cv2.CAP_ANY))
    finally:
        _logging.setLogLevel(level)
    if not capture.isOpened():
        capture.release()
        return None
    return _OpenCvCapture(capture)


class _OpenCvCapture:
    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture

    def read(self) -> NDArray[np.uint8] | None:
        is_there, pixels = self._capture.read()
        # OpenCV gives BGR.
        return np.ascontiguousarray(pixels[..., ::-1], np.uint8) if is_there else None

    def close(self) -> None:
        self._capture.release()
