"""What the engine chooses where the user left it open."""

from __future__ import annotations

import pytest

from engine.app import choices
from engine.app.choices import choose_outputs
from engine.app.config import LiveConfig
from engine.web.web_address import LOOPBACK


@pytest.mark.parametrize(
    ("screen", "page", "config", "out", "web"),
    [
        (True, True, LiveConfig(), ("window",), None),
        (False, True, LiveConfig(), ("web",), LOOPBACK),
        (False, True, LiveConfig(web="0.0.0.0:9090"), ("web",), "0.0.0.0:9090"),
        (False, True, LiveConfig(out=("null",)), ("null",), None),
        (True, True, LiveConfig(out=("window", "web")), ("window", "web"), LOOPBACK),
        (True, True, LiveConfig(source=("web",)), ("window",), LOOPBACK),
        (True, True, LiveConfig(source=("drums=tone", "voice=web@1")), ("window",), LOOPBACK),
        (True, True, LiveConfig(source=("tone",), web=8080), ("window",), 8080),
    ],
)
def test_the_page_is_served_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
    screen: bool,
    page: bool,
    config: LiveConfig,
    out: tuple[str, ...],
    web: str | int | None,
) -> None:
    monkeypatch.setattr(choices, "has_screen", lambda: screen)
    monkeypatch.setattr(choices, "has_web", lambda: page)
    chosen = choose_outputs(config, lambda line: None)
    assert (chosen.out, chosen.web, chosen.seconds) == (out, web, None)


@pytest.mark.parametrize(
    ("web", "said"), [(None, "page; --web 0.0.0.0 lets"), ("0.0.0.0:8080", "page; --out chooses.")]
)
def test_the_page_that_was_asked_for_is_not_recommended(
    monkeypatch: pytest.MonkeyPatch, web: str | None, said: str
) -> None:
    monkeypatch.setattr(choices, "has_screen", lambda: False)
    monkeypatch.setattr(choices, "has_web", lambda: True)
    told = list[str]()
    choose_outputs(LiveConfig(web=web), told.append)
    assert said in told[0]


def test_without_a_screen_and_without_a_page_a_file_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setattr(choices, "has_screen", lambda: False)
    monkeypatch.setattr(choices, "has_web", lambda: False)
    told = list[str]()
    chosen = choose_outputs(LiveConfig(), told.append)
    assert (chosen.out, chosen.seconds, chosen.web) == (("show.mp4",), 10.0, None)
    assert told == ["No screen answers, so 10 s are written to a file; choose with --out."]
