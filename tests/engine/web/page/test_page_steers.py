"""The page steers a real show and follows it."""

from __future__ import annotations

import re
import time

import pytest

from engine.takes.take_log import LOG
from engine.takes.take_log_reading import read_lines
from engine.takes.take_switch import SWITCHED_OFF
from tests.engine.web.page.conftest import SHOWN_WITHIN_S, Pages, Show, expect


def test_a_slider_sets_the_parameter(show: Show, pages: Pages) -> None:
    page = pages.open()
    slider = page.get_by_role("slider", name="Glow", exact=True)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 6, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 20, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    show.comes_to("glow", 1.0)
    slider.dblclick()
    show.comes_to("glow", 0.0)


def test_a_number_is_typed_and_a_mistake_gets_the_sentence_of_the_show(show: Show, pages: Pages) -> None:
    page = pages.open()
    entry = page.get_by_label("Trail as a number")
    entry.fill("0,25")
    entry.press("Enter")
    show.comes_to("trail", 0.25)
    entry.fill("much")
    entry.press("Enter")
    expect(page.locator(".toast")).to_contain_text("trail takes a number from 0 to 1, not 'much'.")
    expect(entry).to_have_value("0.25")


def test_the_page_follows_another_remote(show: Show, pages: Pages) -> None:
    page = pages.open()
    show.send("onset_zoom", 0.7)
    expect(page.get_by_label("Onset zoom as a number")).to_have_value("0.70")
    # OSC carries float32.
    expect(page.get_by_role("slider", name="Onset zoom", exact=True)).to_have_attribute("aria-valuetext", "0.70")
    show.send("mirror", 1)
    expect(page.get_by_role("switch", name="Mirror")).to_be_checked()
    show.send("mirror", 0)
    expect(page.get_by_role("switch", name="Mirror")).not_to_be_checked()


def test_feedback_moves_no_slider_that_is_held(show: Show, pages: Pages) -> None:
    page = pages.open()
    slider = page.get_by_role("slider", name="Onset glow", exact=True)
    other = page.get_by_label("Onset brightness as a number")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    held = slider.input_value()
    show.comes_to("onset_glow", float(held))
    show.send("onset_glow", 0.9)
    show.send("onset_brightness", 0.3)
    # Both arrive together: when the one is seen, the other has been held back.
    expect(other).to_have_value("0.30")
    assert slider.input_value() == held
    page.mouse.up()
    expect(slider).to_have_attribute("aria-valuetext", "0.90")
    assert float(slider.input_value()) == pytest.approx(0.9, abs=1e-6)


def test_blackout_is_one_press_away_in_every_view(show: Show, pages: Pages) -> None:
    page = pages.open()
    blackout = page.locator("#blackout")
    blackout.click()
    show.comes_to("blackout", 1)
    expect(blackout).to_have_attribute("aria-pressed", "true")
    blackout.click()
    show.comes_to("blackout", 0)


def test_a_take_begins_and_ends(show: Show, pages: Pages) -> None:
    page = pages.open()
    take = page.get_by_role("button", name="Record a take")
    take.click()
    expect(take).to_have_attribute("aria-pressed", "true")
    expect(page.locator("body")).to_have_attribute("data-recording-take", "")
    expect(page.locator("#log")).to_contain_text("take-20")
    take.click()
    expect(page.locator("body")).not_to_have_attribute("data-recording-take", "")
    expect(page.locator("#log")).to_contain_text("has ended.")
    (folder,) = (show.folder / "takes").iterdir()
    deadline_s = time.monotonic() + SHOWN_WITHIN_S
    while (ending := list(read_lines(folder / LOG))[-1].end) is None:
        assert time.monotonic() < deadline_s, "the take has no end"
        time.sleep(0.05)
    assert ending == SWITCHED_OFF


def test_the_show_is_seen_and_measured(pages: Pages) -> None:
    page = pages.open()
    expect(page.locator("#stage-note")).to_be_hidden()
    expect(page.locator("#preview")).not_to_have_attribute("width", "16")
    expect(page.locator("#figures dd").first).to_have_text(re.compile(r"^[1-9]\d?\.\d fps$"))
    expect(page.get_by_role("meter", name="Level")).not_to_have_attribute("aria-valuenow", "0")


def test_scenes_are_saved_renamed_recalled_and_deleted_with_a_way_back(show: Show, pages: Pages) -> None:
    page = pages.open()
    scenes = page.locator("#scene-list .scene")
    show.send("zoom", 2.5)
    show.comes_to("zoom", 2.5)
    page.get_by_role("button", name="Save as new").click()
    expect(scenes).to_have_count(1)
    page.get_by_role("button", name="More about").and_(page.locator(".scene .more")).click()
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Name of scene 1").fill("Tide <b>")
    page.keyboard.press("Enter")
    expect(scenes.locator(".scene-name")).to_have_text("Tide <b>")

    show.send("crossfade_s", 0)
    show.send("zoom", 1.0)
    show.comes_to("zoom", 1.0)
    scenes.locator(".scene-recall").click()
    show.comes_to("zoom", 2.5)
    expect(scenes.locator(".scene-recall")).to_have_attribute("aria-current", "true")

    page.get_by_role("button", name="Delete").click()
    expect(scenes).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(scenes).to_have_count(1)


def test_a_mapping_is_judged_while_it_is_typed(show: Show, pages: Pages) -> None:
    page = pages.open()
    row = page.locator("[data-name=colour_turn]")
    row.locator(".more").click()
    editor = row.get_by_label("Mapping")
    editor.fill("0.1 * levle")
    expect(row.locator(".sentence")).to_contain_text("Did you mean 'level'?")
    expect(editor).to_have_attribute("aria-invalid", "true")
    editor.fill("0.1 * level")
    expect(editor).to_have_attribute("aria-invalid", "false")
    editor.press("Enter")
    expect(row.locator(".marks")).to_contain_text("ƒ")
    row.get_by_role("button", name="Clear").click()
    expect(row.locator(".marks")).to_have_text("")
