"""Every text file that a user gives: a byte-order mark is fine, another encoding is named with line and remedy."""

import json
from pathlib import Path

import pytest

from slowfast.config import load_cfg
from slowfast.config.load import load_cfg_with_sources
from slowfast.datasets.annotations.people.charades import read_charades
from slowfast.datasets.annotations.people.jhmdb import VIDEOS_FILE, read_jhmdb_videos
from slowfast.datasets.annotations.people.proposals import read_proposals
from slowfast.datasets.annotations.videos.class_names import read_class_names
from slowfast.datasets.annotations.videos.ssv2 import check_frame_list, read_ssv2
from slowfast.datasets.annotations.videos.video_lists import read_video_list
from slowfast.structures.annotations.label_map import read_label_map
from slowfast.utils.ava.tables import read_detections_csv, read_exclusions_csv, read_groundtruth_csv
from slowfast.utils.text import read_text
from slowfast.video.pictures.frames import FRAME_LIST_HEADER, read_frame_lists

BOX = "0.1,0.2,0.3,0.4"
JHMDB = "video,frames,height,width,split1\ncafé/a,3,240,320,test\nrun/b,3,240,320,train\n"
SSV2 = json.dumps([{"id": "1", "template": "Opening café"}], ensure_ascii=False)


def _ssv2(path: Path):
    (path.parent / "labels.json").write_text('{"Opening café": "0"}', encoding="utf-8")
    return read_ssv2(path.parent, part="train").names


def _frame_list_of_ssv2(path: Path):
    (path.parent / "labels.json").write_text('{"a": "0"}')
    (path.parent / "train.json").write_text('[{"id": "café", "template": "a"}]', encoding="utf-8")
    listed = read_frame_lists([path])
    return check_frame_list(path, listed, read_ssv2(path.parent, part="train"), path.parent / "train.json")


# file name: (what reads it, its text, the line with the é)
FILES = {
    "gt.csv": (lambda path: read_groundtruth_csv(path).videos, f"v,1,{BOX},5,0\ncafé,1,{BOX},5,0\n", 2),
    "det.csv": (lambda path: read_detections_csv(path).videos, f"v,1,{BOX},5,0.5\ncafé,1,{BOX},5,0.5\n", 2),
    "excluded.csv": (read_exclusions_csv, "v,1\n\ncafé,1\n", 3),
    "boxes.csv": (lambda path: read_proposals(path, min_score=0).videos, f"café,1,{BOX},,0.5\n", 1),
    "map.pbtxt": (lambda path: read_label_map(path).names, 'item {\n  name: "café"\n  id: 1\n}\n', 2),
    "names.txt": (read_class_names, "run\ncafé\n", 2),
    "names.json": (read_class_names, '{"run": 0,\n"café": 1}', 2),
    "list.csv": (lambda path: read_video_list(path, num_classes=2).names, "a.mp4 0\ncafé.mp4 1\n", 2),
    "train.json": (_ssv2, SSV2, 1),
    "val.csv": (
        lambda path: read_charades(path, num_classes=2).names,
        f'{FRAME_LIST_HEADER}\ncafé 0 1 c/1.jpg "0"\n',
        2,
    ),
    "frames.csv": (lambda path: list(read_frame_lists([path])), f'{FRAME_LIST_HEADER}\ncafé 0 1 c/1.jpg ""\n', 2),
    "ssv2.csv": (_frame_list_of_ssv2, f'{FRAME_LIST_HEADER}\ncafé 0 1 c/1.jpg ""\n', 2),
    VIDEOS_FILE: (lambda path: read_jhmdb_videos(path.parent, split=1, subset="test").names, JHMDB, 2),
}


@pytest.mark.parametrize("name", FILES)
def test_a_byte_order_mark_changes_nothing(tmp_path: Path, name: str) -> None:
    read, text, _ = FILES[name]
    (tmp_path / name).write_text(text, encoding="utf-8")
    plain = read(tmp_path / name)
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert read(tmp_path / name) == plain
    assert plain is None or "café" in str(plain) or name == "train.json"


@pytest.mark.parametrize("name", FILES)
def test_other_encodings_are_named_with_line_and_remedy(tmp_path: Path, name: str) -> None:
    read, text, line = FILES[name]
    (tmp_path / name).write_text(text, encoding="cp1252")
    with pytest.raises(ValueError) as caught:
        read(tmp_path / name)
    assert f"{name}: line {line} is not UTF-8: byte 0xe9 at column" in str(caught.value)
    assert "café" in str(caught.value) and str(caught.value).endswith("Save the file as UTF-8")
    (tmp_path / name).write_text(text, encoding="utf-16")
    with pytest.raises(ValueError, match=r"the file is UTF-16 text \(Windows calls it Unicode\); save it as UTF-8"):
        read(tmp_path / name)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    for content, what in ((b"\x1f\x8b\x08", "packed with gzip; unpack it"), (b"\x89\0", "binary, expected text")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"some\.csv: the file is {what}"):
            read_text(path)
    (tmp_path / "train.json").write_text("")
    (tmp_path / "labels.json").write_text("")
    with pytest.raises(ValueError, match=r"labels\.json: the file is empty, expected JSON"):
        read_ssv2(tmp_path, part="train")


def test_column_names_in_lists_of_videos_and_proposals(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    for header in ("path label", "video_id,class", '"path","label"'):
        separator = "," if "," in header else " "
        path.write_text(f"{header}\na.mp4{separator}1\n")
        assert read_video_list(path, num_classes=2, separator=separator).names == ("a.mp4",)
    path.write_text("a.mp4 1\npath label\n")
    with pytest.raises(ValueError, match=r"list\.csv:2: expected a path"):
        read_video_list(path, num_classes=2)
    path.write_text("path label\na.mp4 run\n")
    assert read_video_list(path, num_classes=2, class_names=("label", "run")).names == ("path", "a.mp4")
    path.write_text(f"video,timestamp,x1,y1,x2,y2,label,score\nv,1,{BOX},,0.9\n")
    assert len(read_proposals(path, min_score=0.5)) == 1
    path.write_text(f"v,1,{BOX},5,17\nv,1,{BOX},6,2\n")
    with pytest.raises(ValueError, match=r"list\.csv: column 8 holds whole numbers up to 17, as the person ids"):
        read_proposals(path, min_score=0.5)


def test_config_files(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("OUTPUT_DIR: café\n", encoding="utf-8-sig")
    assert load_cfg(path).OUTPUT_DIR == "café"
    path.write_text("NUM_GPUS: 1\nOUTPUT_DIR: café\n", encoding="cp1252")
    with pytest.raises(ValueError, match=r"config file .*a\.yaml is not UTF-8 text, see line 2; save it as UTF-8"):
        load_cfg(path)
    for text, what in (("", "is empty"), ("# later\n", "holds no key")):
        path.write_text(text)
        report = load_cfg_with_sources(path)[1]
        assert report.lines() == [f"config file {path} {what}: it changes no default"]
