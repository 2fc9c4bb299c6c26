"""The page by screen reader, as axe-core judges it, and without motion."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import require
from tests.engine.web.page.conftest import ON_A_PHONE, VIEWS, Pages, expect


def axe_file() -> Path | None:
    """Return axe-core's script from where npm puts it: NODE_PATH, the checkout, or the global folder."""
    folders = [
        *os.environ.get("NODE_PATH", "").split(os.pathsep),
        "node_modules",
        "/usr/local/lib/node_modules",
        "/usr/lib/node_modules",
    ]
    found = (Path(folder) / "axe-core" / "axe.min.js" for folder in folders if folder)
    return next((path for path in found if path.is_file()), None)


def test_without_motion_nothing_moves_by_itself(pages: Pages) -> None:
    page = pages.open(reduced_motion="reduce")
    moving = page.evaluate(
        """[...document.querySelectorAll("*")].filter(one => parseFloat(getComputedStyle(one).transitionDuration) > 0).length"""
    )
    assert moving == 0


@pytest.mark.parametrize("context", [{}, ON_A_PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing(context: dict[str, Any], pages: Pages) -> None:
    script = axe_file()
    require(script, "axe-core (npm install -g axe-core)")
    page = pages.open(bypass_csp=True, **context)
    page.add_script_tag(path=script)
    found: list[str] = []

    def judge(where: str) -> None:
        violations = page.evaluate("axe.run().then(result => result.violations)")
        found.extend(f"{where}: {one['id']}: {one['nodes'][0]['html']}" for one in violations)

    for view in VIEWS:
        tab = page.locator(f"#tabs [data-view={view}]")
        if not tab.is_visible():
            continue
        tab.click()
        if view == "parameters":
            page.locator("[data-name=memory] .more, [data-name=glow] .more").first.click()
        judge(view)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    judge("keyboard")
    assert found == []
