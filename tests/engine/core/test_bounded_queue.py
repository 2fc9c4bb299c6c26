"""The bounded queue: full, it waits, refuses or makes its oldest items smaller; nobody is kept waiting for ever."""

from __future__ import annotations

import threading

import pytest

from engine.core.bounded_queue import BoundedQueue

WITHIN_S = 20.0


def halves(capacity: int, *, waits: bool = False) -> BoundedQueue[tuple[str, int]]:
    """Return a queue of names with sizes; what doesn't fit loses its size."""
    return BoundedQueue(capacity, lambda item: item[1], waits=waits, lighten=lambda item: (item[0], 0), most_items=None)


def numbers(capacity: int, *, waits: bool) -> BoundedQueue[int]:
    """Return a queue of numbers, each as large as it says."""
    return BoundedQueue(capacity, lambda item: item, waits=waits)


def drained(queue: BoundedQueue) -> list:
    queue.close()
    taken = []
    while (item := queue.take()) is not None:
        taken.append(item)
    return taken


def test_items_come_out_in_the_order_they_went_in() -> None:
    queue = numbers(100, waits=False)
    assert all(queue.put(number) for number in (3, 1, 2))
    assert drained(queue) == [3, 1, 2]
    assert queue.lost_size == 0


def test_what_does_not_fit_is_refused_and_counted() -> None:
    queue = numbers(10, waits=False)
    assert [queue.put(size) for size in (4, 4, 4, 2)] == [True, True, False, True]
    assert queue.lost_size == 4
    assert queue.take() == 4
    assert queue.put(4)
    assert drained(queue) == [4, 2, 4]


def test_the_oldest_items_get_lighter() -> None:
    queue = halves(3)
    for name in "abcde":
        assert queue.put((name, 1))
    assert queue.lost_size == 2
    # Taking a light item makes no room; taking a whole one does.
    assert queue.take() == ("a", 0)
    queue.put(("f", 1))
    assert queue.lost_size == 3
    assert drained(queue) == [("b", 0), ("c", 0), ("d", 1), ("e", 1), ("f", 1)]


def test_items_without_size_between_others_are_passed_over() -> None:
    queue = halves(1)
    for item in (("a", 1), ("mark", 0), ("b", 1), ("c", 1)):
        queue.put(item)
    assert queue.lost_size == 2
    assert drained(queue) == [("a", 0), ("mark", 0), ("b", 0), ("c", 1)]


def test_one_large_item_may_make_several_lighter() -> None:
    queue = halves(5)
    for item in (("a", 2), ("b", 2), ("c", 4)):
        queue.put(item)
    assert drained(queue) == [("a", 0), ("b", 0), ("c", 4)]
    assert queue.lost_size == 4


def test_beyond_the_most_items_the_oldest_is_lost() -> None:
    queue: BoundedQueue[int] = BoundedQueue(9, lambda item: 1, waits=False, most_items=3)
    for number in range(5):
        queue.put(number)
    assert queue.lost_size == 2
    assert drained(queue) == [2, 3, 4]


@pytest.mark.parametrize("capacity", [1, 10])
def test_a_queue_that_waits_loses_nothing(capacity: int) -> None:
    queue, taken = halves(capacity, waits=True), []

    def take() -> None:
        while (item := queue.take()) is not None:
            taken.append(item)

    taker = threading.Thread(target=take, daemon=True)
    taker.start()
    items = [(str(number), 4) for number in range(200)]
    assert all(queue.put(item) for item in items)
    queue.close()
    taker.join(WITHIN_S)
    assert taken == items
    assert queue.lost_size == 0


def test_a_portion_is_as_large_as_was_asked_for_or_what_is_left() -> None:
    queue = numbers(100, waits=False)
    for size in (3, 3, 3, 1, 5):
        queue.put(size)
    assert queue.take_portion(5) == [3, 3]
    assert queue.take_portion(4) == [3, 1]
    queue.close()
    assert queue.take_portion(50) == [5]
    assert queue.take_portion(50) is None


def test_a_portion_is_waited_for() -> None:
    queue, portions = numbers(100, waits=False), []
    taker = threading.Thread(target=lambda: portions.append(queue.take_portion(7)), daemon=True)
    taker.start()
    for size in (3, 3, 3):
        queue.put(size)
    taker.join(WITHIN_S)
    assert portions == [[3, 3, 3]]


def test_who_waits_is_let_go_when_nothing_is_taken_any_more() -> None:
    queue, put = numbers(2, waits=True), []
    queue.put(2)
    putter = threading.Thread(target=lambda: put.append(queue.put(2)), daemon=True)
    putter.start()
    queue.abandon()
    putter.join(WITHIN_S)
    assert put == [False]
    assert not queue.put(1)
    assert queue.lost_size == 5
    assert drained(queue) == []


def test_closing_lets_a_waiting_taker_go() -> None:
    queue, taken = numbers(2, waits=False), []
    taker = threading.Thread(target=lambda: taken.append(queue.take()), daemon=True)
    taker.start()
    queue.close()
    taker.join(WITHIN_S)
    assert taken == [None]
