"""OpenCV's window beside PyAV, in a fresh process as a show has them."""

import subprocess
import sys

SHOW = """
import engine.audio.resample, engine.audio.sources.media_file, engine.output.recording.video_writer
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.output.frame import ShowFormat
from engine.output.window.opencv_window import OpenCvWindow
from engine.output.window.window_config import WindowConfig
window = OpenCvWindow(ParameterStore(TABLE), WindowConfig())
window.open(ShowFormat(title="t", width=64, height=48, fps=20, sound_rate_hz=48000, sound_channels=1, live=True))
assert window.poll()
window.close()
print("opened")
"""
HANGS_AFTER_S = 60.0


def test_a_window_opens_after_the_libraries_of_sound_and_video_files(display: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW], capture_output=True, text=True, timeout=HANGS_AFTER_S, check=True
    )
    assert shown.stdout == "opened\n"
