"""The traffic of the web fuzzer, a little of it and always the same, against a real server: no fault, and whoever is honest is answered."""

from __future__ import annotations

from pathlib import Path

from benchmarks.fuzz_web import Traffic, answers
from tests.engine.web.page_server import page_server

CONNECTIONS = 150


def test_hostile_traffic_leaves_no_fault_and_an_answering_server(tmp_path: Path) -> None:
    with page_server(tmp_path) as stage:
        traffic = Traffic(stage.port, list(stage.store.parameters), seed=7)
        for number in range(CONNECTIONS):
            traffic.open()
            if number % 50 == 0:
                assert answers(stage.port)
        assert traffic.frames > CONNECTIONS
        assert answers(stage.port)
        assert stage.store.values()["flash_guard"] is True
        assert [line for line in stage.lines if "could not answer" in line] == []
