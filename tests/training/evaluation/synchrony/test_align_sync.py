"""AlignSync, with a similarity that is known: bright frames are like loud sounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from tests.training.evaluation.synchrony.films import PLAIN, late_film
from training.evaluation.synchrony.align_sync import ALIGN_SYNC, align_sync, load_similarity
from training.evaluation.synchrony.classifier import ClassifierConfig, SmallClassifier
from training.evaluation.synchrony.classifier_figures import REL_SYNC, FilmClassification, classify, rel_sync
from training.evaluation.synchrony.film import read_film
from training.evaluation.synchrony.suite import SuiteOptions, measure_films


def always_alike(frames_THWC: NDArray[np.uint8], sound_S: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    assert frames_THWC.shape[1:] == (224, 224, 3)
    assert len(sound_S) == rate_hz // 2
    return np.full(len(frames_THWC), 0.3)


def of_brightness(frames_THWC: NDArray[np.uint8], sound_S: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    return frames_THWC.mean(axis=(1, 2, 3)) / 255.0


def one_number(frames_THWC: NDArray[np.uint8], sound_S: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    return np.zeros(1)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> FilmClassification:
    torch.manual_seed(0)
    classifier = SmallClassifier(ClassifierConfig(side=16, channels=4, vector=8, window_frames=10)).eval()
    return classify(classifier, read_film(late_film(tmp_path_factory.mktemp("films"), PLAIN), None))


def test_a_reference_beside_itself_is_a_quarter(digits: FilmClassification) -> None:
    assert rel_sync(digits, digits).value == 0.5
    assert align_sync(digits, digits, always_alike).value == pytest.approx(0.25)


def test_frames_that_are_more_like_their_sound_than_the_first_one_count_more(digits: FilmClassification) -> None:
    """The factor is that of a softmax of two: by hand for one stretch after the other."""
    found = align_sync(digits, digits, lambda frames, sound, rate: np.linspace(0.0, 2.0, len(frames)))
    steps = np.linspace(0.0, 2.0, 10)[1:]
    assert found.value == pytest.approx(0.5 * float((1.0 / (1.0 + np.exp(-steps))).mean()))
    assert found.floor_mean != found.value


def test_the_suite_measures_it_with_a_similarity(digits: FilmClassification) -> None:
    path, options = digits.film.path, SuiteOptions(shifts=2, similarity=of_brightness)
    figures = measure_films([path], [path], digits.classifier, options).films[0].figures
    assert figures[ALIGN_SYNC].value == pytest.approx(0.5 * figures[REL_SYNC].value, abs=0.02)
    assert ALIGN_SYNC not in measure_films([path], [path], digits.classifier, SuiteOptions(shifts=2)).films[0].figures


def test_a_similarity_that_answers_wrongly_is_refused(digits: FilmClassification) -> None:
    with pytest.raises(TrainingError, match=r"shape \[1\] for 10 frames; one finite number for each was expected"):
        align_sync(digits, digits, one_number)


def test_a_similarity_is_found_by_its_name() -> None:
    assert load_similarity(f"{__name__}:of_brightness") is of_brightness


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no.such.module:f", "No module named 'no'"),
        ("math:no_such", "has no attribute 'no_such'"),
        ("math", "MODULE:FUNCTION"),
        ("math:pi", "is no function"),
        (":f", "MODULE:FUNCTION"),
    ],
)
def test_what_is_no_similarity_is_refused(name: str, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        load_similarity(name)
