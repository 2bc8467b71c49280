"""slowfast.datasets.annotations.people.annotated_set: the official files of one split, and videos that have no file."""

import pytest

from slowfast.datasets.annotations.people.annotated_set import AnnotatedSet, without_missing_videos
from slowfast.datasets.annotations.people.ava import read_ava
from slowfast.structures.annotations.label_map import LabelMap, write_label_map
from slowfast.video.reader import VideoFiles

NONE_LEFT = (
    r"one.csv: no key frame is left to use; its seconds are 902 to 903, and AVA.VALID_SECONDS is \[5, 6\].* set "
    r"AVA.VALID_SECONDS \[\] .* AVA.FIRST_SECOND .* 3 key frames outside"
)


@pytest.fixture
def folder(tmp_path):
    write_label_map(LabelMap((1, 2, 9), ("stand", "sit", "swim")), tmp_path / "train.pbtxt")
    write_label_map(LabelMap((1, 9), ("stand", "swim")), tmp_path / "eval.pbtxt")
    (tmp_path / "one.csv").write_text(
        "va,0902,0.1,0.1,0.5,0.5,1,0\nva,0902,0.1,0.1,0.5,0.5,9,0\nva,0903,0.2,0.2,0.4,0.4,2,0\nvb,0902,0.1,0.1,0.3,0.3,1,0\n"
    )
    (tmp_path / "two.csv").write_text("vc,0902,0.1,0.1,0.5,0.5,2,0\nvc,0999\n")
    (tmp_path / "excluded.csv").write_text("vb,0902\n")
    return tmp_path


def read(folder, *names: str, **options) -> AnnotatedSet:
    arguments = {
        "label_map_file": folder / "train.pbtxt",
        "eval_label_map_file": folder / "eval.pbtxt",
        "exclusion_file": folder / "excluded.csv",
    }
    return read_ava([folder / name for name in names], **(arguments | options))


def seen(annotated: AnnotatedSet) -> list[tuple[str, int]]:
    frames = annotated.key_frames
    return [(frames.video_name(k), int(frames.timestamp[k])) for k in range(len(frames))]


def test_several_files_make_one_split(folder):
    found = read(folder, "one.csv", "two.csv")
    assert seen(found) == [("va", 902), ("va", 903), ("vc", 902), ("vc", 999)]
    assert found.key_frames.people(0)[1].tolist() == [[1, 0, 1]]  # one box with two actions is one person
    assert len(found.key_frames.people(3)[0]) == 0  # a row of two columns shows nobody
    assert found.exclusions == {("vb", 902)} and len(found.groundtruth) == 6
    assert (found.label_map.ids, found.eval_label_map.ids) == ((1, 2, 9), (1, 9))
    (note,) = found.notes
    assert "one.csv" in note and "two.csv" in note and "1 excluded key frames" in note


def test_exclusions_and_valid_seconds_are_optional(folder):
    assert ("vb", 902) in seen(read(folder, "one.csv", exclusion_file=None))
    assert seen(read(folder, "one.csv", "two.csv", valid_seconds=(903, 998))) == [("va", 903)]


def test_a_subset_of_the_classes(folder):
    found = read(folder, "one.csv", classes=(9, 2))
    assert found.label_map == LabelMap((9, 2), ("swim", "sit"))
    assert found.eval_label_map == LabelMap((9,), ("swim",))
    assert found.key_frames.actions.tolist() == [[1, 0], [0, 1]]
    assert "1 rows of classes outside the label map" in found.notes[0]


def test_what_is_wrong_is_named(folder):
    with pytest.raises(ValueError, match=r"no annotation file is named \(AVA.TRAIN_GT_BOX_LISTS\)"):
        read(folder)
    with pytest.raises(FileNotFoundError, match=r"three.csv"):
        read(folder, "three.csv")
    with pytest.raises(FileNotFoundError, match=r"nothing.pbtxt"):
        read(folder, "one.csv", label_map_file=folder / "nothing.pbtxt")
    with pytest.raises(ValueError, match=NONE_LEFT):
        read(folder, "one.csv", valid_seconds=(5, 6), exclusion_file=None)
    with pytest.raises(ValueError, match=r"class ids \[4\] are not in the label map; it has \[1, 2, 9\]"):
        read(folder, "one.csv", classes=(4,))
    (folder / "one.csv").write_text("va,0902,0.1,0.1,0.5,0.5,7,0\n")
    with pytest.raises(ValueError, match=r"one.csv: 1 rows have class ids \[7\]"):
        read(folder, "one.csv")


def test_videos_without_a_file(folder):
    annotated = read(folder, "one.csv", "two.csv")
    videos = folder / "videos"
    videos.mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"2 of 2 annotated videos have no file:\n(?s:.*)va(?s:.*)IGNORE_MISSING_VIDEOS True"
    ):
        without_missing_videos(annotated, VideoFiles(videos).path, ignore=False)
    with pytest.raises(
        FileNotFoundError, match=r"none of the 2 annotated videos has a file:(?s:.*)Correct AVA.VIDEO_DIR"
    ):
        without_missing_videos(annotated, VideoFiles(videos).path, ignore=True)
    (videos / "vc.mp4").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"1 of 2 annotated videos have no file"):
        without_missing_videos(annotated, VideoFiles(videos).path, ignore=False)
    rest = without_missing_videos(annotated, VideoFiles(videos).path, ignore=True)
    assert seen(rest) == [("vc", 902), ("vc", 999)]
    assert (
        rest.notes[0] == annotated.notes[0] and "1 of 2 annotated videos have no file and are left out" in rest.notes[1]
    )
    (videos / "va.mp4").write_bytes(b"")
    assert without_missing_videos(annotated, VideoFiles(videos).path, ignore=False) is annotated
