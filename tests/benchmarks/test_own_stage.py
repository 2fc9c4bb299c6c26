"""A stage of one's own names what it lacks, and leaves nothing behind."""

from __future__ import annotations

import pytest

from benchmarks.own_stage import OwnStage
from engine.core.errors import ConfigError


def test_a_program_that_is_missing_is_named_with_what_brings_it() -> None:
    with pytest.raises(ConfigError, match=r"^The click test needs no-such-program, .*apt install xvfb openbox\)\.$"):
        OwnStage("click test", ("no-such-program",), "xvfb openbox")


def test_what_was_started_ends_with_the_stage() -> None:
    with OwnStage("test", ("sleep",), "coreutils") as stage:
        process = stage.start(["sleep", "600"], "sleep.log")
        assert process.poll() is None
        assert stage.words("sleep.log") == ""
        assert stage.tell("echo", "hello") == "hello\n"
        assert stage.environment["PULSE_SERVER"].startswith(f"unix:{stage.folder}/")
    assert process.poll() is not None
    assert not stage.folder.exists()
