"""Labels of clips: the file, classes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.errors import TrainingError
from training.evaluation.renders.labels import class_text, read_class_mapping, read_labels

MAPPING = {"lions_roaring": "lions roaring", "playing_cello": "playing cello"}


def test_names_may_have_their_ends_and_labels_commas(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text('a.mp4,lions roaring\nb.v2,"a hall, empty"\n\nother,rain\n')
    assert read_labels(tmp_path / "labels.csv", ["a", "b.v2"]) == {"a": "lions roaring", "b.v2": "a hall, empty"}


def test_classes_are_taken_by_name_and_by_text() -> None:
    assert class_text("lions_roaring", MAPPING, "--text") == class_text("lions roaring", MAPPING, "--text")
    assert class_text("anything", None, "--text") == "anything"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clip1,lions roaring\n", "no label for the clip clip2. Did you mean 'clip1'\\? A line NAME,LABEL"),
        ("clip1\nclip2,playing cello", "Line 1 of .* is 'clip1'; a line NAME,LABEL"),
        ("clip1, \nclip2,playing cello", "Line 1 of"),
        ("clip1,a,b\nclip2,c", "Line 1 of .* is 'clip1,a,b'"),
        (
            "clip1,lion roaring\nclip2,playing cello",
            "'lion roaring' \\(line 1 of .* is no class. Did you mean 'lions roaring'\\?",
        ),
        ("clip1,xyz\nclip2,playing cello", "is no class. Known are lions roaring, playing cello."),
        ("", "no label for the clip clip1"),
    ],
)
def test_wrong_labels_are_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(TrainingError, match=sentence):
        read_labels(tmp_path / "labels.csv", ["clip1", "clip2"], MAPPING)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00bad", None])
def test_a_file_that_cannot_be_read_is_one_sentence(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(TrainingError, match=r"Cannot read .*labels.csv.*a line NAME,LABEL"):
        read_labels(tmp_path / "labels.csv", ["clip1"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("[1]", "something else"), ("{}", "something else"), ("{", "Cannot read"), ('{"a": 1}', "something else")],
)
def test_a_mapping_of_another_form_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "class_mapping.json").write_text(text)
    with pytest.raises(TrainingError, match=sentence):
        read_class_mapping(tmp_path / "class_mapping.json")


def test_a_mapping_is_read(tmp_path: Path) -> None:
    (tmp_path / "class_mapping.json").write_text('{"lions_roaring": "lions roaring"}')
    assert read_class_mapping(tmp_path / "class_mapping.json") == {"lions_roaring": "lions roaring"}
