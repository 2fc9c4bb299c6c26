"""Puts the telemetry of a running show together."""

from __future__ import annotations

from collections.abc import Callable

from engine.app.assembly import Controllers
from engine.app.tempo import OpenTempo
from engine.audio.capture import AudioCapture
from engine.control.parameter_store import ControlSource
from engine.control.parameter_table import ShowValues
from engine.control.telemetry import Telemetry
from engine.core.clock import Clock
from engine.ops.health_monitor import HealthMonitor
from engine.render.steering import HopRecorder

_REPORT_EVERY_S = 0.1


def telemetry_of(
    capture: AudioCapture,
    store: ControlSource,
    controllers: Controllers,
    monitor: HealthMonitor,
    clock: Clock,
    tempo: OpenTempo | None = None,
    recorder: HopRecorder | None = None,
) -> Callable[[], Telemetry]:
    """Return what gives the telemetry of this moment. Any thread may call it, and as often as it likes."""
    tempo = tempo or OpenTempo()
    report, reported_s = monitor.report(clock.now_s()), clock.now_s()

    def telemetry() -> Telemetry:
        nonlocal report, reported_s
        now_s = clock.now_s()
        if now_s - reported_s >= _REPORT_EVERY_S:
            report, reported_s = monitor.report(now_s), now_s
        values = ShowValues(store.values())
        sync = monitor.sync.reading()
        sound = capture.features_now(now_s, 1e-3 * values.look_ahead_ms)
        return Telemetry(
            level=sound.level,
            low=sound.low,
            mid=sound.mid,
            high=sound.high,
            low_rms=sound.low_rms,
            mid_rms=sound.mid_rms,
            high_rms=sound.high_rms,
            onsets=sound.onsets,
            onset_strength=sound.onset_strength,
            beats=sound.beats,
            beats_a_bar=sound.beats_a_bar,
            tempo_bpm=sound.tempo_bpm,
            certainty=sound.certainty,
            followed_clock=tempo.followed_clock,
            link_peers=tempo.link_peers,
            fps=report.fps,
            frame_age_ms=report.shown_age_ms or report.age_ms or 0.0,
            sync=None if sync.reason else sync.value,
            sync_floor=None if sync.reason else sync.floor,
            sync_undefined=sync.reason,
            skipped_hops=report.skipped_hops,
            failed_steps=report.failed_steps,
            softened_flashes=monitor.flashes.softened,
            recording=values.record,
            recording_take=recorder is not None and recorder.is_recording,
            scene=controllers.scene_controller.number,
            scene_name=controllers.scene_controller.name,
            model=controllers.switcher.playing.name,
            source=report.source,
            problem=report.reason,
            inputs={name: one.level for name, one in sound.inputs.items()},
        )

    return telemetry
