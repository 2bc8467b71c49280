"""Broken videos are found before a run from their headers, each file once, within a time."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from slowfast.tasks import probing
from slowfast.video import probe as module
from slowfast.video.probe import ProbeReport, probe
from slowfast.video.reader import VideoFiles
from tests.unit.video.video_maker import write_video


@pytest.fixture
def videos(tmp_path):
    for name in ("a", "b", "c"):
        write_video(tmp_path / f"{name}.mp4", frames=5)
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: whole.index(b"moov") - 4])  # its index was at the end
    return VideoFiles(tmp_path)


NAMES = ("a", "text", "b", "empty", "cut", "c", "gone")


def test_those_that_cannot_be_opened_are_named(videos):
    report = probe(videos, NAMES, seconds=60)
    assert (report.opened, report.asked, len(report.failed)) == (3, 7, 4)
    told = str(report)
    assert told.startswith("4 of 7 videos cannot be opened (")
    for name in ("text.mp4: ", "empty.mp4: ", "cut.mp4: ", "gone: no such file"):
        assert name in told
    assert str(probe(videos, ("a", "b"), seconds=60)).startswith("all of 2 videos can be opened (")


def test_no_picture_is_decoded_and_the_time_is_kept(videos, monkeypatch):
    monkeypatch.setattr(
        "slowfast.video.decoding.open_video.OpenVideo.frames", lambda *_, **__: pytest.fail("headers only")
    )
    assert probe(videos, ("a", "b", "c"), seconds=60).opened == 3
    monkeypatch.setattr(module, "OpenVideo", lambda *_, **__: pytest.fail("the time is up"))
    report = probe(videos, NAMES, seconds=0)
    assert (report.opened, report.asked, report.failed) == (0, 7, ())
    assert str(report).endswith("; 7 more were not tried, as the time was up (DATA.PROBE_SECONDS)")


def test_many_failures_are_counted_and_some_named(videos):
    told = str(probe(videos, [f"gone {i}" for i in range(9)], seconds=60))
    assert told.startswith("9 of 9 videos cannot") and told.count("no such file") == 5 and told.endswith("\n  ...")


def run(videos, caplog, monkeypatch, *, strict=False, seconds=60.0, names=NAMES):
    monkeypatch.setattr(probing, "get_logger", lambda: logging.getLogger("probing"))
    cfg = SimpleNamespace(DATA=SimpleNamespace(PROBE_SECONDS=seconds, STRICT=strict))
    with caplog.at_level(logging.INFO, "probing"):
        probing.name_broken_videos(cfg, "train", videos, names)
    return caplog.records


def test_a_run_says_it_and_goes_on_or_stops(videos, caplog, monkeypatch):
    (record,) = run(videos, caplog, monkeypatch)
    assert record.levelno == logging.WARNING and record.getMessage().startswith("train: 4 of 7 videos cannot be opened")
    assert "left out and counted (DATA.STRICT True would stop here)" in record.getMessage()
    with pytest.raises(ValueError, match=r"train: 4 of 7 videos (?s:.*)or set DATA.STRICT False to go on without them"):
        run(videos, caplog, monkeypatch, strict=True)
    caplog.clear()
    (record,) = run(videos, caplog, monkeypatch, names=("a", "a", "b"))
    assert record.levelno == logging.INFO and record.getMessage().startswith("train: all of 2 videos can be opened")
    caplog.clear()
    assert run(videos, caplog, monkeypatch, seconds=0) == run(object(), caplog, monkeypatch) == []


def test_processes_share_the_videos_and_say_it_together(videos, caplog, monkeypatch):
    reports = []
    monkeypatch.setattr(probing.distributed, "world_size", lambda: 2)
    monkeypatch.setattr(probing.distributed, "gather_objects", lambda report: reports.append(report) or list(reports))
    for rank in (0, 1):
        monkeypatch.setattr(probing.distributed, "rank", lambda rank=rank: rank)
        records = run(videos, caplog, monkeypatch)
    assert [report.asked for report in reports] == [4, 3]
    assert "train: 4 of 7 videos cannot be opened" in records[-1].getMessage()
    together = ProbeReport.of_all(reports)
    assert together.seconds == np.max([report.seconds for report in reports])
