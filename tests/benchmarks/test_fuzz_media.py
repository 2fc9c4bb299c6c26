"""A short run of the media fuzzer with a fixed seed, and what it counts as a fault."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.fuzz_media import CRASH, FAULTS, ReadingProcess, fuzz
from benchmarks.fuzz_media_process import PLAYED, READERS, SENTENCE, TRACEBACK
from benchmarks.media_mutations import KINDS, mutated, seeds

SEED, FILES = 12, 40


def test_damaged_files_of_every_kind_play_or_are_refused_in_a_sentence() -> None:
    found = fuzz(SEED, range(FILES))
    assert found.faults == []
    assert found.files == FILES
    for reader in READERS:
        assert found.counts[reader, PLAYED] + found.counts[reader, SENTENCE] == FILES
    assert found.counts["live", PLAYED] > FILES / 5
    assert found.counts["live", SENTENCE] > FILES / 10


def test_good_files_play(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    good = seeds(tmp_path / "good")
    assert len(good) == len(KINDS) == 20
    with ReadingProcess() as process:
        for number, seed in enumerate(good):
            path = tmp_path / "good" / f"{number}.{seed.extension}"
            verdicts = {reader: verdict for reader, verdict, _, _ in process.judge(path)}
            expected = SENTENCE if seed.extension == "gif" else PLAYED
            assert verdicts["live"] == verdicts["sound for training"] == expected, (seed.name, verdicts)
            assert verdicts["frames for training"] == (PLAYED if KINDS[number].video else SENTENCE), seed.name


def test_equal_seeds_give_equal_files(tmp_path: Path) -> None:
    good = seeds(tmp_path)
    first, second = (mutated(good, 3, random.Random("12.3")) for _ in range(2))
    assert first == second
    assert first[1] != good[3].content


def test_a_process_that_ends_is_a_crash_and_there_is_a_new_one(tmp_path: Path) -> None:
    # A package without a program in it: Python ends at once.
    with ReadingProcess("tests.benchmarks") as process:
        for _ in range(2):
            ((reader, verdict, _, _),) = process.judge(tmp_path / "absent.wav")
            assert (reader, verdict) == ("all", CRASH)
    assert {CRASH, TRACEBACK} <= set(FAULTS)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with ReadingProcess() as process:
        verdicts = [verdict for _, verdict, _, _ in process.judge(tmp_path / "absent.wav")]
    assert verdicts == [SENTENCE] * len(READERS)
