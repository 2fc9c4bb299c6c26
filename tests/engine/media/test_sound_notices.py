"""What is told of a file's sound: one sentence for one thing."""

from engine.media.sound_notices import SoundNotices


def test_the_same_sentence_is_told_once_and_all_are_counted() -> None:
    notices = SoundNotices("a.mp4")
    for _ in range(5):
        notices.undecodable(5.01)
    notices.end()
    assert notices.take() == [
        "A part of the sound of a.mp4 near 5.01 s is damaged; it is left out.",
        "5 parts of the sound of a.mp4 were damaged.",
    ]


def test_three_of_a_kind_are_told_and_counted_from_the_fourth_on() -> None:
    for gaps, sentences in ((3, 3), (4, 4)):
        notices = SoundNotices("a.mp4")
        for number in range(gaps):
            notices.gap(float(number), number + 0.5)
        notices.end()
        assert len(notices.take()) == sentences


def test_a_gap_before_the_start_is_not_told() -> None:
    notices = SoundNotices("a.mp4")
    notices.gap(0.0, 0.0)
    notices.end()
    assert notices.take() == []
