"""Metrics that are not measured: what each would tell, and which file or function it needs."""

from __future__ import annotations

from collections.abc import Sequence

from training.evaluation.metrics.weight_files import FETCH

NEEDS = {
    "FID": (
        "how far single frames look from real ones",
        "pt_inception-2015-12-05-6726825d.pth (--weights FILE)",
    ),
    "FVD": (
        "how far look and motion of entire clips are from real ones",
        "a TorchScript I3D, i3d_torchscript.pt (--weights FILE --trust SHA256)",
    ),
    "FD (MobileNetV2": (
        "what FID does, with a smaller network",
        f"mobilenet_v2-b0353104.pth; fetch it with {FETCH}",
    ),
    "IS": (
        "whether clips are surely of one class each, and of many classes",
        "the class probabilities of a network such as C3D on UCF-101 (--inception-score MODULE:FUNCTION)",
    ),
    "CLIPSIM": (
        "how alike frames and the label are",
        "CLIP (--clipsim MODULE:FUNCTION) and labels (--labels FILE or --text TEXT)",
    ),
    "IT": (
        "how alike frames and the label are",
        "ImageBind (--image-text MODULE:FUNCTION) and labels (--labels FILE or --text TEXT)",
    ),
    "IA": ("how alike frames and the sound are", "ImageBind (--similarity MODULE:FUNCTION)"),
    "AVSync score": (
        "how well frames and sound go together in time",
        "a classifier, as modules of ASVA's avsync checkpoint or an own one (--classifier FILE)",
    ),
    "RelSync": ("the same beside the real clip", "a classifier (--classifier FILE)"),
    "AlignSync": (
        "RelSync, and how alike frames and sound are",
        "a classifier (--classifier FILE) and ImageBind (--similarity MODULE:FUNCTION)",
    ),
}
"""Beginning of a measure's name: what it tells, and what it needs."""


def missing(measured: Sequence[str]) -> list[str]:
    """Return a line for each metric of both papers that is not among the measured names."""
    return [
        f"{metric}{')' if '(' in metric else ''} is not measured: it tells {tells}; it needs {needs}."
        for metric, (tells, needs) in NEEDS.items()
        if not any(_is(name, metric) for name in measured)
    ]


def _is(name: str, metric: str) -> bool:
    """Return whether a measure is a metric: FVD (i3d.pt) is FVD, FVD-like (...) is not."""
    return name == metric or name.startswith((f"{metric} (", f"{metric} ") if "(" not in metric else metric)
