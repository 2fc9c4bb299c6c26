"""Opens a show's page in Chromium and waits for the first frame that is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
WITHIN_MS = 30_000
_DRAWS = """
    window.firstFrame = null;
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function (image, ...rest) {
        draw.call(this, image, ...rest);
        if (image instanceof ImageBitmap && window.firstFrame === null) {
            window.firstFrame = performance.now();
        }
    };
"""


@dataclass(frozen=True, slots=True)
class Opening:
    """What it took until the first frame was on the page."""

    first_frame_s: float
    """From the request for the page."""
    bytes_before: int
    """Transferred before the first message with a frame."""


def open_page(address: str) -> Opening:
    """Open a page in a browser that has none of it yet."""
    from playwright.sync_api import sync_playwright

    counted, first_ms = _Counted(), None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        page = browser.new_page()
        protocol = page.context.new_cdp_session(page)
        protocol.send("Network.enable")
        protocol.on("Network.loadingFinished", counted.loaded)
        protocol.on("Network.webSocketFrameReceived", counted.received)
        page.add_init_script(_DRAWS)
        page.goto(address)
        for _ in range(WITHIN_MS // 20):
            first_ms = page.evaluate("window.firstFrame")
            if first_ms is not None:
                break
            page.wait_for_timeout(20)
        browser.close()
    assert first_ms is not None, "the page showed no frame"
    return Opening(first_ms / 1000, counted.amount)


class _Counted:
    def __init__(self) -> None:
        self.amount = 0
        self._has_come = False

    def loaded(self, event: dict[str, Any]) -> None:
        self.amount += 0 if self._has_come else round(event["encodedDataLength"])

    def received(self, event: dict[str, Any]) -> None:
        payload, is_binary = event["response"]["payloadData"], event["response"]["opcode"] == 2
        # Binary messages come as base64: 1 and the first byte of every JPEG, 255, begin with "Af".
        self._has_come = self._has_come or (is_binary and payload.startswith("Af"))
        self.amount += 0 if self._has_come else len(payload) * (3 if is_binary else 4) // 4
