"""Takes of the version before: read with their old keys, and replayed bit-exact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.control.parameter_store import ControlEvent
from engine.takes.take_log import LOG, HopLine
from engine.takes.take_log_reading import read_header, read_lines
from tests.engine.takes.test_replay import live_show, replayed, stormy

HASH = "0" * 64
VERSION_1 = f"""\
{{"take":{{"format_version":1,"date":"2025-01-31T20:15:00+0000","model":"water.onnx","card_name":"water","graph_sha256":"{HASH}",\
"sample_rate_hz":16000,"hop_samples":800,"source":"mic","source_rate_hz":48000,"source_channels":2,"seed":0,\
"backend":"onnx-cpu","description":"onnx-cpu, 2 threads","threads":null,"versions":{{"numpy":"2.0"}},"settings":{{"out":["null"]}},\
"mappings":{{"glow":"value"}}}}}}
{{"hop":0,"heard":2249,"values":{{"gain_db":0.0,"freeze":false,"seed":3}}}}
{{"hop":3,"heard":9600,"skipped":2,"failed":true,"gone":["freeze"],"events":[["scene",2]]}}
{{"hop":5,"heard":14400,"happenings":[{{"kind":"model","model":"other.onnx","graph_sha256":"{HASH}","state":\
{{"memory":{{"array":"{HASH}.npy"}}}},"fade_hops":40,"is_held":false}},{{"kind":"glide","seconds":2.0}}]}}
{{"hop":7,"heard":19200,"show_events":[{{"kind":"hold"}}]}}
{{"end":"the show is over","hop":7,"heard":19200}}
"""


def test_old_keys_are_read(tmp_path: Path) -> None:
    log = tmp_path / LOG
    log.write_text(VERSION_1)
    header = read_header(VERSION_1.splitlines()[0], log)
    assert (header.format_version, header.model, header.mappings) == (1, "water.onnx", {"glow": "value"})
    model = {"kind": "model", "model": "other.onnx", "graph_sha256": HASH, "fade_hops": 40, "is_held": False}
    assert list(read_lines(log)) == [
        HopLine(hop=0, received_samples=2249, values={"gain_db": 0.0, "freeze": False, "seed": 3}),
        HopLine(
            hop=3,
            received_samples=9600,
            skipped_hops=2,
            failed=True,
            removed=("freeze",),
            events=(ControlEvent("scene", 2),),
        ),
        HopLine(
            hop=5,
            received_samples=14400,
            show_events=(
                {**model, "state": {"memory": {"array": f"{HASH}.npy"}}},
                {"kind": "glide", "seconds": 2.0},
            ),
        ),
        HopLine(hop=7, received_samples=19200, show_events=({"kind": "hold"},)),
        HopLine(hop=7, received_samples=19200, end="the show is over"),
    ]


def write_as_version_1(log: Path) -> None:
    """Rewrite a log with the keys of version 1."""
    first, *rest = map(json.loads, log.read_text().splitlines())
    names = {"received_samples": "heard", "skipped_hops": "skipped", "removed": "gone", "show_events": "happenings"}
    first["take"] |= {"format_version": 1, "seed": 0}
    lines = [{names.get(name, name): value for name, value in line.items()} for line in rest]
    log.write_text("".join(json.dumps(line) + "\n" for line in (first, *lines)))


@pytest.mark.parametrize("seed", [0, 1])
def test_an_old_take_is_replayed_bit_exact(tmp_path: Path, probe_file: Path, seed: int) -> None:
    show = live_show(tmp_path, probe_file, seed)
    show.play(stormy(show, seed))
    show.take.close()
    write_as_version_1(tmp_path / LOG)
    assert '"heard"' in (tmp_path / LOG).read_text()
    again = replayed(tmp_path)
    assert again.frames == show.frames
    assert again.events == show.events
    assert str(again.show_events) == str(show.show_events)
