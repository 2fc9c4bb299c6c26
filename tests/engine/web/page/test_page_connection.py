"""The page when its show ends and another begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.engine.web.page.conftest import Pages, Show, expect

TOKEN = "a-token-of-this-test"


def test_the_page_says_that_the_show_is_gone_and_comes_back_with_it(show: Show, pages: Pages) -> None:
    page = pages.open()
    show.stop()
    expect(page.locator("#banner")).to_contain_text("The show does not answer")
    expect(page.locator("body")).to_have_attribute("data-connection", "lost")
    page.get_by_role("switch", name="Mirror").click()
    expect(page.locator(".toast")).to_contain_text("The show does not answer")

    show.start()
    expect(page.locator("body")).to_have_attribute("data-connection", "open")
    expect(page.locator("#banner")).to_be_hidden()
    # What the show plays is shown, not what was pressed while it was gone.
    expect(page.get_by_role("switch", name="Mirror")).not_to_be_checked()
    page.get_by_role("switch", name="Mirror").click()
    show.comes_to("mirror", 1)
    # Browsers write every connection that fails into the console; nothing else may stand there.
    gone = ("net::ERR_CONNECTION", "net::ERR_SOCKET_NOT_CONNECTED", "WebSocket")
    assert [text for text in pages.complaints if not any(sign in text for sign in gone)] == []
    pages.complaints.clear()


def test_a_page_whose_module_did_not_arrive_loads_again(show: Show, pages: Pages) -> None:
    page = pages.open()
    page.route("**/page/control.js", lambda route: route.abort(), times=1)
    page.reload()
    expect(page.locator("#banner")).to_contain_text("did not arrive")
    expect(page.locator("body")).to_have_attribute("data-connection", "open")
    expect(page.locator("#banner")).to_be_hidden()
    assert all("net::ERR_FAILED" in text for text in pages.complaints)
    pages.complaints.clear()


def test_a_connection_that_opens_slowly_is_waited_for(pages: Pages) -> None:
    page = pages.open()
    held: list[Callable[[], None]] = []

    def hold(socket: Any) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: held.append(lambda: socket.send(message)))
        held.append(lambda: server.on_message(socket.send))

    page.clock.install()
    page.route_web_socket("**/page/socket", hold)
    page.reload()
    expect(page.locator("body")).to_have_attribute("data-connection", "connecting")
    while not held:
        page.wait_for_timeout(50)
    page.clock.run_for(8000)
    expect(page.locator("body")).to_have_attribute("data-connection", "connecting")
    for send in tuple(held):
        send()
    expect(page.locator("body")).to_have_attribute("data-connection", "open")


def test_the_token_leaves_the_address_and_a_page_without_it_says_so(tmp_path: Path, chromium: Any) -> None:
    guarded = Show(tmp_path, "--web-token", TOKEN)
    context = chromium.new_context()
    try:
        guarded.start()
        page = context.new_page()
        page.goto(f"{guarded.url}?token={TOKEN}")
        expect(page.locator("body")).to_have_attribute("data-connection", "open")
        assert page.url == guarded.url
        context.clear_cookies()
        guarded.stop()
        guarded.start()
        expect(page.locator("#banner")).to_contain_text("open the address with the token")
    finally:
        context.close()
        guarded.stop()
