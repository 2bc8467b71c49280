"""slowfast.engine.record.likeliest: what a run that can read nothing says of why, from what the readers really say."""

import numpy as np
import pytest

from slowfast.engine.record.epoch_report import EpochReport, UnreadableDataError
from slowfast.engine.record.likeliest import likeliest_cause
from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipReadError
from tests.unit.video.video_maker import write_video


def reason(folder, video: str, second: float) -> str:
    with pytest.raises(ClipReadError) as caught:
        VideoFiles(folder).read(video, np.array([second]), center=0)
    return str(caught.value)


@pytest.fixture
def reasons(tmp_path):
    write_video(tmp_path / "a.mp4", frames=10, fps=10)
    (tmp_path / "b.mp4").write_bytes(b"no video" * 20)
    return {
        "outside": reason(tmp_path, "a", 900.0),
        "early": reason(tmp_path, "a", -900.0),
        "gone": reason(tmp_path, "c", 0.0),
        "broken": reason(tmp_path, "b", 0.0),
    }


def test_the_cause_is_that_of_most_clips(reasons):
    assert "AVA.FIRST_SECOND" in likeliest_cause([reasons["outside"]] * 2 + [reasons["early"], reasons["gone"]])
    assert "not there" in likeliest_cause([reasons["gone"]] * 2 + [reasons["broken"]])
    assert "copied whole" in likeliest_cause([reasons["broken"]])
    assert (
        likeliest_cause([reasons["broken"], reasons["gone"]])
        == likeliest_cause([])
        == "Are the videos where they were?"
    )


def test_training_ends_with_it(reasons):
    report = EpochReport(unreadable=[reasons["outside"]] * 4)
    with pytest.raises(
        UnreadableDataError, match=r"4 clips of this epoch .*are times in seconds, and is AVA\.FIRST_SECOND"
    ):
        report.note_readable(0, 4, 0.5)
