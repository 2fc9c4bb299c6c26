"""From sound to light, measured with clicks.

    python -m benchmarks.latency --fps 20 --clicks 200 --json FILE

Starts a private sound server and screen and, on them, the show as a user starts it: `run_live.py --source mic --out window`, with
a probe model whose frames are white while its sound window holds a click (export/probe.py). Clicks are played into the server at
random phases, and the screen is read back. Nothing is simulated or patched. For each click:

    written   the server has received its first sample from the player
    left      its first sample leaves the server (the same click, recorded by an independent second client; see click_figures.py)
    light     the screen is first bright, read about every millisecond

`sound_to_light_ms` is left to light: what an audience sees. `written_to_light_ms` adds the path through the server's playback
side. `--path effects` holds the model's frames at an even grey and lets onsets brighten them.

    python -m benchmarks.latency --beside projectm,gstreamer --turns 3

plays the same clicks to other programs in turns with ours, each on a desktop of its own, and prints one table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.click_desktop import MONITOR, PROGRAMS, SCREEN, ClickDesktop
from benchmarks.click_figures import Click, histogram, spread_ms
from benchmarks.click_film import Camera
from benchmarks.click_jack import JackPlayer
from benchmarks.click_light import Light, Screen
from benchmarks.click_run import followed, play_clicks, wait_for_light
from benchmarks.click_sound import PulseAudioSound
from benchmarks.latency_beside import OTHERS, measure_in_turns
from benchmarks.private_desktop import end
from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, run_main
from engine.model.file import read_card
from engine.ops.calibration.film import offset_of_film
from engine.ops.calibration.venue import describe_offset
from export.probe import WINDOW_S, write_probe_file

GREY = 0.25
PATHS = {
    "model": ("--onset-brightness", "0"),
    "effects": ("--gain", "0", "--floor", f"{GREY}", "--onset-brightness", "1", "--onset-decay-ms", "60"),
}
BRIGHT = {"model": 128, "effects": round(1.4 * 255 * GREY)}
SETTLE_S = 3.0
"""Time after the first light until the clocks of the server have settled."""


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.clicks < 1:
        raise ConfigError(f"--clicks is {arguments.clicks}; 1 or more were expected.")
    if arguments.film and arguments.server != "pulse":
        raise ConfigError(
            f"--film needs --server pulse, not {arguments.server}: only there a second client records the sound; leave one out."
        )
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or Path(folder) / "probe.onnx"
        if arguments.model is None:
            # With the whole window, as other models: a click in a skipped hop is seen a hop later.
            write_probe_file(model, arguments.fps, arguments.size, listen_ms=1e3 * WINDOW_S)
        card = read_card(model)
        if arguments.beside:
            measure_in_turns(arguments, {path: _turn(model, arguments, path, folder) for path in PATHS})
            return 0
        clicks, show = measure(model, arguments, Path(folder) / "stats.json")
    figures = {
        "fps": card.fps,
        "size": card.width,
        "server": arguments.server,
        "path": arguments.path,
        "window": arguments.window or "auto",
        "options": arguments.options,
        **report(clicks, show, 0.0 if arguments.path == "effects" else card.hop_s),
    }
    if arguments.film:
        offset = offset_of_film(arguments.film)
        print(f"film: {describe_offset(offset)}")
        figures["film_offset_ms"] = round(1e3 * offset.median_s, 2)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if arguments.png:
        draw(clicks, figures, arguments.png)
    if not arguments.no_record:
        append_record("latency", {name: value for name, value in figures.items() if name != "clicks"}, model=card.name)
    return 0


def _turn(model: Path, arguments: argparse.Namespace, path: str, folder: str) -> Callable[[int, int], list[Click]]:
    """Return what measures our show on one path, from the number of clicks and a seed."""

    def measure_ours(clicks: int, seed: int) -> list[Click]:
        asked = argparse.Namespace(**{**vars(arguments), "path": path, "clicks": clicks, "seed": seed})
        return measure(model, asked, Path(folder) / "stats.json")[0]

    return measure_ours


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how long a sound takes to become light, with clicks.")
    parser.add_argument("--fps", type=float, default=20.0, help="frame rate of the probe (default 20)")
    parser.add_argument("--size", type=int, default=128, help="frame size of the probe (default 128)")
    parser.add_argument("--model", type=Path, help="another model file whose frames turn white on a click")
    parser.add_argument("--clicks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="random seed of the click distances")
    parser.add_argument("--server", choices=tuple(PROGRAMS), default="pulse")
    parser.add_argument("--path", choices=tuple(PATHS), default="model")
    parser.add_argument("--window", choices=("gl", "opencv"), help="the kind of window (default: the show's choice)")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        dest="options",
        metavar="ARG",
        help="one more argument of run_live.py, e.g. --option=--fullscreen",
    )
    parser.add_argument(
        "--film",
        type=Path,
        metavar="FILE.mp4",
        help="film the screen with its sound, and compare the result of --calibrate-from",
    )
    parser.add_argument(
        "--beside",
        type=lambda text: text.split(","),
        default=[],
        metavar="NAME,NAME",
        help=f"measure these programs in turns with both of our paths: {', '.join(OTHERS)}",
    )
    parser.add_argument("--turns", type=int, default=3, help="turns of each program with --beside (default 3)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw the histogram")
    parser.add_argument("--no-record", action="store_true", help="keep no record of the run")
    return parser


def measure(model: Path, arguments: argparse.Namespace, stats: Path) -> tuple[list[Click], dict[str, Any]]:
    """Play the clicks; return each one's times and the show's own statistics. Raises ConfigError."""
    clock = WallClock()
    with ClickDesktop(arguments.server) as desktop:
        sound = _open_sound(desktop, arguments.server)
        window = ["--window", arguments.window] if arguments.window else []
        options = [*window, *PATHS[arguments.path], *arguments.options]
        show, camera = desktop.start_show(model, stats, sound.source, options), None
        middle = SCREEN[0] // 2, SCREEN[1] // 2
        light = Light(Screen(desktop.display), *middle, BRIGHT[arguments.path])
        try:
            wait_for_light(desktop, sound, light, show, "show.log")
            camera = Camera(Screen(desktop.display), *middle) if arguments.film else None
            clock.sleep(SETTLE_S)
            first = play_clicks(desktop, sound, show, "show.log", arguments.clicks, arguments.seed)
            end(show)
        finally:
            for part in (sound, light, *([camera] if camera else [])):
                part.close()
        if camera and isinstance(sound, PulseAudioSound):
            camera.write(arguments.film, sound.recorder)
        print(desktop.output("show.log").strip())
        gap_ms = 1e3 * light.longest_gap_s
        print(f"{light.samples} readings of the screen, at most {gap_ms:.1f} ms apart where it turned bright")
        return followed(sound, light, first), json.loads(stats.read_text(encoding="utf-8"))


def _open_sound(desktop: ClickDesktop, server: str) -> PulseAudioSound | JackPlayer:
    if server == "jack":
        return JackPlayer(desktop.environment)
    return PulseAudioSound(desktop.environment["PULSE_SERVER"], MONITOR)


def report(clicks: Sequence[Click], show: dict[str, Any], hop_s: float) -> dict[str, Any]:
    """Print tables and histogram, and return the figures. `hop_s` is 0 for effects, which do not wait for a hop."""
    lit = [click for click in clicks if click.light_s is not None and click.left_s is not None]
    sound_to_light_s = [click.light_s - click.left_s for click in lit]
    spreads = {
        "sound_to_light_ms": spread_ms(sound_to_light_s),
        "written_to_light_ms": spread_ms([c.light_s - c.written_s for c in clicks if c.light_s is not None]),
        "server_share_ms": spread_ms([c.left_s - c.written_s for c in clicks if c.left_s is not None]),
        "server_delivery_ms": spread_ms([c.captured_s - c.left_s for c in clicks if c.captured_s is not None]),
    }
    print_table(
        ["", "clicks", "p50 ms", "p95 ms", "p99 ms", "max ms", "jitter ms"],
        [
            [
                name.removesuffix("_ms").replace("_", " "),
                *(row.get(key, 0.0) for key in ("count", "p50", "p95", "p99", "max", "jitter")),
            ]
            for name, row in spreads.items()
        ],
    )
    print("\n".join(histogram(sound_to_light_s)))
    stages = stage_table(show, hop_s, spreads)
    print_table(
        ["stage", "mean ms", "p50 ms", "p95 ms"],
        [[name, *(row.get(key, "") for key in ("mean", "p50", "p95"))] for name, row in stages.items()],
    )
    left = sum(click.left_s is not None for click in clicks)
    missed, lost = left - len(lit), len(clicks) - left
    print(f"{len(clicks)} clicks: {lost} lost by the server, {missed} captured and not seen")
    return {
        **spreads,
        "stages_ms": stages,
        "missed": missed,
        "lost_by_server": lost,
        "clicks": [click._asdict() for click in clicks],
        "show": show,
    }


def stage_table(show: dict[str, Any], hop_s: float, spreads: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return the latency by stage, in order; a stage computed as a difference has only a mean.

    The wait for the hop is that of a random moment: 0 to one hop. The rest of the measured whole is the path of the sound
    into the driver and of the frame from the window system to the screen.
    """
    hop_ms, stages = 1e3 * hop_s, show["stages"]
    handed, shown, step = show["handed_age"], show["shown_age"], stages["step"]

    def row(summary: dict[str, float]) -> dict[str, float]:
        return {"mean": summary["mean_ms"], "p50": summary["p50_ms"], "p95": summary["p95_ms"]}

    whole, resampler_ms = spreads["sound_to_light_ms"], show["resampler_delay_ms"]
    table: dict[str, dict[str, float]] = {
        "capture block, waking the step": {"mean": handed["mean_ms"] - step["mean_ms"] - resampler_ms},
        "resampler": dict.fromkeys(("mean", "p50", "p95"), resampler_ms),
        "wait for the hop": {"mean": hop_ms / 2, "p50": hop_ms / 2, "p95": 0.95 * hop_ms},
        "step": row(step),
        "hand-over to the outputs": row(stages["finish"]),
        "present": {"mean": shown["mean_ms"] - handed["mean_ms"]},
        "(age when handed on)": row(handed),
        "(age when shown)": row(shown),
    }
    if whole["count"] and hop_s:
        table["driver and window system"] = {"mean": whole["mean"] - hop_ms / 2 - shown["mean_ms"]}
    if whole["count"]:
        table["sound to light"] = {name: whole[name] for name in ("mean", "p50", "p95")}
    return {name: {key: round(value, 2) for key, value in values.items()} for name, values in table.items()}


def draw(clicks: Sequence[Click], figures: dict[str, Any], path: Path) -> None:
    """Draw the histogram of sound to light."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    times_ms = [1e3 * (c.light_s - c.left_s) for c in clicks if c.light_s is not None and c.left_s is not None]
    spread = figures["sound_to_light_ms"]
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    axes.hist(times_ms, bins=[2.5 * n for n in range(int(max(times_ms, default=0.0) // 2.5) + 2)], color="0.35")
    for name, colour in (("p50", "tab:blue"), ("p95", "tab:orange"), ("p99", "tab:red")):
        if spread["count"]:
            axes.axvline(spread[name], color=colour, label=f"{name} {spread[name]:.0f} ms")
    axes.set(
        xlabel="sound to light, ms",
        ylabel="clicks",
        title=f"{figures['fps']:g} fps, {figures['path']} path, {len(times_ms)} clicks",
    )
    axes.set_xlim(left=0)
    axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    run_main(main)
