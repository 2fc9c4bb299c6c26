"""The health server over real sockets."""

from __future__ import annotations

import json
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.core.errors import ConfigError
from engine.ops import health_server
from engine.ops.health_monitor import HealthMonitor
from engine.ops.health_server import MOST_CONNECTIONS, HealthServer
from engine.ops.metrics import metrics_text
from tests.engine.app.shows import InventedClock

HOST = "127.0.0.1"
PATIENCE_S = 20.0


@pytest.fixture
def clock() -> InventedClock:
    return InventedClock()


@pytest.fixture
def monitor(clock: InventedClock) -> HealthMonitor:
    monitor = HealthMonitor(clock)
    monitor.lost_frames = {'a "quoted"\nname': 3}
    monitor.describe_backend = lambda: "onnx-cpu, 1 thread"
    monitor.add_frame(2, 0.02, {})
    return monitor


@pytest.fixture
def server(monitor: HealthMonitor, clock: InventedClock) -> Iterator[HealthServer]:
    server = HealthServer(HOST, 0, lambda: monitor.report(clock.now_s()))
    server.start()
    yield server
    server.close()


def get(server: HealthServer, path: str, method: str = "GET") -> tuple[int, str, str]:
    request = urllib.request.Request(f"http://{HOST}:{server.port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def connect(server: HealthServer) -> socket.socket:
    return socket.create_connection((HOST, server.port), timeout=PATIENCE_S)


def test_a_playing_show_answers_200_and_a_stuck_one_503(server: HealthServer, clock: InventedClock) -> None:
    status, kind, body = get(server, "/health")
    report = json.loads(body)
    assert (status, kind, report["alive"], report["hops"]) == (200, "application/json; charset=utf-8", True, 3)
    assert report["backend"] == "onnx-cpu, 1 thread"
    clock.sleep(60.0)
    status, _, body = get(server, "/health")
    assert (status, json.loads(body)["reason"]) == (503, "no frame was made for 60.0 s")


def test_levels_of_named_inputs_are_told(server: HealthServer, monitor: HealthMonitor) -> None:
    assert "fluid_input_level" not in get(server, "/metrics")[2]
    monitor.describe_levels = lambda: {"drums": 0.75, "voice": 0.0}
    body = get(server, "/metrics")[2]
    assert 'fluid_input_level{input="drums"} 0.75' in body
    assert 'fluid_input_level{input="voice"} 0.0' in body
    assert json.loads(get(server, "/health")[2])["levels"] == {"drums": 0.75, "voice": 0.0}


def test_metrics_have_the_text_format_of_prometheus(server: HealthServer) -> None:
    status, kind, body = get(server, "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    values = dict(line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#"))
    assert float(values["fluid_up"]) == 1.0
    assert float(values["fluid_frame_age_seconds"]) == pytest.approx(0.02)
    assert float(values["fluid_skipped_hops_total"]) == 2.0
    assert float(values[r'fluid_lost_frames_total{output="a \"quoted\"\\nname"}']) == 3.0
    for line in body.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) fluid_\w+ .+|fluid_\w+(\{\w+="(\\.|[^"\\])*"\})? -?[0-9.e+-]+', line), line
    assert body.endswith("\n")


def test_the_names_of_the_metrics_stay(server: HealthServer) -> None:
    families = list(text_string_to_metric_families(get(server, "/metrics")[2]))
    names = {sample.name: family.type for family in families for sample in family.samples}
    gauges = ["up", "uptime_seconds", "last_frame_seconds", "frames_per_second", "frame_age_seconds", "resident_bytes"]
    counters = ["hops", "steps", "skipped_hops", "failed_steps", "dropped_samples", "lost_frames"]
    expected = {f"fluid_{name}": "gauge" for name in gauges} | {f"fluid_{name}_total": "counter" for name in counters}
    assert {name: names[name] for name in names if name != "fluid_resident_bytes"} == {
        name: kind for name, kind in expected.items() if name != "fluid_resident_bytes"
    }


def test_before_the_first_frame_there_is_no_age(clock: InventedClock) -> None:
    body = metrics_text(HealthMonitor(clock).report(clock.now_s())).decode()
    assert "fluid_frame_age_seconds" not in body
    assert "fluid_up 1.0" in body


def test_a_query_string_is_ignored(server: HealthServer) -> None:
    assert get(server, "/health?from=probe")[0] == 200
    assert "fluid_up" in get(server, "/metrics?")[2]


def test_head_gets_the_headers_of_get(server: HealthServer) -> None:
    whole = get(server, "/health")
    assert get(server, "/health", "HEAD") == (whole[0], whole[1], "")
    assert get(server, "/nowhere", "HEAD")[0] == 404


def test_other_paths_are_answered_with_the_known_ones(server: HealthServer) -> None:
    assert get(server, "/")[0::2] == (404, "The addresses are /health and /metrics.\n")


def exchange(server: HealthServer, *parts: bytes) -> bytes:
    """Send the parts of a request and return all that comes back."""
    answered = b""
    with connect(server) as client:
        # It may hang up before everything was sent.
        with suppress(OSError):
            for part in parts:
                client.sendall(part)
            client.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while part := client.recv(65536):
                answered += part
    return answered


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "__init__"])
def test_only_get_and_head_are_answered(server: HealthServer, method: str) -> None:
    answered = exchange(server, f"{method} /health HTTP/1.1\r\n\r\n".encode())
    assert answered.startswith(b"HTTP/1.0 405 Method Not Allowed\r\n")
    assert b"\r\nAllow: GET, HEAD\r\n" in answered


EVIL = b"\x1b[31m<script>evil"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (EVIL + b" /health HTTP/1.1\r\n\r\n", 405),
        (b"GET /" + EVIL + b" HTTP/1.1\r\n\r\n", 404),
        (b"GET /health " + EVIL + b"\r\n\r\n", 400),
        (b"GET /health HTTP/9." + EVIL + b"\r\n\r\n", 400),
        (b"GET /health HTTP/2.0\r\n\r\n", 505),
        (EVIL + b"\r\n\r\n", 400),
        (b"GET /health x " + EVIL + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n" + b"X: 1\r\n" * 101 + b"\r\n", 431),
        (b"GET /health HTTP/1.1\r\nX: " + EVIL * 8000 + b"\r\n\r\n", 431),
        (b"GET /health HTTP/1.1\r\n" + EVIL * 1000, 431),
        (b"\x00" * 9000, 431),
    ],
)
def test_nothing_of_a_request_is_repeated(server: HealthServer, request_bytes: bytes, status: int) -> None:
    answered = exchange(server, request_bytes)
    assert answered.startswith(f"HTTP/1.0 {status} ".encode())
    assert b"evil" not in answered
    assert b"\x1b" not in answered
    assert b"Python" not in answered


def test_of_requests_one_after_another_the_first_is_answered(server: HealthServer) -> None:
    answered = exchange(server, *(50 * [b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"]))
    assert answered.count(b"HTTP/1.0 200 OK") == 1
    assert b"Content-Length" in answered


def test_a_request_may_come_byte_by_byte(server: HealthServer) -> None:
    request = b"GET /health HTTP/1.1\r\n\r\n"
    answered = exchange(server, *(request[place : place + 1] for place in range(len(request))))
    assert answered.startswith(b"HTTP/1.0 200 OK")


@pytest.mark.parametrize(
    "garbage", [b"", b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"POST /health HTTP/1.1\r\n\r\n", b"x" * 70000]
)
def test_garbage_does_not_stop_it(server: HealthServer, garbage: bytes) -> None:
    # It may hang up before everything was sent.
    with connect(server) as client, suppress(OSError):
        client.sendall(garbage)
        client.shutdown(socket.SHUT_WR)
    assert get(server, "/health")[0] == 200


def is_hung_up(client: socket.socket) -> bool:
    """Wait until the server hangs up."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("clients", [2 * MOST_CONNECTIONS + 1, 300])
def test_idle_clients_neither_block_others_nor_the_end(server: HealthServer, clients: int) -> None:
    with ExitStack() as closing:
        idle = [closing.enter_context(connect(server)) for _ in range(clients)]
        assert get(server, "/health")[0] == 200
        # The newest took the places of the oldest.
        assert is_hung_up(idle[0])
        server.close()
        assert all(is_hung_up(client) for client in idle)


def test_a_request_that_dribbles_in_is_cut_off_as_a_whole(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_server, "REQUEST_WITHIN_S", 0.3)
    stop = threading.Event()
    with connect(server) as client:

        def dribble() -> None:
            with suppress(OSError):
                while not stop.wait(0.02):
                    client.send(b"G")

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            assert get(server, "/health")[0] == 200
            # Each byte comes in time, the request does not.
            assert is_hung_up(client)
        finally:
            stop.set()
            thread.join()


def test_a_report_that_hangs_keeps_neither_others_nor_the_end(clock: InventedClock) -> None:
    monitor, release, asked = HealthMonitor(clock), threading.Event(), threading.Event()

    def report():
        if not asked.is_set():
            asked.set()
            release.wait(PATIENCE_S)
        return monitor.report(clock.now_s())

    server = HealthServer(HOST, 0, report)
    server.start()
    with connect(server) as client:
        client.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        assert asked.wait(PATIENCE_S)
        assert get(server, "/health")[0] == 200
        server.close()
        release.set()


def test_a_taken_port_is_refused_in_one_sentence(server: HealthServer, monitor: HealthMonitor) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        with pytest.raises(ConfigError, match="--health-port") as caught:
            HealthServer(HOST, other.getsockname()[1], lambda: monitor.report(0.0))
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError):
        HealthServer("no.such.host.invalid", 0, lambda: monitor.report(0.0))


def test_closing_twice_is_safe(monitor: HealthMonitor) -> None:
    server = HealthServer(HOST, 0, lambda: monitor.report(0.0))
    server.close()
    server.close()
