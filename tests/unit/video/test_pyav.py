import av
import numpy as np
import pytest

from slowfast.video.decoding.open_video import OpenVideo
from slowfast.video.reader import read_times
from slowfast.video.source import ClipReadError
from slowfast.video.writing.writer import write_video
from tests.unit.video import hostile_files as made


@pytest.fixture
def messages_to_python():
    """FFmpeg's messages go to Python's logging, as after `import torchvision` of 0.21."""
    av.logging.set_level(av.logging.ERROR)
    yield
    av.logging.set_level(None)


def test_messages_of_decoding_threads_do_not_wait_for_pythons_lock(messages_to_python, tmp_path):
    """Closing such a file could stand still: a thread that told of the damage waited for the one that closed."""
    whole = made.write_scenes(tmp_path / "a.mp4", busy=True, b_frames=2, container={"movflags": "faststart"})
    path = made.cut(whole, tmp_path / "cut.mp4")
    with pytest.raises(ClipReadError, match="the data is damaged"):
        read_times(path, np.array([2.8]), center=0, threads=2)
    assert av.logging.get_level() is None


def test_every_opening_and_writing_turns_them_off(messages_to_python, tmp_path):
    write_video(np.zeros((4, 16, 16, 3), np.uint8), tmp_path / "a.mp4", 5)
    assert av.logging.get_level() is None
    av.logging.set_level(av.logging.ERROR)
    with OpenVideo(tmp_path / "a.mp4"):
        assert av.logging.get_level() is None
