"""The ring between the audio callback and the capture thread."""

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.audio.ring import Ring


def numbered(begin: int, samples: int) -> np.ndarray:
    return np.repeat(np.arange(begin, begin + samples, dtype=np.float32)[:, None], 2, axis=1)


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=60))
def test_all_blocks_that_fit_are_read(steps: list[tuple[int, bool]]) -> None:
    ring, begin, expected, came = Ring(64, 2, capacity_blocks=5), 0, [], []
    dropped = 0
    for samples, read in steps:
        block = numbered(begin, samples)
        if ring.write(block, begin, begin + 0.5):
            expected.append((begin, samples))
        else:
            dropped += samples
        begin += samples
        if read:
            came += ring.read()
    came += ring.read()
    assert [(int(block.sound_TC[0, 0]), len(block.sound_TC)) for block in came] == expected
    assert all(np.array_equal(b.sound_TC, numbered(int(b.sound_TC[0, 0]), len(b.sound_TC))) for b in came)
    assert all(block.captured_s == block.arrived_s + 0.5 == block.sound_TC[0, 0] + 0.5 for block in came)
    assert ring.dropped_samples == dropped


def test_a_full_ring_drops_and_counts() -> None:
    ring = Ring(100, 2)
    assert ring.write(numbered(0, 90), 0.0, 0.0)
    assert not ring.write(numbered(90, 20), 1.0, 1.0)
    assert ring.dropped_samples == 20
    assert [len(block.sound_TC) for block in ring.read()] == [90]
    assert ring.write(numbered(0, 100), 2.0, 2.0)


def test_blocks_are_copied() -> None:
    ring, block = Ring(100, 2), numbered(0, 10)
    ring.write(block, 0.0, 0.0)
    block[:] = -1.0
    (came,) = ring.read()
    assert came.sound_TC.min() == 0.0
    ring.write(numbered(50, 100), 0.0, 0.0)
    assert came.sound_TC.max() == 9.0


def test_two_threads_need_no_lock() -> None:
    ring, total, received = Ring(4096, 2), 200_000, []
    finished = threading.Event()

    def write() -> None:
        begin = 0
        while begin < total:
            if ring.write(numbered(begin, 250), 0.0, 0.0):
                begin += 250
        finished.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not finished.is_set() or ring.waiting_blocks:
        received += [block.sound_TC for block in ring.read()]
    writer.join()
    assert np.array_equal(np.concatenate(received), numbered(0, total))
