"""Lists of labelled videos, by hand, and the real ones where they are."""

import gzip
import json

import pytest

from slowfast.datasets.annotations.video_lists import SSV2_LABELS, SSV2_VALIDATION, read_ssv2, read_video_list


@pytest.fixture
def write(tmp_path):
    def write_list(text: str):
        (tmp_path / "test.csv").write_text(text)
        return tmp_path / "test.csv"

    return write_list


def test_paths_with_spaces_and_other_separators(write):
    found = read_video_list(write("a b/c d.mp4 2\n\nx.mp4 0\n"), num_classes=3)
    assert (
        found.names == ("a b/c d.mp4", "x.mp4")
        and found.labels.tolist() == [2, 0]
        and found.class_names == ("0", "1", "2")
    )
    assert read_video_list(write("a b.mp4,1\n"), num_classes=3, separator=",").labels.tolist() == [1]


def test_many_labels(write):
    found = read_video_list(write("a.mp4 0,2\nb.mp4 \nc.mp4 1\n"), num_classes=3, multi_label=True)
    assert found.labels.tolist() == [[True, False, True], [False] * 3, [False, True, False]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp4\n", r"test\.csv:1: expected a path, ' ' and one class index, found 'a\.mp4'"),
        ("a.mp4 0\nb.mp4 one\n", r"test\.csv:2: expected"),
        ("a.mp4 0,1\n", "one class index"),
        ("a.mp4 3\n", r"test\.csv:1: class 3 is not one of 0 to 2 \(MODEL.NUM_CLASSES\)"),
        ("a.mp4 0\na.mp4 1\n", r"'a\.mp4' is listed more than once"),
        ("\n", "lists no video"),
    ],
)
def test_errors_name_file_and_line(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_video_list(write(text), num_classes=3)


def test_a_missing_list(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"test\.csv: no such file \(DATA\.PATH_TO_DATA_DIR\)"):
        read_video_list(tmp_path / "test.csv", num_classes=3)


def test_ssv2_by_hand(tmp_path):
    (tmp_path / SSV2_LABELS).write_text(json.dumps({"Closing something": "1", "Moving something up": "0"}))
    rows = [
        {"id": "7", "template": "Closing [something]", "label": "closing box"},
        {"id": "9", "template": "Moving [something] up"},
    ]
    (tmp_path / SSV2_VALIDATION).write_text(json.dumps(rows))
    found = read_ssv2(tmp_path)
    assert (found.names, found.labels.tolist()) == (("7", "9"), [1, 0])
    assert found.class_names == ("Moving something up", "Closing something")
    (tmp_path / SSV2_VALIDATION).write_text(json.dumps([{"id": "7", "template": "Eating [something]"}]))
    with pytest.raises(ValueError, match=r"1 templates are no class .* the first is 'Eating something'"):
        read_ssv2(tmp_path)
    (tmp_path / SSV2_VALIDATION).write_text("[{}]")
    with pytest.raises(ValueError, match="not laid out as expected: KeyError 'id'"):
        read_ssv2(tmp_path)
    (tmp_path / SSV2_LABELS).write_text(json.dumps({"a": "0", "b": "2"}))
    with pytest.raises(ValueError, match="class indices are not 0 to 1"):
        read_ssv2(tmp_path)


def test_real_lists(shared_dir, tmp_path):
    labels = shared_dir / "data" / "labels"
    (tmp_path / SSV2_LABELS).write_text((labels / "something-something-v2-labels.json").read_text())
    (tmp_path / SSV2_VALIDATION).write_text((labels / "finetune_5shot_training.json").read_text())
    found = read_ssv2(tmp_path)
    assert len(found.class_names) == 174 and len(found.names) == 430
    with gzip.open(labels / "uniformer_k400_test.csv.gz", "rt") as lines:
        (tmp_path / "test.csv").write_text(lines.read())
    kinetics = read_video_list(tmp_path / "test.csv", num_classes=400, separator=",")
    assert set(kinetics.labels.tolist()) == set(range(400))
