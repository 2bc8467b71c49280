"""Lists of labelled videos, by hand, and the real ones where they are."""

import gzip

import pytest

from slowfast.datasets.annotations.videos.class_names import read_class_names
from slowfast.datasets.annotations.videos.video_lists import read_video_list


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


LINES = [
    # PySlowFast's third field, and paths that only look as if they had one.
    ("a.mp4 300 2", "a.mp4", 2),
    ("my clips/a b.MP4 300 2", "my clips/a b.MP4", 2),
    ("my clip 3.mp4 2", "my clip 3.mp4", 2),
    ("my.mp4 files/video 2", "my.mp4 files/video", 2),
    ("a.mp4 b.mp4 2", "a.mp4 b.mp4", 2),
    ("take 7 2", "take 7", 2),
    ("a.mp4 0 \r", "a.mp4", 0),
]


@pytest.mark.parametrize(("line", "path", "label"), LINES)
def test_what_is_path_and_what_is_not(write, line, path, label):
    found = read_video_list(write(line + "\n"), num_classes=3)
    assert (found.names, found.labels.tolist()) == ((path,), [label])


def test_three_fields_between_commas(write):
    found = read_video_list(write("a, b.mp4,17,1\n"), num_classes=3, separator=",")
    assert (found.names, found.labels.tolist()) == (("a, b.mp4",), [1])


@pytest.mark.parametrize(
    ("line", "path", "label"),
    [
        ("a b.mp4 riding a bike", "a b.mp4", 1),
        ("a b.mp4 bike", "a b.mp4", 0),
        ("riding a bike bike", "riding a bike", 0),  # the longest name is all of the line but the path, which is needed
        ("a.mp4 3", "a.mp4", 3),
        ("a.mp4 300 riding a bike", "a.mp4", 1),
    ],
)
def test_classes_by_name(write, line, path, label):
    names = ("bike", "riding a bike", "2", "x")
    found = read_video_list(write(line + "\n"), num_classes=4, class_names=names)
    assert (found.names[0], int(found.labels[0])) == (path, label) and found.class_names == names


def test_the_same_list_in_another_label_order(write):
    by_name = "a.mp4,sit down\nb.mp4,run\n"
    one = read_video_list(write(by_name), num_classes=2, separator=",", class_names=("sit down", "run"))
    two = read_video_list(write(by_name), num_classes=2, separator=",", class_names=("run", "sit down"))
    assert (one.labels.tolist(), two.labels.tolist()) == ([0, 1], [1, 0])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "a.mp4 runing\n",
            {"class_names": ("run", "running")},
            r"csv:1: .* or one of the 2 names of DATA.LABEL_FILE, .*; is 'running' meant\?",
        ),
        ("a.mp4 run\n", {}, r"csv:1: expected .*; classes by name need DATA\.LABEL_FILE"),
        ("run\n", {"class_names": ("run", "sit")}, r"csv:1: expected a path"),
        ("a.mp4 1\nb.mp4 -1\n", {}, r"csv:2: class -1 is not one of 0 to 1"),
        ("a.mp4 1.0\n", {}, r"csv:1: expected"),
        ("b.mp4 1\na/b.JPEG 1\n", {}, r"csv:2: 'a/b\.JPEG' is an image, and this list is of videos .*imagenet"),
        ("a.mp4,0,1\n", {"separator": ",", "multi_label": True}, r"DATA.PATH_LABEL_SEPARATOR \(','\) stands between"),
        ("a.mp4 0\nb.mp4 x\n", {"multi_label": True}, r"csv:2: expected a path, ' ' and class indices between commas"),
    ],
)
def test_more_errors(write, text, options, message):
    with pytest.raises(ValueError, match=message):
        read_video_list(write(text), num_classes=2, **options)


def test_real_lists(shared_dir, tmp_path):
    labels = shared_dir / "data" / "labels"
    with gzip.open(labels / "uniformer_k400_test.csv.gz", "rt") as lines:
        (tmp_path / "test.csv").write_text(lines.read())
    kinetics = read_video_list(tmp_path / "test.csv", num_classes=400, separator=",")
    assert len(kinetics.names) == 19787 and set(kinetics.labels.tolist()) == set(range(400))
    lines = (labels / "val_small_videos.list").read_text().splitlines()  # each is there twice
    (tmp_path / "val.csv").write_text("\n".join(dict.fromkeys(lines)))
    by_folder = read_video_list(tmp_path / "val.csv", num_classes=400)
    names = read_class_names(labels / "kinetics_classnames.json")
    assert {name.partition("/")[0].replace("_", " ") for name in by_folder.names} <= set(names)
    for name, label in zip(by_folder.names, by_folder.labels.tolist(), strict=True):
        assert names[label] == name.partition("/")[0].replace("_", " ")
