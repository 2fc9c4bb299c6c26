"""A folder of real clips rendered with small networks from files: each from its own frame, sound and label, and going on where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.errors import TrainingError, UserError
from tests.training.clips import apart
from tests.training.diffusion.avsyncd.published_folder import write_folder
from tests.training.evaluation.renders.rendered_clips import clips, write_labels
from training.data.frames import file_frame_rate, shown_size
from training.diffusion.avsyncd import published
from training.render import main as render
from training.render_clips import call_for, main

SIZE = ("--width", "16", "--height", "16", "--steps", "1")
# Of these random networks, frames of two clips are 0.3 levels apart at the published guidance, and an encoder rounds by more.
APART = ("--steps", "4", "--audio-guidance", "100", "--text-guidance", "100")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_folder(tmp_path_factory.mktemp("weights"))
    clips(folder / "real", range(2), seconds=1.0)
    write_labels(folder / "labels.csv", ["clip0", "clip1"], ["lions roaring", "playing cello"])
    return folder


def words(given: Path, output: Path, *more: str) -> list[str]:
    flags = ["--labels", str(given / "labels.csv"), "--family", "avsyncd", "--weights", str(given)]
    return [str(given / "real"), "-o", str(output), *flags, *SIZE, *more]


def test_each_clip_is_rendered_once(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "rendered"
    assert main(words(given, output)) == 0
    assert "clip 2 of 2: clip1.mp4" in capsys.readouterr().out
    found = sorted(output.iterdir())
    assert [path.name for path in found] == ["clip0.mp4", "clip1.mp4", "rendering.json"]
    assert (shown_size(found[0]), file_frame_rate(found[0])) == ((16, 16), 6.0)
    bytes_before = found[0].read_bytes()
    found[1].unlink()
    # What a rendering that was stopped has left.
    (output / "unfinished").mkdir()
    (output / "unfinished" / "clip1.mp4").write_bytes(b"half")
    assert main(words(given, output)) == 0
    said = capsys.readouterr().out
    assert "clip 1 of 2" not in said
    assert "clip 2 of 2" in said
    assert "2 clips in" in said
    assert "1 of them there before" in said
    assert found[0].read_bytes() == bytes_before
    assert sorted(output.iterdir()) == found


def test_families_with_a_still_get_the_clip_for_it() -> None:
    common = ["--audio", "a.mp4", "-o", "b.mp4", "--no-preview", "--seed", "0"]
    made = call_for(Path("a.mp4"), "-rain", Path("b.mp4"), "avsyncd", ["--seed", "7"])
    assert made == ["--family", "avsyncd", *common, "--image", "a.mp4", "--text=-rain", "--seed", "7"]
    assert call_for(Path("a.mp4"), "", Path("b.mp4"), "tempotokens", []) == ["--family", "tempotokens", *common]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--image", "a.png"), "--image is chosen for each clip here"),
        (("--text=rain",), "--text is chosen for each clip here"),
        (("--imag", "a.png"), "--image is chosen for each clip here"),
        (("--family", "avsynced"), "Did you mean 'avsyncd'"),
        (("--stepps", "3"), "--stepps"),
        (("--labels", "absent.csv"), "Cannot read absent.csv"),
    ],
)
def test_a_wrong_call_is_one_sentence(given: Path, tmp_path: Path, more: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        main(words(given, tmp_path / "rendered", *more))


def test_the_weights_are_read_once(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    read, read_weights = list[str](), published.read_weights

    def counting(file: Path, *more: str) -> object:
        if not more:
            read.append(file.parent.name)
        return read_weights(file, *more)

    monkeypatch.setattr(published, "read_weights", counting)
    assert main(words(given, tmp_path / "rendered", *APART)) == 0
    assert read.count("unet") == 1
    # The second clip is what it is when it is rendered alone.
    alone = tmp_path / "alone.mp4"
    flags = [*SIZE, *APART, "--weights", str(given)]
    render(call_for(given / "real" / "clip1.mp4", "playing cello", alone, "avsyncd", flags))
    own, other = (apart(alone, tmp_path / "rendered" / name) for name in ("clip1.mp4", "clip0.mp4"))
    assert own < 0.5 * other, (own, other)
    assert other > 2.0


def test_clips_of_other_flags_are_not_mixed(given: Path, tmp_path: Path) -> None:
    output = tmp_path / "rendered"
    assert main(words(given, output)) == 0
    # What changes nothing to be seen may be another.
    assert main(words(given, output, "--save-memory")) == 0
    with pytest.raises(TrainingError, match=r"rendered with another --steps \(1\); choose another folder with -o"):
        main(words(given, output, "--steps", "2"))
    with pytest.raises(UserError, match="--stepps"):
        main(words(given, output, "--stepps", "2"))


def test_real_clips_are_not_taken_for_rendered_ones(given: Path) -> None:
    with pytest.raises(TrainingError, match=r"clip0\.mp4 lies in the folder for rendered ones"):
        main(words(given, given / "real"))


def test_names_that_come_twice_are_refused(given: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="several clips named clip0"):
        main([str(given / "real"), str(given / "real" / "clip0.mp4"), *words(given, tmp_path)[1:]])


def test_a_folder_that_cannot_be_made_is_one_sentence(given: Path) -> None:
    with pytest.raises(TrainingError, match="choose another folder with -o"):
        main(words(given, given / "labels.csv" / "rendered"))
