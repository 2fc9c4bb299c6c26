"""The QR code of the terminal, as a camera sees it."""

from __future__ import annotations

import cv2
import numpy as np

from engine.web.qr_code import qr_lines

LIGHT = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}
"""Upper and lower half of a character, True where it is drawn."""


def test_a_camera_reads_the_address() -> None:
    address = "https://192.168.178.123:8080/?token=AbCdEfGhIjKlMnOpQrStUv"
    lines = qr_lines(address)
    assert len({len(line) for line in lines}) == 1
    assert len(lines) <= 24
    rows = [[LIGHT[character][half] for character in line] for line in lines for half in (0, 1)]
    # A dark terminal around it.
    image = np.pad(np.kron(np.array(rows, np.uint8) * 255, np.ones((8, 8), np.uint8)), 40)
    assert cv2.QRCodeDetector().detectAndDecode(image)[0] == address
