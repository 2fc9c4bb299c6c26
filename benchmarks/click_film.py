"""A film of the screen with the server's sound, as a telephone before the stage makes it, with true times on both tracks.

ffmpeg's own x11grab and pulse inputs put sound and picture up to 60 ms apart from each other; what is to check --calibrate-from
must be better than that. So the pictures are taken here, at even distances, and the sound is the listener's.
"""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.click_figures import RATE_HZ, left_and_heard
from benchmarks.click_light import Screen
from benchmarks.click_sound import Listener
from engine.core.clock import WallClock

SIDE = 64
TICKS_HZ = 90000


class Camera:
    """Films a square of SIDE pixels around the middle of a screen, `fps` times a second, until `close`."""

    def __init__(self, screen: Screen, x: int, y: int, fps: float = 30.0) -> None:
        self._screen, self._x, self._y, self._fps = screen, x - SIDE // 2, y - SIDE // 2, fps
        self._clock = WallClock()
        self._pictures: list[tuple[float, NDArray[np.uint8]]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._film, name="camera", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(2.0)

    def write(self, path: Path, listener: Listener) -> None:
        """Write the film with the listener's sound of the same time; both must have been closed."""
        begin_s = self._pictures[0][0]
        sound_T = listener.sound()
        first_s, _ = left_and_heard(listener.blocks, len(sound_T) // 2)
        sound_begins_s = first_s - len(sound_T) // 2 / RATE_HZ
        # The listener may have begun before the camera, or have been given its first sound after it.
        early = round((begin_s - sound_begins_s) * RATE_HZ)
        sound_T = np.concatenate([np.zeros(max(0, -early), np.float32), sound_T[max(0, early) :]])
        with av.open(str(path), "w") as container:
            pictures = container.add_stream(
                "libx264", rate=round(self._fps), options={"preset": "ultrafast", "bf": "0"}
            )
            pictures.width = pictures.height = SIDE
            pictures.pix_fmt, pictures.codec_context.time_base = "yuv420p", Fraction(1, TICKS_HZ)
            sound = container.add_stream("aac", rate=RATE_HZ, layout="mono")
            for taken_s, picture_HW3 in self._pictures:
                frame = av.VideoFrame.from_ndarray(picture_HW3, "rgb24")
                frame.pts, frame.time_base = round((taken_s - begin_s) * TICKS_HZ), Fraction(1, TICKS_HZ)
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode(None))
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound_T[None]), "fltp", "mono")
            frame.sample_rate, frame.pts = RATE_HZ, 0
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))

    def _film(self) -> None:
        begin_s = self._clock.now_s()
        while not self._ended.is_set():
            taken_s = self._clock.now_s()
            self._pictures.append((taken_s, self._screen.picture(self._x, self._y, SIDE)))
            passed = int((self._clock.now_s() - begin_s) * self._fps) + 1
            self._clock.sleep(max(0.0, begin_s + passed / self._fps - self._clock.now_s()))
