"""Two web addresses for those who watch a show from elsewhere: GET /health (JSON) and GET /metrics (Prometheus' text form)."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer

from engine.core.errors import ConfigError
from engine.ops.health_monitor import HealthReport

_POLL_S = 0.2
_SLOWEST_CLIENT_S = 2.0


class HealthServer:
    """Answers in a thread of its own from `start` to `close`; one asker at a time."""

    def __init__(self, host: str, port: int, report: Callable[[], HealthReport]) -> None:
        """Take the port (0: any free one). Raises ConfigError when that is impossible."""
        try:
            self._server = _Server((host, port), report)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"Cannot answer on {host} port {port}: {reason}; choose another with --health-port, or leave it out."
            ) from error
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="health", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop and release the port; safe to call twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(HTTPServer):
    allow_reuse_address = True

    def __init__(self, where: tuple[str, int], report: Callable[[], HealthReport]) -> None:
        self.report = report
        super().__init__(where, _Handler)

    def server_bind(self) -> None:
        # HTTPServer would ask the network for the machine's name, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """An asker who hangs up is nobody's business."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SLOWEST_CLIENT_S

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        if self.path == "/health":
            report = server.report()
            status = HTTPStatus.OK if report.alive else HTTPStatus.SERVICE_UNAVAILABLE
            self._send(status, "application/json", json.dumps(report.as_dict()) + "\n")
        elif self.path == "/metrics":
            self._send(HTTPStatus.OK, "text/plain; version=0.0.4", metrics(server.report()))
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "There are /health and /metrics.\n")

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Who asked is not worth a line."""


def metrics(report: HealthReport) -> str:
    """Return the report in Prometheus' text form, in base units."""
    lines: list[str] = []

    def add(name: str, kind: str, help: str, value: float | None) -> None:
        if value is not None:
            lines.extend((f"# HELP fluid_{name} {help}", f"# TYPE fluid_{name} {kind}", f"fluid_{name} {value:.12g}"))

    def seconds(milliseconds: float | None) -> float | None:
        return None if milliseconds is None else milliseconds / 1e3

    add("up", "gauge", "1 while pictures are made and shown.", float(report.alive))
    add("uptime_seconds", "gauge", "Since the show was started.", report.uptime_s)
    add("last_frame_seconds", "gauge", "Since the last picture was made.", report.last_frame_s)
    add("last_shown_seconds", "gauge", "Since the last picture was shown.", report.last_shown_s)
    add("frames_per_second", "gauge", "Pictures made in the last second.", report.fps)
    add("frame_age_seconds", "gauge", "Median age of those when handed on.", seconds(report.age_ms))
    add("shown_age_seconds", "gauge", "The same when shown.", seconds(report.shown_age_ms))
    add("hops_total", "counter", "Hops of sound that have gone by.", report.hops)
    add("steps_total", "counter", "Hops that were played.", report.steps)
    add("skipped_hops_total", "counter", "Hops left out to keep up.", report.skipped_hops)
    add("failed_steps_total", "counter", "Steps that failed; the last picture was held.", report.failed_steps)
    add("dropped_samples_total", "counter", "Samples lost because nobody took them.", report.dropped_samples)
    add("resident_bytes", "gauge", "Memory held.", None if report.rss_mib is None else report.rss_mib * 2**20)
    if report.lost_frames:
        lines.extend((
            "# HELP fluid_lost_frames_total Pictures that an output never showed.",
            "# TYPE fluid_lost_frames_total counter",
        ))  # fmt: skip
        lines.extend(
            f'fluid_lost_frames_total{{output="{_escaped(name)}"}} {count}'
            for name, count in report.lost_frames.items()
        )
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
