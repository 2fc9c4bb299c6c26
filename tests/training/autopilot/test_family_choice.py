"""The family is chosen by what the clip analysis found, of those that know the settings that were given."""

import pytest

from engine.core.errors import TrainingError
from training.autopilot.family_choice import accepting, choose_family, named_teaching, teachings
from training.families.registry import DEFAULT_FAMILY
from training.families.teaching import ClipTraits, MotionKind, Teaching


def traits(kind: MotionKind = "solid", camera_moves: bool = False) -> ClipTraits:
    return ClipTraits(kind=kind, camera_moves=camera_moves, trained_s=7.0)


@pytest.mark.parametrize("kind", ["solid", "light"])
def test_a_still_camera_gets_the_clip_s_own_frames(kind: MotionKind) -> None:
    choice = choose_family(teachings(), traits(kind))
    assert choice.name == "modal"
    assert choice.because.startswith("the camera stands still")


@pytest.mark.parametrize("kind", ["solid", "fluid", "light"])
def test_frames_of_a_moving_camera_are_painted(kind: MotionKind) -> None:
    choice = choose_family(teachings(), traits(kind, camera_moves=True))
    assert (choice.name, choice.because) == (
        "listen_and_move",
        "the camera moves, so every frame is painted as a whole",
    )


def test_families_that_do_not_know_the_settings_are_left_out() -> None:
    def knows(teaching: Teaching) -> None:
        if teaching.config_file != "modal.yaml":
            raise TrainingError("unknown")

    assert list(accepting(teachings(), knows)) == ["modal"]


def test_what_no_family_knows_is_refused_in_the_words_of_the_default_one() -> None:
    def refused(teaching: Teaching) -> None:
        raise TrainingError(f"not for {teaching.config_file}")

    assert next(iter(teachings())) == DEFAULT_FAMILY
    with pytest.raises(TrainingError, match=r"not for teach\.yaml"):
        accepting(teachings(), refused)


def test_a_family_that_is_not_there_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(TrainingError, match=r"no family 'model'\. Did you mean 'modal'\?|no family 'model'.*modal"):
        named_teaching("model")
