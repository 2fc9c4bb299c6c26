"""The venue's file says what was measured, whatever the film is called, and is read back as a configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.app.config_reading import read_config_file
from engine.core.errors import ConfigError
from engine.ops.calibration.venue import write_venue


def test_the_name_of_a_film_cannot_add_settings(tmp_path: Path) -> None:
    venue = tmp_path / "venue.yaml"
    write_venue(venue, 0.08, "in the film x\nosc_host: 0.0.0.0\n\u2028out: [y.mp4]\x1b[2J")
    assert read_config_file(venue) == {"controls": {"look_ahead_ms": 80}}
    assert "\x1b" not in venue.read_text()


@pytest.mark.skipif(os.name != "posix", reason="pipes are files on POSIX alone")
def test_a_venue_that_is_a_pipe_is_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "venue.yaml")
    with pytest.raises(
        ConfigError, match=r"Cannot read the configuration .*: it is a pipe, and a file was expected; give"
    ):
        read_config_file(tmp_path / "venue.yaml")
