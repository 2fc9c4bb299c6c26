"""A private desktop names missing programs, and leaves nothing behind."""

from __future__ import annotations

import pytest

from benchmarks.private_desktop import PrivateDesktop
from engine.core.errors import ConfigError


def test_a_missing_program_is_named_with_the_packages_to_install() -> None:
    with pytest.raises(ConfigError, match=r"^The click test needs no-such-program, .*apt install xvfb openbox\)\.$"):
        PrivateDesktop("click test", ("no-such-program",), "xvfb openbox")


def test_all_programs_end_with_the_desktop() -> None:
    with PrivateDesktop("test", ("sleep",), "coreutils") as desktop:
        process = desktop.start(["sleep", "600"], "sleep.log")
        assert process.poll() is None
        assert desktop.output("sleep.log") == ""
        assert desktop.run("echo", "hello") == "hello\n"
        assert desktop.environment["PULSE_SERVER"].startswith(f"unix:{desktop.folder}/")
    assert process.poll() is not None
    assert not desktop.folder.exists()
