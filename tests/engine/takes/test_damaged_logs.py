"""Damaged logs of takes: one sentence each, never a traceback; logs that were cut off are read to their end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.audio.gain_state import GainState
from engine.control.parameter_store import ControlSnapshot
from engine.core.errors import ConfigError
from engine.core.structured import plain_values
from engine.takes.recorder import TakeRecorder
from engine.takes.take_log import LOG, HopLine, TakeHeader, write_header
from engine.takes.take_log_reading import read_header, read_lines
from tests.engine.takes.test_recorder import HOP, header

DEEP = b"[" * 100_000
DEEP_MAPPING = b'{"a":' * 500 + b"1" + b"}" * 500
DIGITS = b"9" * 5000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log of ten hops, each with a line."""
    take = TakeRecorder(tmp_path, header(), live=True)
    take.open()
    for hop in range(10):
        take.add_sound(np.zeros((HOP, 2), np.float32))
        take.note(hop, 0, ControlSnapshot({"gain_db": float(hop)}, ()))
    take.close()
    return tmp_path / LOG


def lines_of(log: Path) -> list[HopLine]:
    return list(read_lines(log))


def test_a_log_that_was_cut_off_is_read_to_its_end(log: Path) -> None:
    content = log.read_bytes()
    for cut in range(1, len(content.splitlines()[-1]) + 1):
        log.write_bytes(content[:-cut])
        assert len(lines_of(log)) in (10, 11)


LINES = (
    b"",
    b"{]",
    b"7",
    b"null",
    b"\xff\xfe",
    b"\x00",
    DEEP,
    DEEP_MAPPING,
    DIGITS,
    b"{}",
    b'{"hop": 4}',
    b'{"received_samples": 4}',
    b'{"hop": 4, "received_samples": 1, "wrong": 2}',
    b'{"hop": 0, "received_samples": 0}',
    b'{"hop": 4.0, "received_samples": 1}',
    b'{"hop": "4", "received_samples": 1}',
    b'{"hop": true, "received_samples": 1}',
    b'{"hop": -2, "received_samples": 1}',
    b'{"hop": %s, "received_samples": 1}' % DIGITS,
    b'{"hop": %s, "received_samples": 1}' % DIGITS[:4000],
    b'{"hop": 4, "received_samples": -1}',
    b'{"hop": 4, "received_samples": null}',
    b'{"hop": 4, "received_samples": 1, "skipped_hops": -1}',
    b'{"hop": 4, "received_samples": 1, "skipped_hops": "two"}',
    b'{"hop": 4, "received_samples": 1, "failed": 1}',
    b'{"hop": 4, "received_samples": 1, "values": [1]}',
    b'{"hop": 4, "received_samples": 1, "values": {"gain": "loud"}}',
    b'{"hop": 4, "received_samples": 1, "values": {"gain": NaN}}',
    b'{"hop": 4, "received_samples": 1, "values": {"gain": 1e999}}',
    b'{"hop": 4, "received_samples": 1, "values": {"gain": %s}}' % DIGITS[:4000],
    b'{"hop": 4, "received_samples": 1, "values": {"gain": %s}}' % DEEP_MAPPING,
    b'{"hop": 4, "received_samples": 1, "removed": "gain"}',
    b'{"hop": 4, "received_samples": 1, "removed": [1]}',
    b'{"hop": 4, "received_samples": 1, "events": {"scene": 3}}',
    b'{"hop": 4, "received_samples": 1, "events": [["scene"]]}',
    b'{"hop": 4, "received_samples": 1, "events": [["scene", 1e999]]}',
    b'{"hop": 4, "received_samples": 1, "events": [[3, "scene"]]}',
    b'{"hop": 4, "received_samples": 1, "beat_points": [[1, 2.0, 120.0]]}',
    b'{"hop": 4, "received_samples": 1, "beat_points": [[1, 4.0, 120.0, true]]}',
    b'{"hop": 4, "received_samples": 1, "beat_points": [[1, 2.0, NaN, true]]}',
    b'{"hop": 4, "received_samples": 1, "beat_points": [[-1, 2.0, 120.0, true]]}',
    b'{"hop": 4, "received_samples": 1, "show_events": [3]}',
    b'{"hop": 4, "received_samples": 1, "show_events": {}}',
    b'{"hop": 4, "received_samples": 1, "show_events": [{}]}',
    b'{"hop": 4, "received_samples": 1, "show_events": [{"kind": []}]}',
    b'{"hop": 4, "received_samples": 1, "show_events": [{"kind": "party"}]}',
    b'{"hop": 4, "received_samples": 1, "show_events": [{"kind": "model"}]}',
    b'{"hop": 4, "received_samples": 1, "show_events": [{"kind": "glide", "seconds": "2"}]}',
    b'{"hop": 4, "received_samples": 1, "show_events": [{"kind": "hold", "more": %s}]}' % DEEP_MAPPING,
    b'{"hop": 4, "received_samples": 1, "show_events": [{"kind": "state", "state": 1, "fade_hops": 1, "is_held": true}]}',
    b'{"hop": 4, "received_samples": 1, "show_events": '
    b'[{"kind": "state", "state": {"memory": {"array": "../x.npy"}}, "fade_hops": 1, "is_held": true}]}',
    b'{"hop": 4, "received_samples": 1, "end": 3}',
)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[:100].decode(errors="replace"))
def test_a_damaged_line_is_named(log: Path, line: bytes) -> None:
    rows = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*rows[:5], line + b"\n", *rows[6:]]))
    with pytest.raises(ConfigError, match="damaged at line 6; copy the take again"):
        lines_of(log)


GAIN = plain_values(GainState())


def headers() -> Iterator[tuple[str, str]]:
    """Yield the first lines of damaged logs, and a part of the sentence about each."""
    for text in ("", "[1]", "null", "3", '{"take": 3}', '{"take": {}}', DEEP.decode(), DIGITS.decode()):
        yield text, "does not begin as the log of a take"
    for version in ("9", "0", "true", "2.0", '"2"', "null", str(2**64)):
        yield f'{{"take": {{"format_version": {version}}}}}', "this engine replays versions 1 to 7"
    whole = json.loads(write_header(header()))["take"]
    for changes, sentence in (
        ({"modle": "x"}, "Unknown key 'modle'. Did you mean 'model'"),
        ({"seed": 0}, "Unknown key 'seed'"),
        ({"model": 4}, "'model' is 4; a text was expected. Copy the take again"),
        ({"hop_samples": "800"}, "'hop_samples' is '800'; a whole number was expected"),
        ({"hop_samples": 0}, f"'hop_samples' is 0; a whole number from 1 to {1 << 20} was expected"),
        ({"sample_rate_hz": -1}, "'sample_rate_hz' is -1; a whole number from 1"),
        ({"source_rate_hz": 48000.0}, "'source_rate_hz' is 48000.0; a whole number was expected"),
        ({"source_channels": 10**4000}, "does not begin as the log of a take (it holds a whole number of 4001 digits)"),
        ({"source_channels": 257}, "'source_channels' is 257; a whole number from 1 to 256"),
        ({"source_rate_hz": 10**9}, "'source_rate_hz' is 1000000000; a whole number from 1 to 768000"),
        ({"threads": 0}, "'threads' is 0; a whole number from 1"),
        ({"versions": {"numpy": 2}}, "'versions.numpy' is 2; a text was expected"),
        ({"mappings": ["glow"]}, "'mappings' is ['glow']; a mapping was expected"),
        ({"settings": None}, "'settings' is None; a mapping was expected"),
        ({"earlier_hops": -1}, f"'earlier_hops' is -1; a whole number from 0 to {1 << 40} was expected"),
        ({"earlier_hops": 2**60}, "'earlier_hops' is 1152921504606846976; a whole number from 0"),
        ({"lead_in_hops": 1}, "'lead_in_hops' is 1; a whole number from 0 to 0 was expected"),
        ({"gain_curve": {"array": "../x"}}, "'gain_curve' is {'array': '../x'}; an array of the take was expected"),
        (
            {"earlier_hops": 9, "lead_in_hops": 9, "lead_in_samples": 21598},
            "'lead_in_samples' is 21598 for 9 hops; about 21600 samples of at most 60 s were expected",
        ),
        (
            {"earlier_hops": 1201, "lead_in_hops": 1201, "lead_in_samples": 1201 * HOP},
            "of at most 60 s were expected",
        ),
        ({"gain": {**GAIN, "power": -1.0}}, "; values that conditioning can have were expected"),
        ({"gain": {**GAIN, "gain_db": 1e6}}, "; values that conditioning can have were expected"),
        ({"gain": {**GAIN, "gate": float("nan")}}, "'gain.gate' is nan; a number was expected"),
        ({"gain": {"gain_bd": 1.0}}, "Unknown key 'gain.gain_bd'. Did you mean 'gain_db'"),
    ):
        yield json.dumps({"take": {**whole, **changes}}), sentence
    yield json.dumps({"take": {name: whole[name] for name in whole if name != "date"}}), "The key 'date' is missing"


@pytest.mark.parametrize(("text", "sentence"), list(headers()), ids=lambda text: text[-60:])
def test_a_damaged_header_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_header(text, tmp_path / LOG)
    assert sentence in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / LOG))
    assert len(str(raised.value)) < 400 + len(str(tmp_path))


def test_a_header_comes_back_as_it_was() -> None:
    within_a_show = {"earlier_hops": 30, "lead_in_hops": 20, "lead_in_samples": 20 * HOP}
    gain = GainState(gain_db=-3.1, power=1.7e-5, signal_s=2.0 / 3.0, is_open=False)
    written = header(settings={"map": {"glow": [1, 2.5, None]}}, threads=None, gain=gain, **within_a_show)
    assert isinstance(written, TakeHeader)
    assert read_header(write_header(written), Path(LOG)) == written
