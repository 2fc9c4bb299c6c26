"""Who is told of what changed, and who is not, over real UDP."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from pythonosc.osc_message import OscMessage

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.osc import OscServer
from engine.control.remotes.osc_feedback import Feedback, Follower
from engine.control.remotes.osc_listeners import Listener, parse_listener
from engine.control.remotes.osc_senders import AllowedSenders, machine_origin, origin_of
from engine.control.remotes.osc_subscribers import EXPIRES_S, MOST_SUBSCRIBERS, TABLES_AT_ONCE, Subscribers
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.subscription import StoreChange
from engine.core.clock import WallClock
from engine.core.errors import ConfigError
from tests.engine.app.shows import InventedClock
from tests.engine.control.remotes.test_osc import message
from tests.engine.model.probe_model import CARD

WITHIN_S = 10.0
LAST = "seed"
"""Set when a test has said all: what comes before it has come."""


class Fader:
    """A program on this machine that sends and listens on the same port."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(WITHIN_S)
        self._to = ("127.0.0.1", port)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send(self, name: str, *values: object) -> None:
        self.socket.sendto(message(name, *values), self._to)

    def told_until(self, name: str, value: object) -> list[tuple[str, list[object]]]:
        """Return what comes up to that value, which is left out."""
        told = list[tuple[str, list[object]]]()
        while not told or told[-1] != (f"/fluid/{name}", [value]):
            received = OscMessage(self.socket.recv(65536))
            told.append((received.address, list(received.params)))
        return told[:-1]


@pytest.fixture
def server(store: ParameterStore) -> Iterator[OscServer]:
    server = OscServer(RemoteAccess(store), "127.0.0.1", 0)
    server.start()
    yield server
    server.close()


@pytest.fixture
def follow(server, store) -> Callable[[], Fader]:
    def followed() -> Fader:
        fader = Fader(server.port)
        fader.send("subscribe")
        told = dict[str, list[object]]()
        while len(told) < sum(not parameter.happens for parameter in store.parameters.values()):
            received = OscMessage(fader.socket.recv(65536))
            told[received.address] = list(received.params)
        assert told["/fluid/zoom"] == [store.values()["zoom"]]
        assert told["/fluid/flash_guard"] == [1]
        return fader

    return followed


def test_each_is_told_of_all_but_its_own(store, follow):
    touch, mixer = follow(), follow()
    touch.send("zoom", 2.0)
    assert mixer.told_until("zoom", 2.0) == []
    store.set("glow", 0.5, origin="midi")
    mixer.send("trail", 0.25)
    assert touch.told_until("trail", 0.25) in ([("/fluid/glow", [0.5])], [])
    store.set(LAST, 7)
    assert ("/fluid/zoom", [2.0]) not in touch.told_until(LAST, 7)
    assert all(to == "/fluid/glow" for to, _ in mixer.told_until(LAST, 7))


def test_a_page_follows_another_controller_and_back(store, follow):
    touch = follow()
    for turn in range(5):
        store.set("zoom", 1.5 + 0.25 * turn, origin="midi")
        assert touch.told_until("zoom", 1.5 + 0.25 * turn) == []
        # A page of faders that repeats what it is told changes nothing.
        touch.send("zoom", 1.5 + 0.25 * turn)
        touch.send("zoom", 1.0 + 0.25 * turn)
        touch.send("ping")
        assert OscMessage(touch.socket.recv(65536)).address == "/fluid/pong"
    touch.send(LAST, 3)
    store.set("glow", 0.5)
    assert touch.told_until("glow", 0.5) == []
    assert store.values()["zoom"] == 2.0


def test_triggers_and_events_are_not_told(store, follow):
    fader = follow()
    store.set("tap", 1)
    store.set("scene", 3)
    store.set(LAST, 7)
    assert fader.told_until(LAST, 7) == []


def test_the_parameters_of_another_model_are_told(store, follow):
    fader = follow()
    store.replace_parameters([p for p in store.parameters.values() if p.name != "gain"])
    store.set(LAST, 1)
    assert fader.told_until(LAST, 1) == []
    store.replace_parameters(parameters_for(CARD))
    gain = store.values()["gain"]
    assert fader.told_until("gain", gain) == []


def test_nobody_is_told_after_it_has_unsubscribed(store, follow):
    one, other = follow(), follow()
    one.send("unsubscribe")
    one.send("ping")
    assert OscMessage(one.socket.recv(65536)).address == "/fluid/pong"
    store.set("zoom", 2.0)
    assert other.told_until("zoom", 2.0) == []
    one.send("ping")
    assert OscMessage(one.socket.recv(65536)).address == "/fluid/pong"


class TwoShows:
    """Two shows on this machine, each the listener of the other."""

    def __init__(self, host: str) -> None:
        self.stores = [ParameterStore(parameters_for(CARD)) for _ in range(2)]
        self.servers = [OscServer(RemoteAccess(store, notify=lambda line: None), host, 0) for store in self.stores]
        for server in self.servers:
            server.start()
        for server, other in zip(self.servers, self.servers[::-1], strict=True):
            listener = Listener(parse_listener(f"127.0.0.1:{other.port}"), print, server)
            assert listener.follower
            server.feedback.add(listener.follower)

    def values(self, name: str) -> list[object]:
        return [store.values()[name] for store in self.stores]

    def settle(self) -> None:
        """Return once each has obeyed what the other had told it before."""
        clock = WallClock()
        for number, store in enumerate(self.stores):
            store.set("seed", int(store.values()["seed"]) + 1 + number)
            until_s = clock.now_s() + WITHIN_S
            while len(set(self.values("seed"))) > 1 and clock.now_s() < until_s:
                clock.sleep(0.01)
            assert len(set(self.values("seed"))) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_two_shows_that_follow_each_other_agree_and_fall_silent(request, host):
    if ":" in host:
        request.getfixturevalue("ipv6")
    shows = TwoShows(host)
    shows.settle()
    shows.stores[0].set("zoom", 2.0)
    shows.settle()
    assert shows.values("zoom") == [2.0, 2.0]
    # Both at once: each takes the other's, and none sends it back.
    shows.stores[0].set("glow", 0.25)
    shows.stores[1].set("glow", 0.75)
    shows.settle()
    received = [server.counts.received for server in shows.servers]
    glow = shows.values("glow")
    shows.settle()
    assert shows.values("glow") == glow
    more = [server.counts.received - before for server, before in zip(shows.servers, received, strict=True)]
    assert max(more) <= 2
    for server in shows.servers:
        server.close()


# By an invented clock.


@pytest.fixture
def sent() -> list[tuple[object, bytes]]:
    return []


@pytest.fixture
def subscribers(store, clock, sent) -> Subscribers:
    feedback = Feedback(RemoteAccess(store), clock)
    return Subscribers(feedback, AllowedSenders(["10.0.0.0/8"]), lambda to, datagram: sent.append((to, datagram)))


def receivers(sent: list[tuple[object, bytes]]) -> set[object]:
    return {to for to, _ in sent}


def test_another_port_of_the_same_machine_may_be_named(subscribers, sent):
    subscribers.subscribe(("10.0.0.7", 50_000), [9001], 0.0)
    assert receivers(sent) == {("10.0.0.7", 9001)}


def test_a_program_that_was_started_again_is_not_told_of_its_own(store, clock):
    access, sent = Access(store), list[object]()
    subscribers = Subscribers(Feedback(access, clock), AllowedSenders(), lambda to, datagram: sent.append(to))
    for port in (50_000, 50_001):
        subscribers.subscribe(("127.0.0.1", port), [9001], clock.now_s())
    sent.clear()
    access.callback(StoreChange({"zoom": 2.0}, {"zoom": origin_of(("127.0.0.1", 50_001))}))
    assert sent == []
    access.callback(StoreChange({"zoom": 3.0}, {"zoom": origin_of(("127.0.0.1", 50_000))}))
    assert sent == [("127.0.0.1", 9001)]


@pytest.mark.parametrize(
    "values",
    [[0], [80], [1023], [65536], [-1], [0.5], ["9001"], [True], [None], [9001, 9002], [1e300], [70000.5], [9001.5]],
)
def test_what_is_no_port_is_one_sentence(subscribers, sent, values):
    with pytest.raises(ConfigError, match=r"^/fluid/subscribe takes "):
        subscribers.subscribe(("10.0.0.7", 50_000), values, 0.0)
    assert sent == []


def test_another_machine_may_subscribe_only_where_it_is_named(store, clock, sent):
    subscribers = Subscribers(
        Feedback(RemoteAccess(store), clock), AllowedSenders(), lambda to, datagram: sent.append((to, datagram))
    )
    with pytest.raises(ConfigError, match=r"--osc-allow 10\.0\.0\.7, or with --osc-out 10\.0\.0\.7:9001"):
        subscribers.subscribe(("10.0.0.7", 9001), [], 0.0)
    assert sent == []
    subscribers.subscribe(("127.0.0.1", 9001), [], 0.0)
    subscribers.subscribe(("10.0.0.7", 9001, "tcp"), [], 0.0)
    assert receivers(sent) == {("127.0.0.1", 9001), ("10.0.0.7", 9001, "tcp")}


def test_whole_tables_are_few_whoever_asks(subscribers, store, sent):
    refused = 0
    for number in range(1000):
        try:
            subscribers.subscribe(("10.0.0.7", 2000 + number), [], number / 1000)
        except ConfigError:
            refused += 1
    table = sum(not parameter.happens for parameter in store.parameters.values())
    assert len(sent) == TABLES_AT_ONCE * table
    assert refused == 1000 - TABLES_AT_ONCE


def test_only_so_many_subscribe_and_silent_ones_make_room(subscribers, sent):
    for number in range(MOST_SUBSCRIBERS):
        subscribers.subscribe(("10.0.0.7", 2000 + number), [], 2.0 * number)
    with pytest.raises(ConfigError, match="have subscribed, and more may not"):
        subscribers.subscribe(("10.0.0.8", 9001), [], 50.0)
    subscribers.subscribe(("10.0.0.8", 9001), [], EXPIRES_S + 0.1)
    assert ("10.0.0.8", 9001) in receivers(sent)


def told(feedback_clock: InventedClock, renewed_s: list[float], asked_s: float) -> bool:
    """Return whether a subscriber of second 0 that gave signs of life is still one at `asked_s`."""
    store = ParameterStore(parameters_for(CARD))
    sent = list[object]()
    subscribers = Subscribers(
        Feedback(RemoteAccess(store), feedback_clock), AllowedSenders(), lambda to, datagram: sent.append(to)
    )
    one, other = ("127.0.0.1", 9001), ("127.0.0.1", 9002)
    subscribers.subscribe(one, [], 0.0)
    for now_s in renewed_s:
        subscribers.renew(one, now_s)
    feedback_clock.time_s = asked_s
    subscribers.subscribe(other, [], asked_s)
    sent.clear()
    store.set("zoom", 2.0)
    clock = WallClock()
    until_s = clock.now_s() + WITHIN_S
    while other not in sent and clock.now_s() < until_s:
        clock.sleep(0.005)
    assert other in sent
    return one in sent


@pytest.mark.parametrize(
    ("renewed_s", "asked_s", "is_told"),
    [([], EXPIRES_S - 1, True), ([], EXPIRES_S + 1, False), ([50.0], 100.0, True), ([61.0], 100.0, False)],
)
def test_a_subscription_lasts_while_there_are_signs_of_life(clock, renewed_s, asked_s, is_told):
    assert told(clock, renewed_s, asked_s) is is_told


class Access(RemoteAccess):
    """Hands the callback of the feedback out, so that changes come when a test says so."""

    callback: Callable[[StoreChange], None]

    def subscribe(self, callback, name):
        self.callback = callback
        return super().subscribe(lambda change: None, name)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("midi", {"touch", "mixer", "here"}),
        (origin_of(("10.0.0.7", 9001)), {"mixer", "here"}),
        (origin_of(("10.0.0.7", 51_234)), {"mixer", "here"}),
        (origin_of(("10.0.0.7", 51_234, "tcp")), {"mixer", "here"}),
        (origin_of(("::ffff:10.0.0.7", 51_234, 0, 0)), {"mixer", "here"}),
        (origin_of(("10.0.0.70", 51_234)), {"touch", "mixer", "here"}),
        (origin_of(("127.0.0.1", 9001)), {"touch", "mixer"}),
        (origin_of(("127.0.0.1", 9002)), {"touch", "mixer", "here"}),
    ],
)
def test_a_machine_of_its_own_is_one_remote_and_here_each_port_is(store, clock, origin, expected):
    access = Access(store)
    feedback = Feedback(access, clock)
    sent = list[str]()
    for name, host, machine in (("touch", "10.0.0.7", True), ("mixer", "10.0.0.8", True), ("here", "127.0.0.1", False)):
        origins = frozenset((origin_of((host, 9001)),))
        feedback.add(Follower(lambda _, name=name: sent.append(name), origins, machine_origin(host) if machine else ""))
    sent.clear()
    access.callback(StoreChange({"zoom": 2.0}, {"zoom": origin}))
    assert set(sent) == expected
    feedback.close()


def test_a_reminder_leaves_out_what_the_follower_has_just_set(store, clock):
    access = Access(store)
    feedback = Feedback(access, clock)
    sent = list[str]()
    follower = Follower(lambda datagram: sent.append(OscMessage(datagram).address), frozenset(("osc fader",)))
    feedback.add(follower)
    access.callback(StoreChange({"zoom": 2.0}, {"zoom": "osc fader"}))
    sent.clear()
    feedback.remind(follower)
    assert "/fluid/glow" in sent
    assert "/fluid/zoom" not in sent
    clock.time_s += 11.0
    feedback.remind(follower)
    assert "/fluid/zoom" in sent
    feedback.close()
