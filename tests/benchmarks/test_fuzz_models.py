"""A few hundred mutated model files: each is a sentence, a verdict of the process, or plays; none is a traceback."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz_models import CRASH, LATE, LONGEST_SENTENCE, REFUSED, TRACEBACK, verdicts
from benchmarks.model_mutations import mutated
from engine.core.errors import ModelFileError
from engine.model.file import read_model
from tests.engine.model.probe_model import CARD, program, write_probe

SEED = 18
READ, PLAYED = 200, 25


def test_mutations_are_read_or_refused_in_a_sentence(probe_file: Path, tmp_path: Path) -> None:
    draw, path, content = np.random.default_rng(SEED), tmp_path / "mutated.onnx", probe_file.read_bytes()
    refused: list[str] = []
    for _ in range(READ):
        path.write_bytes(mutated(content, draw))
        try:
            read_model(path)
        except ModelFileError as error:
            refused.append(str(error))
    assert [sentence for sentence in refused if not sentence.isprintable() or len(sentence) > LONGEST_SENTENCE] == []
    # Most differ in what only a runtime can judge.
    assert READ * 0.05 < len(refused) < READ * 0.6


def test_what_is_read_is_played_in_a_process_that_may_crash(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for _, verdict, reason in verdicts(tmp_path, SEED, "onnx-cpu", with_shipped=False):
        assert verdict != TRACEBACK, reason
        counts[verdict] += 1
        if counts.total() == PLAYED:
            break
    assert {*counts} <= {REFUSED, CRASH, LATE, "file", "step", "backend", "passed"}
    assert counts["file"] + counts["passed"] + counts["step"] > 0
    assert counts[REFUSED] > 0


@pytest.mark.parametrize("seed", range(3))
def test_equal_seeds_give_equal_mutations(seed: int, tmp_path: Path) -> None:
    content = write_probe(tmp_path / "probe.onnx").read_bytes()
    assert program(CARD).graph.name == "probe"
    first, second = (mutated(content, np.random.default_rng(seed)) for _ in range(2))
    assert first == second != content
