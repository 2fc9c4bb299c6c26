"""The page by keyboard, by screen reader, on a phone, and without motion."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import require
from tests.engine.web.page.conftest import PHONE, Pages, Show

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing").expect

PAGE_FOLDER = Path(__file__).parents[4] / "engine" / "web" / "page"
MOST_PAGE_BYTES = 60_000
LEAST_TOUCH_PX = 44
VIEWS = ("live", "parameters", "scenes", "setup", "log")
ON_A_PHONE = {"viewport": PHONE, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


def axe_file() -> Path | None:
    """Return axe-core's script from where npm puts it: NODE_PATH, the checkout, or the global folder."""
    folders = [
        *os.environ.get("NODE_PATH", "").split(os.pathsep),
        "node_modules",
        "/usr/local/lib/node_modules",
        "/usr/lib/node_modules",
    ]
    found = (Path(folder) / "axe-core" / "axe.min.js" for folder in folders if folder)
    return next((path for path in found if path.is_file()), None)


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


def test_the_keyboard_alone_steers(show: Show, pages: Pages) -> None:
    page = pages.open()
    # By Tab alone to a slider: the focus is always on something, and is seen there.
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("[document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]")
        assert focused[1] != "none", focused
        if focused[0] == "parameter-brightness":
            break
    page.keyboard.press("Home")
    show.comes_to("brightness", 0.0)
    page.keyboard.press("PageUp")
    show.comes_to("brightness", 0.2)
    page.keyboard.press("ArrowRight")
    show.comes_to("brightness", 0.22)
    page.keyboard.press("Shift+ArrowLeft")
    show.comes_to("brightness", 0.218)
    page.keyboard.press("Delete")
    show.comes_to("brightness", 1.0)
    page.keyboard.press("b")
    show.comes_to("blackout", 1)
    page.keyboard.press("b")
    show.comes_to("blackout", 0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()


def test_keys_that_are_typed_into_a_field_steer_nothing(show: Show, pages: Pages) -> None:
    page = pages.open()
    page.locator("[data-name=glow] .more").click()
    page.get_by_label("Mapping").press_sequentially("b m l")
    assert show.value("blackout") == 0
    assert show.value("mirror") == 0


def test_the_order_of_scenes_changes_by_keyboard(show: Show, pages: Pages) -> None:
    page = pages.open()
    for number in (11, 12, 13):
        show.send("save_scene", number)
    names = page.locator("#scene-list .scene-number")
    expect(page.locator("[data-number='13']")).to_have_count(1)
    before = names.all_inner_texts()
    handle = page.locator("[data-number='13'] .handle")
    handle.focus()
    handle.press("ArrowUp")
    expect(page.locator("#announcer")).to_contain_text(f"place {len(before) - 1} of {len(before)}")
    expect(handle).to_be_focused()
    # Another page sees the order that the show keeps.
    expect(pages.open().locator("#scene-list .scene-number")).to_have_text([*before[:-2], "13", "12"])


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


SMALL_TARGETS = """least => [...document.querySelectorAll("button, input[type=range], select, summary")]
  .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < least && !one.closest(".detail"))
  .map(one => one.outerHTML.slice(0, 80))"""


def test_without_motion_nothing_moves_by_itself(pages: Pages) -> None:
    page = pages.open(reduced_motion="reduce")
    moving = page.evaluate(
        """[...document.querySelectorAll("*")].filter(one => parseFloat(getComputedStyle(one).transitionDuration) > 0).length"""
    )
    assert moving == 0


@pytest.mark.parametrize("context", [{}, ON_A_PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing(context: dict[str, Any], pages: Pages) -> None:
    script = axe_file()
    require(script, "axe-core (npm install -g axe-core)")
    page = pages.open(bypass_csp=True, **context)
    page.add_script_tag(path=script)
    found: list[str] = []
    for view in VIEWS:
        tab = page.locator(f"#tabs [data-view={view}]")
        if not tab.is_visible():
            continue
        tab.click()
        if view == "parameters":
            page.locator("[data-name=motion] .more, [data-name=glow] .more").first.click()
        violations = page.evaluate("axe.run().then(result => result.violations)")
        found += [f"{view}: {one['id']}: {one['nodes'][0]['html']}" for one in violations]
    assert found == []
