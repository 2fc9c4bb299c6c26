"""A film of the screen with the server's sound, like one from a phone, with exact times on both tracks.

ffmpeg's x11grab and pulse inputs put sound and video up to 60 ms apart, too much to check --calibrate-from. So the frames are
grabbed here at even intervals, and the sound is that of the recording client.
"""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.click_figures import RATE_HZ, left_and_captured
from benchmarks.click_light import Screen
from benchmarks.click_sound import Recorder
from engine.core.clock import WallClock

SIDE = 64
TICKS_HZ = 90000


class Camera:
    """Films a square of SIDE pixels around the middle of a screen, `fps` times a second, until `close`."""

    def __init__(self, screen: Screen, x: int, y: int, fps: float = 30.0) -> None:
        self._screen, self._x, self._y, self._fps = screen, x - SIDE // 2, y - SIDE // 2, fps
        self._clock = WallClock()
        self._frames: list[tuple[float, NDArray[np.uint8]]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._film, name="camera", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(2.0)

    def write(self, path: Path, recorder: Recorder) -> None:
        """Write the film with the recorder's sound of the same time; both must be closed."""
        start_s = self._frames[0][0]
        sound_T = recorder.sound()
        first_s, _ = left_and_captured(recorder.blocks, len(sound_T) // 2)
        sound_starts_s = first_s - len(sound_T) // 2 / RATE_HZ
        # The recorder may have started before or after the camera.
        early = round((start_s - sound_starts_s) * RATE_HZ)
        sound_T = np.concatenate([np.zeros(max(0, -early), np.float32), sound_T[max(0, early) :]])
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx264", rate=round(self._fps), options={"preset": "ultrafast", "bf": "0"})
            video.width = video.height = SIDE
            video.pix_fmt, video.codec_context.time_base = "yuv420p", Fraction(1, TICKS_HZ)
            sound = container.add_stream("aac", rate=RATE_HZ, layout="mono")
            for taken_s, frame_HW3 in self._frames:
                frame = av.VideoFrame.from_ndarray(frame_HW3, "rgb24")
                frame.pts, frame.time_base = round((taken_s - start_s) * TICKS_HZ), Fraction(1, TICKS_HZ)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound_T[None]), "fltp", "mono")
            frame.sample_rate, frame.pts = RATE_HZ, 0
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))

    def _film(self) -> None:
        start_s = self._clock.now_s()
        while not self._ended.is_set():
            taken_s = self._clock.now_s()
            self._frames.append((taken_s, self._screen.grab(self._x, self._y, SIDE)))
            passed = int((self._clock.now_s() - start_s) * self._fps) + 1
            self._clock.sleep(max(0.0, start_s + passed / self._fps - self._clock.now_s()))
