"""--precision and --calibrate."""

from pathlib import Path

import pytest

from engine.core.errors import ModelFileError
from export.precision.choice import PRECISIONS, drift_of, in_precision
from tests.export.precise import program, sound_file, traced


def test_every_precision_is_made_and_its_drift_measured(tmp_path: Path) -> None:
    graph, sound = traced()[0], sound_file(tmp_path)
    worst: dict[str, float] = {}
    for precision in PRECISIONS:
        made, calibration = in_precision(program(), graph, precision, sound if precision == "int8" else None)
        assert ("sound.wav" in calibration) == (precision == "int8")
        (end,) = drift_of(made, graph, sound, (8,))
        worst[precision] = end.psnr_db
    assert worst["float32"] >= worst["float16"] > worst["int8"] > 35


def test_int8_and_its_sound_go_together(tmp_path: Path) -> None:
    graph = traced()[0]
    with pytest.raises(ModelFileError, match="int8 needs --calibrate"):
        in_precision(program(), graph, "int8")
    with pytest.raises(ModelFileError, match="--calibrate is for --precision int8"):
        in_precision(program(), graph, "float16", sound_file(tmp_path))
