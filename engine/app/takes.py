"""The takes of a show: one that begins with it, and those that begin and end while it plays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.app.assembly import Controllers
from engine.app.config import SETTINGS, LiveConfig
from engine.audio.conditioning import Conditioner
from engine.audio.sources.inputs import OpenInputs
from engine.core.clock import WallClock
from engine.core.errors import UserError
from engine.core.free_path import free_path
from engine.media.address import shown_address
from engine.model.swap import state_event
from engine.output.recording.segment_writer import KEEP_FREE_BYTES
from engine.render.runtime import Runtime
from engine.takes.recorder import TakeRecorder
from engine.takes.take_log import TakeHeader, take_header
from engine.takes.take_switch import Moment, TakeSwitch


class Takes:
    """Makes what records the takes of one show, and says what they need."""

    def __init__(
        self,
        config: LiveConfig,
        inputs: OpenInputs,
        controllers: Controllers,
        conditioner: Conditioner,
        runtime: Runtime,
        context_sha256: str = "",
    ) -> None:
        """`context_sha256` is the checksum of the file that the models look at."""
        self._config = config
        self._inputs = inputs
        self._controllers = controllers
        self._conditioner = conditioner
        self._context_sha256 = context_sha256
        self._live = runtime.live
        self._notify = runtime.notices.tell

    def open(self, is_on: bool) -> TakeRecorder | TakeSwitch | None:
        """Return what records takes, for a live show always; `is_on` says whether one begins with the show. Raises SinkError."""
        first, header = None, self._header()
        if self._config.take:
            # A show that is started again after a crash keeps a second take.
            first = TakeRecorder(free_path(self._config.take), header, live=self._live, notify=self._notify)
        elif is_on and self._live:
            first = self._new_take(header, None)
        if first:
            first.open()
            self._notify(f"take     {first.name}")
        if not self._live:
            return first
        return TakeSwitch(self._inputs.source.rate_hz, self._moment, self._new_take, self._notify, first)

    def _new_take(self, header: TakeHeader, gain_curve_T: NDArray[np.float32] | None) -> TakeRecorder:
        name = WallClock.date()[:19].replace(":", "-")
        return TakeRecorder(
            Path(self._config.takes) / f"take-{name}",
            header,
            live=self._live,
            notify=self._notify,
            gain_curve_T=gain_curve_T,
            keep_free_bytes=KEEP_FREE_BYTES,
        )

    def _moment(self) -> Moment | None:
        switcher = self._controllers.switcher
        if not switcher.is_steady:
            return None
        try:
            state = switcher.snapshot_state()
        except UserError:
            # It lies on a device that was just lost; the next step makes another one.
            return None
        return Moment(header=self._header(), state=state_event(state), gain=self._conditioner.history)

    def _header(self) -> TakeHeader:
        """Return the header of a take that begins now with the model that plays."""
        config, inputs, switcher = self._config, self._inputs, self._controllers.switcher
        return take_header(
            switcher.backend,
            inputs.source,
            layout=inputs.layout,
            model=switcher.playing_path,
            date=WallClock.date(),
            threads=config.threads,
            # A take is handed on: the passwords of addresses and of the page stay here.
            settings={name: getattr(config, name) for name in SETTINGS}
            | {"source": tuple(shown_address(source) for source in config.source), "web_token": None},
            mappings=self._controllers.modulators.mappings,
            context_sha256=self._context_sha256,
        )
