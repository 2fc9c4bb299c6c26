"""Every measure finds by how many frames the sound of a film was moved, and falls as it moves away."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.training.evaluation.synchrony.films import KICKED, PLAIN, late_film, made
from training.evaluation.synchrony.classifier import ClassifierConfig, EncodedFilm, SmallClassifier, grey_tensor
from training.evaluation.synchrony.classifier_figures import REL_SYNC, SCORE, classify
from training.evaluation.synchrony.classifier_training import TrainedFilm, accuracy, train
from training.evaluation.synchrony.film import read_film
from training.evaluation.synchrony.peak_figures import AV_ALIGN, av_align_figure, loudness_motion
from training.evaluation.synchrony.suite import SuiteOptions, measure_films

CONFIG = ClassifierConfig(side=16, channels=8, window_frames=24)
ITERATIONS = 100


@pytest.fixture(scope="module")
def classifier() -> Iterator[SmallClassifier]:
    """A small classifier that has seen digits bounce for a few seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found = SmallClassifier(CONFIG)
    for _ in train(found, [trained(found, number) for number in range(20, 32)], 0, lambda done: done / ITERATIONS):
        pass
    yield found
    torch.set_num_threads(threads)


def trained(classifier: SmallClassifier, number: int) -> TrainedFilm:
    clip = made(PLAIN, number)
    small = clip.frames_NHW.reshape(len(clip.frames_NHW), 16, 4, 16, 4).mean(axis=(2, 4)).astype(np.uint8)
    grey = (255.0 * grey_tensor(np.repeat(small[..., None], 3, axis=3))).byte()
    return TrainedFilm(grey, classifier.sound_features(clip.sound_S, len(grey)))


@pytest.mark.parametrize("late_frames", [-6, 0, 4])
def test_av_align_finds_a_known_offset_where_a_bounce_is_a_peak_of_the_motion(late_frames: int, tmp_path: Path) -> None:
    film = read_film(late_film(tmp_path, KICKED, 10, late_frames))
    for variant in AV_ALIGN:
        figure = av_align_figure(film, variant, 20)
        assert figure.best_offset_s * 20 == pytest.approx(late_frames, abs=1.01)
        at_best = figure.curve[10 + late_frames]
        assert at_best > figure.floor_mean + 2 * figure.floor_deviation


def test_the_classifier_tells_single_frames_apart(classifier: SmallClassifier) -> None:
    held_out = [trained(classifier, number) for number in range(40, 44)]
    found = accuracy(classifier, held_out)
    assert found.within_one_frame > 0.6
    assert found.floor == pytest.approx(3 / 21)


@pytest.mark.parametrize("late_frames", [-5, 0, 7])
def test_the_classifier_finds_a_known_offset(late_frames: int, classifier: SmallClassifier, tmp_path: Path) -> None:
    figures = classify(classifier, read_film(late_film(tmp_path, PLAIN, 6, late_frames), with_flow=False)).figures()
    assert figures.score.best_offset_s * 20 == pytest.approx(late_frames, abs=1.01)
    away = [figures.score.curve[10 + late_frames + step] for step in (0, 2, 3)]
    assert away == sorted(away, reverse=True)
    assert (figures.accuracy > 0.5) == (late_frames == 0)


def test_floor_and_ceiling_lie_on_both_sides(classifier: SmallClassifier, tmp_path: Path) -> None:
    real, late = late_film(tmp_path / "real", PLAIN, 3), late_film(tmp_path / "late", PLAIN, 3, 10)
    found = measure_films([real, late], [real], classifier, SuiteOptions(shifts=10))
    in_time, moved = found.films
    assert in_time.figures[REL_SYNC].value == pytest.approx(0.5)
    assert in_time.figures[SCORE].value > in_time.figures[SCORE].floor_mean + 2 * in_time.figures[SCORE].floor_deviation
    assert moved.figures[REL_SYNC].value < 0.45
    assert in_time.figures[REL_SYNC].floor_mean < 0.45
    preferred = in_time.classified.preferred if in_time.classified else ()
    assert preferred[10] == 0.5
    assert np.mean(preferred[:6] + preferred[15:]) > 0.7


def test_loudness_and_motion_of_a_film_that_moves_with_its_level(tmp_path: Path) -> None:
    from tests.training.clips import moving_clip

    figure = loudness_motion(read_film(moving_clip(tmp_path / "clip.mp4", seconds=6.0)), "db", 20)
    assert figure.best_offset_s == 0.0
    assert figure.value > 0.8 > 0.4 > figure.floor_mean


class Watched(SmallClassifier):
    """Counts the encoded films that are in memory when another one comes."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config)
        self.alive, self.most = weakref.WeakSet[WatchedFilm](), 0

    def encode(self, frames_THWC: NDArray[np.uint8], sound_S: NDArray[np.float32]) -> EncodedFilm:
        self.most = max(self.most, len(self.alive))
        found = WatchedFilm(super().encode(frames_THWC, sound_S))
        self.alive.add(found)
        return found


class WatchedFilm:
    def __init__(self, film: EncodedFilm) -> None:
        self.scores = film.scores


def test_a_reference_is_forgotten_after_its_film(tmp_path: Path) -> None:
    film = late_film(tmp_path, PLAIN, 3)
    watched = Watched(ClassifierConfig(side=16, channels=4, vector=8, window_frames=10)).eval()
    found = measure_films([film] * 4, [film] * 4, watched, SuiteOptions(shifts=2))
    assert (len(found.films), len(found.references)) == (4, 4)
    assert all(each.figures[REL_SYNC].value == pytest.approx(0.5) for each in found.films)
    assert watched.most == 1
