"""Training of the classifier by contrast: of stretches one frame apart, which sound goes with which frames?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.core.errors import MediaError, TrainingError
from training.data.clip_sound import read_sound
from training.data.frames import file_frame_rate, frames_with_sound, read_whole_frames
from training.data.video import SILENCE_DB
from training.evaluation.synchrony.classifier import ClassifierConfig, SmallClassifier, grey_tensor
from training.evaluation.synchrony.figures import LARGEST_OFFSET_S
from training.evaluation.synchrony.film import SLACK, level_db

# B segments, T frames, H W rows and columns, F features of the sound, K stretches of a segment

HELD_OUT_SHARE = 0.2
FEWEST_FILMS = 5
"""With fewer, the last fifth of each film is held out; with as many, every fifth film."""
BATCH = 16
LEARNING_RATE = 2e-3
MOST_TESTED = 256


@dataclass(frozen=True, slots=True)
class TrainedFilm:
    """A film as the classifier takes it."""

    frames_THW: Tensor
    """Grey, 0 to 255."""
    features_TF: Tensor

    def __len__(self) -> int:
        return len(self.features_TF)

    def part(self, first: int, end: int) -> TrainedFilm:
        return TrainedFilm(self.frames_THW[first:end], self.features_TF[first:end])


@dataclass(frozen=True, slots=True)
class SplitFilms:
    """Films to train with and films that are held out, all at least one segment long."""

    trained: list[TrainedFilm]
    held_out: list[TrainedFilm]
    left_out: list[str]
    """One sentence for each film that cannot be used."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of stretches of which the right sound was chosen among those around it, and the same by chance."""

    within_one_frame: float
    floor: float
    stretches: int


def stretches_of(config: ClassifierConfig) -> int:
    """Return how many stretches a segment has: from half a second before to half a second after the middle one, at least a frame."""
    return 2 * max(1, round(LARGEST_OFFSET_S * config.fps)) + 1


def segment_frames(config: ClassifierConfig) -> int:
    return config.window_frames + stretches_of(config) - 1


def read_films(
    paths: Sequence[Path], classifier: SmallClassifier, progress: Callable[[int], object] = lambda _: None
) -> SplitFilms:
    """Read films and split them. Raises TrainingError when none is left to train with or to test with."""
    films, left_out = list[TrainedFilm](), list[str]()
    for path in paths:
        try:
            films.append(_read_film(path, classifier))
        except (MediaError, TrainingError) as error:
            if len(paths) == 1:
                raise
            left_out.append(f"left out: {error}")
        progress(1)
    least = segment_frames(classifier.config)
    if len(films) >= FEWEST_FILMS:
        test_every = round(1.0 / HELD_OUT_SHARE)
        held_out = films[test_every - 1 :: test_every]
        trained = [film for number, film in enumerate(films) if number % test_every != test_every - 1]
    else:
        borders = [len(film) - max(round(HELD_OUT_SHARE * len(film)), least) for film in films]
        trained = [film.part(0, border) for film, border in zip(films, borders, strict=True) if border >= least]
        held_out = [
            film.part(border, len(film)) for film, border in zip(films, borders, strict=True) if border >= least
        ]
    if not trained or not held_out:
        needed_s = 2 * least / classifier.fps
        raise TrainingError(
            f"No film is long enough: {FEWEST_FILMS} films of {needed_s / 2:.1f} s or one of {needed_s:.1f} s were expected, with sound that "
            f"is not silent.{' ' + left_out[0] if left_out else ''}"
        )
    return SplitFilms(trained, held_out, left_out)


def _read_film(path: Path, classifier: SmallClassifier) -> TrainedFilm:
    config = classifier.config
    own_fps = file_frame_rate(path)
    if own_fps < SLACK * config.fps:
        raise TrainingError(
            f"{path} has {own_fps:g} frames a second; at least {config.fps} were expected, or --fps {max(1, round(own_fps))}."
        )
    sound_S = read_sound(path, config.sample_rate_hz)
    if level_db(sound_S) <= SILENCE_DB:
        raise TrainingError(f"{path} has a silent sound; nothing can be learned from it.")
    most = frames_with_sound(len(sound_S), config.sample_rate_hz, config.fps)
    frames, read = list[Tensor](), read_whole_frames(path, config.fps, config.side)
    for _, frame_HWC in zip(range(most), read, strict=False):
        frames.append((255.0 * grey_tensor(frame_HWC[None])[0]).round().byte())
    read.close()
    if len(frames) < segment_frames(config):
        raise TrainingError(
            f"{path} has {len(frames) / config.fps:.1f} s; at least {segment_frames(config) / config.fps:.1f} s were expected."
        )
    return TrainedFilm(torch.stack(frames), classifier.sound_features(sound_S, len(frames)))


def train(
    classifier: SmallClassifier, films: Sequence[TrainedFilm], seed: int, is_over: Callable[[int], float]
) -> Iterator[float]:
    """Train in place, and yield the loss of each iteration.

    `is_over` gets the iterations done and returns the share of the training that they are; it ends at 1.
    """
    random = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(classifier.parameters(), LEARNING_RATE, weight_decay=1e-2)
    labels = torch.arange(stretches_of(classifier.config))
    classifier.train()
    done = 0
    while (share := is_over(done)) < 1.0:
        for group in optimiser.param_groups:
            # Slower towards the end, so that the last iterations do not decide.
            group["lr"] = LEARNING_RATE * (1.0 - 0.95 * share)
        frames_BTHW, features_BTF = _batch(films, segment_frames(classifier.config), random)
        scores_BKK = classifier.shifted_scores(frames_BTHW, features_BTF)
        wanted = labels.expand(len(scores_BKK), -1)
        loss = 0.5 * functional.cross_entropy(scores_BKK.transpose(1, 2), wanted)
        loss = loss + 0.5 * functional.cross_entropy(scores_BKK, wanted)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(classifier.parameters(), 1.0)
        optimiser.step()
        done += 1
        yield loss.item()
    classifier.eval()


def _batch(films: Sequence[TrainedFilm], frames: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw segments: long films as much more often as they are longer."""
    room = np.array([len(film) - frames + 1 for film in films], float)
    chosen = random.choice(len(films), BATCH, p=room / room.sum())
    starts = [int(random.integers(len(films[index]) - frames + 1)) for index in chosen]
    parts = [films[index].part(start, start + frames) for index, start in zip(chosen, starts, strict=True)]
    return (
        torch.stack([part.frames_THW for part in parts]).float() / 255.0,
        torch.stack([part.features_TF for part in parts]),
    )


@torch.inference_mode()
def accuracy(classifier: SmallClassifier, films: Sequence[TrainedFilm]) -> Accuracy:
    """Return how often the middle stretch of frames finds its sound, to the frame, among those within half a second."""
    classifier.eval()
    frames, middle = segment_frames(classifier.config), stretches_of(classifier.config) // 2
    segments = [
        film.part(start, start + frames)
        for film in films
        for start in range(0, len(film) - frames + 1, max(1, classifier.config.window_frames // 2))
    ]
    segments = [
        segments[index] for index in np.linspace(0, len(segments) - 1, min(len(segments), MOST_TESTED)).astype(int)
    ]
    right = 0
    for segment in segments:
        scores_KK = classifier.shifted_scores(segment.frames_THW[None].float() / 255.0, segment.features_TF[None])[0]
        right += abs(int(scores_KK[middle].argmax()) - middle) <= 1
    return Accuracy(right / len(segments), 3 / stretches_of(classifier.config), len(segments))
