"""Train one run without interruption, and one in processes of which each kills itself at a later file operation than the last.

    python tests/training/loop/killed_at_operations.py WHOLE KILLED WORDS_OF_TRAINING_TRAIN...

prints the number of kills. Every process is forked after the imports, which take longer than a whole run.
"""

import itertools
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from engine.core.errors import run_main
from training import train
from training.loop.run_folder import checkpoint_folders

OPERATIONS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
FIRST, STEP = 5, 11


def die_at(count: int, run: Path) -> None:
    """Kill this process before its file operation number `count` within the folder of the run."""
    left = [count]

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event in OPERATIONS and str(arguments[0]).startswith(str(run)):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


def train_in_a_fork(command: list[str], run: Path, count: int = 0) -> int:
    """Return how a process ended that trains and, unless `count` is 0, is killed at that file operation."""
    child = os.fork()
    if child == 0:
        if count:
            die_at(count, run)
        run_main(lambda: train.main(command))
    return os.waitpid(child, 0)[1]


def main() -> int:
    whole, killed, words = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    train.main([*words, "--dry-run"])  # Imports what torch imports late.
    assert train_in_a_fork([*words, "--run-folder", str(whole)], whole) == 0
    cache = words[words.index("--cache-folder") : words.index("--cache-folder") + 2]
    for kills in itertools.count():
        # Before the first checkpoint there is nothing to resume: the same command begins again.
        begun = checkpoint_folders(killed)
        command = ["--resume", str(killed), *cache] if begun else [*words, "--run-folder", str(killed)]
        status = train_in_a_fork(command, killed, FIRST + STEP * kills)
        if os.WIFEXITED(status):
            print("kills", kills)
            return os.WEXITSTATUS(status)
    return 1


if __name__ == "__main__":
    sys.exit(main())
