"""The page on a phone, and what it costs to load."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from tests.engine.web.page.conftest import ON_A_PHONE, PHONE, VIEWS, Pages, Show, expect

PAGE_FOLDER = Path(__file__).parents[4] / "engine" / "web" / "page"
MOST_PAGE_BYTES = 60_000
LEAST_TOUCH_PX = 44


def test_the_page_is_small() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in PAGE_FOLDER.iterdir() if path.is_file()}
    assert "index.html" in sizes
    assert sum(sizes.values()) <= MOST_PAGE_BYTES


def test_the_page_asks_no_other_host(show: Show, pages: Pages) -> None:
    page = pages.open()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(page.locator("body")).to_have_attribute("data-connection", "open")
    assert asked
    assert [url for url in asked if not url.startswith(show.url)] == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_shows_every_view_without_scrolling_sideways(view: str, pages: Pages) -> None:
    page = pages.open(**ON_A_PHONE)
    page.locator(f"#tabs [data-view={view}]").tap()
    expect(page.locator(f"#view-{view}")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    section = page.locator(f"#view-{view}")
    assert section.evaluate("one => one.scrollWidth <= one.clientWidth")
    expect(page.locator("#blackout")).to_be_in_viewport()
    expect(page.locator("#preview")).to_be_in_viewport()
    small = page.evaluate(SMALL_TARGETS, LEAST_TOUCH_PX)
    assert small == []


def swipe(page: Any, x: float, y: float, by_x: float, by_y: float) -> None:
    """Move a finger over the page, as a touch screen tells it."""
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 11):
        point = {"x": x + by_x * step / 10, "y": y + by_y * step / 10}
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_finger_that_scrolls_moves_no_slider(show: Show, pages: Pages) -> None:
    page = pages.open(**ON_A_PHONE)
    page.locator("#tabs [data-view=parameters]").tap()
    slider = page.get_by_role("slider", name="Memory", exact=True)
    before = show.value("memory")
    box = slider.bounding_box()
    x, y = box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2
    swipe(page, x, y, 0, -200)
    page.wait_for_function("document.querySelector('#view-parameters').scrollTop > 50")
    assert float(slider.input_value()) == pytest.approx(before)
    assert show.value("memory") == before
    # Sideways it does.
    box = slider.bounding_box()
    swipe(page, x, box["y"] + box["height"] / 2, -100, 0)
    expect(slider).not_to_have_value(str(before))
    show.comes_to("memory", float(slider.input_value()))


SMALL_TARGETS = """least => [...document.querySelectorAll("button, input[type=range], select, summary")]
  .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < least && !one.closest(".detail"))
  .map(one => one.outerHTML.slice(0, 80))"""
