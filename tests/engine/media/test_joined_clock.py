"""Jumps of a file's clock: joined recordings, single wrong time stamps, a track that pauses alone."""

import itertools

import pytest

from engine.media.joined_clock import JoinedClock, Stamp

VIDEO, SOUND = 0, 1
STEP_S = 0.02


def recording(start_s: float, seconds: float = 6.0, sound_first_s: float = 0.0) -> list[Stamp]:
    """Return the packets of a recording: sound lies three packets behind the frames."""
    count = round(seconds / STEP_S)
    frames = [(number, Stamp(VIDEO, start_s + number * STEP_S, STEP_S)) for number in range(count)]
    sounds = [
        (number + 3.5, Stamp(SOUND, start_s - sound_first_s + number * STEP_S, STEP_S)) for number in range(count)
    ]
    return [stamp for _, stamp in sorted([*frames, *sounds])]


def shifted(stamps: list[Stamp], tracks: int = 2) -> tuple[JoinedClock, list[tuple[int, float | None]]]:
    """Return the track and the time on the joined clock of each packet."""
    clock = JoinedClock(tracks)
    shifts = [*itertools.chain(*(clock.put(stamp) for stamp in stamps)), *clock.finish()]
    assert len(shifts) == len(stamps)
    return clock, [
        (stamp.track, None if shift is None or stamp.time_s is None else stamp.time_s + shift)
        for stamp, shift in zip(stamps, shifts, strict=True)
    ]


def times_s(placed: list[tuple[int, float | None]], track: int) -> list[float | None]:
    return [time_s for number, time_s in placed if number == track]


@pytest.mark.parametrize("second_s", [0.0, 1000.0, 95443.7])
def test_joined_recordings_continue_with_one_zero_for_both_tracks(second_s: float) -> None:
    clock, placed = shifted([*recording(1.4, sound_first_s=0.021), *recording(second_s, sound_first_s=0.021)])
    assert times_s(placed, VIDEO) == pytest.approx([1.4 + number * STEP_S for number in range(600)])
    assert times_s(placed, SOUND)[300:] == pytest.approx([7.379 + number * STEP_S for number in range(300)])
    (join,) = clock.joins
    assert join.time_s == pytest.approx(7.4)


def test_a_file_with_one_track_is_joined_too() -> None:
    sound = [stamp._replace(track=0) for stamp in recording(5.0) if stamp.track == SOUND]
    _, placed = shifted([*sound, *sound], tracks=1)
    assert times_s(placed, 0) == pytest.approx([5.0 + number * STEP_S for number in range(600)])


def test_a_gap_stays_a_gap() -> None:
    stamps = [stamp for stamp in recording(0.0) if not (stamp.track == SOUND and 2.0 < (stamp.time_s or 0.0) < 4.0)]
    clock, placed = shifted(stamps)
    assert placed == [(stamp.track, stamp.time_s) for stamp in stamps]
    assert clock.joins == []


def test_a_sound_track_that_is_silent_for_long_is_no_join() -> None:
    stamps = [stamp for stamp in recording(0.0, 60.0) if not (stamp.track == SOUND and 2.0 < (stamp.time_s or 0) < 40)]
    clock, placed = shifted(stamps)
    assert (clock.joins, placed) == ([], [(stamp.track, stamp.time_s) for stamp in stamps])


def test_a_single_wrong_time_stamp_is_dropped() -> None:
    stamps = recording(0.0)
    stamps[100] = stamps[100]._replace(time_s=90000.0)
    clock, placed = shifted(stamps)
    assert [index for index, (_, time_s) in enumerate(placed) if time_s is None] == [100]
    assert clock.joins == []
