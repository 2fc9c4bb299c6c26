"""The page by keyboard alone."""

from __future__ import annotations

from tests.engine.web.page.conftest import Pages, Show, expect


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
