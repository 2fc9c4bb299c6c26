"""The addresses at which a show tells of itself."""

from __future__ import annotations

from engine.control.remotes.telemetry_addresses import TELEMETRY, addresses
from engine.control.telemetry import Telemetry

OF_TAG = {"f": float, "i": int, "s": str, "T": bool}


def test_values_are_of_the_types_that_the_table_names() -> None:
    told = Telemetry(level=1, onsets=3, scene=2, scene_name="Rain", inputs={"drums": 1})
    for one in addresses(told):
        assert [type(value) for value in one.read(told)] == [OF_TAG[tag] for tag in one.tags], one.name


def test_every_address_is_there_once_below_one_prefix() -> None:
    names = [one.address for one in TELEMETRY]
    assert len(set(names)) == len(names)
    assert all(name.startswith("/fluid/out/") for name in names)


def test_a_show_has_one_address_for_each_of_its_named_inputs() -> None:
    told = Telemetry(inputs={"drums": 0.25, "voice": 0.5})
    assert {one.address: one.read(told) for one in addresses(told)[len(TELEMETRY) :]} == {
        "/fluid/out/inputs/drums": (0.25,),
        "/fluid/out/inputs/voice": (0.5,),
    }


def test_an_onset_counts_and_keeps_its_strength() -> None:
    (onset,) = (one for one in TELEMETRY if one.count)
    assert onset.count is not None
    told = Telemetry(onsets=4, onset_strength=0.5)
    assert (onset.count(told), onset.read(told)) == (4, (0.5,))
