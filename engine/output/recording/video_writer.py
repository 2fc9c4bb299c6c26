"""Writes a video file: H.264 and AAC, in sync by media time, readable however the process ends."""

# PyAV's stubs leave codec contexts and frames half typed.
# pyright: basic

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from engine.core.fit import fit_inside
from engine.media.cleaning import silence_faults
from engine.output.frame import ShowFormat
from engine.output.recording.movie_index import MovieIndex
from engine.output.recording.write_queue import QueuedFrame

# H W C rows, columns, channels of pixels; T audio samples, C channels

KEY_FRAME_EVERY_S = 1.0
"""A killed process loses at most so much of its file."""
AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
FALLBACK_RATE_HZ = 48000
_BITS_A_SECOND = 192_000
_BT709 = 1
# Fragments make an unfinished file readable; MovieIndex makes an ordinary one of a finished one, so FFmpeg's own index of the
# fragments is left out. Without delay_moov the sound would begin late by the encoder's delay. FFmpeg holds back 256 KiB unless it
# is told to flush.
_MOVIE_OPTIONS = {"movflags": "frag_keyframe+delay_moov+skip_trailer"}
_CONTAINER_OPTIONS = {"flush_packets": "1"}


class Recording:
    """One file. Raises FFmpegError or OSError when it cannot be written."""

    def __init__(self, path: Path, show: ShowFormat) -> None:
        # PyAV opens the file later; an error has to be raised now.
        path.open("wb").close()
        aac_rate_hz = show.sound_rate_hz if show.sound_rate_hz in AAC_RATES_HZ else FALLBACK_RATE_HZ
        # By default the duration is rounded to milliseconds; this keeps it exact to the sample.
        is_movie = path.suffix.lower() != ".mkv"
        options = {**_MOVIE_OPTIONS, "movie_timescale": str(aac_rate_hz)} if is_movie else {}
        self._size = show.width, show.height
        self._fps = Fraction(show.fps).limit_denominator(100_000)
        self._key_frame_every = max(1, round(show.fps * KEY_FRAME_EVERY_S))
        self._rate_hz = show.sound_rate_hz
        self._layout = "mono" if show.sound_channels == 1 else "stereo"
        self._container = av.open(str(path), "w", options=options, container_options=_CONTAINER_OPTIONS)
        self._container.metadata["title"] = show.title
        self._video: Any = self._add_video(show)
        self._audio: Any = self._container.add_stream("aac", rate=aac_rate_hz, layout=self._layout)
        self._audio.bit_rate = _BITS_A_SECOND
        self._written_samples = 0
        self._last_pts = -1
        self._container.start_encoding()
        # A pipe or a device is written from its beginning to its end, and stays fragmented.
        self._index = MovieIndex(path) if is_movie and path.is_file() else None

    def write(self, queued_frame: QueuedFrame) -> None:
        """Write one frame at its media time, and its sound after the sound before; sound that was lost becomes silence."""
        if queued_frame.pixels_HWC is not None:
            self._write_pixels(queued_frame.pixels_HWC, queued_frame.time_s)
        self._write_silence(queued_frame.first_sample - self._written_samples, queued_frame.sound_TC.shape[1])
        self._write_sound(queued_frame.sound_TC)

    def finish(self, end_sample: int | None = None) -> None:
        """Make the sound as long as the video, or `end_sample` samples long, and finish the file."""
        if end_sample is None:
            end_sample = round((self._last_pts + 1) / self._fps * self._rate_hz)
        self._write_silence(end_sample - self._written_samples, 1 if self._layout == "mono" else 2)
        for stream in (self._video, self._audio):
            self._container.mux(stream.encode(None))
        self._container.close()
        if self._index:
            self._index.finish()

    def abandon(self) -> None:
        """Close the file as it is, after an error."""
        if self._index:
            self._index.close()
        self._container.close()

    def _add_video(self, show: ShowFormat) -> Any:
        stream: Any = self._container.add_stream("libx264", rate=self._fps)
        # Colours have half the resolution, so both sides have to be even.
        stream.width, stream.height = show.width + show.width % 2, show.height + show.height % 2
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "veryfast" if show.live else "medium", "crf": "17"}
        context = stream.codec_context
        context.time_base = 1 / self._fps
        context.gop_size = self._key_frame_every
        context.color_range = ColorRange.MPEG
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        return stream

    def _write_pixels(self, pixels_HWC: NDArray[np.uint8], time_s: float) -> None:
        # Models are trained with frame k at time k * hop and sound up to (k + 1) * hop.
        pts = round(time_s * self._fps) - 1
        if pts <= self._last_pts:
            return
        height, width, _ = pixels_HWC.shape
        if (width, height) != self._size:
            # Another model may play now, and a file has one size.
            pixels_HWC = fit_inside(pixels_HWC, *self._size, finely=True)
            width, height = self._size
        if height % 2 or width % 2:
            pixels_HWC = np.pad(pixels_HWC, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels_HWC), "rgb24")
        frame = rgb.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
        frame.pts, frame.time_base, frame.duration = pts, 1 / self._fps, 1
        self._container.mux(self._video.encode(frame))
        if self._index and pts // self._key_frame_every > self._last_pts // self._key_frame_every:
            self._index.follow()
        self._last_pts = pts

    def _write_silence(self, samples: int, channels: int) -> None:
        while samples > 0:
            part = min(samples, self._rate_hz)
            self._write_sound(np.zeros((part, channels), np.float32))
            samples -= part

    def _write_sound(self, sound_TC: NDArray[np.float32]) -> None:
        if not len(sound_TC):
            return
        # The encoder refuses a sample that is no number, and with it the file.
        finite_TC, _ = silence_faults(sound_TC)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(finite_TC.T), "fltp", self._layout)
        frame.sample_rate = self._rate_hz
        frame.pts, frame.time_base = self._written_samples, Fraction(1, self._rate_hz)
        self._container.mux(self._audio.encode(frame))
        self._written_samples += len(sound_TC)
