"""Charades in PySlowFast's layout: its frame list by hand, and clips of frames that say which they are."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from slowfast.datasets.annotations.people.charades import read_charades
from slowfast.datasets.augment.view_crops import ViewCrops
from slowfast.datasets.clips.video_sampling import ClipSampling
from slowfast.datasets.clips.video_views import VideoViews
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.video.pictures.frames import FRAME_LIST_HEADER, FrameFolders
from slowfast.video.source import ClipReadError, VideoLength

SAMPLING = ClipSampling(4, 2, 24.0, kind="frames")
CROPS = ViewCrops(32, 1, 32, "bilinear")


def write_list(folder: Path, *rows: str) -> Path:
    path = folder / "val.csv"
    path.write_text("\n".join([FRAME_LIST_HEADER, *rows]) + "\n")
    return path


def test_a_video_has_every_action_that_one_of_its_frames_has(tmp_path):
    rows = [
        'AB1 0 0 AB1/0.jpg ""',
        'AB1 0 1 AB1/1.jpg "2,0"',
        'AB1 0 2 AB1/2.jpg "2"',
        "CD2 1 0 CD2/0.jpg 1",
        'EF 2 0 EF/0.jpg ""',
    ]
    found = read_charades(write_list(tmp_path, *rows), num_classes=4)
    assert found.names == ("AB1", "CD2", "EF") and found.class_names == ("0", "1", "2", "3")
    assert found.labels.tolist() == [[True, False, True, False], [False, True, False, False], [False] * 4]


def test_labels_of_the_frames_of_a_clip(tmp_path):
    """Frames are listed out of order, and their ids start at 1: positions count the frames from 0 by id."""
    labels = ["", "2,0", "2,0", "", "1", ""]
    rows = [f'AB1 0 {k + 1} AB1/{k}.jpg "{text}"' for k, text in enumerate(labels)]
    rows = [*rows[::2], 'CD2 1 0 CD2/0.jpg "3"', *rows[1::2]]
    found = read_charades(write_list(tmp_path, *rows), num_classes=4, by_frame=True)
    everything = [set(map(int, filter(None, text.split(",")))) for text in labels]
    for first in range(6):
        for last in range(first, 6):
            shown = set(np.flatnonzero(found.label_of(0, np.array([first, last]))))
            assert shown == set().union(*everything[first : last + 1]), (first, last)
    assert found.label_of(1, np.array([0, 7])).tolist() == [False, False, False, True]
    assert found.label_of(0).tolist() == [True, True, True, False]
    assert found.frames is not None and len(found.frames.starts) == 6  # runs, not frames
    lost = read_charades(write_list(tmp_path, *rows[:1], *rows[2:]), num_classes=4, by_frame=True)  # without id 3
    assert lost.label_of(0, np.array([4])).tolist() == [False, True, False, False]
    plain = read_charades(write_list(tmp_path, *rows), num_classes=4, class_names=tuple("wxyz"))
    assert plain.frames is None and plain.class_names == tuple("wxyz")
    assert plain.label_of(0, np.array([0])).tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ['AB1 0 0 AB1/0.jpg ""', 'AB1 0 1 AB1/1.jpg "4"'],
            r"val\.csv:3: class 4 is not one of 0 to 3 \(MODEL.NUM_CLASSES\)",
        ),
        (['AB1 0 0 AB1/0.jpg "sit"'], r"val\.csv:2: labels are class indices between commas, found 'sit'"),
        (['AB1 0 x AB1/0.jpg ""'], r"val\.csv:2: expected 'original_vido_id .*found 'AB1 0 x AB1/0.jpg '"),
        (["AB1 0 0 AB1/0.jpg"], r"val\.csv:2: expected 'original_vido_id .*found 'AB1 0 0 AB1/0.jpg'"),
        ([], "lists no video"),
    ],
)
def test_errors_name_file_and_line(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        read_charades(write_list(tmp_path, *rows), num_classes=4)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "val.csv").write_text("a.mp4 3\n")
    with pytest.raises(ValueError, match=r"val\.csv:1: a frame list starts with 'original_vido_id"):
        read_charades(tmp_path / "val.csv", num_classes=4)
    with pytest.raises(FileNotFoundError, match=r"no such file \(DATA\.PATH_TO_DATA_DIR\)"):
        read_charades(tmp_path / "none.csv", num_classes=4)


@pytest.mark.parametrize("video_frames", [1, 7, 8, 20, 37, 100])
def test_positions_are_those_of_pyslowfast(video_frames):
    """Clip i starts at round(i * gap), gap = max(frames - (T - 1) * rate - 1, 0) / (clips - 1)."""
    gap = max(video_frames - 7, 0) / 2
    expected = [[round(i * gap) + 2 * t for t in range(4)] for i in range(3)]
    length = VideoLength(np.arange(video_frames) / 24, 24.0)
    inside, repeated = SAMPLING.test(length, 3)
    assert inside.tolist() == [[min(position, video_frames - 1) for position in clip] for clip in expected]
    assert repeated.tolist() == [sum(position >= video_frames for position in clip) for clip in expected]


@pytest.fixture
def folders(tmp_path) -> FrameFolders:
    """Video A of 12 frames with ids from 0 and B of 3; frame k is of grey 10 k. C lacks its files."""
    rows = []
    for video, count in (("A", 12), ("B", 3)):
        (tmp_path / video).mkdir()
        for k in range(count):
            rows.append(f'{video} 0 {k} {video}/{k}.png ""')
            cv2.imwrite(str(tmp_path / video / f"{k}.png"), np.full((40, 50, 3), 10 * k, np.uint8))
    rows.append('C 0 0 C/0.png ""')
    return FrameFolders(tmp_path, fps=24, frame_lists=write_list(tmp_path, *rows))


def test_views_show_the_frames_they_should(folders):
    def views(*videos: str, **options) -> VideoViews:
        hot = np.tile([True, False], (len(videos), 1))
        return VideoViews(
            LabelledVideos(videos, hot, ("0", "1")), folders, sampling=SAMPLING, crops=CROPS, num_clips=3, **options
        )

    data = views("A", "B", "C")
    whole, short, missing = data[0], data[1], data[2]
    assert whole.clips.shape == (3, 3, 4, 32, 32) and whole.clips.dtype == torch.uint8
    assert [meta.key for meta in whole.meta] == [("A", 0), ("A", 1), ("A", 2)]
    assert whole.targets.values.tolist() == [[1.0, 0.0]] * 3
    assert sum(meta.repeated_frames for meta in whole.meta) == 0
    assert (whole.clips[:, 0, :, 16, 16] // 10).tolist() == [[0, 2, 4, 6], [2, 4, 6, 8], [5, 7, 9, 11]]
    assert (short.clips[0, 0, :, 16, 16] // 10).tolist() == [0, 2, 2, 2]
    assert sum(meta.repeated_frames for meta in short.meta) == 6
    assert len(missing) == 0 and "C/0.png" in missing.unreadable[0].reason
    with pytest.raises(ClipReadError, match=r"C/0\.png"):
        views("C", strict=True)[0]
