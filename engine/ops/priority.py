"""A higher process priority for a live show, where the system allows it."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

NICENESS = -10
"""Before ordinary programs, after the sound server, which rtkit puts higher."""
AUTOGROUP = Path("/proc/self/autogroup")
"""Linux shares time between sessions (the programs of one terminal or service) first, and by niceness within each of them alone. This
file holds the niceness of the session as a whole; it is not there, or empty, where the kernel does not group by sessions: proc(5)."""
_WINDOWS_HIGH_PRIORITY = 0x80


def raise_process(releasing: ExitStack) -> str:
    """Raise the priority of this process and of its session, and return the result in one sentence; `releasing` puts the session's
    back.

    Call it before any thread starts, because threads inherit it. This is not real-time scheduling: a step that takes a whole hop
    would keep the sound server from running.
    """
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        done = kernel.SetPriorityClass(kernel.GetCurrentProcess(), _WINDOWS_HIGH_PRIORITY)
        return "priority raised to high" if done else "priority not raised: Windows refused"
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness != 0:
        # The user, or the unit of a service, chose this niceness.
        return f"priority left as it was (niceness {niceness}{_raise_session(niceness, releasing)})"
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    except OSError as error:
        return f"priority not raised: {error.strerror}; allow it with Nice={NICENESS} in the unit, or with a higher nice limit"
    return f"priority raised (niceness {NICENESS}{_raise_session(NICENESS, releasing)})"


def _raise_session(niceness: int, releasing: ExitStack) -> str:
    """Give the session a niceness below 0 as well, unless its own was chosen; return what to say of it."""
    try:
        before = int(AUTOGROUP.read_text().rpartition(" ")[2])
        if niceness >= 0 or before != 0:
            return ""
        AUTOGROUP.write_text(str(niceness))
    except (FileNotFoundError, ValueError):
        return ""
    except OSError as error:
        return f"; not for its session: {error.strerror}"
    releasing.callback(_put_back, before)
    return ", for its session too"


def _put_back(niceness: int) -> None:
    # Other programs of the terminal go on after the show.
    with suppress(OSError):
        AUTOGROUP.write_text(str(niceness))
