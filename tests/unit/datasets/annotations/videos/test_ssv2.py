"""Something-Something v2 by hand, as the official archive names its files and as newer downloads do; the real files."""

import json

import pytest

from slowfast.datasets.annotations.videos.ssv2 import SSV2_PREFIX, check_frame_list, read_ssv2
from slowfast.video.pictures.frames import FRAME_LIST_HEADER, FrameFolders

LABELS = {"Closing something": "1", "Moving something up": "0"}
ROWS = [
    {"id": "7", "template": "Closing [something]", "label": "closing box"},
    {"id": "9", "template": "Moving [something] up"},
]


def write(folder, what, content, prefix=SSV2_PREFIX, encoding="utf-8"):
    (folder / f"{prefix}{what}.json").write_text(json.dumps(content), encoding=encoding)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "labels", LABELS)
    write(tmp_path, "validation", ROWS)
    return tmp_path


def test_by_hand(folder):
    found = read_ssv2(folder, part="validation")
    assert (found.names, found.labels.tolist()) == (("7", "9"), [1, 0])
    assert found.class_names == ("Moving something up", "Closing something")


def test_short_names_numbers_and_byte_order_marks(tmp_path):
    write(tmp_path, "labels", {name: int(index) for name, index in LABELS.items()}, prefix="", encoding="utf-8-sig")
    write(tmp_path, "train", [{"id": 9, "template": "Closing [something]"}], prefix="", encoding="utf-8-sig")
    found = read_ssv2(tmp_path, part="train")
    assert (found.names, found.labels.tolist()) == (("9",), [1])
    with pytest.raises(FileNotFoundError, match=r"something-something-v2-validation\.json: no such file, and no valid"):
        read_ssv2(tmp_path, part="validation")


@pytest.mark.parametrize(
    ("what", "content", "message"),
    [
        (
            "validation",
            [{"id": "7", "template": "Eating [something]"}],
            r"1 templates are no class .* 'Eating something'",
        ),
        ("validation", [ROWS[0], {"id": "8"}], r'entry 2: expected a list of {"id": .* as of SSv2, found {"id": "8"}'),
        ("validation", {"7": "Closing"}, r"expected a list .* found an object that starts {\"7\": \"Closing\"}"),
        ("validation", [], "lists no video"),
        ("validation", [ROWS[0], ROWS[0]], "'7' is listed more than once"),
        ("labels", {"a": "0", "b": "2"}, "class indices are not 0 to 1"),
        ("labels", ["a", "b"], r'labels\.json: expected an object .* found a list that starts \["a", "b"\]'),
        ("labels", {"a": "walk"}, r"labels\.json: expected an object"),
        ("labels", {"a": 0.5}, r"labels\.json: expected an object"),
    ],
)
def test_what_is_not_ssv2s(folder, what, content, message):
    write(folder, what, content)
    with pytest.raises(ValueError, match=message):
        read_ssv2(folder, part="validation")


def test_no_json_and_no_labels(folder):
    (folder / f"{SSV2_PREFIX}validation.json").write_text("a.mp4 3\n")
    with pytest.raises(ValueError, match=r"validation\.json: not a JSON file: Expecting value"):
        read_ssv2(folder, part="validation")
    with pytest.raises(ValueError, match="has labels for train and validation, not for 'test'"):
        read_ssv2(folder, part="test")


def frame_list(folder, *videos):
    rows = [f'{video} {n} {k} {video}/{k}.jpg ""' for n, video in enumerate(videos) for k in range(2)]
    (folder / "val.csv").write_text("\n".join([FRAME_LIST_HEADER, *rows]) + "\n")
    return folder / "val.csv", FrameFolders(folder, fps=1, frame_lists=folder / "val.csv").videos


def test_a_frame_list_must_be_of_the_same_videos(folder):
    videos = read_ssv2(folder, part="validation")
    check_frame_list(*frame_list(folder, "9", '"7"'), videos, folder / "v.json")
    message = (
        r"v\.json has 2 videos and val\.csv has 3; 1 are in v\.json only: 7; 2 are in val\.csv only: 10, 11 "
        r"\(DATA\.PATH_TO_DATA_DIR\)"
    )
    with pytest.raises(ValueError, match=message):
        check_frame_list(*frame_list(folder, "9", "11", "10"), videos, folder / "v.json")
    with pytest.raises(ValueError, match=r"has 2 videos and val\.csv has 2; 1 are in"):
        check_frame_list(*frame_list(folder, "9", "11"), videos, folder / "v.json")


def test_real_files(shared_dir, tmp_path):
    labels = shared_dir / "data" / "labels"
    write(tmp_path, "labels", json.loads((labels / "something-something-v2-labels.json").read_text()))
    write(tmp_path, "train", json.loads((labels / "finetune_5shot_training.json").read_text()))
    found = read_ssv2(tmp_path, part="train")
    assert len(found.class_names) == 174 and len(found.names) == 430
