"""Whether a JPEG ends where it should (ITU-T T.81, B.1.1): of one that does not, FFmpeg shows grey below without a word."""

from __future__ import annotations

_BEGIN_OF_SCAN, _END = 0xDA, b"\xff\xd9"
_SIGNATURE_BYTES, _MARKER_BYTES = 2, 2


def is_cut_off(stored: bytes) -> bool:
    """Tell whether the pixels of a JPEG break off. Only what its own segments say counts: a thumbnail within them has an end too."""
    at = _SIGNATURE_BYTES
    while at + 2 * _MARKER_BYTES <= len(stored) and stored[at] == 0xFF:
        marker = stored[at + 1]
        if marker == _BEGIN_OF_SCAN:
            # Within a scan 0xFF is followed by 0, or by the number of a restart.
            return stored.find(_END, at) < 0
        # Any number of 0xFF may stand before a marker.
        at += 1 if marker == 0xFF else _MARKER_BYTES + int.from_bytes(stored[at + 2 : at + 4], "big")
    return False
