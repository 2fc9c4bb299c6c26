"""Who may use OSCQuery: whoever OSC lets in, and nobody else."""

from __future__ import annotations

from collections.abc import Iterable

from engine.control.remotes.osc_senders import AllowedSenders, is_loopback


class Admission:
    """OSCQuery has no password because OSC has none: so it opens nothing that OSC keeps closed."""

    def __init__(self, osc_host: str, osc_allow: Iterable[str] = ()) -> None:
        """`osc_host` is where OSC listens. Raises ConfigError for networks that are none."""
        self._is_open = not is_loopback(osc_host.strip("[]"))
        self._allowed = AllowedSenders(osc_allow)

    def refusal(self, host: str) -> str:
        """Return why a client at this address is refused, with the way out; empty for one that may use OSCQuery."""
        if not self._allowed.admits(host):
            return f"OSCQuery does not answer {host}, since osc_allow does not name it; add it to osc_allow."
        if self._is_open or is_loopback(host):
            return ""
        return f"OSCQuery does not answer {host}, since OSC is open to this machine alone; open it with --osc-host 0.0.0.0."
