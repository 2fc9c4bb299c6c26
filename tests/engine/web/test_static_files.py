"""The files of the page are read once; what is no file of a page is none."""

from __future__ import annotations

from pathlib import Path

from engine.web.static_files import StaticFiles


def paths(folder: Path) -> set[str]:
    return {route.path for route in StaticFiles(folder).routes()}


def test_files_of_known_kinds_have_an_address_each(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for name in (
        "index.html",
        "app.js",
        "parts/meters.js",
        "icon.svg",
        "notes.txt",
        ".hidden.js",
        "tool.py",
        "x.js.bak",
    ):
        (tmp_path / name).write_text("x")
    files = {"/page/index.html", "/page/app.js", "/page/parts/meters.js", "/page/icon.svg"}
    assert paths(tmp_path) == {"/page", "/page/", *files}


def test_a_page_that_is_missing_is_no_fault_at_the_start(tmp_path: Path) -> None:
    assert paths(tmp_path / "none") == {"/page", "/page/"}
