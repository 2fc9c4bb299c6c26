"""Lanes over one and several clips, and what a batch holds under each augmentation."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.core.errors import TrainingError
from tests.training.clips import RATE_HZ, noise
from training.core.random_state import RandomState
from training.data.augmentation import colour_change
from training.data.config import AugmentationConfig
from training.data.reader import Batch, SequenceReader
from training.data.streams import Streams
from training.data.video import Clip, ClipFormat
from training.data.windows import Fold, Stretch, WindowTiming, pictures, sound_windows

FORMAT = ClipFormat(fps=20, image_size=8, sample_rate_hz=RATE_HZ)
TIMING = WindowTiming(window_samples=1360, hop_samples=800)
STEPS = 4
JITTER = (0.3, 0.2, 0.5, 0.1)
PLAIN = AugmentationConfig()
ALL_ON = AugmentationConfig(gain_range_db=(-12.0, 0.0), flip=0.5, colour_jitter=JITTER, audio_dropout=0.5)


def made_clip(count: int, seed: int) -> Clip:
    frames = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    return Clip(frames, noise(count / 20, seed)[0], FORMAT, f"clip {seed}")


STRETCHES = [Stretch(made_clip(40, 1), Fold(0, 32)), Stretch(made_clip(20, 2), Fold(0, 16))]


def reader(
    augmentation: AugmentationConfig = PLAIN,
    lanes: int = 3,
    seed: int = 5,
    stretches: list[Stretch] = STRETCHES,
    **own: int,
) -> SequenceReader:
    return SequenceReader(stretches, TIMING, STEPS, augmentation, RandomState(seed, lanes, **own))


def places_of(read: SequenceReader) -> list[tuple[int, int]]:
    """Return the clips and first pictures of the next batch."""
    return list(zip(read.lanes.clip_B, read.lanes.next_B, strict=True))


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("real_BTCHW", "audio_BTW", "fresh_B"))


def test_one_clip_is_walked_to_its_end_and_again_from_another_place() -> None:
    lanes = Streams([Fold(0, 80)], 16, 1, torch.Generator().manual_seed(0))
    read = [lanes.advance() for _ in range(40)]
    for (before,), (start,), (fresh,) in ((a[0], b[0], b[1]) for a, b in itertools.pairwise(read)):
        assert fresh == (start[1] != before[1] + 16)
        assert not fresh or 0 <= start[1] < 16
        assert start[1] + 16 <= 80
    assert read[0] == ([(0, 0)], [True])
    assert len({start for ((start,), (fresh,)) in read if fresh}) > 3


def test_lanes_begin_at_different_places() -> None:
    starts, fresh = Streams([Fold(0, 80)], 16, 4, torch.Generator()).advance()
    assert starts == [(0, 0), (0, 16), (0, 32), (0, 48)]
    assert all(fresh)
    spread = Streams([Fold(0, 60), Fold(0, 20)], 16, 4, torch.Generator()).advance()[0]
    assert spread == [(0, 0), (0, 14), (0, 29), (1, 0)]


def test_a_fold_of_one_sequence_repeats_it() -> None:
    lanes = Streams([Fold(0, 16)], 16, 2, torch.Generator())
    assert [lanes.advance() for _ in range(2)] == [([(0, 0)] * 2, [True, True])] * 2


def test_clips_are_seen_in_proportion_to_their_length() -> None:
    folds, seen = [Fold(0, 400), Fold(0, 100), Fold(0, 200)], [0, 0, 0]
    lanes = Streams(folds, 4, 3, torch.Generator().manual_seed(1))
    for _ in range(2000):
        for clip, first in lanes.advance()[0]:
            assert first + 4 <= folds[clip].end
            seen[clip] += 1
    assert np.array(seen) / sum(seen) == pytest.approx([4 / 7, 1 / 7, 2 / 7], abs=0.02)


def test_another_clip_begins_with_a_fresh_state() -> None:
    lanes = Streams([Fold(0, 32), Fold(0, 16)], STEPS, 2, torch.Generator().manual_seed(1))
    read = [lanes.advance() for _ in range(60)]
    for (before, _), (after, fresh) in itertools.pairwise(read):
        for lane in range(2):
            assert fresh[lane] == (after[lane] != (before[lane][0], before[lane][1] + STEPS))
            assert not fresh[lane] or after[lane][0] != before[lane][0]


def test_a_batch_is_what_the_clips_hold() -> None:
    read = reader()
    for _ in range(20):
        places = places_of(read)
        batch = read.next()
        for lane, (clip, first) in enumerate(places):
            source = STRETCHES[clip].clip
            assert torch.equal(batch.real_BTCHW[lane], pictures(source, first, STEPS))
            heard = torch.from_numpy(sound_windows(source.sound_S, first, STEPS, TIMING))
            assert torch.equal(batch.audio_BTW[lane], heard)


@pytest.mark.parametrize("augmentation", [PLAIN, ALL_ON], ids=["plain", "all"])
def test_going_on_is_as_if_never_stopped(augmentation: AugmentationConfig) -> None:
    whole = reader(augmentation)
    for _ in range(9):
        whole.next()
    resumed = reader(augmentation, seed=99)
    assert resumed.restore({name: tensor.clone() for name, tensor in whole.tensors().items()})
    resumed.chance.restore(whole.chance.state())
    assert all(same(resumed.next(), whole.next()) for _ in range(20))


@pytest.mark.parametrize("augmentation", [PLAIN, ALL_ON], ids=["plain", "all"])
def test_two_processes_read_what_one_reads(augmentation: AugmentationConfig) -> None:
    together = reader(augmentation, lanes=3)
    apart = [reader(augmentation, lanes=3, first=0, own=1), reader(augmentation, lanes=3, first=1, own=2)]
    for _ in range(15):
        whole, parts = together.next(), [read.next() for read in apart]
        for name in ("real_BTCHW", "audio_BTW", "fresh_B"):
            assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
        assert torch.equal(torch.cat([read.elsewhere() for read in apart]), together.elsewhere())


def test_lanes_that_do_not_fit_are_not_restored() -> None:
    read = reader()
    saved = read.tensors()
    before = places_of(read)
    assert not read.restore({**saved, "next": saved["next"][:2]})
    assert not read.restore({**saved, "next": torch.tensor([30, 0, 0])})
    assert not read.restore({**saved, "clip": torch.tensor([0, 2, 0])})
    assert places_of(read) == before
    # A flip that is switched on later does not belong to the state that was carried.
    assert not reader(AugmentationConfig(flip=0.5)).restore(saved)
    assert not reader().restore(reader(ALL_ON).tensors())


def test_a_checkpoint_of_one_clip_from_before_there_were_several_goes_on() -> None:
    read = reader(stretches=STRETCHES[:1])
    assert read.restore({"next": torch.tensor([8, 0, 20]), "fresh": torch.tensor([False, True, False])})
    assert places_of(read) == [(0, 8), (0, 0), (0, 20)]


def test_other_moments_come_from_all_clips() -> None:
    read, known = reader(lanes=8), {}
    for clip, stretch in enumerate(STRETCHES):
        for first in range(stretch.fold.count - STEPS + 1):
            windows = torch.from_numpy(sound_windows(stretch.clip.sound_S, first, STEPS, TIMING))
            known[float(windows.double().sum())] = (clip, first)
    found = [known[float(heard.double().sum())] for _ in range(60) for heard in read.elsewhere()]
    assert {(0, 0), (0, 28), (1, 0), (1, 12)} <= set(found)
    assert len(set(found)) == 29 + 13


def test_gain_changes_the_level_and_nothing_else() -> None:
    plain, louder = reader(), reader(AugmentationConfig(gain_range_db=(-12.0, 0.0)))
    ratios = []
    for _ in range(10):
        one, other = plain.next(), louder.next()
        assert torch.equal(one.real_BTCHW, other.real_BTCHW)
        ratio_B = other.audio_BTW.norm(dim=(1, 2)) / one.audio_BTW.norm(dim=(1, 2))
        torch.testing.assert_close(other.audio_BTW, one.audio_BTW * ratio_B.view(-1, 1, 1))
        ratios += ratio_B.tolist()
    assert 10 ** (-12 / 20) <= min(ratios) < 0.5 < 0.8 < max(ratios) <= 1.0


def walks(augmentation: AugmentationConfig, batches: int = 120) -> list[list[tuple[Tensor, Batch, int]]]:
    """Return, for each walk of each lane, the unchanged pictures and the batch they became."""
    read, found = reader(augmentation), []
    current: list[list[tuple[Tensor, Batch, int]]] = [[], [], []]
    for _ in range(batches):
        places = places_of(read)
        batch = read.next()
        for lane, (clip, first) in enumerate(places):
            if batch.fresh_B[lane]:
                current[lane] = []
                found.append(current[lane])
            current[lane].append((pictures(STRETCHES[clip].clip, first, STEPS), batch, lane))
    return found


def test_a_lane_is_mirrored_from_one_fresh_start_to_the_next() -> None:
    mirrored = []
    for walk in walks(AugmentationConfig(flip=0.3)):
        kinds = set()
        for plain, batch, lane in walk:
            flipped = torch.equal(batch.real_BTCHW[lane], plain.flip(-1))
            assert flipped or torch.equal(batch.real_BTCHW[lane], plain)
            kinds.add(flipped)
        assert len(kinds) == 1
        mirrored.append(kinds.pop())
    assert 0.15 < np.mean(mirrored) < 0.45
    assert all(
        torch.equal(b.real_BTCHW[i], p.flip(-1)) for w in walks(AugmentationConfig(flip=1.0), 9) for p, b, i in w
    )


def test_flip_leaves_the_sound_as_it_is() -> None:
    plain, mirrored = reader(), reader(AugmentationConfig(flip=1.0))
    assert torch.equal(plain.next().audio_BTW, mirrored.next().audio_BTW)


def test_the_colours_of_a_lane_keep_from_one_fresh_start_to_the_next() -> None:
    changes = []
    for walk in walks(AugmentationConfig(colour_jitter=JITTER), 60):
        plain = torch.cat([p for p, _, _ in walk]).movedim(1, -1).reshape(-1, 3)
        seen = torch.cat([b.real_BTCHW[i] for _, b, i in walk]).movedim(1, -1).reshape(-1, 3)
        assert seen.abs().max() <= 1.0
        inside = (seen.abs() < 1.0).all(dim=1)
        # One affine change explains every pixel of the walk.
        known = torch.cat([plain, torch.ones(len(plain), 1)], dim=1)[inside]
        change = torch.linalg.lstsq(known, seen[inside]).solution
        torch.testing.assert_close(known @ change, seen[inside], atol=1e-4, rtol=0)
        changes.append(change)
    assert torch.stack(changes).std(dim=0).min() > 1e-3


def changed(largest: tuple[float, float, float, float], drawn: list[float], rgb: list[float]) -> list[float]:
    matrix, offset = colour_change(largest, torch.tensor(drawn))
    return (matrix @ torch.tensor(rgb) + offset).tolist()


def test_each_colour_change_is_what_its_name_says() -> None:
    half = 0.5
    orange, grey = [0.8, 0.2, -0.6], [0.2, 0.2, 0.2]
    assert changed(JITTER, [half] * 4, orange) == pytest.approx(orange, abs=1e-6)
    # Brightness: black stays black; contrast: mid grey stays; saturation and hue: every grey stays.
    assert changed((0.5, 0, 0, 0), [1.0, half, half, half], [-1.0] * 3) == pytest.approx([-1.0] * 3, abs=1e-6)
    assert changed((0.5, 0, 0, 0), [1.0, half, half, half], grey) == pytest.approx([0.8] * 3, abs=1e-6)
    assert changed((0, 0.5, 0, 0), [half, 0.0, half, half], [0.0, 0.4, -0.4]) == pytest.approx(
        [0.0, 0.2, -0.2], abs=1e-6
    )
    assert changed((0, 0, 1.0, 0.5), [half, half, 0.9, 0.9], grey) == pytest.approx(grey, abs=1e-5)
    luma = 0.299 * 0.8 + 0.587 * 0.2 - 0.114 * 0.6
    assert changed((0, 0, 1.0, 0), [half, half, 0.0, half], orange) == pytest.approx([luma] * 3, abs=1e-5)
    # A third of a turn leads from red to green or blue, at the same luma.
    turned = changed((0, 0, 0, 0.5), [half, half, half, half + 1 / 3], [0.5, 0.0, 0.0])
    assert max(turned[1:]) > 0.2 > 0.1 > turned[0]
    assert 0.299 * turned[0] + 0.587 * turned[1] + 0.114 * turned[2] == pytest.approx(0.1495, abs=1e-4)


def test_dropout_silences_sequences_that_remember_and_nothing_else() -> None:
    plain, dropping = reader(), reader(AugmentationConfig(audio_dropout=0.4))
    silenced = []
    for _ in range(120):
        heard, batch = plain.next(), dropping.next()
        # Dropping draws numbers of its own, so the lanes part ways at the first restart; until then all else is the same.
        silent_B = ~batch.audio_BTW.flatten(1).any(dim=1)
        assert not (silent_B & batch.fresh_B).any()
        silenced += silent_B[~batch.fresh_B].tolist()
        if len(silenced) < 9:
            assert torch.equal(batch.real_BTCHW, heard.real_BTCHW)
            assert torch.equal(batch.audio_BTW[~silent_B], heard.audio_BTW[~silent_B])
    assert 0.3 < np.mean(silenced) < 0.5
    assert reader(AugmentationConfig(audio_dropout=1.0)).next().audio_BTW.any()


def test_what_is_off_draws_no_random_numbers() -> None:
    plain, gained = reader(), reader(AugmentationConfig(gain_range_db=(-3.0, 0.0)))
    for read in (plain, gained):
        for _ in range(20):
            read.next()
    assert torch.equal(plain.chance.state(), gained.chance.state())
    expected = RandomState(5, 3)
    lanes = Streams([stretch.fold for stretch in STRETCHES], STEPS, 3, expected.generator)
    for _ in range(20):
        lanes.advance()
        expected.per_lane(1, 1)
    assert torch.equal(plain.chance.state(), expected.state())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"flip": 1.5}, r"augmentation\.flip is 1\.5; a probability"),
        ({"audio_dropout": -0.1}, r"augmentation\.audio_dropout is -0\.1; a probability"),
        ({"colour_jitter": (0.1, 0.1, 0.1, 0.6)}, "hue from 0 to 0.5"),
        ({"colour_jitter": (-0.1, 0.1, 0.1, 0.1)}, "from 0 to 1"),
        ({"gain_range_db": (0.0, -6.0)}, "lowest, highest"),
    ],
)
def test_settings_out_of_range_are_a_sentence(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        AugmentationConfig(**settings)  # type: ignore[arg-type]
