"""The health endpoint over a real socket."""

from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest

from engine.core.errors import ConfigError
from engine.ops.health_monitor import HealthMonitor
from engine.ops.health_server import HealthServer, metrics
from tests.engine.app.shows import InventedClock

HOST = "127.0.0.1"


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


def get(server: HealthServer, path: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{server.port}{path}", timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_a_show_that_plays_answers_200_and_one_that_is_stuck_503(server: HealthServer, clock: InventedClock) -> None:
    status, kind, body = get(server, "/health")
    report = json.loads(body)
    assert (status, kind, report["alive"], report["hops"]) == (200, "application/json; charset=utf-8", True, 3)
    assert report["backend"] == "onnx-cpu, 1 thread"
    clock.sleep(60.0)
    status, _, body = get(server, "/health")
    assert (status, json.loads(body)["reason"]) == (503, "no picture was made for 60.0 s")


def test_metrics_are_in_the_form_that_prometheus_reads(server: HealthServer) -> None:
    status, kind, body = get(server, "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    values = dict(line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#"))
    assert values["fluid_up"] == "1"
    assert float(values["fluid_frame_age_seconds"]) == pytest.approx(0.02)
    assert values["fluid_skipped_hops_total"] == "2"
    assert values[r'fluid_lost_frames_total{output="a \"quoted\"\nname"}'] == "3"
    for line in body.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) fluid_\w+ .+|fluid_\w+(\{\w+="(\\.|[^"\\])*"\})? -?[0-9.e+-]+', line), line
    assert body.endswith("\n")


def test_before_the_first_picture_there_is_no_age(clock: InventedClock) -> None:
    body = metrics(HealthMonitor(clock).report(clock.now_s()))
    assert "fluid_frame_age_seconds" not in body
    assert "fluid_up 1" in body


def test_other_addresses_are_named(server: HealthServer) -> None:
    assert get(server, "/")[0::2] == (404, "There are /health and /metrics.\n")


@pytest.mark.parametrize(
    "rubbish", [b"", b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"POST /health HTTP/1.1\r\n\r\n", b"x" * 70000]
)
def test_rubbish_does_not_stop_it(server: HealthServer, rubbish: bytes) -> None:
    # It may hang up before everything was sent.
    with socket.create_connection((HOST, server.port), timeout=10) as asker, suppress(OSError):
        asker.sendall(rubbish)
        asker.shutdown(socket.SHUT_WR)
    assert get(server, "/health")[0] == 200


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
