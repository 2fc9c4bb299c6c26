"""The sound file of a take."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from engine.takes.take_sound import read_sound


def test_tags_that_are_no_text_leave_the_sound_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "sound.caf"
    sound_TC = np.random.default_rng(1).uniform(-1.0, 1.0, (512, 2)).astype(np.float32)
    with av.open(str(path), "w", format="caf") as container:
        container.metadata["title"] = "zzzz"
        stream = container.add_stream("pcm_f32le", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(sound_TC.reshape(1, -1), "flt", "stereo")
        frame.sample_rate, frame.pts = 48000, 0
        container.mux(stream.encode(frame))
    written = path.read_bytes()
    assert b"zzzz" in written
    path.write_bytes(written.replace(b"zzzz", b"\xa3\xff\xfe\x80"))
    assert np.array_equal(np.concatenate(list(read_sound(path, 48000, 2))), sound_TC)
