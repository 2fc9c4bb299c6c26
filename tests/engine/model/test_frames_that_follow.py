"""Which frames follow from the one before by one step of the model: the sync meter counts the motion of no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session
from tests.engine.model.probe_model import CARD
from tests.engine.model.switchers import OPEN_WITHIN_S, Stage, window, write_wide


def test_held_frames_and_the_first_of_a_state_follow_no_other(probe_file: Path) -> None:
    session = Session(open_model(probe_file, 1))
    told: list[dict[str, Any]] = [{}, {}, {"freeze": True}, {}, {"reset": 1}, {"reset": 1}]
    frames = [session.step(window(k)[-CARD.window_samples :], controls, k) for k, controls in enumerate(told)]
    assert [frame.follows for frame in frames] == [False, True, False, True, False, True]
    assert not session.held({}).follows


def test_frames_of_a_crossfade_follow_no_other(probe_file: Path, tmp_path: Path) -> None:
    stage, wide = Stage(probe_file), write_wide(tmp_path)
    follows = list[bool]()
    for k in range(14):
        if k == 5:
            stage.switcher.swap_to(wide)
            assert stage.switcher.wait_until_open(OPEN_WITHIN_S)
        follows.append(stage.switcher.step(window(k), stage.store.values(), k).follows)
    assert follows == [False, *[True] * 5, *[False] * 4, *[True] * 4]
    assert not stage.switcher.held({}).follows
