"""Errors of the colours that the frame reader gives, in levels of 255.

    python -m benchmarks.colours

Films of eight patches are made from the formulas of the standards, written by real encoders without loss, and read back: whole and
reduced to a quarter. The last column is the largest error of all patches but white.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.colour_patches import Film, errors_P, write_patches
from benchmarks.record import append_record, print_table
from engine.core.errors import run_main
from engine.media.frame_reader import FrameReader
from engine.media.geometry import Box

LOSSLESS_264, LOSSLESS_265 = {"qp": "0"}, {"x265-params": "lossless=1:log-level=none"}
SDR = [
    Film(
        name=f"{matrix} {'full' if full else 'limited'} {pixels}",
        matrix=matrix,
        full_range=full,
        pixel_format=pixels,
        codec="ffv1",
    )
    for matrix in ("bt601", "bt709", "bt2020")
    for full in (False, True)
    for pixels in ("yuv420p", "yuv422p10le", "yuv444p12le")
]
FILMS = [
    *SDR,
    Film(name="H.264, BT.601 limited", matrix="bt601", options=LOSSLESS_264, suffix=".mp4"),
    Film(name="H.264, BT.709 full", full_range=True, options=LOSSLESS_264, suffix=".mp4"),
    Film(name="H.264, untagged HD", tagged=False, options=LOSSLESS_264, suffix=".mp4"),
    Film(name="H.264 4:2:2 10 bit", pixel_format="yuv422p10le", options=LOSSLESS_264),
    Film(name="VP9, BT.709", codec="libvpx-vp9", options={"lossless": "1"}, suffix=".webm"),
    Film(name="H.265, RGB", pixel_format="gbrp", codec="libx265", options=LOSSLESS_265, tagged=False),
    Film(
        name="BT.2020 for ordinary screens",
        matrix="bt2020",
        primaries="bt2020",
        curve="bt2020",
        pixel_format="yuv420p10le",
        codec="libx265",
        options=LOSSLESS_265,
    ),
    Film(
        name="Display P3",
        primaries="p3",
        curve="srgb",
        pixel_format="yuv420p10le",
        codec="libx265",
        options=LOSSLESS_265,
    ),
    Film(
        name="HLG",
        matrix="bt2020",
        primaries="bt2020",
        curve="hlg",
        pixel_format="yuv420p10le",
        codec="libx265",
        options=LOSSLESS_265,
        suffix=".mp4",
    ),
    Film(
        name="PQ",
        matrix="bt2020",
        primaries="bt2020",
        curve="pq",
        pixel_format="yuv420p10le",
        codec="libx265",
        options=LOSSLESS_265,
        suffix=".mp4",
    ),
    Film(
        name="PQ full range",
        matrix="bt2020",
        primaries="bt2020",
        curve="pq",
        full_range=True,
        pixel_format="yuv420p12le",
        codec="ffv1",
    ),
]


def measure(path: Path) -> tuple[int, int]:
    """Return the largest errors of white and of the other patches in a film of patches."""
    shown = next(FrameReader(path).frames()).shown
    width, height = shown.size
    whole_P = errors_P(shown.pixels_HWC())
    reduced_P = errors_P(shown.resized_HWC(Box(0, 0, width, height), width // 4, height // 4))
    return int(max(whole_P[0], reduced_P[0])), int(max(whole_P[1:].max(), reduced_P[1:].max()))


def main() -> int:
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for film in FILMS:
            path = write_patches(Path(folder, f"film{film.suffix}"), film)
            rows.append([film.name, *measure(path)])
    headings = ["film", "white", "others"]
    print_table(headings, rows)
    append_record("colours", {"headings": headings, "rows": rows})
    return 0


if __name__ == "__main__":
    run_main(main)
