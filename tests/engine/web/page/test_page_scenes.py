"""Scenes and the playlist on the page of a real show."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.web.page.conftest import Pages, Show, expect


@pytest.fixture
def page(show: Show, pages: Pages) -> Any:
    """The page of a show with scenes 1, 2 and 3."""
    for number in (1, 2, 3):
        show.send("save_scene", number)
    opened = pages.open()
    expect(opened.locator("#scene-list .scene")).to_have_count(3)
    return opened


def test_a_scene_is_dragged_to_another_place(page: Any, pages: Pages) -> None:
    handle, first = page.locator("[data-number='3'] .handle"), page.locator("[data-number='1']")
    start, goal = handle.bounding_box(), first.bounding_box()
    x = start["x"] + start["width"] / 2
    page.mouse.move(x, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(x, goal["y"] + 2, steps=10)
    page.mouse.up()
    expect(page.locator("#scene-list .scene-number")).to_have_text(["3", "1", "2"])
    expect(pages.open().locator("#scene-list .scene-number")).to_have_text(["3", "1", "2"])


def test_the_playlist_is_made_and_started(show: Show, page: Any, pages: Pages) -> None:
    second = page.locator("#playlist [data-scene='2']")
    expect(second.get_by_role("checkbox")).not_to_be_checked()
    second.get_by_role("checkbox").check()
    second.get_by_label("Unit of the length").select_option("seconds")
    second.get_by_role("textbox").fill("45")
    second.get_by_role("textbox").press("Enter")
    page.get_by_role("button", name="Start").click()
    show.comes_to("playlist", 1)
    expect(second.locator(".entry-left")).to_have_text("45 left")
    expect(page.locator("[data-number='2'] .scene-recall")).to_have_attribute("aria-current", "true")

    other = pages.open().locator("#playlist [data-scene='2']")
    expect(other.get_by_role("checkbox")).to_be_checked()
    expect(other.get_by_role("textbox")).to_have_value("45")
    page.get_by_role("button", name="Stop").click()
    show.comes_to("playlist", 0)


def test_a_deletion_takes_effect_unless_it_is_undone(page: Any, pages: Pages) -> None:
    page.locator("[data-number='1'] .more").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#scene-list .scene")).to_have_count(2)
    # The show keeps the scene until the time for an undo is over.
    other = pages.open()
    expect(other.locator("#scene-list .scene")).to_have_count(3)
    expect(other.locator("#scene-list .scene")).to_have_count(2)


def test_the_log_says_what_the_show_says(page: Any) -> None:
    page.locator("#tabs [data-view=log]").click()
    expect(page.locator("#log")).to_contain_text("Scene 3")
