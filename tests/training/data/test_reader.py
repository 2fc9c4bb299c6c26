"""Streams over one and several clips, and the content of a batch under each augmentation."""

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
from training.data.windows import FrameRange, Segment, WindowTiming, frame_tensor, sound_windows

FORMAT = ClipFormat(fps=20, image_size=8, sample_rate_hz=RATE_HZ)
TIMING = WindowTiming(window_samples=1360, hop_samples=800)
STEPS = 4
JITTER = (0.3, 0.2, 0.5, 0.1)
PLAIN = AugmentationConfig()
ALL_ON = AugmentationConfig(gain_range_db=(-12.0, 0.0), flip=0.5, colour_jitter=JITTER, audio_dropout=0.5)


def made_clip(count: int, seed: int) -> Clip:
    frames = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    return Clip(frames, noise(count / 20, seed)[0], FORMAT, f"clip {seed}")


SEGMENTS = [Segment(made_clip(40, 1), FrameRange(0, 32)), Segment(made_clip(20, 2), FrameRange(0, 16))]


def reader(
    augmentation: AugmentationConfig = PLAIN,
    streams: int = 3,
    seed: int = 5,
    segments: list[Segment] = SEGMENTS,
    **own: int,
) -> SequenceReader:
    return SequenceReader(segments, TIMING, STEPS, augmentation, RandomState(seed, streams, **own))


def places_of(read: SequenceReader) -> list[tuple[int, int]]:
    """Return the clips and first frames of the next batch."""
    return list(zip(read.streams.clip_B, read.streams.next_B, strict=True))


def same(one: Batch, other: Batch) -> bool:
    return all(
        torch.equal(getattr(one, name), getattr(other, name)) for name in ("real_BTCHW", "audio_BTW", "restarted_B")
    )


def test_one_clip_is_read_to_its_end_and_again_from_another_place() -> None:
    streams = Streams([FrameRange(0, 80)], 16, 1, torch.Generator().manual_seed(0))
    read = [streams.advance() for _ in range(40)]
    for (before,), (start,), (restarted,) in ((a[0], b[0], b[1]) for a, b in itertools.pairwise(read)):
        assert restarted == (start[1] != before[1] + 16)
        assert not restarted or 0 <= start[1] < 16
        assert start[1] + 16 <= 80
    assert read[0] == ([(0, 0)], [True])
    assert len({start for ((start,), (restarted,)) in read if restarted}) > 3


def test_streams_start_at_different_places() -> None:
    starts, restarted = Streams([FrameRange(0, 80)], 16, 4, torch.Generator()).advance()
    assert starts == [(0, 0), (0, 16), (0, 32), (0, 48)]
    assert all(restarted)
    spread = Streams([FrameRange(0, 60), FrameRange(0, 20)], 16, 4, torch.Generator()).advance()[0]
    assert spread == [(0, 0), (0, 14), (0, 29), (1, 0)]


def test_a_range_of_one_sequence_repeats_it() -> None:
    streams = Streams([FrameRange(0, 16)], 16, 2, torch.Generator())
    assert [streams.advance() for _ in range(2)] == [([(0, 0)] * 2, [True, True])] * 2


def test_clips_are_read_in_proportion_to_their_length() -> None:
    ranges, read = [FrameRange(0, 400), FrameRange(0, 100), FrameRange(0, 200)], [0, 0, 0]
    streams = Streams(ranges, 4, 3, torch.Generator().manual_seed(1))
    for _ in range(2000):
        for clip, first in streams.advance()[0]:
            assert first + 4 <= ranges[clip].end
            read[clip] += 1
    assert np.array(read) / sum(read) == pytest.approx([4 / 7, 1 / 7, 2 / 7], abs=0.02)


def test_another_clip_starts_with_the_initial_state() -> None:
    streams = Streams([FrameRange(0, 32), FrameRange(0, 16)], STEPS, 2, torch.Generator().manual_seed(1))
    read = [streams.advance() for _ in range(60)]
    for (before, _), (after, restarted) in itertools.pairwise(read):
        for stream in range(2):
            assert restarted[stream] == (after[stream] != (before[stream][0], before[stream][1] + STEPS))
            assert not restarted[stream] or after[stream][0] != before[stream][0]


def test_a_batch_holds_the_frames_and_windows_of_the_clips() -> None:
    read = reader()
    for _ in range(20):
        places = places_of(read)
        batch = read.next()
        for stream, (clip, first) in enumerate(places):
            source = SEGMENTS[clip].clip
            assert torch.equal(batch.real_BTCHW[stream], frame_tensor(source, first, STEPS))
            expected = torch.from_numpy(sound_windows(source.sound_S, first, STEPS, TIMING))
            assert torch.equal(batch.audio_BTW[stream], expected)


@pytest.mark.parametrize("augmentation", [PLAIN, ALL_ON], ids=["plain", "all"])
def test_a_resumed_reader_continues_exactly(augmentation: AugmentationConfig) -> None:
    whole = reader(augmentation)
    for _ in range(9):
        whole.next()
    resumed = reader(augmentation, seed=99)
    assert resumed.restore({name: tensor.clone() for name, tensor in whole.tensors().items()})
    resumed.random_state.restore(whole.random_state.state())
    assert all(same(resumed.next(), whole.next()) for _ in range(20))


@pytest.mark.parametrize("augmentation", [PLAIN, ALL_ON], ids=["plain", "all"])
def test_two_processes_read_the_same_as_one(augmentation: AugmentationConfig) -> None:
    together = reader(augmentation, streams=3)
    apart = [reader(augmentation, streams=3, first=0, own=1), reader(augmentation, streams=3, first=1, own=2)]
    for _ in range(15):
        whole, parts = together.next(), [read.next() for read in apart]
        for name in ("real_BTCHW", "audio_BTW", "restarted_B"):
            assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
        assert torch.equal(torch.cat([read.other_moment() for read in apart]), together.other_moment())


def test_streams_that_do_not_fit_are_not_restored() -> None:
    read = reader()
    saved = read.tensors()
    before = places_of(read)
    assert not read.restore({**saved, "next": saved["next"][:2]})
    assert not read.restore({**saved, "next": torch.tensor([30, 0, 0])})
    assert not read.restore({**saved, "clip": torch.tensor([0, 2, 0])})
    assert places_of(read) == before
    # The carried state was made without the flip that is switched on now.
    assert not reader(AugmentationConfig(flip=0.5)).restore(saved)
    assert not reader().restore(reader(ALL_ON).tensors())


def test_a_checkpoint_from_before_there_were_several_clips_is_restored() -> None:
    read = reader(segments=SEGMENTS[:1])
    assert read.restore({"next": torch.tensor([8, 0, 20]), "fresh": torch.tensor([False, True, False])})
    assert places_of(read) == [(0, 8), (0, 0), (0, 20)]


def test_other_moments_come_from_all_clips() -> None:
    read, known = reader(streams=8), {}
    for clip, segment in enumerate(SEGMENTS):
        for first in range(segment.frame_range.count - STEPS + 1):
            windows = torch.from_numpy(sound_windows(segment.clip.sound_S, first, STEPS, TIMING))
            known[float(windows.double().sum())] = (clip, first)
    found = [known[float(windows.double().sum())] for _ in range(60) for windows in read.other_moment()]
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


def passes(augmentation: AugmentationConfig, batches: int = 120) -> list[list[tuple[Tensor, Batch, int]]]:
    """Return, for each pass of each stream from one restart to the next, the original frames and their batches."""
    read, found = reader(augmentation), []
    current: list[list[tuple[Tensor, Batch, int]]] = [[], [], []]
    for _ in range(batches):
        places = places_of(read)
        batch = read.next()
        for stream, (clip, first) in enumerate(places):
            if batch.restarted_B[stream]:
                current[stream] = []
                found.append(current[stream])
            current[stream].append((frame_tensor(SEGMENTS[clip].clip, first, STEPS), batch, stream))
    return found


def test_a_stream_stays_mirrored_until_it_restarts() -> None:
    mirrored = []
    for each in passes(AugmentationConfig(flip=0.3)):
        kinds = set()
        for plain, batch, stream in each:
            flipped = torch.equal(batch.real_BTCHW[stream], plain.flip(-1))
            assert flipped or torch.equal(batch.real_BTCHW[stream], plain)
            kinds.add(flipped)
        assert len(kinds) == 1
        mirrored.append(kinds.pop())
    assert 0.15 < np.mean(mirrored) < 0.45
    assert all(
        torch.equal(b.real_BTCHW[i], p.flip(-1)) for w in passes(AugmentationConfig(flip=1.0), 9) for p, b, i in w
    )


def test_flip_does_not_change_the_sound() -> None:
    plain, mirrored = reader(), reader(AugmentationConfig(flip=1.0))
    assert torch.equal(plain.next().audio_BTW, mirrored.next().audio_BTW)


def test_the_colours_of_a_stream_stay_the_same_until_it_restarts() -> None:
    changes = []
    for each in passes(AugmentationConfig(colour_jitter=JITTER), 60):
        plain = torch.cat([p for p, _, _ in each]).movedim(1, -1).reshape(-1, 3)
        seen = torch.cat([b.real_BTCHW[i] for _, b, i in each]).movedim(1, -1).reshape(-1, 3)
        assert seen.abs().max() <= 1.0
        inside = (seen.abs() < 1.0).all(dim=1)
        # One affine change explains every pixel of the pass.
        known = torch.cat([plain, torch.ones(len(plain), 1)], dim=1)[inside]
        change = torch.linalg.lstsq(known, seen[inside]).solution
        torch.testing.assert_close(known @ change, seen[inside], atol=1e-4, rtol=0)
        changes.append(change)
    assert torch.stack(changes).std(dim=0).min() > 1e-3


def changed(largest: tuple[float, float, float, float], drawn: list[float], rgb: list[float]) -> list[float]:
    matrix, offset = colour_change(largest, torch.tensor(drawn))
    return (matrix @ torch.tensor(rgb) + offset).tolist()


def test_each_colour_change_does_what_its_name_says() -> None:
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
    # A third of the circle leads from red to green or blue, at the same luma.
    rotated = changed((0, 0, 0, 0.5), [half, half, half, half + 1 / 3], [0.5, 0.0, 0.0])
    assert max(rotated[1:]) > 0.2 > 0.1 > rotated[0]
    assert 0.299 * rotated[0] + 0.587 * rotated[1] + 0.114 * rotated[2] == pytest.approx(0.1495, abs=1e-4)


def test_dropout_silences_only_sequences_with_a_carried_state() -> None:
    plain, dropping = reader(), reader(AugmentationConfig(audio_dropout=0.4))
    silenced = []
    for _ in range(120):
        original, batch = plain.next(), dropping.next()
        # Dropout draws random numbers of its own, so the readers differ from the first restart on; until then all else is equal.
        silent_B = ~batch.audio_BTW.flatten(1).any(dim=1)
        assert not (silent_B & batch.restarted_B).any()
        silenced += silent_B[~batch.restarted_B].tolist()
        if len(silenced) < 9:
            assert torch.equal(batch.real_BTCHW, original.real_BTCHW)
            assert torch.equal(batch.audio_BTW[~silent_B], original.audio_BTW[~silent_B])
    assert 0.3 < np.mean(silenced) < 0.5
    assert reader(AugmentationConfig(audio_dropout=1.0)).next().audio_BTW.any()


def test_augmentation_that_is_off_draws_no_random_numbers() -> None:
    plain, gained = reader(), reader(AugmentationConfig(gain_range_db=(-3.0, 0.0)))
    for read in (plain, gained):
        for _ in range(20):
            read.next()
    assert torch.equal(plain.random_state.state(), gained.random_state.state())
    expected = RandomState(5, 3)
    streams = Streams([segment.frame_range for segment in SEGMENTS], STEPS, 3, expected.generator)
    for _ in range(20):
        streams.advance()
        expected.per_stream(1, 1)
    assert torch.equal(plain.random_state.state(), expected.state())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"flip": 1.5}, r"augmentation\.flip is 1\.5; a probability"),
        ({"audio_dropout": -0.1}, r"augmentation\.audio_dropout is -0\.1; a probability"),
        ({"colour_jitter": (0.1, 0.1, 0.1, 0.6)}, "hue from 0 to 0.5"),
        ({"colour_jitter": (-0.1, 0.1, 0.1, 0.1)}, "from 0 to 1"),
        ({"gain_range_db": (0.0, -6.0)}, "lowest, highest"),
        ({"louder_db": -1.0}, r"louder_db is -1; 0 to 60 dB"),
        ({"rest": 2.0}, r"augmentation\.rest is 2\.0; a probability"),
    ],
)
def test_settings_out_of_range_are_refused_with_a_sentence(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        AugmentationConfig(**settings)  # type: ignore[arg-type]


def test_only_loud_sequences_get_louder() -> None:
    quiet_S, loud_S = 0.003 * noise(2.0)[0], noise(2.0)[0]
    segments = [
        Segment(Clip(made_clip(40, n).frames_NHWC, s, FORMAT, "c"), FrameRange(0, 40))
        for n, s in ((1, quiet_S), (2, loud_S))
    ]
    plain, raised = (reader(a, 2, segments=segments) for a in (PLAIN, AugmentationConfig(louder_db=12.0)))
    ratios = {True: list[float](), False: list[float]()}
    for _ in range(8):
        places = places_of(plain)
        one, other = plain.next(), raised.next()
        ratio_B = other.audio_BTW.norm(dim=(1, 2)) / one.audio_BTW.norm(dim=(1, 2))
        for (clip, _), ratio in zip(places, ratio_B.tolist(), strict=True):
            ratios[clip == 1].append(ratio)
    assert set(ratios[False]) == {1.0}
    assert 1.0 <= min(ratios[True]) < 2.0 < max(ratios[True]) <= 4.0


def test_raised_sound_is_clipped_as_in_a_show() -> None:
    clip = Clip(made_clip(40, 1).frames_NHWC, 3.0 * noise(2.0)[0].clip(-0.3, 0.3), FORMAT, "c")
    read = reader(AugmentationConfig(louder_db=24.0), segments=[Segment(clip, FrameRange(0, 40))])
    assert max(float(read.next().audio_BTW.abs().max()) for _ in range(4)) == 1.0


def test_a_resting_sequence_is_the_quietest_of_its_clip_with_silence_and_nothing_continues_it() -> None:
    sound_S = noise(2.0)[0]
    sound_S[12 * 800 : 18 * 800] *= 0.01
    segments = [Segment(Clip(made_clip(40, 1).frames_NHWC, sound_S, FORMAT, "c"), FrameRange(0, 40))]
    read, before, found = reader(AugmentationConfig(rest=0.3), 1, segments=segments), False, 0
    quietest = frame_tensor(segments[0].clip, 12, STEPS)
    for _ in range(60):
        batch = read.next()
        rests = not bool(batch.audio_BTW.any())
        assert bool(batch.restarted_B[0]) or not (rests or before)
        if rests:
            found += 1
            assert torch.equal(batch.real_BTCHW[0], quietest) or torch.equal(
                batch.real_BTCHW[0], frame_tensor(segments[0].clip, 14, STEPS)
            )
        before = rests
    assert 8 <= found <= 30
