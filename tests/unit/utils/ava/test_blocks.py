"""The block reader against the line-by-line reader, which decides what is right: the same bits, or None."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from slowfast.structures.annotations.box_table import BoxTable
from slowfast.utils.ava import blocks as ava_csv_blocks
from slowfast.utils.ava import tables as ava_csv
from slowfast.utils.ava.tables import read_detections_csv, read_groundtruth_csv

DAMAGE = b'0123456789.,-+e\n\r" _\xd0\0x'
COLUMNS = ("video", "timestamp", "boxes", "label", "score")


def in_blocks(path: Path) -> BoxTable | None:
    return ava_csv._read_in_blocks(path, ava_csv.detection_row)


def by_line(path: Path) -> BoxTable:
    return ava_csv.read_line_by_line(path, ava_csv.detection_row)


def write(folder: Path, text: str | bytes, name: str = "det.csv") -> Path:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def assert_same(found: BoxTable, expected: BoxTable) -> None:
    assert found.videos == expected.videos
    for name in COLUMNS:
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes(), name  # bits, so that -0.0 is not 0.0


def detections_text(rng: np.random.Generator, boxes: int, *, classes: int = 5, end: str = "\n") -> str:
    formats = ("%.9g", "%.3f", "%.4f", "%g", "%.17g", "%.14f", "%.15f", "%.5e")
    lines = []
    for _ in range(boxes):
        name = ("-5KQ66BBWC4", "v", "a b/c.d_e", "бег 走")[rng.integers(4)]
        low = rng.random(2) * 0.5
        box = ",".join([formats[rng.integers(len(formats))] % value for value in (*low, *(low + 0.5))])
        style = formats[rng.integers(len(formats))]
        scores = 10.0 ** rng.uniform(-20, 0, classes)
        start = f"{name},{rng.integers(1, 1100):04d},{box}"
        lines += [f"{start},{label},{style % score}" for label, score in enumerate(scores, start=1)]
    return end.join(lines) + end


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("block_bytes", [60, 97, 1000, 1 << 20])
def test_random_files_read_the_same_in_blocks_of_any_size(
    tmp_path: Path, monkeypatch, block_bytes: int, end: str
) -> None:
    monkeypatch.setattr(ava_csv_blocks, "BLOCK_BYTES", block_bytes)
    path = write(tmp_path, detections_text(np.random.default_rng(block_bytes), 60, end=end))
    assert_same(in_blocks(path), by_line(path))


@pytest.mark.parametrize("change", ["no last line end", "byte-order mark", "gzip"])
def test_what_files_begin_and_end_with(tmp_path: Path, change: str) -> None:
    text = detections_text(np.random.default_rng(1), 3).encode()
    if change == "gzip":
        path = write(tmp_path, gzip.compress(text), "det.csv.gz")
    else:
        path = write(tmp_path, text[:-1] if change == "no last line end" else b"\xef\xbb\xbf" + text)
    assert_same(in_blocks(path), by_line(path))


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "1",
        "0.",
        "1.",
        ".5",
        "00.5",
        "0.5",
        "-0.0",
        "+0.5",
        "0.1",
        "0.3",
        "1E-3",
        "1e0",
        "5e-1",
        "1e-05",
        "1.5e-05",
        "9e-99",
        "1e-308",
        "4.9e-324",
        "0.30000000000000004",
        "0.99999999999999",
        "0.999999999999999",
        "0.9999999999999999",
        "0.12345678901234",
        "0.123456789012345",
        "0.00000001",
        "0.12345678",
        "0.123456789",
        "0.1234567",
        "9.99999999999999e-09",
        "1.23456789012345e-08",
        "1.23456789012345e-09",
        "9.99999999999999e-30",
        "0.0000000000000000000000000000000000000001",
        "1_0e-1",
        "1e-5",
        "0.500000000000000000000000000000000000000000000000001",
    ],
)
def test_every_number_is_what_float_makes_of_it(tmp_path: Path, number: str) -> None:
    path = write(tmp_path, f"v,1,{number},0,1.5,1,7,{number}\nv,1,{number},0,1.5,1,8,-{number.lstrip('+-')}\n")
    table = in_blocks(path)
    assert table.score.tobytes() == np.array([float(number), -float(number.lstrip("+-"))]).tobytes()
    assert table.boxes[:, 0].tobytes() == np.array([float(number)] * 2).tobytes()


def test_many_decimals_are_the_nearest_float64(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 10, (20_000, 14))
    texts = [f"{row[0]}.{''.join(map(str, row[1 : rng.integers(1, 15)]))}" for row in digits.tolist()]
    texts[::3] = [f"{text}e-{rng.integers(0, 40):02d}" for text in texts[::3]]
    path = write(tmp_path, "".join(f"v,1,0,0,1,1,1,{text}\n" for text in texts))
    assert in_blocks(path).score.tobytes() == np.array([float(text) for text in texts]).tobytes()


def test_a_run_ends_where_any_character_before_the_label_changes(tmp_path: Path) -> None:
    starts = [
        "v,1,0.1,0.2,0.3,0.4",
        "v,1,0.1,0.2,0.3,0.45",
        "v,1,0.1,0.2,0.3,0.46",
        "w,1,0.1,0.2,0.3,0.46",
        "w,2,0.1,0.2,0.3,0.46",
        "w2,0,0.1,0.2,0.3,0.46",
        "w2,00,0.1,0.2,0.3,0.46",
        "v,1,0.1,0.2,0.3,0.4",
        "v" * 300 + ",1,0.1,0.2,0.3,0.4",
    ]
    path = write(tmp_path, "".join(f"{start},{label},0.5\n" for start in starts for label in (1, 23, 456)))
    table = in_blocks(path)
    assert_same(table, by_line(path))
    assert table.videos == ("v", "w", "w2", "v" * 300)
    assert table.boxes[::3, 3].tolist() == [0.4, 0.45, 0.46, 0.46, 0.46, 0.46, 0.46, 0.4, 0.4]


GOOD = "v,1,0.1,0.2,0.3,0.4,5,0.5"


@pytest.mark.parametrize(
    "line",
    [
        "",
        '"v",1,0.1,0.2,0.3,0.4,5,0.5',
        "v,1,0.1,0.2,0.3,0.4,5\nv,1,0.1,0.2,0.3,0.4,5,0.5,0.5",
        "v\n1,0.1,0.2,0.3,0.4,5,0.5,v,1,0.1,0.2,0.3,0.4,5,0.5",
        "v,1,0.1,0.2,0.3,0.4,5,0.5\rv,1,0.1,0.2,0.3,0.4,5,0.5",
        "v\0,1,0.1,0.2,0.3,0.4,5,0.5",
        ",1,0.1,0.2,0.3,0.4,5,0.5",
        "v,1.0,0.1,0.2,0.3,0.4,5,0.5",
        "v,,0.1,0.2,0.3,0.4,5,0.5",
        "v,1,0.1,0.2,0.3,0.4,,0.5",
        "v,1,0.1,0.2,0.3,0.4,123456789,0.5",
        "v,1,0.1,0.2,0.3,0.4,0,0.5",
        "v,1,0.1,0.2,0.3,0.4,5,",
        "v,1,0.1,0.2,0.3,0.4,5,nan",
        "v,1,0.1,0.2,0.3,0.4,5,0.5x",
        "v,1,0.1,0.2,0.3,0.4,5,0;5",
        "v,1,0.1,0.2,,0.4,5,0.5",
        "v,1,0.3,0.2,0.1,0.4,5,0.5",
        "v,1,0.1,0.2,0.3,4,5,0.5",
        "v" * 600 + ",1,0.1,0.2,0.3,0.4,5,0.5",
    ],
)
def test_what_is_not_regular_is_left_to_the_other_readers(tmp_path: Path, line: str) -> None:
    assert in_blocks(write(tmp_path, f"{GOOD}\n")) is not None
    assert in_blocks(write(tmp_path, f"{GOOD}\n{line}\n{GOOD}\n")) is None


def test_names_that_are_none_and_files_without_lines_are_left_too(tmp_path: Path, monkeypatch) -> None:
    assert in_blocks(write(tmp_path, GOOD.encode().replace(b"v", b"\xe9"))) is None
    assert in_blocks(write(tmp_path, ",1,0.1,0.2,0.3,0.4,5,0.5\n")) is None
    assert in_blocks(write(tmp_path, "")) is None
    monkeypatch.setattr(ava_csv_blocks, "BLOCK_BYTES", 100)
    assert in_blocks(write(tmp_path, "x" * 1000)) is None


def test_a_damaged_file_is_read_the_same_or_left(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    text = detections_text(rng, 4, classes=2).encode()
    left = read = 0
    for _ in range(600):
        damaged = bytearray(text)
        place = rng.integers(len(damaged))
        damaged[place : place + rng.integers(0, 2)] = DAMAGE[(at := rng.integers(len(DAMAGE))) : at + 1]
        path = write(tmp_path, bytes(damaged))
        table = in_blocks(path)
        if table is None:
            left += 1
        else:
            read += 1
            assert_same(table, by_line(path))
    assert left > 100 and read > 100


def test_a_regular_file_takes_no_other_reader(tmp_path: Path, monkeypatch) -> None:
    for name in ("_read_at_once", "read_line_by_line"):
        monkeypatch.setattr(ava_csv, name, lambda *_: pytest.fail("took a slower path"))
    assert len(read_detections_csv(write(tmp_path, detections_text(np.random.default_rng(3), 6)))) == 30


def test_only_a_large_file_of_another_form_is_worth_pandas(tmp_path: Path, monkeypatch) -> None:
    calls, read_at_once = [], ava_csv._read_at_once
    monkeypatch.setattr(ava_csv, "_read_at_once", lambda *given: calls.append(given) or read_at_once(*given))
    path = write(tmp_path, 'a,902,0,0,1,1,"3",0.5\n' * 20)
    small = read_detections_csv(path)
    assert not calls
    monkeypatch.setattr(ava_csv, "WORTH_PANDAS", path.stat().st_size - 1)
    assert_same(read_detections_csv(path), small)
    assert len(calls) == 1


def test_ground_truth_with_person_ids_reads_as_line_by_line(tmp_path: Path, monkeypatch) -> None:
    lines = [
        f"v{row // 40},{902 + row // 4:04d},0.{row:03d},-0.001,0.9,1.001,{row % 80 + 1},{row}" for row in range(200)
    ]
    path = write(tmp_path, "\n".join(lines))
    expected = ava_csv.read_line_by_line(path, ava_csv.groundtruth_row)
    for name in ("_read_at_once", "read_line_by_line"):
        monkeypatch.setattr(ava_csv, name, lambda *_: pytest.fail("took a slower path"))
    table = read_groundtruth_csv(path)
    assert table.score is None and table.videos == expected.videos
    for name in COLUMNS[:-1]:
        assert getattr(table, name).tobytes() == getattr(expected, name).tobytes(), name
    _, where = ava_csv.collect_groundtruth(path, [])
    assert where.tolist() == list(range(1, 201))


@pytest.mark.parametrize("row", ["v,902,0,0,1,1.002,3,1", "v,902,0,0,1,1,,1", "v,902,0,0,1,1,3,x", "v,902,0,0,1,1,3"])
def test_other_rows_of_ground_truth_are_left_to_others(tmp_path: Path, row: str) -> None:
    """A box outside by more than rounding, a person without an action, a name for a person, no person."""
    good = "v,901,0,0,1,1,3,1"
    assert ava_csv._read_in_blocks(write(tmp_path, f"{good}\n{good}"), ava_csv.groundtruth_row) is not None
    assert ava_csv._read_in_blocks(write(tmp_path, f"{good}\n{row}"), ava_csv.groundtruth_row) is None


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    archive = bytearray(gzip.compress(detections_text(np.random.default_rng(0), 200).encode()))
    archive[len(archive) // 2 : len(archive) // 2 + 40] = bytes(40)
    with pytest.raises(ValueError, match=r"det\.csv\.gz: the archive is damaged: CRC check failed"):
        read_detections_csv(write(tmp_path, bytes(archive), "det.csv.gz"))
    with pytest.raises(ValueError, match=r"cut\.csv\.gz: cannot be read as UTF-8 CSV after line \d+"):
        read_detections_csv(write(tmp_path, bytes(archive[: len(archive) // 3]), "cut.csv.gz"))
