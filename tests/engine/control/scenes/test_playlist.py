"""The playlist as a function of moments: bars and seconds, hands that come in between, scenes that cannot be recalled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.control.scenes.playlist import MOST_ENTRIES, Moment, PlaylistEntry, PlaylistPlayer, check_entries
from engine.core.errors import ConfigError

HOP_S = 0.05
SECONDS = (PlaylistEntry(1, 1.0, "seconds"), PlaylistEntry(2, 2.0, "seconds"), PlaylistEntry(3, 0.5, "seconds"))


class Played:
    """A playlist hop after hop, at 120 bpm from `tempo_from` on."""

    def __init__(self, *entries: PlaylistEntry, bpm: float = 120.0, beats: float = 0.0) -> None:
        self.player = PlaylistPlayer(entries)
        self.bpm, self.beats = bpm, beats
        self.hop = 0
        self.recalled: list[tuple[float, int]] = []

    @property
    def time_s(self) -> float:
        return round(self.hop * HOP_S, 6)

    def play(self, seconds: float, **asked: object) -> None:
        """Play so long; what is `asked` is asked in the first hop."""
        for _ in range(round(seconds / HOP_S)):
            self.hop += 1
            self.beats += HOP_S * self.bpm / 60.0
            moment = Moment(self.time_s, self.beats, 4, self.bpm > 0.0)
            number = self.player.advance(moment, **{"runs": True, **asked})
            asked = {name: value for name, value in asked.items() if name in ("runs", "loops")}
            if number:
                self.recalled.append((self.time_s, number))

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in self.recalled]


def test_scenes_follow_each_other_in_seconds_of_the_sound_and_begin_again() -> None:
    played = Played(*SECONDS)
    played.play(8.0)
    assert played.recalled == [(0.05, 1), (1.05, 2), (3.05, 3), (3.55, 1), (4.55, 2), (6.55, 3), (7.05, 1)]
    assert played.player.state.position == 0
    assert played.player.state.left == pytest.approx(0.05)


def test_without_a_loop_the_last_scene_stays_until_the_next_is_asked_for() -> None:
    played = Played(*SECONDS)
    played.play(8.0, loops=False)
    assert played.numbers == [1, 2, 3]
    assert (played.player.state.position, played.player.state.left) == (2, 0.0)
    played.play(0.5, loops=False, wanted=1)
    assert played.numbers == [1, 2, 3, 1]


def test_bars_end_on_bar_lines_also_where_a_scene_began_between_them() -> None:
    # A bar of 120 bpm lasts two seconds; the playlist begins half a second after a bar line.
    played = Played(PlaylistEntry(1, 2, "bars"), PlaylistEntry(2, 1, "bars"), beats=1.0)
    played.play(8.0)
    begun_s = [time_s for time_s, _ in played.recalled]
    assert played.numbers == [1, 2, 1]
    assert begun_s == [0.05, pytest.approx(3.5, abs=HOP_S), pytest.approx(5.5, abs=HOP_S)]


def test_bars_pass_without_a_tempo_and_when_taps_move_the_beat() -> None:
    played = Played(PlaylistEntry(1, 1, "bars"), PlaylistEntry(2, 1, "bars"), bpm=0.0)
    played.play(5.0)
    assert played.recalled == [(0.05, 1), (2.05, 2), (4.05, 1)]
    played = Played(PlaylistEntry(1, 4, "bars"), PlaylistEntry(2, 4, "bars"))
    played.play(4.0)
    played.beats += 400.0
    played.play(1.0)
    played.beats -= 401.0
    played.play(1.0)
    assert played.numbers == [1]
    played.play(5.0)
    assert played.numbers == [1, 2]


def test_only_those_that_take_part_are_played() -> None:
    entries = [replace(entry, takes_part=entry.scene != 2) for entry in SECONDS]
    played = Played(*entries)
    played.play(2.0)
    assert played.numbers == [1, 3, 1]
    none = Played(*(replace(entry, takes_part=False) for entry in SECONDS))
    none.play(2.0)
    assert (none.numbers, none.player.runs) == ([], False)


def test_the_next_scene_can_be_asked_for_several_times_at_once() -> None:
    played = Played(*SECONDS)
    played.play(0.5)
    played.play(0.5, wanted=1)
    played.play(0.25, wanted=2)
    assert played.numbers == [1, 2, 1]


def test_a_scene_recalled_by_hand_has_its_own_time() -> None:
    played = Played(*SECONDS)
    played.play(0.5)
    played.play(1.0, by_hand=2)
    assert (played.player.state.position, played.numbers) == (1, [1])
    played.play(1.5)
    assert played.recalled[1:] == [(pytest.approx(2.55), 3)]
    played.play(0.1, by_hand=1, wanted=1)
    assert played.numbers == [1, 3, 2]
    # A scene that is not in the playlist has the time of the one whose place it took.
    played = Played(*SECONDS)
    played.play(0.9)
    played.play(1.0, by_hand=77)
    assert played.numbers == [1]
    played.play(0.1)
    assert played.numbers == [1, 2]


def test_a_playlist_that_is_switched_on_goes_on_with_the_scene_that_plays() -> None:
    played = Played(*SECONDS)
    played.play(1.0, plays=2)
    assert (played.player.state.position, played.numbers) == (1, [])
    played.play(0.5, runs=False)
    assert played.player.state.position == -1
    played.play(0.1, plays=9)
    assert played.numbers == [1]


def test_scenes_that_cannot_be_recalled_are_skipped_and_none_is_asked_for_again_and_again() -> None:
    played = Played(*SECONDS)
    played.play(0.1)
    assert played.player.skip(1) == 2
    assert played.player.skip(1) is None
    assert played.player.skip(2) == 3
    # All three failed.
    assert played.player.skip(3) is None
    played.play(0.6)
    assert played.recalled[1:] == [(pytest.approx(0.6), 1)]
    # One line for each entry, as long as none can be recalled.
    assert played.player.skip(1) is None
    played.play(0.1, plays=1)
    assert played.player.skip(1) == 2


def test_the_playlist_can_be_changed_while_it_plays() -> None:
    played = Played(*SECONDS)
    played.play(1.5)
    first, second, third = SECONDS
    played.player.replace((third, second))
    assert played.player.state.position == 1
    played.play(1.6)
    assert played.recalled[2:] == [(pytest.approx(3.05), 3)]
    played.player.replace((first,))
    played.play(0.1)
    assert played.numbers[-1] == 1
    played.player.replace(())
    played.play(5.0)
    assert played.player.state.entries == ()
    assert len(played.numbers) == 4


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((0, 1, "bars"), "names scene 0; a whole number from 1 to 128"),
        ((True, 1, "bars"), "names scene True"),
        ((1, 0, "bars"), "lasts 0 bars; a whole number from 1 to 10000"),
        ((1, 1.5, "bars"), "lasts 1.5 bars"),
        ((1, float("nan"), "seconds"), "lasts nan seconds; a number from 0.5"),
        ((1, 1e9, "seconds"), "a number from 0.5 to 86400"),
        ((1, "2", "seconds"), "lasts '2' seconds"),
        ((1, 1, "hours"), "lasts 'hours'; bars or seconds"),
        ((1, 1, "bars", 1), "takes_part: 1; true or false"),
    ],
)
def test_an_entry_that_cannot_be_is_one_sentence(given: tuple, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PlaylistEntry(*given)
    assert says in str(refused.value)


def test_a_playlist_has_an_end() -> None:
    with pytest.raises(ConfigError, match=f"at most {MOST_ENTRIES}"):
        check_entries([SECONDS[0]] * (MOST_ENTRIES + 1))
