import gzip
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable
from slowfast.utils.ava import tables as ava_csv
from slowfast.utils.ava.tables import (
    read_detections_csv,
    read_exclusions_csv,
    read_groundtruth_csv,
    write_detections_csv,
)

READERS = {"gt": read_groundtruth_csv, "det": read_detections_csv, "excluded": read_exclusions_csv}


def rows_of(table: BoxTable) -> list[tuple]:
    names = [table.videos[i] for i in table.video]
    return list(zip(names, table.timestamp.tolist(), table.boxes.tolist(), table.label.tolist(), strict=True))


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture(params=["at once", "line by line"])
def reader_path(request, monkeypatch) -> str:
    """Every well-formed file must read the same both ways; for the third see test_blocks."""
    monkeypatch.setattr(ava_csv, "_read_in_blocks", lambda path, parse_row: None)
    monkeypatch.setattr(ava_csv, "WORTH_PANDAS", -1)
    if request.param == "line by line":
        monkeypatch.setattr(ava_csv, "_read_at_once", lambda path, parse_row: None)
    else:
        refuse = pytest.fail
        monkeypatch.setattr(ava_csv, "read_line_by_line", lambda path, parse_row: refuse("took the slow path"))
    return request.param


@pytest.mark.usefixtures("reader_path")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v,0902,0.1,0.2,0.3,0.4,12,7\n", [("v", 902, [0.1, 0.2, 0.3, 0.4], 12)]),
        (
            "v,902,0,0.2,1,0.4,12\r\nv,903,0.1,0.2,0.3,0.4,80\r\n",
            [("v", 902, [0, 0.2, 1, 0.4], 12), ("v", 903, [0.1, 0.2, 0.3, 0.4], 80)],
        ),
        (
            "v,1,0.1,0.2,0.3,0.4,12,person A\nv,2,0.1,0.2,0.3,0.4,12,\n",
            [("v", 1, [0.1, 0.2, 0.3, 0.4], 12), ("v", 2, [0.1, 0.2, 0.3, 0.4], 12)],
        ),
        ("v,1,0.1,0.2,0.3,0.4,,3\n", [("v", 1, [0.1, 0.2, 0.3, 0.4], NO_LABEL)]),
        ("v,1,0.1,0.2,0.3,0.4,\n", [("v", 1, [0.1, 0.2, 0.3, 0.4], NO_LABEL)]),
        (
            "12,1,0.1,0.2,0.3,0.4,5\n007,1,0.1,0.2,0.3,0.4,5\n",
            [("12", 1, [0.1, 0.2, 0.3, 0.4], 5), ("007", 1, [0.1, 0.2, 0.3, 0.4], 5)],
        ),
        (
            '"a, b c",1,0.1,0.2,0.3,0.4,5\nNA,1,0.1,0.2,0.3,0.4,5\n',
            [("a, b c", 1, [0.1, 0.2, 0.3, 0.4], 5), ("NA", 1, [0.1, 0.2, 0.3, 0.4], 5)],
        ),
        ("\ufeffбег 走,1,0.1,0.2,0.3,0.4,5\n\n", [("бег 走", 1, [0.1, 0.2, 0.3, 0.4], 5)]),
        ("v,1,0.2,0.2,0.2,0.4,5\n", [("v", 1, [0.2, 0.2, 0.2, 0.4], 5)]),
        ("v,1,-0.001,0,1.001,1,5", [("v", 1, [-0.001, 0, 1.001, 1], 5)]),
        (
            "v,3.5,0.1,0.2,0.3,0.4,5\nv,0004.00,0.1,0.2,0.3,0.4,5\nv,0.33333,0.1,0.2,0.3,0.4,5\n",
            [("v", t, [0.1, 0.2, 0.3, 0.4], 5) for t in (3.5, 4.0, 0.333)],
        ),
    ],
    ids=[
        "official",
        "crlf unpadded",
        "person ids",
        "no label",
        "no label no id",
        "numbers",
        "quoted",
        "utf-8",
        "no area",
        "margin",
        "fractions",
    ],
)
def test_groundtruth_files(tmp_path: Path, text: str, expected: list) -> None:
    table = read_groundtruth_csv(write(tmp_path / "gt.csv", text))
    assert sorted(rows_of(table)) == sorted(expected)
    assert table.score is None
    whole = all(isinstance(time, int) for _, time, _, _ in expected)
    assert table.timestamp.dtype == (np.int32 if whole else np.float64)
    assert (table.video.dtype, table.label.dtype) == (np.int32, np.int32)


@pytest.mark.usefixtures("reader_path")
def test_two_column_rows_list_a_key_frame(tmp_path: Path) -> None:
    table = read_groundtruth_csv(write(tmp_path / "gt.csv", "v,0902\nv,0903,0.1,0.2,0.3,0.4,12,7\nv,0904\n"))
    assert table.label.tolist() == [NO_LABEL, 12, NO_LABEL]
    assert np.isnan(table.boxes).all(axis=1).tolist() == [True, False, True]
    only = read_groundtruth_csv(write(tmp_path / "empty_frames.csv", "v,0902\nw,0904\n"))
    assert only.timestamp.tolist() == [902, 904]


@pytest.mark.usefixtures("reader_path")
def test_detections_and_exclusions(tmp_path: Path) -> None:
    path = tmp_path / "det.csv.gz"
    path.write_bytes(gzip.compress(b"v,0902,-0.07,0.2,1.2,0.4,12,1e-7\nw,3,0.1,0.2,0.3,0.4,1,-2\n"))
    table = read_detections_csv(path)
    assert rows_of(table) == [("v", 902, [-0.07, 0.2, 1.2, 0.4], 12), ("w", 3, [0.1, 0.2, 0.3, 0.4], 1)]
    assert table.score.tolist() == [1e-7, -2.0]
    excluded = read_exclusions_csv(write(tmp_path / "excluded.csv", "v,0902\r\n1,903\r\n"))
    assert excluded == {("v", 902), ("1", 903)}


BOX = "0.1,0.2,0.3,0.4"


@pytest.mark.parametrize(
    ("kind", "line", "message"),
    [
        ("gt", "v,1,0.1,0.2,0.3", r"expected 2, 7 or 8 columns \(video,timestamp,x1.*\), found 5"),
        ("gt", f"v,1,{BOX},5,7,0.5", "expected 2, 7 or 8 columns .*, found 9"),
        ("gt", f"v,1,{BOX},5,7,0.5,1,2", "found 11"),
        ("gt", "v", "expected 2, 7 or 8 columns .*, found 1"),
        ("gt", f"video,timestamp,{BOX},5", "timestamp 'timestamp' is not a number"),
        ("det", f"v,time,{BOX},5,0.5", "timestamp 'time' is not a number"),
        ("gt", f"v,1,{BOX}", "found 6"),
        ("gt", f"v,9:30,{BOX},5", "timestamp '9:30' is not a number"),
        ("gt", f"v,-1,{BOX},5", "timestamp '-1' is not a number from 0 to 2147483647"),
        ("gt", f"v,3000000000,{BOX},5", "timestamp '3000000000' is not"),
        ("gt", f"v,,{BOX},5", "timestamp '' is not"),
        ("gt", f",1,{BOX},5", "the video name is empty"),
        ("gt", "v,1,0.1,abc,0.3,0.4,5", "y1 'abc' is not a number"),
        ("gt", "v,1,0.1,,0.3,0.4,5", "y1 '' is not a number"),
        ("gt", "v,1,0.1,0.2,nan,0.4,5", "x2 'nan' is not finite"),
        ("gt", "v,1,0.3,0.2,0.1,0.4,5", r"box \[0.3, 0.2, 0.1, 0.4\] is inverted: x2 must be >= x1"),
        ("gt", "v,1,0.1,0.2,0.3,1.01,5", r"box \[0.1, 0.2, 0.3, 1.01\] reaches outside \[0, 1\] by more than 0.001"),
        ("gt", f"v,1,{BOX},0", r"label '0' is not a class id \(a whole number from 1\)"),
        ("gt", f"v,1,{BOX},2.5", "label '2.5' is not a class id"),
        ("gt", f"v,1,{BOX},stand", "label 'stand' is not a number"),
        ("det", f"v,1,{BOX},5", r"expected 8 columns \(video,timestamp,x1,y1,x2,y2,label,score\), found 7"),
        ("det", "v,1", "expected 8 columns .*, found 2"),
        ("det", f"v,1,{BOX},5,nan", "score 'nan' is not finite"),
        ("det", f"v,1,{BOX},5,inf", "score 'inf' is not finite"),
        ("det", f"v,1,{BOX},5,", "score '' is not a number"),
        ("det", f"v,1,{BOX},,0.5", "label '' is not a number"),
        ("det", "v,1,10,20,300,400,5,0.5", r"reaches outside \[0, 1\] by more than 0.5; .* not pixels"),
        ("excluded", "v,1,2", r"expected 2 columns \(video,timestamp\), found 3"),
        ("excluded", "v,1,2,3,4", "found 5"),
        ("excluded", "v", "found 1"),
    ],
)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "line 3"])
def test_a_malformed_line_is_named(tmp_path: Path, kind: str, line: str, message: str, alone: bool) -> None:
    good = {"gt": f"v,1,{BOX},5,1\n", "det": f"v,1,{BOX},5,0.5\n", "excluded": "v,1\n"}[kind]
    path = write(tmp_path / "some.csv", (line + "\n") if alone else good + good + line + "\n" + good)
    with pytest.raises(ValueError, match=rf"some.csv: 1 malformed line:\n  line {1 if alone else 3}: .*{message}"):
        READERS[kind](path)


def test_at_most_five_lines_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "gt.csv", f"v,1,{BOX},5\n" + "v,x\n" * 7)
    with pytest.raises(ValueError) as caught:
        read_groundtruth_csv(path)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("gt.csv: 7 malformed lines:")
    assert [line.split(":")[0].strip() for line in lines[1:6]] == [f"line {i}" for i in range(2, 7)]
    assert lines[6] == "  and 2 more"


@pytest.mark.parametrize("kind", READERS)
def test_missing_and_empty_files(tmp_path: Path, kind: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv: no such file"):
        READERS[kind](tmp_path / "nowhere.csv")
    for text in ("", "\n\n"):
        path = write(tmp_path / "empty.csv", text)
        if kind == "det":  # a detector that found nothing leaves such a file
            table = read_detections_csv(path)
            assert (len(table), table.videos, table.boxes.shape, table.scores.shape) == (0, (), (0, 4), (0,))
            continue
        with pytest.raises(ValueError, match=r"empty\.csv: the file is empty"):
            READERS[kind](path)


HEADERS = {
    "gt": ("video_id,middle_frame_timestamp,x1,y1,x2,y2,action_id,person_id", "Video, Second ,x1,y1,x2,y2,label"),
    "det": ("video,timestamp,x1,y1,x2,y2,label,score", "clip,key frame,left,top,right,bottom,action,confidence"),
    "excluded": ("video,timestamp", "video_id,second"),
}


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte-order mark"])
@pytest.mark.parametrize(("kind", "header"), [(kind, line) for kind, lines in HEADERS.items() for line in lines])
def test_a_first_line_of_column_names_is_skipped(tmp_path: Path, kind: str, header: str, mark: str) -> None:
    good = {"gt": f"v,0902,{BOX},5,1\n", "det": f"v,0902,{BOX},5,0.5\n", "excluded": "v,0902\n"}[kind]
    plain = READERS[kind](write(tmp_path / "plain.csv", good))
    titled = READERS[kind](write(tmp_path / "titled.csv", mark + header + "\n" + good))
    assert titled == plain if kind == "excluded" else rows_of(titled) == rows_of(plain)
    with pytest.raises(ValueError, match="line 2: "):  # names are skipped in the first line only
        READERS[kind](write(tmp_path / "later.csv", good + header + "\n"))


def test_detections_as_ground_truth_and_the_reverse_are_refused(tmp_path: Path) -> None:
    detections = write(tmp_path / "det.csv", f"v,902,{BOX},5,1\nv,902,{BOX},6,0.25\n")
    with pytest.raises(
        ValueError, match=r"det\.csv: column 8 holds scores \(0\.25 in line 2\), so these are detections"
    ):
        read_groundtruth_csv(detections)
    truth = write(tmp_path / "gt.csv", f"v,902,{BOX},5,0\nv,902,{BOX},6,17\n")
    with pytest.raises(
        ValueError, match=r"gt\.csv: column 8 holds whole numbers up to 17, as the person ids of ground"
    ):
        read_detections_csv(truth)
    with pytest.raises(ValueError, match="found 7; is this ground truth"):
        read_detections_csv(write(tmp_path / "seven.csv", f"v,902,{BOX},5\n"))
    # a name, or nothing, is a person id as well as a number
    for person in ("0.5\nv,902,0.1,0.2,0.3,0.4,5,anna", "0.5\nv,902,0.1,0.2,0.3,0.4,5", "0.5\nv,903"):
        assert len(read_groundtruth_csv(write(tmp_path / "ids.csv", f"v,902,{BOX},5,{person}\n"))) == 2
    assert read_detections_csv(write(tmp_path / "sure.csv", f"v,902,{BOX},5,1\n")).scores.tolist() == [1]


def test_files_that_are_not_text(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"latin\.csv: line 1 is not UTF-8: byte 0xe9 at column 4; in .* reads 'café,1,"
    ):
        read_groundtruth_csv(write(tmp_path / "latin.csv", f"caf\xe9,1,{BOX},5\n", encoding="latin-1"))
    with pytest.raises(ValueError, match=r"fake\.csv\.gz: cannot be read as UTF-8 CSV"):
        read_groundtruth_csv(write(tmp_path / "fake.csv.gz", f"v,1,{BOX},5\n"))


# Writing -------------------------------------------------------------------------------------------------------------


def random_detections(dtype: type, rows: int = 400) -> BoxTable:
    rng = np.random.default_rng(0)
    low = rng.random((rows // 4, 2)) * 0.5
    boxes = np.concatenate([low, low + rng.random(low.shape) * 0.5], axis=1).repeat(4, axis=0)
    return BoxTable(
        ("a", 'b, "c"', "12"),
        rng.integers(0, 3, rows // 4).repeat(4).astype(np.int32),
        rng.integers(1, 1100, rows // 4).repeat(4).astype(np.int32),
        boxes.astype(dtype),
        rng.integers(1, 81, rows).astype(np.int32),
        (10 ** rng.uniform(-12, 0, rows)).astype(dtype),
    )


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_written_values_come_back_exactly(tmp_path: Path, dtype: type, suffix: str) -> None:
    table = random_detections(dtype)
    write_detections_csv(table, tmp_path / f"det{suffix}")
    again = read_detections_csv(tmp_path / f"det{suffix}")
    assert [row[:2] for row in rows_of(again)] == [row[:2] for row in rows_of(table)]
    np.testing.assert_array_equal(again.label, table.label)
    np.testing.assert_array_equal(again.boxes.astype(dtype), table.boxes)
    np.testing.assert_array_equal(again.score.astype(dtype), table.score)


def test_pieces_join_without_a_seam() -> None:
    table = random_detections(np.float32)
    assert "".join(ava_csv._formatted(table, rows_at_once=7)) == "".join(ava_csv._formatted(table))


def test_the_written_format_is_the_official_one(tmp_path: Path) -> None:
    table = BoxTable(
        ("v",),
        np.zeros(1, np.int32),
        np.array([9], np.int32),
        np.array([[0.5, 0, 1, 0.25]]),
        np.array([12], np.int32),
        np.array([0.5]),
    )
    write_detections_csv(table, tmp_path / "det.csv")
    assert (tmp_path / "det.csv").read_text() == "v,0009,0.5,0,1,0.25,12,0.5\n"


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch) -> None:
    path = write(tmp_path / "det.csv", "old")

    def full_disk(source, target):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_detections_csv(random_detections(np.float32), path)
    assert [p.name for p in tmp_path.iterdir()] == ["det.csv"]
    assert path.read_text() == "old"


def test_tables_that_are_not_detections_are_refused(tmp_path: Path) -> None:
    table = random_detections(np.float32)
    with pytest.raises(ValueError, match=r"det.csv: a detections file needs scores, and this table has none"):
        write_detections_csv(replace(table, score=None), tmp_path / "det.csv")
    label = table.label.copy()
    label[3] = NO_LABEL
    with pytest.raises(ValueError, match="needs a label in every row; row 3 has none"):
        write_detections_csv(replace(table, label=label), tmp_path / "det.csv")


# Real files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rows", "videos"),
    [
        ("ava_val_v2.1_8videos.csv.gz", 27163, 8),
        ("ava_val_v2.1_pose14_64videos.csv.gz", 93400, 64),
        ("ava_train_v2.2_29videos.csv.gz", 94625, 29),
    ],
)
def test_real_annotations(shared_dir: Path, name: str, rows: int, videos: int) -> None:
    table = read_groundtruth_csv(shared_dir / "data" / "ava" / "gt" / name)
    assert (len(table), len(table.videos)) == (rows, videos)
    assert table.timestamp.min() >= 902 and table.timestamp.max() <= 1798
