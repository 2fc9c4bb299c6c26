"""The page when its show ends and another begins."""

from __future__ import annotations

from tests.engine.web.page.conftest import Pages, Show, expect


def test_the_page_says_that_the_show_is_gone_and_comes_back_with_it(show: Show, pages: Pages) -> None:
    page = pages.open()
    show.stop()
    expect(page.locator("#banner")).to_contain_text("The show does not answer")
    expect(page.locator("body")).to_have_attribute("data-connection", "lost")
    page.get_by_role("switch", name="Mirror").click()
    expect(page.locator(".toast")).to_contain_text("The show does not answer")

    show.start()
    expect(page.locator("body")).to_have_attribute("data-connection", "open", timeout=15_000)
    expect(page.locator("#banner")).to_be_hidden()
    # What the show plays is shown, not what was pressed while it was gone.
    expect(page.get_by_role("switch", name="Mirror")).not_to_be_checked()
    page.get_by_role("switch", name="Mirror").click()
    show.comes_to("mirror", 1)
    # Browsers write every connection that fails into the console; nothing else may stand there.
    assert [text for text in pages.complaints if "ERR_CONNECTION_REFUSED" not in text and "WebSocket" not in text] == []
    pages.complaints.clear()
