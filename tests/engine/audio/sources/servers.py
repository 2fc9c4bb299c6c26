"""Senders of sound for tests: a web server that is also a radio, and ffmpeg as a camera or a mixing desk."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import struct
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

RATE_HZ = 48000
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
    """Recordings in which a client can jump, and the byte at which the first answer behind their head breaks off; 0: not."""
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
        """Answer as servers do that can jump in a file; the first answer behind its head breaks off on the way."""
        whole, break_at = self.files[path], self.recordings_break_at[path] if first else 0
        if break_at:
            # Before anything is sent: the next request can come while this one is still answered.
            self.recordings_break_at[path], self.refused_next = 0, self.refused_after_break
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")
        request.send_header("Content-Length", str(len(whole) - first))
        request.end_headers()
        request.wfile.write(whole[first : break_at or len(whole)])
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


class RtspCamera:
    """Sends a tone as RTSP cameras do, over the connection of its client: L16 at 48 kHz in packets of 20 ms."""

    def __init__(self, seconds: float | None = None) -> None:
        """`seconds` makes it a recording of that length."""
        self._seconds = seconds
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ending = threading.Event()
        self.port = int(self._listening.getsockname()[1])
        self.cut = threading.Event()
        """Set: the connections are closed."""
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._ending.set()
        self.cut.set()
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as requests:
            while request := requests.readline().decode().split():
                headers = dict[str, str]()
                while line := requests.readline().decode().strip():
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                connection.sendall(self._answer(request[0], headers))
                if request[0] == "PLAY":
                    self._send(connection)
                    return

    def _answer(self, method: str, headers: dict[str, str]) -> bytes:
        body, more = "", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
        if method == "DESCRIBE":
            length = f"a=range:npt=0-{self._seconds:g}\r\n" if self._seconds else ""
            body = f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=tone\r\nt=0 0\r\n{length}m=audio 0 RTP/AVP 96\r\n"
            body += "a=rtpmap:96 L16/48000/1\r\na=control:1\r\n"
            more = "Content-Type: application/sdp"
        elif method == "SETUP":
            more = "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return f"RTSP/1.0 200 OK\r\nCSeq: {headers['cseq']}\r\n{more}\r\n{length}\r\n{body}".encode()

    def _send(self, connection: socket.socket) -> None:
        begun_s, number = time.monotonic(), 0
        while not self.cut.is_set() and (self._seconds is None or number * 0.02 < self._seconds):
            sound_T = 0.3 * np.sin(2 * np.pi * 440 * (number * 960 + np.arange(960)) / 48000)
            payload = np.rint(32767 * sound_T).astype(">i2").tobytes()
            header = struct.pack(">BBHII", 0x80, 96, number & 0xFFFF, number * 960, 1)
            connection.sendall(b"$\0" + struct.pack(">H", len(header) + len(payload)) + header + payload)
            number += 1
            self._ending.wait(max(0.0, begun_s + number * 0.02 - time.monotonic()))


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tone(seconds: float, channels: int = 2, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Return a tone of 440 Hz [T, channels] at half of full scale."""
    time_T = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.repeat(0.5 * np.sin(2 * np.pi * 440 * time_T)[:, None], channels, 1).astype(np.float32)


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
