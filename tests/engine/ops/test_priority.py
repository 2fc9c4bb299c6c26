"""The priority of a live show, in processes of their own: what is raised cannot always be put back."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from engine.ops.priority import AUTOGROUP, NICENESS, raise_process
from tests.processes import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "setpriority"), reason="no niceness here")
RAISE = """
import os, sys
from contextlib import ExitStack
from engine.ops.priority import AUTOGROUP, raise_process

def niceness():
    session = AUTOGROUP.read_text().split()[-1] if AUTOGROUP.exists() else "none"
    return f"{os.getpriority(os.PRIO_PROCESS, 0)} {session}"

os.setpriority(os.PRIO_PROCESS, 0, int(sys.argv[1]))
if len(sys.argv) > 2:
    AUTOGROUP.write_text(sys.argv[2])
with ExitStack() as releasing:
    print(raise_process(releasing))
    print(niceness())
print(niceness())
"""


def raised_from(*niceness: int) -> list[str]:
    """Return the sentence, and the niceness of the process and its session then and at the end, where they began with `niceness`."""
    command = [sys.executable, "-c", RAISE, *map(str, niceness)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, start_new_session=True)
    return ended.stdout.splitlines()


def has_sessions() -> bool:
    """Return whether this kernel shares time between sessions."""
    return AUTOGROUP.exists() and bool(AUTOGROUP.read_text())


root_alone = pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() != 0, reason="only root may go back to niceness 0"
)
sessions_alone = pytest.mark.skipif(not has_sessions(), reason="this kernel shares no time between sessions")


def test_a_niceness_that_was_chosen_stays_and_counts_for_no_session_where_it_is_above_0() -> None:
    sentence, during, after = raised_from(5)
    assert sentence == "priority left as it was (niceness 5)"
    assert during == after
    assert during.startswith("5 ")


@root_alone
@sessions_alone
def test_root_raises_it_and_that_of_the_session_which_gets_its_own_back() -> None:
    sentence, during, after = raised_from(0)
    assert sentence == f"priority raised (niceness {NICENESS}, for its session too)"
    assert during == f"{NICENESS} {NICENESS}"
    assert after == f"{NICENESS} 0"


@root_alone
@sessions_alone
def test_a_niceness_that_was_chosen_below_0_counts_for_the_session_too() -> None:
    sentence, during, after = raised_from(-4)
    assert sentence == "priority left as it was (niceness -4, for its session too)"
    assert (during, after) == ("-4 -4", "-4 0")


@root_alone
@sessions_alone
@pytest.mark.parametrize("chosen", [-12, 5])
def test_the_niceness_that_was_chosen_for_a_session_stays(chosen: int) -> None:
    sentence, during, after = raised_from(0, chosen)
    assert sentence == f"priority raised (niceness {NICENESS})"
    assert (during, after) == (f"{NICENESS} {chosen}",) * 2


def test_where_it_is_forbidden_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setpriority", refuse)
    monkeypatch.setattr(os, "getpriority", lambda *arguments: 0)
    with ExitStack() as releasing:
        assert (
            raise_process(releasing)
            == "priority not raised: Operation not permitted; allow it with Nice=-10 in the unit, or with a higher nice limit"
        )
