"""`tools/evaluate_tracks.py`: what tracking adds, on the toy's videos, and what it refuses."""

import json
from pathlib import Path

import pytest

from slowfast.commands.scoring.evaluate_tracks import find_named

TOOL = "tools/evaluate_tracks.py"


@pytest.fixture
def asked(repo_root: Path, toy_data: Path) -> dict[str, str]:
    """The recorded toy detector on the one held-out video."""
    return {
        "--weights": str(repo_root / "tests/golden/toy/bmvit_toy.pyth"),
        "--cfg": str(repo_root / "configs/Toy/BMViT_toy.yaml"),
        "--labels": str(toy_data / "annotations/toy_action_list.pbtxt"),
        "--videos": str(toy_data / "videos"),
        "--tracks": str(toy_data / "annotations/toy_val_tracks.csv"),
        "--device": "cpu",
    }


def line(asked: dict[str, str], **changes: str) -> list[str]:
    return [word for pair in (asked | changes).items() for word in pair]


def test_three_rows_of_the_same_key_frames(run_main, asked, tmp_path):
    done = run_main(TOOL, *line(asked), "--every", "0.5", "--json", "found.json")
    told, heading, *rows = done.stdout.splitlines()
    assert told == "1 videos, 8 key frames, one every 0.5 s; people of --score 0.3"
    assert heading.split() == ["frame-mAP", "video-mAP@0.2", "video-mAP@0.5", "switches", "IDF1"]
    assert [row.rsplit(maxsplit=5)[0] for row in rows] == ["not tracked", "tracked", "tracked, smoothing 0.8"]
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert list(found) == ["not tracked", "tracked", "tracked, smoothing 0.8"]
    assert found["not tracked"]["IDF1"] is None and 0.3 < found["tracked"]["IDF1"] <= 1
    assert all(0.3 < numbers["frame_mAP"] <= 1 for numbers in found.values())


def test_what_is_wrong_is_said(run_main, asked, tmp_path):
    def refused(*more: str, **changes: str) -> str:
        return run_main(TOOL, *line(asked, **changes), *more, expect=1).stderr

    assert "--rules speed=1: there is no such rule; rules: high, low, iou, low_iou, duplicate" in refused(
        "--rules", "speed=1"
    )
    assert "--rules memory=0.5: memory is a whole number" in refused("--rules", "memory=0.5")
    assert "a tracker smooths by more than 0 and at most 1" in refused("--rules", "smoothing=0")
    assert "no file is named like the video toy_0007 (1 missing)" in refused(**{"--videos": str(tmp_path)})
    twice = (asked["--tracks"],) * 2
    assert "the tracks of toy_0007 are in another file, too" in refused("--tracks", *twice)


def test_a_video_may_be_named_by_its_folder_too(tmp_path):
    for name in ("a.mp4", "catch/a.mp4", "catch/b.1.avi"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    truth = dict.fromkeys(("a", "catch/a", "catch/b.1"))
    assert find_named(truth, tmp_path) == {
        "a": tmp_path / "a.mp4",
        "catch/a": tmp_path / "catch/a.mp4",
        "catch/b.1": tmp_path / "catch/b.1.avi",
    }
    with pytest.raises(FileNotFoundError, match=r"no file is named like the video b \(1 missing\)"):
        find_named({"b": None}, tmp_path)
