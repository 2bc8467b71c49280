"""Rows of frame lists whose names hold blanks and numbers: read as the other rows and the files say, or refused."""

import pytest

from slowfast.video.pictures.frame_lists import FRAME_LIST_HEADER, read_frame_lists


def read(tmp_path, *rows, root=None):
    path = tmp_path / "list.csv"
    path.write_text("\n".join([FRAME_LIST_HEADER, *rows]) + "\n", encoding="utf-8")
    found = read_frame_lists([path], root)
    return {video: (f.ids.tolist(), [p.decode() for p in f.paths]) for video, f in found.items()}


def test_a_path_that_starts_with_a_number(tmp_path):
    rows = [f"v 0 {n} 2019 holiday/{n}.png" for n in range(3)]
    paths = [f"2019 holiday/{n}.png" for n in range(3)]
    assert read(tmp_path, *rows) == {"v": ([0, 1, 2], paths)}
    assert read(tmp_path, *[f'{row} "3,4"' for row in rows]) == {"v": ([0, 1, 2], paths)}


def test_a_video_that_ends_in_a_number(tmp_path):
    rows = [f"clip 5 0 {n} frames/{n}.jpg" for n in range(3)]
    assert read(tmp_path, *rows) == {"clip 5": ([0, 1, 2], [f"frames/{n}.jpg" for n in range(3)])}
    assert read(tmp_path, 'clip 5 0 0 clip 5/1.jpg ""') == {"clip 5": ([0], ["clip 5/1.jpg"])}
    assert read(tmp_path, "a/clip 5 0 0 clip 5/1.jpg") == {"a/clip 5": ([0], ["clip 5/1.jpg"])}


def test_both(tmp_path):
    rows = [f"take 2 7 {n} 2019 holiday/{n}.png" for n in range(3)]
    assert read(tmp_path, *rows) == {"take 2": ([0, 1, 2], [f"2019 holiday/{n}.png" for n in range(3)])}


def test_one_row_is_decided_by_the_files_or_refused(tmp_path):
    row = "v 0 0 2019 holiday/1.png"
    message = (
        r"list.csv:2: can be read in several ways: video 'v', frame 0, file '2019 holiday/1.png' or video 'v 0', frame "
        r"2019, file 'holiday/1.png'; put names with blanks in quotes"
    )
    for root in (None, tmp_path):
        with pytest.raises(ValueError, match=message):
            read(tmp_path, row, root=root)
    (tmp_path / "2019 holiday").mkdir()
    (tmp_path / "2019 holiday" / "1.png").write_bytes(b"")
    assert read(tmp_path, row, root=tmp_path) == {"v": ([0], ["2019 holiday/1.png"])}
    assert read(tmp_path, '"v" 0 0 "2019 holiday/1.png" ""') == {"v": ([0], ["2019 holiday/1.png"])}
    assert read(tmp_path, '"v 0" 0 2019 holiday/1.png') == {"v 0": ([2019], ["holiday/1.png"])}


def test_rows_without_a_path(tmp_path):
    for row in ("v 0 1", "v 0 1 ", '"v" 0 1', "0 1 v/1.jpg"):
        with pytest.raises(ValueError, match=r"list.csv:2: expected 'original_vido_id"):
            read(tmp_path, row)
