"""The synchrony suite on clips as AVSyncD renders them: 12 frames, 2 s, as long as a stretch of its classifier."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engine.core.errors import TrainingError
from tests.training.clips import noise, numbered_frames, write_clip
from tests.training.evaluation.renders.rendered_clips import clips, like_sound
from training.evaluation.renders.clip_pairs import ClipPair, read_pair, with_sound_of
from training.evaluation.renders.clip_synchrony import ClipSynchrony
from training.evaluation.renders.measures import Measure
from training.evaluation.synchrony.av_align import av_align
from training.evaluation.synchrony.classifier import ClassifierConfig, SmallClassifier
from training.evaluation.synchrony.classifier_figures import classify
from training.evaluation.synchrony.film import read_film
from training.evaluation.synchrony.suite import SuiteOptions


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[ClipPair]:
    folder = tmp_path_factory.mktemp("clips")
    rendered, real = clips(folder / "rendered", (0, 1), grain=40.0), clips(folder / "real", (0, 1))
    return [read_pair(*both, None) for both in zip(rendered, real, strict=True)]


@pytest.fixture(scope="module")
def classifier() -> SmallClassifier:
    torch.manual_seed(0)
    config = ClassifierConfig(fps=6, sample_rate_hz=12_000, side=16, channels=4, vector=8, window_frames=12)
    found = SmallClassifier(config).eval()
    with torch.no_grad():
        found.scale.fill_(3_000.0)
    return found


def measured(pairs: list[ClipPair], classifier: SmallClassifier | None) -> dict[str, Measure]:
    synchrony = ClipSynchrony(classifier, SuiteOptions(similarity=like_sound if classifier else None))
    for number, pair in enumerate(pairs):
        synchrony.add(pair, pairs[1 - number] if len(pairs) == 2 else None)
    return {measure.name: measure for measure in synchrony.measures()}


def test_a_clip_of_one_stretch_has_every_score(pairs: list[ClipPair], classifier: SmallClassifier) -> None:
    found = measured(pairs, classifier)
    for label in ("AVSync score", "RelSync", "AlignSync", "AV-Align v2025"):
        assert math.isfinite(found[label].value), label
        assert math.isfinite(found[label].floor), label
        assert found[label].clips == 2
    assert found["RelSync"].ceiling == 0.5
    # A bit more than a quarter where frames are more like the sound than the first one, a bit less otherwise.
    assert found["AlignSync"].ceiling == pytest.approx(0.25, abs=0.02)
    assert math.isnan(found["loudness-motion"].value)
    assert "sync accuracy" not in found


def test_rel_sync_is_that_of_the_two_scores(pairs: list[ClipPair], classifier: SmallClassifier) -> None:
    own, real = (classify(classifier, film).encoded.scores([0.0], [0.0])[0] for film in (pairs[0].film, pairs[0].real))
    found = measured(pairs, classifier)["RelSync"]
    assert found.each[0] == pytest.approx(1.0 / (1.0 + math.exp(real - own)))
    assert found.each[0] != pytest.approx(0.5, abs=1e-3)


def test_the_floor_is_the_sound_of_the_other_clip(pairs: list[ClipPair], classifier: SmallClassifier) -> None:
    found = measured(pairs, classifier)
    both = [(pairs[0].film, pairs[1].film), (pairs[1].film, pairs[0].film)]
    by_hand = [av_align(other.onsets_s, film.flow_N, 6, "v2025") for film, other in both]
    assert found["AV-Align v2025"].floor == pytest.approx(np.mean(by_hand))
    scores = [classify(classifier, film, other.path).encoded.scores([0.0], [0.0])[0] for film, other in both]
    assert found["AVSync score"].floor == pytest.approx(np.mean(scores))
    assert found["AVSync score"].floor != found["AVSync score"].value
    assert found["AVSync score"].floor_is == "the sound of another clip"


def test_one_clip_alone_has_its_sound_from_other_moments_as_floor(pairs: list[ClipPair]) -> None:
    found = measured(pairs[:1], None)["AV-Align v2025"]
    assert found.floor_is == "its sound from other moments"
    assert math.isfinite(found.floor)


def test_a_shorter_sound_cuts_the_film(pairs: list[ClipPair]) -> None:
    short = with_sound_of(pairs[0].film, with_sound_of(pairs[1].film, pairs[0].film))
    assert short.frames == 12
    half = read_film(clips(pairs[0].film.path.parent.parent / "short", (2,), seconds=1.0)[0])
    cut = with_sound_of(pairs[0].film, half)
    assert (cut.frames, len(cut.sound_S), len(cut.flow_N)) == (6, 16_000, 6)


def test_a_clip_without_a_frame_between_two_others_is_refused(tmp_path) -> None:
    path = write_clip(tmp_path / "two.mp4", numbered_frames(2), noise(0.1))
    with pytest.raises(TrainingError, match=r"two.mp4 has 2 frames with sound; at least 3 were expected"):
        measured([read_pair(path, path, None)], None)


def test_pairs_of_other_names_and_lengths_are_told(pairs: list[ClipPair], tmp_path) -> None:
    (longer,) = clips(tmp_path, (3,), seconds=3.0)
    pair = read_pair(pairs[0].film.path, longer, None)
    assert pair.frames == 12
    assert pair.notices() == [
        "clip0.mp4 stands beside clip3.mp4, which has another name; clips are paired in their order.",
        "clip0.mp4 has 2.0 s and its real clip clip3.mp4 3.0 s; the first 12 frames of both are compared.",
    ]
    assert pairs[0].notices() == []
