"""`tools/predict.py` on live sources, on this machine only: a stream in real time, Ctrl-C, a break, and what is refused."""

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from slowfast.inference import ActionDetector
from slowfast.video.live import connection, source
from slowfast.video.stream import FileSource
from tests.unit.inference.json_schema import problems
from tests.unit.video.live.live_server import live_server, write_stream

TOOL = "tools/predict.py"


@pytest.fixture
def weights(trained: Path) -> Path:
    return trained / "checkpoints/best.pyth"


@pytest.fixture(scope="session")
def stream(once, toy_data: Path) -> bytes:
    """The held-out video, four seconds of it, as MPEG-TS."""

    def build(folder: Path) -> None:
        write_stream(
            (f.picture() for f in FileSource(toy_data / "videos/toy_0007.mp4").frames()), folder / "live.ts", 12
        )

    return (once.folder("live_stream", build) / "live.ts").read_bytes()


def lines_of(tmp_path: Path) -> list[dict]:
    (path,) = (tmp_path / "out").iterdir()
    assert path.suffix == ".jsonl"
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_a_stream_in_real_time(run_main, repo_root, weights, stream, tmp_path):
    """Every key frame is told once, soon after its clip was there, and the file fits the schema."""
    with live_server([stream], seconds=4.0) as url:
        options = ["--every", "0.5", "--score", "0.03", "--seconds", "3.5", "--device", "cpu"]
        done = run_main(TOOL, "--weights", str(weights), url, "--out", "out", *options)
    lines = lines_of(tmp_path)
    schema = json.loads((repo_root / "docs/predictions.schema.json").read_text(encoding="utf-8"))
    assert [problems(line, schema, schema) for line in lines] == [[]] * len(lines)
    assert lines[0]["video"] == url and lines[0]["started"].endswith("Z")
    told = [line for line in lines if line["type"] in ("moment", "skipped")]
    assert [line["time"] for line in told] == [i / 2 for i in range(7)]
    moments = [line for line in told if line["type"] == "moment"]
    # How many are told depends on how fast this machine is now; that every other one is said does not.
    assert moments and all(0 < line["latency"] < 20 for line in moments) and any(line["people"] for line in moments)
    late = [line for line in told if line["type"] == "skipped"]
    assert all(line["reason"].startswith(("to keep up: the stream was", "frames are missing between")) for line in late)
    end = lines[-1]
    assert (end["type"], end["told"], end["skipped"]) == ("end", len(moments), len(late))
    assert end["frames"]["received"] >= 42 and end["frames"]["lost"] == end["frames"]["reconnected"] == 0
    assert f"{len(moments)} key frames, " in done.stdout and "latency from frame to result" in done.stdout


def test_ctrl_c_ends_the_stream_and_the_file(run_main, weights, stream, tmp_path, monkeypatch):
    real, seen, before = ActionDetector._moments_of, [], signal.getsignal(signal.SIGINT)

    def interrupted(self, *arguments):
        seen.append(1)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, *arguments)

    monkeypatch.setattr(ActionDetector, "_moments_of", interrupted)
    with live_server([stream], seconds=4.0) as url:
        done = run_main(TOOL, "--weights", str(weights), url, "--out", "out", "--every", "0.5", expect=0)
    assert "stopping; Ctrl-C again to break off" in done.stdout
    lines = lines_of(tmp_path)
    assert lines[-1]["type"] == "end" and lines[-1]["seconds"] < 4 and len(seen) >= 2
    assert signal.getsignal(signal.SIGINT) is before  # a suite in the background of a shell ignores it


def test_a_stream_that_breaks_for_good_leaves_what_was_told(run_main, weights, stream, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "BACK_OFF_SECONDS", (0.05, 0.05))
    half = stream[: len(stream) // 376 * 188]
    with live_server([half, half], seconds=1.0) as url:
        done = run_main(TOOL, "--weights", str(weights), url, "--out", "out", "--every", "0.5", expect=1)
    assert "connected again" in done.stdout and "try 2 of 2 in 0.05 s" in done.stdout
    assert "the stream broke and did not come back in 2 tries" in done.stderr and "stays" in done.stderr
    lines = lines_of(tmp_path)
    assert lines[-1]["type"] == "end" and lines[-1]["frames"]["reconnected"] == 1 and lines[-1]["told"] >= 2


def test_standard_input(run_main, weights, stream, tmp_path, monkeypatch):
    read, write = os.pipe()

    def feed() -> None:
        with os.fdopen(write, "wb") as end:
            end.write(stream)

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    monkeypatch.setattr(connection.sys, "stdin", os.fdopen(read, "rb"))
    run_main(TOOL, "--weights", str(weights), "-", "--out", "out", "--every", "1", "--score", "0")
    feeder.join()
    lines = lines_of(tmp_path)
    assert [line["time"] for line in lines if line["type"] == "moment"] == [0, 1, 2, 3]
    assert lines[-1]["frames"] == {"received": 48, "dropped": 0, "lost": 0, "reconnected": 0}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["webcam:97"], "cannot read webcam:97: there is no such camera"),
        (["rtsp://127.0.0.1:1/a"], "cannot read rtsp://127.0.0.1:1/a: the connection failed: Connection refused"),
        (["webcam", "a.mp4"], "a live source is given alone, as it may have no end"),
        (["webcam", "--show"], "--show plays drawn videos, and a live source leaves none"),
        (["webcam", "--seconds", "-1"], "--seconds is how long a live source is read and must be above 0, got -1"),
        (["a.mp4", "--seconds", "5"], "--seconds ends a live source, and files are read to their end; leave it out"),
        (["gopher://a/b"], "gopher:// is no kind of stream that is read; there are rtsp"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(run_main, weights, tmp_path, arguments, text):
    done = run_main(TOOL, "--weights", str(weights), "--out", "out", *arguments, expect=1)
    assert done.stderr.startswith(f"error: {text}")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
