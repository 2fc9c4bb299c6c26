"""A model that fails in the very hop in which a fade begins: the show goes on, and a replay goes the same way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.engine.model.switchers import OPEN_WITHIN_S, Stage, window, write_wide
from tests.engine.model.test_switcher import repeated, same

HOPS = 14


@pytest.mark.parametrize("fails", ["new", "old", "second"])
def test_a_failure_in_the_first_hop_of_a_fade_is_repeated_bit_exact(
    probe_file: Path, tmp_path: Path, fails: str
) -> None:
    wide = write_wide(tmp_path)
    stage = Stage(probe_file, gain=1.5)
    first = stage.opened[probe_file.name]
    frames, show_events, values = [], {}, {}
    for index in range(HOPS):
        if index == 3:
            stage.switcher.swap_to(wide)
            assert stage.switcher.wait_until_open(OPEN_WITHIN_S)
        if index == 5 and fails == "second":
            # Back to a model that fails at once, while the fade before still goes on.
            stage.switcher.swap_to(str(probe_file))
            assert stage.switcher.wait_until_open(OPEN_WITHIN_S)
        first.fails = index == 4 and fails == "old"
        stage.opened.get("wide.onnx", first).fails |= index == 4 and fails == "new"
        if fails == "second":
            stage.opened[probe_file.name].fails = index == 6
        values[index] = stage.store.values()
        frames.append(stage.switcher.step(window(index), values[index], index).pixels_HWC)
        show_events[index] = stage.switcher.show_events()
        stage.opened.get("wide.onnx", first).fails = False
    kinds = {index: [event["kind"] for event in events] for index, events in show_events.items() if events}
    assert (
        kinds
        == {
            "new": {4: ["model", "return"]},
            "old": {4: ["model", "hold"]},
            "second": {4: ["model"], 6: ["model", "return"]},
        }[fails]
    )
    assert same(repeated(stage, show_events, values, probe_file, list(range(HOPS))), frames)


def test_a_model_that_plays_again_has_its_parameters_as_they_were(probe_file: Path, tmp_path: Path) -> None:
    stage = Stage(probe_file, gain=3.0)
    stage.play(0, 3)
    stage.swap(write_wide(tmp_path), 3)
    assert "gain" not in stage.store.values()
    stage.opened["wide.onnx"].fails = True
    stage.play(4, 9)
    assert stage.switcher.playing.name == "probe"
    assert stage.store.values()["gain"] == 3.0
    assert {float(np.float32(given["gain"])) for given in stage.opened[probe_file.name].controls} == {3.0}
