"""Plays a model file."""

import contextlib
import sys

# The wheels of OpenCV and PyAV each bring X libraries of their own, some under one name. With PyAV's loaded first, Qt hangs
# when it opens a window (seen with opencv-python 5.0.0 and av 18.1.0), so on Linux OpenCV comes first, always.
if sys.platform.startswith("linux"):
    with contextlib.suppress(ImportError):
        import cv2 as cv2
