"""What tools/benchmark.py measures of loading, of streams and of kept features, on small videos and a CPU."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.integration.benchmark.sizes import SMALL, TOY


def test_loader_prints_its_ratio_to_the_usual_route(tool, repo_root, capsys, monkeypatch):
    """A video of a second and clips of 32 pixels: the checks and the lines are those of the real run."""
    monkeypatch.setattr("bench.loader.SECONDS", 1)
    monkeypatch.setattr("bench.loader.SIZE", (48, 64))
    threads = torch.get_num_threads()
    small = ["DATA.TRAIN_CROP_SIZE", "32", "DATA.TEST_CROP_SIZE", "32", "DATA.TRAIN_JITTER_SCALES", "[48,56]"]
    line = ["loader", "--task", "classification", "--device", "cpu", "--videos", "1", "--repeats", "1"]
    assert tool.main([*line, "--set", *small, "DATA.NUM_FRAMES", "4", "AUG.RE_PROB", "0"]) == 0
    torch.set_num_threads(threads)
    out = capsys.readouterr().out
    compared, off = re.search(
        r"checked: (\d) clips of both routes differ by at most (\S+) of 255 on average", out
    ).groups()
    assert int(compared) == 2 and float(off) < 1
    rows = re.findall(r"^(\w[\w ]+?) +(\S+) clips/s +(\S+) cpu s a clip +(\S+)x$", out, re.MULTILINE)
    assert [name for name, *_ in rows] == ["usual route", "ours", "our decoding alone", "decoding all frames"]
    seconds = {name: float(cpu) for name, _, cpu, _ in rows}
    ratio = {name: float(value) for name, *_, value in rows}
    assert ratio["usual route"] == 1
    assert ratio["ours"] == pytest.approx(seconds["usual route"] / seconds["ours"], rel=0.1)
    assert re.search(r"^ours: \d+% decoding", out, re.MULTILINE)
    assert re.search(r"^workers, each with a core of its own, for a step of 32 clips: \d+ for 0.1 s", out, re.MULTILINE)


def test_transforms_print_what_a_worker_is_spared(tool, capsys, monkeypatch):
    monkeypatch.setattr("bench.transforms.CACHED", {"AVA": (48, 64)})
    monkeypatch.setattr("bench.transforms.CLIPS", 2)
    threads = torch.get_num_threads()
    line = ["loader", "--task", "transforms", "--device", "cpu", "--repeats", "1", "--cfg", "configs/AVA/BMViT_S.yaml"]
    assert tool.main([*line, "--set", "DATA.TRAIN_CROP_SIZE", "32", "DATA.NUM_FRAMES", "4"]) == 0
    torch.set_num_threads(threads)
    out = capsys.readouterr().out
    assert float(re.search(r"^checked: 2 still clips differ by at most (\S+) of 255 levels", out, re.MULTILINE)[1]) < 5
    rows = re.findall(r"^(\w[\w ,]+?) +(\S+) cpu ms a clip +(\S+)x$", out, re.MULTILINE)
    assert [name for name, *_ in rows] == [
        *("worker, before", "worker, planes by torch", "worker, now", "worker, no colours"),
        "colours on this CPU as device",
    ]
    with pytest.raises(ValueError, match=r"changes no colours: DATA\.COLOR_JITTER is 0"):
        tool.main([*line, "--set", "DATA.COLOR_JITTER", "0"])


def test_reading_compares_its_readers_before_it_times_them(tool, tmp_path, monkeypatch, capsys):
    """torchcodec by a stand-in: right, a frame late, and not there."""
    from bench import reading

    from slowfast.video.reader import read_all
    from slowfast.video.writing.writer import write_video

    class Decoder:
        late = 0

        def __init__(self, path, *, dimension_order, num_ffmpeg_threads):
            assert (dimension_order, num_ffmpeg_threads) == ("NHWC", 1)
            self.frames = read_all(path, threads=1)[0]

        def get_frames_at(self, indices):
            return SimpleNamespace(data=torch.from_numpy(self.frames[np.array(indices) + self.late]))

    monkeypatch.setattr(reading, "SECONDS", 5)
    write_video(reading.moving((40, 60)), tmp_path / "v.mp4", reading.FPS, gop=12)
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", SimpleNamespace(VideoDecoder=Decoder))
    monkeypatch.setitem(sys.modules, "torchcodec", SimpleNamespace())
    kinds = ["ceiling", "ours", "ours, known whole", "torchcodec", "torchcodec, kept open"]
    assert list(reading.video_cases("x", tmp_path / "v.mp4")) == [f"{kind}, x" for kind in kinds]
    monkeypatch.setattr(Decoder, "late", 1)
    with pytest.raises(AssertionError):
        reading.video_cases("x", tmp_path / "v.mp4")
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    assert list(reading.video_cases("x", tmp_path / "v.mp4")) == [f"{kind}, x" for kind in kinds[:3]]
    assert "no rows of torchcodec: " in capsys.readouterr().out


def test_predict_prints_overhead_shares_and_what_clips_share(run):
    out = run("predict", "--seconds", "2", "--clips", "2")
    assert re.search(r"^texture.mp4: 60 frames, 2 s; 4 clips of \(3, 4, 32, 32\), a key frame every 0.5 s$", out, re.M)
    shares = dict(
        re.findall(
            r"([a-z][a-z -]*?) ([\d.]+)%", out[out.index("shares of predict in CPU time:") + 30 :].splitlines()[0]
        )
    )
    assert set(shares) == {
        *("decode", "convert and resize", "choose frames"),
        *("batch and post-processing", "forward", "output"),
    }
    assert sum(map(float, shares.values())) == pytest.approx(100, abs=0.5)
    inside = float(re.search(r"predict over the decode \+ forward that are in it: ([\d.]+)", out).group(1))
    assert inside == pytest.approx(100 / (float(shares["decode"]) + float(shares["forward"])), rel=0.01)
    assert re.search(
        r"^predict over decode \+ forward alone: [\d.]+ in CPU time, [\d.]+ in wall time; goal 1.10$", out, re.M
    )
    assert re.search(r"^speed of predict: [\d.]+ frames/s, [\d.]+ x real time$", out, re.M)
    # 4 key frames of 4 frames, 1/6 s apart, half a second from each other: 3 steps, so that one frame is shown twice.
    shown = re.search(r"^frames: (\d+) of the (\d+) that clips show are converted and resized, \d+%$", out, re.M)
    assert int(shown[2]) == 16 and int(shown[1]) <= 13
    assert re.search(r"^patch embedding: [\d.]+% of the forward pass", out, re.M)


def test_endless_prints_a_slope(run, tool):
    from bench.endless import slope

    out = run("endless", "--seconds", "20", "--clips", "2")
    assert len(re.findall(r"^at +[\d.]+ min of video: +[\d.]+ MiB resident$", out, re.M)) == 5
    assert re.search(
        r"^0.333333 min of video, a key frame every 1 s, tracked, in .* MiB an hour of video, at most", out, re.M
    )
    assert slope(np.array([0.0, 1800.0, 3600.0]), np.array([100.0, 103.0, 106.0])) == pytest.approx(6)


def test_parts_inside_parts_count_once(tool, monkeypatch):
    """By hand: 1 s outside, 2 s inside, 4 s outside again, of a clock that is told."""
    from bench import prediction

    now = iter([0.0, 0.0, 1.0, 3.0, 7.0])
    monkeypatch.setattr(prediction.time, "process_time", lambda: next(now))
    watch = prediction.Stopwatch()
    with watch.part("out"), watch.part("in"):
        pass
    assert watch.seconds == {"out": 1.0 + 4.0, "in": 2.0}


def test_frames_are_seen_once(tool, repo_root, capsys):
    small = ["DATA.TRAIN_CROP_SIZE", "[64, 64]", "MVIT.DEPTH", "1", "MVIT.EMBED_DIM", "16", "MVIT.NUM_HEADS", "2"]
    threads, lite = torch.get_num_threads(), str(repo_root / "configs/JHMDB/BMViT_lite.yaml")
    line = ["frames", "--cfg", lite, "--device", "cpu", "--threads", "1", "--repeats", "1"]
    try:
        assert tool.main([*line, "--set", *small]) == 0
        printed = capsys.readouterr().out
        with pytest.raises(SystemExit, match="for backbones that see single frames, not for MViT"):
            tool.main(["frames", "--cfg", str(repo_root / TOY), "--device", "cpu", "--set", *SMALL])
    finally:
        torch.set_num_threads(threads)
    for what in ("folded", "from features"):
        assert float(re.search(rf"^{what}: largest difference (\S+) of", printed, re.MULTILINE)[1]) < 1e-3
    assert re.search(r"^one frame, the rest kept( +\S+){5}$", printed, re.MULTILINE)


@pytest.mark.long
def test_realtime_compares_before_it_times(tool, repo_root, capsys, monkeypatch):
    """In PyTorch; the two ONNX files have tests of their own, and take half a minute to write."""
    import bench.realtime

    monkeypatch.setattr(bench.realtime, "_exported", lambda loaded, folder: {})
    threads, lite = torch.get_num_threads(), str(repo_root / "configs/JHMDB/BMViT_lite.yaml")
    small = ["DATA.TEST_CROP_SIZE", "[64, 64]", "MVIT.DEPTH", "1", "MVIT.EMBED_DIM", "16", "MVIT.NUM_HEADS", "2"]
    line = ["realtime", "--cfg", lite, "--device", "cpu", "--threads", "1", "--repeats", "1", "--seconds", "0.5"]
    try:
        assert tool.main([*line, "--set", *small, "TEST.ACTOR_THRESHOLD", "0"]) == 0
        printed = capsys.readouterr().out
        with pytest.raises(SystemExit, match="for backbones that see single frames, not for MViT"):
            tool.main(["realtime", "--cfg", str(repo_root / TOY), "--device", "cpu", "--set", *SMALL])
        monkeypatch.setattr(bench.realtime, "_AGREEMENT", 0.0)
        with pytest.raises(RuntimeError, match="speeds of different numbers mean nothing"):
            tool.main([*line, "--set", *small, "TEST.ACTOR_THRESHOLD", "0"])
    finally:
        torch.set_num_threads(threads)
    # Half a second, a key frame every two frames of it; a clip shows every fourth frame, so that half of them are shown.
    found = re.search(r"15 frames, 0.5 s; (\d+) key frames, .*; (\d+) of the (\d+) frames that clips show go", printed)
    key_frames, seen, asked = map(int, found.groups())
    assert key_frames == 8 and asked == 8 * key_frames and seen <= 9
    off, people = re.search(
        r"checked: eager, frames once against eager, whole clips: (\S+) at most, (\d+) people", printed
    ).groups()
    assert float(off) < 1e-5 and int(people) == 16 * key_frames  # 4 x 4 tokens
    assert re.search(
        r"^eager, frames once: [\d.]+ key frames/s, \d+ frames/s of video by the clock; .*; goal 15$", printed, re.M
    )
    assert re.search(r"^eager, frames once, [\d.]+ ms a key frame: .*image network [\d.]+", printed, re.M)
