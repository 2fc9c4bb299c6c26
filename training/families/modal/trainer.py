"""Training of modal models: it begins with measured amplitudes, and an iteration composes a part of the frame alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.core.errors import TrainingError
from engine.model.compositor import Compositor
from engine.model.layers import WEIGHTS
from training.core import distributed
from training.core.composition import FramePart, compose
from training.core.frame_size import FrameSize
from training.core.layered import ShownModel
from training.data.flow import size_of_mean_side
from training.data.footage import spread_places
from training.data.reader import Batch, SequenceReader
from training.data.windows import Segment, WindowTiming, frame_tensor, sound_windows
from training.families.modal.config import SOUND_SHARE
from training.families.modal.controls import GUIDANCE
from training.families.modal.equaliser import equalised, equaliser_gains
from training.families.modal.frame_encoder import FrameEncoder, learn_maps, warmed_up_encoder
from training.families.modal.model import Modal
from training.families.modal.sharp_frames import sharp_frames
from training.families.modal.sound_fit import Measured, fit_sound
from training.families.modal.start import MOST_MEASURED, measured_amplitudes, measured_size
from training.loop.adversarial_trainer import AdversarialTrainer, Played
from training.loop.tuning import LIMIT_S, mean_loss
from training.loop.validation import Validation, validate_segments

# B streams, T frames, P pairs of consecutive frames, F features, W window samples, H W rows and columns

BEGUN = "begun"
"""The tensor of a checkpoint that tells whether the beginning went to its end: one that was stopped is made again."""
_WARM_UP_SHARE, _MAPS_SHARE = 0.1, 0.3
"""Of a run's budget: the encoder is warmed up, and maps are learned, no longer than until then, where the time is short or the machine busy."""
_COMPARED_FRAMES = 24
_PAIRS_AT_ONCE = 32
_WINDOWS_AT_ONCE = 1024
_RUN_IN_S = 12.0
"""What is heard before a measured pair: ten times the longest decay that oscillators start with."""
_USUAL_SIDE = 256
_SIDES = 8
"""Sides of a part are multiples of it, as a discriminator halves them."""


class PartReader(SequenceReader):
    """Reads frames of a `shrink`-th of their height and width, and of them a part at a random place that is another in each batch.
    `part_size` None reads whole frames."""

    shrink = 1
    part_size: FrameSize | None = None
    part: FramePart | None = None

    def next(self) -> Batch:
        if self.part_size:
            whole = shrunk(self.segments[0].clip.format.frame_size, self.shrink)
            top, left = (
                self.random_state.integer(side - own + 1) for side, own in zip(whole, self.part_size, strict=True)
            )
            self.part = FramePart(top, left, *self.part_size)
        return super().next()

    def frames(self, clip: int, first: int) -> Tensor:
        part, times = self.part, self.shrink
        cut = part and FramePart(times * part.top, times * part.left, times * part.height, times * part.width)
        frames = frame_tensor(self.segments[clip].clip, first, self.steps, cut)
        return frames if times == 1 else functional.avg_pool2d(frames, times)


class ModalTrainer(AdversarialTrainer):
    """`AdversarialTrainer` for the modal family."""

    model: Modal
    reader: PartReader

    def build_reader(self) -> Any:
        config = self.config
        timing = WindowTiming.of(self.model)
        reader = PartReader(
            self.footage.training, timing, config.sequence_frames, config.augmentation, self.random_state
        )
        reader.shrink = config.losses.shrink_of(self.model.frame_size)
        # What is mirrored lies elsewhere in the frame.
        if not config.augmentation.flip:
            size = shrunk(self.model.frame_size, reader.shrink)
            reader.part_size = part_size(size, config.losses.part_side)
        return reader

    is_begun: bool | None = None
    """Whether the beginning went to its end; None where only the weights tell: in a new run, and in checkpoints without `BEGUN`."""

    def start_model(self) -> None:
        self.model.start_from(self.footage.spread_frames(MOST_MEASURED))
        scale = self.model.generator.texture_scale
        if scale > 1:
            places = spread_places(self.footage.training, MOST_MEASURED)
            chosen = [places[number] for number in self.model.key_frames]
            sharp = sharp_frames(self.config.clip, scale, chosen)
            # Else they stay enlarged from the frames.
            if sharp is not None:
                self.model.set_textures(sharp)

    def played(self, batch: Batch) -> Played:
        real_BTCHW, audio_BTW = batch.real_BTCHW.to(self.device), batch.audio_BTW.to(self.device)
        features_BTF = self.features(audio_BTW)
        fields, next_state = self.model.clip_fields(features_BTF, {}, self.state, self._drop_sound())
        flat = {role: values.flatten(0, 1) for role, values in fields.items()}
        size = shrunk(self.model.frame_size, self.reader.shrink)
        fake_BTCHW = compose(flat, self._textures(), *size, self.reader.part).unflatten(0, real_BTCHW.shape[:2])
        return Played(real_BTCHW, fake_BTCHW, features_BTF, next_state, self._mixing(fields[WEIGHTS]))

    def _mixing(self, weights_BTKhw: Tensor) -> dict[str, tuple[float, Tensor]]:
        weight = self.config.losses.mixing
        return {"mixing": (weight, 1.0 - weights_BTKhw.square().sum(dim=2).mean())} if weight > 0 else {}

    def _drop_sound(self) -> dict[str, Tensor]:
        """Return the control with which some sequences are shown without their sound, for a model that learns to be deaf."""
        if self.model.deaf is None:
            return {}
        is_heard_B = self.random_state.per_stream() >= self.config.losses.deaf_share
        return {GUIDANCE: is_heard_B.float().to(self.device)}

    _small_textures: list[Tensor] | None = None

    def _textures(self) -> list[Tensor]:
        """Return the textures in [0, 1] that frames of an iteration are composed of; training changes none."""
        if self._small_textures is None:
            small = [functional.avg_pool2d(levels / 255.0, self.reader.shrink) for levels in self.model.texture_levels]
            self._small_textures = small
        return self._small_textures

    def tuning_loss(self) -> float | None:
        tuning, steps = self.footage.tuning, self.config.sequence_frames
        if not tuning:
            return None
        # Of large frames fewer, and these compared smaller, or it would take longer than the iterations between.
        limit_s = LIMIT_S * min(1.0, _USUAL_SIDE / self.model.frame_size.mean_side)
        shrink = self.reader.shrink

        def loss(fake_BTCHW: Tensor, real_BTCHW: Tensor) -> Tensor:
            return self.reconstruction_loss(_pooled(fake_BTCHW, shrink), _pooled(real_BTCHW, shrink))

        return mean_loss(ShownModel(self.average), tuning, steps, loss, limit_s)

    def validate(self, limit_s: float | None = None) -> Validation:
        held_out, steps = self.footage.validation, self.config.sequence_frames
        return validate_segments(ShownModel(self.average), held_out, self.mean_CHW, steps, limit_s)

    def begin(self, is_stopping: Callable[[], bool], budget_used: Callable[[], float] = lambda: 0.0) -> None:
        """Measure the amplitudes of some frames, and let the sound give them; not where weights are there already. Then equalise the textures.

        A beginning that was stopped is made again when the run goes on.
        """
        is_new = not self._has_begun()
        if not self.config.losses.start_frames or self.is_begun or (self.is_resumed and not is_new):
            return
        if is_new:
            self._begin(is_stopping, budget_used)
        if not is_stopping():
            self._equalise()
        self.is_begun = not is_stopping()

    def tensors_of_losses(self) -> dict[str, Tensor]:
        return {**super().tensors_of_losses(), BEGUN: torch.tensor(self._has_begun())}

    def restore_losses(self, tensors: Mapping[str, Tensor]) -> None:
        super().restore_losses(tensors)
        self.is_begun = bool(tensors[BEGUN]) if BEGUN in tensors else None

    def _has_begun(self) -> bool:
        return self.model.has_begun if self.is_begun is None else self.is_begun

    def _begin(self, is_stopping: Callable[[], bool], budget_used: Callable[[], float]) -> None:
        losses, generator = self.config.losses, torch.Generator().manual_seed(self.config.seed)
        training = self.footage.training
        self.model.train()

        def until(share: float) -> Callable[[], bool]:
            return lambda: is_stopping() or budget_used() >= share

        frames = self._small_pairs(spread_pairs(training, max(2, losses.start_frames // 2))).flatten(0, 1)
        amplitudes = measured_amplitudes(self.model, frames)
        encoder = warmed_up_encoder(frames, amplitudes, generator, until(_WARM_UP_SHARE))
        pairs = spread_pairs(training, max(2, losses.sound_frames // 2))

        def some_pairs(count: int) -> Tensor:
            return self._small_pairs([pairs[n] for n in torch.randint(len(pairs), (count,), generator=generator)])

        learn_maps(self.model, encoder, some_pairs, losses.map_iterations, until(_MAPS_SHARE))
        if not is_stopping():
            self._learn_sound(encoder, pairs, generator, until(SOUND_SHARE))
        # Also where this process alone was asked to stop: the others wait for it here.
        distributed.start_alike(self.model)
        self.average.load_state_dict(self.model.state_dict())

    def _learn_sound(
        self,
        encoder: FrameEncoder,
        pairs: Sequence[tuple[int, int]],
        generator: torch.Generator,
        is_stopping: Callable[[], bool],
    ) -> None:
        """Let the sound give the amplitudes that the encoder reads from pairs of frames."""
        training = self.footage.training
        with torch.no_grad():
            blocks = [pairs[first : first + _PAIRS_AT_ONCE] for first in range(0, len(pairs), _PAIRS_AT_ONCE)]
            amplitudes = torch.cat([encoder.of_pairs(self._small_pairs(block)) for block in blocks])
        excerpts, placed = excerpts_around(pairs, round(_RUN_IN_S * self.model.fps))
        excerpts_P, steps_P = (torch.tensor(numbers) for numbers in zip(*placed, strict=True))
        features = [self._features_of(training[s], first, end) for s, first, end in excerpts]
        measured = Measured(excerpts_P, steps_P, amplitudes)
        fit_sound(self.model, features, measured, self.config.losses, generator, is_stopping)

    @torch.no_grad()
    def _equalise(self) -> None:
        """Raise the detail of the textures until frames spread over the clip are as sharp as it is (equaliser.py)."""
        most, model, training = self.config.losses.detail_gain, self.model, self.footage.training
        if most <= 1.0:
            return
        pairs = spread_pairs(training, _COMPARED_FRAMES)
        excerpts, placed = excerpts_around(pairs, round(_RUN_IN_S * model.fps))
        amplitudes = [
            model.amplitudes_of(*model.from_rest(self._features_of(training[s], first, end)))
            for s, first, end in excerpts
        ]
        chosen_PA = torch.stack([amplitudes[excerpt][step] for excerpt, step in placed])
        fields = {role: values[:, 0].cpu().numpy() for role, values in model.fields(chosen_PA[:, None]).items()}

        def composed(textures_K3HW: Tensor) -> Iterator[NDArray[np.uint8]]:
            levels = [levels_3HW.permute(1, 2, 0).cpu().numpy() for levels_3HW in textures_K3HW]
            compositor = Compositor(levels, *model.frame_size)
            for place in range(len(pairs)):
                yield compositor.compose({role: values[place] for role, values in fields.items()})

        real = (np.asarray(training[s].clip.frames_NHWC[training[s].frame_range.first + step]) for s, step in pairs)
        textures, scale = model.get_buffer("textures"), model.generator.texture_scale
        gains = equaliser_gains(composed, textures, real, most, scale)
        textures.copy_(equalised(textures, gains, scale))
        distributed.start_alike(model)
        self.average.get_buffer("textures").copy_(textures)
        self._small_textures = None

    def _small_pairs(self, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Return pairs of frames [P, 2, 3, H, W] in [-1, 1], in the measured size."""
        size = measured_size(self.model.frame_size)
        return torch.stack([_small_pair(self.footage.training[s], step, size) for s, step in pairs]).to(self.device)

    @torch.no_grad()
    def _features_of(self, segment: Segment, first: int, end: int) -> Tensor:
        """Return the features [T, F] of the steps from `first` to before `end` of a segment."""
        timing, start = WindowTiming.of(self.model), segment.frame_range.first
        blocks = []
        for begin in range(start + first, start + end, _WINDOWS_AT_ONCE):
            steps = min(_WINDOWS_AT_ONCE, start + end - begin)
            windows_TW = torch.from_numpy(sound_windows(segment.clip.sound_S, begin, steps, timing))
            blocks.append(self.model.front_end(windows_TW.to(self.device)))
        return torch.cat(blocks)


def shrunk(size: FrameSize, times: int) -> FrameSize:
    """Return a size of one such part of the height and width."""
    return FrameSize(size.height // times, size.width // times)


def _pooled(frames_BTCHW: Tensor, times: int) -> Tensor:
    return functional.avg_pool2d(frames_BTCHW.flatten(0, 1), times).unflatten(0, frames_BTCHW.shape[:2])


def part_size(whole: FrameSize, side: int) -> FrameSize | None:
    """Return the size of a part of about `side`² pixels in the frame's shape; None where that is the whole frame, and for 0."""
    if not side:
        return None
    size = size_of_mean_side(side, whole)
    size = FrameSize(*(max(_SIDES, round(own / _SIDES) * _SIDES) for own in size))
    return size if size.height < whole.height and size.width < whole.width else None


def spread_pairs(segments: tuple[Segment, ...], count: int) -> list[tuple[int, int]]:
    """Return up to `count` places for pairs of consecutive frames, spread evenly: number of the segment, and step in it.

    Raises TrainingError where there is no pair.
    """
    places = [(number, step) for number, s in enumerate(segments) for step in range(0, s.frame_range.count - 1)]
    if len(places) < 2:
        raise TrainingError("The clip has fewer than three frames to train on; give a longer clip.")
    chosen = np.unique(np.linspace(0, len(places) - 1, min(count, len(places))).round().astype(int))
    return [places[number] for number in chosen]


def excerpts_around(
    pairs: Sequence[tuple[int, int]], run_in: int
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """Return the excerpts that hold pairs (number of the segment, step in it; in order), with up to `run_in` steps before each.

    An excerpt is the number of its segment, its first step and its end; then each pair's excerpt and step in it. Of a long clip, or of many,
    no more than that has to be heard.
    """
    excerpts: list[tuple[int, int, int]] = []
    placed: list[tuple[int, int]] = []
    for segment, step in pairs:
        first = max(0, step - run_in)
        if excerpts and excerpts[-1][0] == segment and first <= excerpts[-1][2]:
            first = excerpts.pop()[1]
        excerpts.append((segment, first, step + 2))
        placed.append((len(excerpts) - 1, step - first))
    return excerpts, placed


def _small_pair(segment: Segment, step: int, size: FrameSize) -> Tensor:
    """Return two consecutive frames [2, 3, H, W] in [-1, 1]."""
    first = segment.frame_range.first + step
    pair = [
        cv2.resize(np.asarray(frame), (size.width, size.height), interpolation=cv2.INTER_AREA)
        for frame in segment.clip.frames_NHWC[first : first + 2]
    ]
    return torch.from_numpy(np.stack(pair)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
