"""A short run of the fuzzer with a fixed seed: files of every kind are read or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz_files import Outcome, figures, fuzz, run_trial
from benchmarks.fuzz_subjects import Subject
from engine.core.errors import ConfigError


def test_damaged_files_of_every_kind_are_read_or_refused() -> None:
    found = figures(fuzz(18, trials=8))
    assert len(found) == 10
    assert {kind: one["faults"] for kind, one in found.items() if one["faults"]} == {}
    assert all(one["trials"] == 8 for one in found.values())
    assert {kind for kind, one in found.items() if not one["refused"]} <= {"records"}


def raising(error: Exception) -> Subject:
    def read(folder: Path) -> None:
        raise error

    return Subject("kind", {"file": b"content"}, read)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ConfigError("one sentence."), []),
        (ConfigError("two\nlines"), ["1: no sentence: 'two\\nlines'"]),
        (KeyError("x"), ["1: KeyError at test_fuzz_files.py:"]),
    ],
)
def test_anything_but_a_sentence_is_a_fault(tmp_path: Path, error: Exception, fault: list[str]) -> None:
    outcome = Outcome()
    run_trial(raising(error), tmp_path, "1", outcome)
    assert outcome.trials == 1
    assert len(outcome.faults) == len(fault)
    assert all(came.startswith(expected) for came, expected in zip(outcome.faults, fault, strict=True))
