"""Before a run starts, its processes decode the videos of the cache, each its share."""

import logging
from types import SimpleNamespace

import pytest

from slowfast.tasks import localization
from slowfast.utils.processes import distributed
from slowfast.utils.processes.cores import Cores
from slowfast.video.source import ClipReadError
from slowfast.video.stored.cache import CachedVideos, PrefillReport

VIDEOS = tuple("abcde")


def split_of(pixels: object) -> SimpleNamespace:
    return SimpleNamespace(pixels=pixels, annotated=SimpleNamespace(key_frames=SimpleNamespace(used_videos=VIDEOS)))


class Recorded(CachedVideos):
    """Notes what it is asked to decode, and cannot read video "e"."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[str, ...], int]] = []

    def prefill(self, videos, *, num_workers=0, shares=1):
        assert shares == 8 // num_workers  # as many processes decode to this disk
        self.calls.append((tuple(videos), num_workers))
        failed = tuple(ClipReadError(f"{video}.mp4", None, "it is broken") for video in videos if video == "e")
        return PrefillReport(len(videos) - len(failed), 1, 2, failed)


@pytest.mark.parametrize("on_this_machine", [None, 2])
def test_every_video_in_one_process_and_one_report_of_all(monkeypatch, caplog, on_this_machine):
    pixels, reports = Recorded(), []
    monkeypatch.setattr(localization, "effective_cores", lambda: Cores(8))
    monkeypatch.setattr(localization, "get_logger", lambda: logging.getLogger("fill_cache"))
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    monkeypatch.setattr(distributed, "gather_objects", lambda report: reports.append(report) or list(reports))
    if on_this_machine:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(on_this_machine))
    else:
        monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    with caplog.at_level(logging.INFO, "fill_cache"):
        for rank in range(4):
            monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
            localization.fill_cache("train", split_of(pixels))
    shares, workers = zip(*pixels.calls, strict=True)
    assert sorted(video for share in shares for video in share) == list(VIDEOS)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert set(workers) == {8 // (on_this_machine or 4)}
    assert (
        "train: 4 videos decoded (4 of them anew: stale or broken entry), 8 found in the cache, 1 cannot" in caplog.text
    )
    assert "e.mp4" in caplog.text


def test_without_a_cache_nothing_is_decoded(monkeypatch):
    monkeypatch.setattr(distributed, "gather_objects", lambda report: pytest.fail("nothing to report"))
    localization.fill_cache("test", split_of(object()))
