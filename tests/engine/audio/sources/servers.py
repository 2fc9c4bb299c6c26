"""Senders of sound for tests: a web server that is also a radio, and ffmpeg as a camera or a mixing desk."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np

from tests.conftest import require

AHEAD_S = 0.5
"""How much a radio sends at once."""


@dataclass
class WebServer:
    """Serves `files`; under /radio/NAME it sends one as radios do, at its own pace and without saying where it ends."""

    files: dict[str, bytes]
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each of the radio's files lasts."""
    cut_after: int | None = None
    """Bytes after which the radio is cut off."""
    stalls: bool = False
    """Whether it then keeps the connection and sends nothing."""
    refuses: bool = False
    recordings_break_at: dict[str, int] = field(default_factory=dict)
    """Recordings in which a client can jump, and after how many bytes the first answer breaks off; 0: not."""
    refused_after_break: int = 0
    """Requests that are refused after that."""
    refused_next: int = 0
    connections: int = 0
    port: int = 0
    ending: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, login: str = "") -> str:
        return f"http://{login}127.0.0.1:{self.port}/{path}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0].strip("/")
        self.connections += 1
        if self.refused_next:
            self.refused_next -= 1
            request.send_error(503)
            return
        if self.refuses or path.removeprefix("radio/") not in self.files:
            request.send_error(503 if self.refuses else 404)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if wanted and path in self.recordings_break_at:
            self._send_from(request, path, int(wanted[1]))
            return
        request.send_response(200)
        if path.startswith("radio/"):
            request.send_header("Content-Type", "audio/mpeg")
            request.send_header("icy-name", "Radio \x1b[2J")
            request.end_headers()
            self._send_slowly(request, path.removeprefix("radio/"))
            return
        request.send_header("Content-Length", str(len(self.files[path])))
        request.end_headers()
        request.wfile.write(self.files[path])

    def _send_from(self, request: BaseHTTPRequestHandler, path: str, first: int) -> None:
        """Answer as servers do that can jump in a file; the first time, break off on the way."""
        whole = self.files[path]
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")
        request.send_header("Content-Length", str(len(whole) - first))
        request.end_headers()
        request.wfile.write(whole[first : self.recordings_break_at[path] or len(whole)])
        if self.recordings_break_at[path]:
            self.recordings_break_at[path], self.refused_next = 0, self.refused_after_break
        request.close_connection = True

    def _send_slowly(self, request: BaseHTTPRequestHandler, name: str) -> None:
        whole, begun_s, sent = self.files[name], time.monotonic(), 0
        bytes_per_s = len(whole) / self.seconds[name]
        last = len(whole) if self.cut_after is None else self.cut_after
        while sent < last and not self.ending.wait(0.02):
            due = min(last, int((time.monotonic() - begun_s + AHEAD_S) * bytes_per_s))
            request.wfile.write(whole[sent:due])
            sent = due
        if self.stalls:
            self.ending.wait()


@contextmanager
def web_server(files: dict[str, bytes], **settings: object) -> Iterator[WebServer]:
    """Serve until the block is left."""
    state = WebServer(files, **settings)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                state.answer(self)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """A test's own lines are enough."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        state.ending.set()
        server.shutdown()
        server.server_close()


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def encoded(path: Path, codec: str, sound_TC: np.ndarray, rate_hz: int = 48000) -> bytes:
    """Return sound as a file; the name of `path` says which kind."""
    layout = "mono" if sound_TC.shape[1] == 1 else "stereo"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        for begin in range(0, len(sound_TC), 1152):
            piece = np.ascontiguousarray(sound_TC[begin : begin + 1152], np.float32)
            frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), "flt", layout)
            frame.sample_rate, frame.pts = rate_hz, begin
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


@contextmanager
def sender(*output: str, tone_hz: int = 440) -> Iterator[subprocess.Popen[bytes]]:
    """Let ffmpeg send a tone in real time, until the block is left."""
    require(shutil.which("ffmpeg"), "ffmpeg (apt install ffmpeg)")
    tone = ["-re", "-f", "lavfi", "-i", f"sine={tone_hz}:r=48000", "-c:a", "aac"]
    process = subprocess.Popen(
        ["ffmpeg", "-hide_banner", "-loglevel", "error", *tone, *output],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
