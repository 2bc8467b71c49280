"""What `predict` does where results cannot be written: the lines found stay, and the text says what happened."""

import builtins
import io
import json
from pathlib import Path

import av
import numpy as np
import pytest

from slowfast.inference.predict import predict_all
from slowfast.inference.streams.sources import Job
from slowfast.inference.written.lines import Lines
from slowfast.utils.files import FileWriteError
from slowfast.utils.text import printable
from slowfast.video.source import ClipReadError
from slowfast.video.stream import FileSource


def full_disk(room: int):
    """`open` of files that take `room` bytes in all, the last of them in the middle of a line."""

    class Small(io.FileIO):
        left = room

        def write(self, content) -> int:
            taken = bytes(content)[: self.left]
            self.left -= len(taken)
            return super().write(taken)

    return lambda path, mode, **_: Small(path, mode)


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(builtins, "open", full_disk(60))
    told = r"could not write .*a\.jsonl: No space left on device; the lines before stay, and so do the files of other"
    with pytest.raises(FileWriteError, match=told), Lines(tmp_path / "a.jsonl") as lines:
        lines.start_with({"type": "video"})
        for number in range(9):
            lines.write({"type": "moment", "time": number})
    monkeypatch.undo()
    left = (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    assert left.endswith("}\n") and [json.loads(line).get("time") for line in left.splitlines()] == [None, 0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_device(tmp_path):
    (tmp_path / "a.jsonl").symlink_to("/dev/full")
    with (
        pytest.raises(FileWriteError, match=r"could not write .*a\.jsonl: No space left on device"),
        Lines(tmp_path / "a.jsonl") as lines,
    ):
        lines.write({"type": "moment"})


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", r"cannot read .*a\.mp4: the file is empty \(0 bytes\)"),
        (b"hello", r"cannot read .*a\.mp4: it is no video of a format that FFmpeg knows, or it is cut off"),
    ],
)
def test_what_is_no_video_is_said(tmp_path, content, text):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(ClipReadError, match=text):
        next(FileSource(tmp_path / "a.mp4").frames())


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(ClipReadError, match=r"a\.wav: it holds no video stream"):
        next(FileSource(tmp_path / "a.wav").frames())


def test_names_are_printed_on_one_line():
    assert printable("a b ünï.mp4") == "a b ünï.mp4"
    assert printable("a\nb\x1b[31m\t.mp4") == "a\\nb\\x1b[31m\\t.mp4"


def test_one_video_that_cannot_be_read_does_not_stop_the_others(tmp_path, monkeypatch):
    def predict(model, job, options):
        if job.video.name == "bad.mp4":
            raise ClipReadError("bad.mp4", None, "it is broken")
        return type("Done", (), {"notes": (), "__str__": lambda self: "done"})()

    monkeypatch.setitem(predict_all.__globals__, "predict", predict)
    monkeypatch.setitem(predict_all.__globals__, "check_options", lambda model, options: options)
    told: list[str] = []
    jobs = [Job(Path(name), tmp_path / name) for name in ("bad.mp4", "good.mp4")]
    options = type("Any", (), {"explain": False})()
    assert predict_all(None, jobs, options, say=told.append) == ["cannot read bad.mp4: it is broken"]
    assert told[:2] == ["failed: cannot read bad.mp4: it is broken", "good.mp4: done"]
