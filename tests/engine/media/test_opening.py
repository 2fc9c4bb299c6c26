"""Files that lead elsewhere are refused: what they name may be a pipe or the list itself, and a live list never ends."""

from pathlib import Path

import av
import numpy as np
import pytest

from engine.core.errors import MediaError
from engine.media.opening import open_media

PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsound.ts\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile sound.ts\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_is_refused_although_its_sound_is_there(tmp_path: Path, name: str) -> None:
    with av.open(str(tmp_path / "sound.ts"), "w") as container:
        track = container.add_stream("aac", rate=48000, layout="mono")
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, 1024 * number
            container.mux(track.encode(frame))
        container.mux(track.encode())
    open_media(tmp_path / "sound.ts").close()
    (tmp_path / name).write_text(PLAYLISTS[name], encoding="utf-8")
    with pytest.raises(MediaError, match=f"{name} is a playlist, which names other files; give one of those."):
        open_media(tmp_path / name)


def test_a_number_pattern_in_a_name_leads_to_no_other_image(tmp_path: Path) -> None:
    for name in ("001.png", "other.png"):
        with av.open(str(tmp_path / name), "w", format="image2", options={"update": "1"}) as container:
            track = container.add_stream("png", rate=1)
            track.width = track.height = 16
            track.pix_fmt = "rgb24"
            pixels_HWC = np.zeros((16, 16, 3), np.uint8)
            container.mux(track.encode(av.VideoFrame.from_ndarray(pixels_HWC, format="rgb24")))
            container.mux(track.encode())
    (tmp_path / "other.png").rename(tmp_path / "%03d.png")
    with pytest.raises(MediaError, match=r"%03d\.png is not a sound or video file"):
        open_media(tmp_path / "%03d.png")
