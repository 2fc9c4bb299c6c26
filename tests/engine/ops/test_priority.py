"""The priority of a live show, in processes of their own: it cannot always be taken back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from engine.ops.priority import NICENESS
from tests.processes import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs niceness")
RAISE = """
import os, sys
os.setpriority(os.PRIO_PROCESS, 0, int(sys.argv[1]))
from engine.ops.priority import raise_process
print(os.getpriority(os.PRIO_PROCESS, 0), raise_process(), os.getpriority(os.PRIO_PROCESS, 0), sep="|")
"""


def raised_from(niceness: int) -> tuple[int, str, int]:
    """Return the niceness before, the sentence, and the niceness afterwards, of a process that starts with that niceness."""
    ended = subprocess.run(
        [sys.executable, "-c", RAISE, str(niceness)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, sentence, after = ended.stdout.strip().split("|")
    return int(before), sentence, int(after)


def test_a_niceness_that_was_chosen_stays() -> None:
    assert raised_from(5) == (5, "priority left as it was (niceness 5)", 5)


@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() != 0, reason="only root may go back to niceness 0")
def test_root_raises_it() -> None:
    assert raised_from(0) == (0, f"priority raised (niceness {NICENESS})", NICENESS)
