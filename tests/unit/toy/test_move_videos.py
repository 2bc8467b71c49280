"""The toy Kinetics set: lists and folders agree, files show what was drawn, a second call changes nothing."""

from pathlib import Path

import av
import numpy as np
import pytest

from slowfast.datasets.annotations.videos.video_lists import read_video_list
from slowfast.toy.move_videos import is_held_out, make_toy_kinetics, scene_number, toy_videos
from slowfast.toy.moves import FRAME_SIZE, MOVES, PARTNERS, frame_times, render
from tests.once import Once

CLASSES = ("turn_clockwise", "move_right", "move_left")
VIDEOS, SEED = 12, 5


@pytest.fixture(scope="module")
def toy(once: Once) -> Path:
    """Four scenes of three classes: 9 videos to train on, 3 held out."""

    def build(out: Path) -> None:
        report = make_toy_kinetics(out, videos=VIDEOS, seconds=1, seed=SEED, classes=CLASSES, num_workers=0)
        assert (report.videos_made, report.videos_reused) == (12, 0)
        assert "12 videos made, 0 reused; 3 classes, 9 train and 3 held-out videos" in str(report)

    return once.folder("toy_kinetics", build)


def make(out: Path, **change: object) -> object:
    return make_toy_kinetics(out, **{"videos": VIDEOS, "seconds": 1, "seed": SEED, "classes": CLASSES, **change})


def frames_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 12)
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])


# --- lists and folders -----------------------------------------------------------------------------------------------


def test_lists_and_folders_agree(toy):
    names = (toy / "labels.txt").read_text().splitlines()
    assert names == ["move_left", "move_right", "turn_clockwise"]
    for split, count in (("train", 9), ("val", 3)):
        videos = read_video_list(toy / f"{split}.csv", num_classes=3)
        found = sorted(path.relative_to(toy).as_posix() for path in (toy / split).glob("*/*.mp4"))
        assert sorted(videos.names) == found and len(found) == count
        folders = sorted(path.name for path in (toy / split).iterdir())
        assert folders == names  # whoever numbers folders by name gives the labels of the lists
        assert [names[label] for label in videos.labels] == [name.split("/")[1] for name in videos.names]
        assert np.bincount(videos.labels).tolist() == [count // 3] * 3
    assert (toy / "test.csv").read_text() == (toy / "val.csv").read_text()


def test_the_readme_says_what_it_is(toy):
    told = (toy / "README.txt").read_text()
    assert "12 videos of 1 s, 3 classes" in told and "No single frame tells a class" in told
    assert "Played backwards, each of a pair is the other: move_left and move_right.\n" in told


def test_every_scene_makes_one_video_of_each_class_and_is_in_one_split():
    listed = toy_videos(80, list(MOVES))
    assert len({video.path for video in listed}) == 80
    for scene in range(10):
        own = [video for video in listed if video.scene == scene]
        assert {video.move for video in own} == set(MOVES)
        assert {video.split for video in own} == {"val" if scene in (4, 9) else "train"}
    assert [k for k in range(4) if is_held_out(k, 4)] == [3]
    assert all(list(MOVES)[video.label] == video.move for video in listed)


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_show_what_was_drawn(toy):
    for video in toy_videos(VIDEOS, sorted(CLASSES))[::4]:
        frames = frames_of(toy / video.path)
        expected = render(scene_number(video.scene, seed=SEED), video.move, frame_times(12))
        assert frames.shape == expected.shape == (12, FRAME_SIZE, FRAME_SIZE, 3)
        assert np.abs(frames.astype(int) - expected).mean() < 6, video.path


def test_a_file_played_backwards_is_the_file_of_the_partner(toy):
    assert PARTNERS["move_left"] == "move_right"
    left, right = (frames_of(toy / f"val/{move}/{move}_0003.mp4").astype(int) for move in ("move_left", "move_right"))
    assert np.abs(left[::-1] - right).mean() < 4 < np.abs(left - right).mean()


def test_the_seed_and_the_scene_decide_what_is_seen():
    assert scene_number(2, seed=5) == scene_number(2, seed=5)
    assert len({scene_number(k, seed=seed) for k in range(5) for seed in (5, 6)}) == 10


# --- a second call ---------------------------------------------------------------------------------------------------


def test_a_second_call_touches_nothing(toy):
    before = {path: path.stat().st_mtime_ns for path in toy.rglob("*") if path.is_file()}
    assert len(before) == VIDEOS + 6
    report = make(toy)
    assert (report.videos_made, report.videos_reused) == (0, 12)
    assert {path: path.stat().st_mtime_ns for path in toy.rglob("*") if path.is_file()} == before


def test_what_is_missing_is_made_again_with_the_same_bytes(toy, tmp_path):
    for name in ("manifest.json", "train.csv", *(f"train/{move}/{move}_0001.mp4" for move in CLASSES)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((toy / name).read_bytes())
    assert make(tmp_path, num_workers=0).videos_made == 9
    files = sorted(path.relative_to(toy) for path in toy.rglob("*") if path.is_file())
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()) == files
    assert all((toy / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


def test_a_folder_of_other_arguments_or_of_something_else_is_refused(toy, tmp_path):
    with pytest.raises(ValueError, match=r"toy Kinetics set made with .*'seed': 5.*, but .*'seed': 6.* is asked for; "):
        make(toy, seed=6)
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"is not a toy Kinetics set \(it has no manifest.json\); .* --out"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


# --- bad arguments ---------------------------------------------------------------------------------------------------


def test_impossible_arguments_are_reported_together(tmp_path):
    told = (
        r"classes: 'jump' is none of grow, .*turn_counterclockwise; classes \(grow, grow, jump\) must differ; "
        r"videos \(10\) must be a multiple of the 3 classes, and at least 6: .*; seconds \(0\) must be at least 1; "
        r"seed \(-1\) must .*; num_workers \(-2\) must"
    )
    with pytest.raises(ValueError, match=told):
        make(tmp_path / "toy", videos=10, seconds=0, seed=-1, classes=("grow", "grow", "jump"), num_workers=-2)
    with pytest.raises(ValueError, match=r"classes \(1\) must be at least 2: one class is always right"):
        make(tmp_path / "toy", classes=("grow",))
    with pytest.raises(ValueError, match=r"videos \(3\) must be a multiple of the 3 classes, and at least 6"):
        make(tmp_path / "toy", videos=3)
    assert not (tmp_path / "toy").exists()


def test_the_command_line(run_main, tmp_path):
    arguments = ["--out", "toy", "--videos", "4", "--seconds", "1", "--classes", "grow", "shrink", "--workers", "0"]
    made = run_main("tools/make_toy_kinetics.py", *arguments)
    assert "4 videos made, 0 reused; 2 classes, 2 train and 2 held-out videos" in made.stdout
    assert (tmp_path / "toy/val.csv").read_text() == "val/grow/grow_0001.mp4 0\nval/shrink/shrink_0001.mp4 1\n"
    refused = run_main("tools/make_toy_kinetics.py", *arguments, "--seed", "1", expect=1)
    assert refused.stderr.startswith("make_toy_kinetics: ") and "Traceback" not in refused.stderr
