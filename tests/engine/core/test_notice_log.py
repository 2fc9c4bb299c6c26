"""The notice log passes lines on and keeps the newest."""

from __future__ import annotations

from engine.core.notice_log import NoticeLog
from tests.engine.app.shows import InventedClock


def test_lines_are_passed_on_and_the_newest_are_kept_with_number_and_time() -> None:
    told: list[str] = []
    clock = InventedClock()
    log = NoticeLog(told.append, clock, most=2)
    for text in ("first", "second", "third"):
        log.tell(text)
        clock.sleep(1.0)
    assert told == ["first", "second", "third"]
    second, third = log.since(0)
    assert (second.number, second.text, third.number, third.text) == (2, "second", 3, "third")
    assert third.at_s - second.at_s == 1.0
    assert [line.text for line in log.since(2)] == ["third"]
    assert log.since(3) == []
