"""What damaged media files do to the readers of shows and of training: each plays, or is refused in one sentence.

    python -m benchmarks.fuzz_media --files 2000 [--seed 12] [--keep FOLDER]

Files of twenty kinds are damaged at random and read by every reader in a process that survives many of them. A crash of the decoder,
a reader that takes longer than HANGS_S, and a traceback are faults.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.asked_process import AskedProcess, CrashError, HungError
from benchmarks.fuzz_media_process import ENDLESS, PLAYED, READERS, SENTENCE, TRACEBACK
from benchmarks.media_mutations import Seed, mutated, seeds
from benchmarks.record import append_record, print_table
from engine.core.errors import run_main
from engine.core.printable import print_line

HANGS_S = 60.0
"""For all readers of one file; they take a fraction of a second each."""
LONGEST_SENTENCE = 1500
CRASH, HANG, NO_SENTENCE = "crash", "hang", "no sentence"
FAULTS = (CRASH, HANG, TRACEBACK, ENDLESS, NO_SENTENCE)
SHOWN_FAULTS = 40


@dataclass(slots=True)
class Findings:
    """What became of the files."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """By reader and verdict."""
    faults: list[str] = field(default_factory=list[str])
    files: int = 0
    slowest_s: float = 0.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_media", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--files", type=int, default=2000, help="how many damaged files (default 2000)")
    parser.add_argument("--seed", type=int, default=12, help="of the damage (default 12)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy the files of every fault here")
    arguments = parser.parse_args()
    found = fuzz(arguments.seed, range(arguments.files), arguments.processes, arguments.keep)
    verdicts = (PLAYED, SENTENCE, *FAULTS)
    rows = [[reader, *(found.counts[reader, verdict] for verdict in verdicts)] for reader in [*READERS, "all"]]
    print_table(["reader", *verdicts], [row for row in rows if any(row[1:])])
    print_line(f"{found.files} files; the slowest took {found.slowest_s:.1f} s", *found.faults[:SHOWN_FAULTS])
    append_record(
        "fuzz_media",
        {
            "files": found.files,
            "seed": arguments.seed,
            "readers": {row[0]: dict(zip(verdicts, row[1:], strict=True)) for row in rows if any(row[1:])},
            "slowest_s": found.slowest_s,
        },
    )
    return 1 if found.faults else 0


def fuzz(seed: int, numbers: range, processes: int = 1, keep: Path | None = None) -> Findings:
    """Read the damaged files of these numbers, spread over processes; copy those of faults to `keep`."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "good").mkdir()
        good = seeds(Path(place) / "good")
        shares = [numbers[first::processes] for first in range(processes)]
        with ThreadPoolExecutor(processes) as pool:
            parts = list(pool.map(lambda share: _fuzz_share(seed, share, good, Path(place), keep), shares))
    whole = Findings()
    for part in parts:
        whole.counts += part.counts
        whole.faults += part.faults
        whole.files += part.files
        whole.slowest_s = max(whole.slowest_s, part.slowest_s)
    return whole


def _fuzz_share(seed: int, numbers: range, good: list[Seed], place: Path, keep: Path | None) -> Findings:
    found = Findings()
    with ReadingProcess() as process:
        for number in numbers:
            kind, content = mutated(good, number, random.Random(f"{seed}.{number}"))
            path = place / f"{number}.{kind.extension}"
            path.write_bytes(content)
            faults = len(found.faults)
            for reader, verdict, reason, took_s in process.judge(path):
                found.counts[reader, verdict] += 1
                found.slowest_s = max(found.slowest_s, took_s)
                if verdict in FAULTS:
                    found.faults.append(f"{number} ({kind.name}), {reader}: {verdict}: {_place(reason)}")
            found.files += 1
            if keep and len(found.faults) > faults:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / path.name).write_bytes(content)
            path.unlink()
    return found


def _place(reason: str) -> str:
    """Return the last places of a traceback in our files, and its error."""
    lines = [line.strip() for line in reason.strip().splitlines()]
    places = [line.split("/")[-1].replace('", line ', ":") for line in lines if line.startswith("File ")]
    return f"{' > '.join(places[-3:])} {lines[-1] if lines else ''}"[:300]


class ReadingProcess(AskedProcess):
    """A process that reads files."""

    def __init__(self, module: str = "benchmarks.fuzz_media_process") -> None:
        super().__init__(module, HANGS_S)

    def judge(self, path: Path) -> Iterator[tuple[str, str, str, float]]:
        """Yield reader, verdict, reason and time; one for all readers together where the process does not survive."""
        try:
            answer = self.ask(str(path))
        except HungError as error:
            yield "all", HANG, str(error), HANGS_S
            return
        except CrashError as error:
            yield "all", CRASH, str(error), 0.0
            return
        for reader, (verdict, reason, took_s) in json.loads(answer).items():
            is_sentence = reason.isprintable() and len(reason) < LONGEST_SENTENCE
            yield reader, verdict if is_sentence or verdict in FAULTS else NO_SENTENCE, reason, took_s


if __name__ == "__main__":
    run_main(main)
