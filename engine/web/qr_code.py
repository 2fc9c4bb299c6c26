"""The address of the page as a QR code for a terminal, which a phone's camera reads."""

from __future__ import annotations

BORDER = 2
_BLOCKS = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
"""Upper and lower module, True where dark; most terminals are dark, so that light ones are drawn."""


def qr_lines(text: str) -> list[str]:
    """Return lines of half blocks, two rows of the code each."""
    import segno

    rows = [[bool(module) for module in row] for row in segno.make_qr(text, error="l").matrix_iter(border=BORDER)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return [
        "".join(_BLOCKS[pair] for pair in zip(rows[index], rows[index + 1], strict=True))
        for index in range(0, len(rows), 2)
    ]
