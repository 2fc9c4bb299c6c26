"""Measure rendered clips beside the real ones: every metric of AVSyncD and TempoTokens, each with a floor and a ceiling.

    python -m training.evaluate_renders RENDERED --reference REAL --labels REAL/labels.csv
    python -m training.evaluate_renders RENDERED --reference REAL --text drums --classifier media/sync.safetensors --json metrics.json

RENDERED and REAL are films or folders of films, as many and in the same order; a rendered clip and its real one begin at the same
moment. Networks that are not here are Python functions or files of yours; what is not measured for want of one is listed with what it
needs. docs/diffusion.md defines each metric and says how all test clips of a data set are rendered.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from tqdm import tqdm

from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import write_text
from engine.core.counted import counted
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_lines
from training.core.named_functions import load_function, short_name
from training.data.video_files import video_files
from training.evaluation.figures_file import check_figures_file
from training.evaluation.metrics.extractors import load_extractors
from training.evaluation.metrics.fetch_weights import DEFAULT_FOLDER, weights_of
from training.evaluation.renders.labels import class_text, read_class_mapping, read_labels
from training.evaluation.renders.likenesses import CLIPSIM, IA, IT, Likeness
from training.evaluation.renders.measure import Networks, measure_renders
from training.evaluation.renders.text import report, values
from training.evaluation.synchrony.align_sync import load_similarity
from training.evaluation.synchrony.classifier_files import load_classifier
from training.evaluation.synchrony.film import check_fps
from training.evaluation.synchrony.suite import SuiteOptions

LIKENESSES = {CLIPSIM: "clipsim", IT: "image_text", IA: "similarity"}
"""Metrics by the flag of their function."""


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ArgumentParser(
        prog="python -m training.evaluate_renders",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("rendered", type=Path, nargs="+", metavar="RENDERED", help="rendered clips with sound, or folders of them")
    add(
        "--reference",
        type=Path,
        nargs="+",
        required=True,
        metavar="REAL",
        help="the real clip of each, in the same order",
    )
    add("--labels", type=Path, metavar="FILE", help="what is seen in each clip: lines NAME,LABEL")
    add("--text", metavar="TEXT", help="what is seen in all clips")
    add(
        "--class-mapping", type=Path, metavar="FILE", help="AVSyncD's class_mapping.json: labels have to be its classes"
    )
    add("--clipsim", metavar="MODULE:FUNCTION", help="CLIP's cosines of frames and a text, for CLIPSIM")
    add("--image-text", metavar="MODULE:FUNCTION", help="ImageBind's cosines of frames and a text, for IT")
    add(
        "--similarity",
        metavar="MODULE:FUNCTION",
        help="ImageBind's cosines of frames and a sound, for IA and AlignSync",
    )
    add("--inception-score", metavar="MODULE:FUNCTION", help="class probabilities of a clip's frames, for IS")
    add("--classifier", type=Path, metavar="FILE", help="a synchrony classifier, or the original's folder of modules")
    add(
        "--weights",
        type=Path,
        nargs="+",
        metavar="PATH",
        help=f"weight files or folders, for FID and FVD; default {DEFAULT_FOLDER} if present",
    )
    add("--trust", metavar="SHA256", help="allow the TorchScript weight file with this SHA-256 (an I3D, for FVD)")
    add("--fps", type=int, metavar="N", help="frames a second to measure at; default: each rendered clip's own")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="for FID and FVD")
    add("--json", type=Path, metavar="FILE", help="also write all figures, with those of each clip, to this file")
    return parser


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the flags. Raises TrainingError for wrong ones."""
    flags = argument_parser().parse_args(argv)
    check_fps(flags.fps)
    if flags.labels and flags.text is not None:
        raise TrainingError("--labels and --text are both given; give one of them.")
    if flags.text is not None and not flags.text.strip():
        raise TrainingError("--text is empty; say what is seen in the clips.")
    for metric in (CLIPSIM, IT):
        if getattr(flags, LIKENESSES[metric]) and not flags.labels and flags.text is None:
            flag = LIKENESSES[metric].replace("_", "-")
            raise TrainingError(f"--{flag} is for {metric}, which needs labels too; give --labels FILE or --text TEXT.")
    if flags.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device is cuda, but torch sees no CUDA device; use --device cpu.")
    flags.rendered, flags.reference = video_files(flags.rendered), video_files(flags.reference)
    if len(flags.reference) != len(flags.rendered):
        names = {path.stem for path in flags.reference}
        alone = next((f" There is none named {path.stem}." for path in flags.rendered if path.stem not in names), "")
        raise TrainingError(
            f"--reference names {counted(len(flags.reference), 'real clip')} for {len(flags.rendered)} rendered; one for each in the same order was expected.{alone}"
        )
    return flags


def networks_of(flags: argparse.Namespace) -> Networks:
    """Load what the flags name. Raises TrainingError for what cannot be had."""
    given = weights_of(flags.weights)
    name = flags.inception_score
    return Networks(
        extractors=load_extractors(given, flags.trust),
        classifier=load_classifier(flags.classifier) if flags.classifier else None,
        likenesses=[
            Likeness(metric, load_function(named, f"--{flag.replace('_', '-')}"), short_name(named))
            for metric, flag in LIKENESSES.items()
            if (named := getattr(flags, flag))
        ],
        classes=load_function(name, "--inception-score") if name else None,
        classes_name=short_name(name or ""),
    )


def labels_of(flags: argparse.Namespace) -> list[str]:
    """Return the label of each clip; empty ones where nothing is given. Raises TrainingError for labels that do not fit."""
    mapping = read_class_mapping(flags.class_mapping) if flags.class_mapping else None
    names = [path.stem for path in flags.rendered]
    if flags.labels:
        found = read_labels(flags.labels, names, mapping)
        return [found[name] for name in names]
    return [class_text(flags.text, mapping, "--text") if flags.text is not None else ""] * len(names)


def main(argv: list[str] | None = None) -> int:
    """Measure, print the table and write the figures."""
    flags = parse(argv)
    labels, networks = labels_of(flags), networks_of(flags)
    if flags.json:
        read = (
            *flags.rendered,
            *flags.reference,
            flags.labels,
            flags.class_mapping,
            flags.classifier,
            *(flags.weights or ()),
        )
        check_figures_file(flags.json, filter(None, read))
    options = SuiteOptions(
        fps=flags.fps, similarity=load_similarity(flags.similarity) if flags.similarity and flags.classifier else None
    )
    device = torch.device("cuda" if flags.device != "cpu" and torch.cuda.is_available() else "cpu")
    clips = list(zip(flags.rendered, flags.reference, labels, strict=True))
    with tqdm(desc="measuring", unit="clip", total=2 * len(clips), leave=False, dynamic_ncols=True) as bar:
        evaluation = measure_renders(clips, networks, options, device, bar.update)
    print_lines(report(evaluation))
    if flags.json:
        try:
            write_text(flags.json, json.dumps(values(evaluation), indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise TrainingError(f"Cannot write {flags.json}: {error.strerror}.") from error
    return 0


if __name__ == "__main__":
    run_main(main)
