"""Class folders by hand: what is a class, which files are held out, and what is wrong with a folder."""

import hashlib

import pytest

from slowfast.datasets.annotations.videos.class_folders import (
    IMAGES,
    VIDEOS,
    has_split_folders,
    held_out,
    read_held_out,
    read_split_folders,
)


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def held(root, split, fraction=0.4):
    return read_held_out(root, split, kind=VIDEOS, fraction=fraction)


def test_both_sides_together_are_all_videos(tmp_path):
    touch(tmp_path, *(f"{c}/{i}.mp4" for c in ("walk", "run") for i in range(20)))
    touch(tmp_path, "run/deep/er/x.WEBM", "run/.hidden/y.mp4", "run/notes.txt", "list.csv", ".git/z.mp4")
    train, notes = held(tmp_path, "train")
    test, test_notes = held(tmp_path, "test")
    assert train.class_names == test.class_names == ("run", "walk")
    assert not set(train.names) & set(test.names)
    assert {*train.names, *test.names} == {p.relative_to(tmp_path).as_posix() for p in tmp_path.glob("[rw]*/*.mp4")} | {
        "run/deep/er/x.WEBM"
    }
    for part in (train, test):
        assert [part.class_names[label] for label in part.labels] == [name.partition("/")[0] for name in part.names]
        assert list(part.names) == sorted(part.names)
    assert notes == test_notes
    assert notes[0] == f"{tmp_path}: {len(test.names)} of 41 videos are held out for val and test (DATA.HELD_OUT 0.4)"
    assert notes[1] == f"{tmp_path}: 2 files are left out: no videos, or in no class folder"
    assert held(tmp_path, "val")[0].names == test.names


def test_videos_stay_on_their_side_when_others_are_added():
    few, many = [f"c/{i}.mp4" for i in range(50)], [f"c/{i}.mp4" for i in range(200)]
    before, after = held_out(few, 0.3), held_out(many, 0.3)
    assert before == after & set(few) and 5 < len(before) < 25 and 40 < len(after) < 80
    assert before == held_out(list(reversed(few)), 0.3)
    assert held_out(few, 0.1) < before  # a larger part contains the smaller
    # The same in every process and on every machine: the first hexadecimal digits of SHA-256 say so.
    below = {file for file in few if int(hashlib.sha256(file.encode()).hexdigest()[:12], 16) < 0.3 * 16**12}
    assert before == below


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.9])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_each_side_has_a_video_of_every_class(fraction, count):
    for name in "abcdefgh":
        files = [f"{name}/{i}.mp4" for i in range(count)]
        assert 1 <= len(held_out(files, fraction)) <= count - 1
    assert held_out(["a/1.mp4"], 0.9) == set()


def test_a_class_of_one_video_is_said(tmp_path):
    touch(tmp_path, "a/1.mp4", "a/2.mp4", "b/1.mp4")
    train, notes = held(tmp_path, "train")
    assert "b/1.mp4" in train.names and len(train.names) == 2
    assert f"{tmp_path}: 1 classes have one file, which is trained on and not tested: b" in notes
    test, _ = held(tmp_path, "test")
    assert test.class_names == ("a", "b") and test.labels.tolist() == [0]


def test_split_folders(tmp_path):
    touch(tmp_path, "train/b/1.mp4", "train/a/1.mp4", "train/c/1.mp4", "val/c/2.mp4", "val/a/2.mp4", "val/a/x.txt")
    assert has_split_folders(tmp_path)
    train, notes = read_split_folders(tmp_path, "train", kind=VIDEOS)
    assert (train.names, train.labels.tolist(), notes) == (
        ("train/a/1.mp4", "train/b/1.mp4", "train/c/1.mp4"),
        [0, 1, 2],
        (),
    )
    test, notes = read_split_folders(tmp_path, "test", kind=VIDEOS)
    # Class c is the third in training, though the second folder here.
    assert (test.names, test.labels.tolist()) == (("val/a/2.mp4", "val/c/2.mp4"), [0, 2])
    assert test.class_names == ("a", "b", "c")
    assert notes == (
        f"{tmp_path / 'test'} does not exist: val is read in its place",
        f"{tmp_path / 'val'}: no videos of 1 classes: b",
        f"{tmp_path / 'val'}: 1 files are left out: no videos, or in no class folder",
    )
    assert read_split_folders(tmp_path, "val", kind=VIDEOS)[1] == notes[1:]
    touch(tmp_path, "val/d/1.mp4")
    with pytest.raises(ValueError, match=r"val: 1 class folders are not in .*train: d; both need the same"):
        read_split_folders(tmp_path, "val", kind=VIDEOS)


def test_a_test_folder_alone_is_enough_to_test(tmp_path):
    touch(tmp_path, "test/b/1.jpg", "test/a/1.PNG", "test/a/0.JPEG")
    found, notes = read_split_folders(tmp_path, "val", kind=IMAGES)
    assert found.names == ("test/a/0.JPEG", "test/a/1.PNG", "test/b/1.jpg") and found.class_names == ("a", "b")
    assert notes == (f"{tmp_path / 'val'} does not exist: test is read in its place",)
    with pytest.raises(FileNotFoundError, match=r"there is no train in it, each with a folder of images per class"):
        read_split_folders(tmp_path, "train", kind=IMAGES)


def test_links_are_followed_and_a_loop_ends(tmp_path):
    touch(tmp_path / "store", "1.mp4", "2.mp4")
    touch(tmp_path / "data", "b/1.mp4", "b/2.mp4")
    (tmp_path / "data/a").symlink_to(tmp_path / "store", target_is_directory=True)
    (tmp_path / "store/again").symlink_to(tmp_path / "store", target_is_directory=True)
    names = {*held(tmp_path / "data", "train")[0].names, *held(tmp_path / "data", "test")[0].names}
    assert names == {"a/1.mp4", "a/2.mp4", "b/1.mp4", "b/2.mp4"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a/1.mp4"], r"has one class folder, 'a', and a classifier needs at least 2: DATA\.PATH_TO_DATA_DIR names"),
        (["a/1.mp4", "b/1.mp4"], r"no class has two videos, so there is none to test on"),
        (["a/1.mp4", "b/x.txt"], r"1 class folders without videos: b; fill or remove them"),
        (["a/1.jpg", "b/2.jpg"], r"holds images \(a/1\.jpg\) and no videos: TRAIN\.DATASET and TEST\.DATASET imagenet"),
        (["1.mp4", "2.mp4"], r"holds videos, but in no class folder: put each into CLASS/FILE"),
        (["a/x.txt"], r"holds no videos in class folders: expected CLASS/FILE \(DATA\.PATH_TO_DATA_DIR\)"),
    ],
)
def test_what_is_wrong_with_a_folder(tmp_path, files, message):
    touch(tmp_path, *files)
    with pytest.raises(ValueError, match=message):
        held(tmp_path, "test")


def test_more_that_is_wrong(tmp_path):
    touch(tmp_path, "train/a/1.mp4", "train/b/1.mp4")
    with pytest.raises(ValueError, match=r"train holds videos \(a/1\.mp4\) and no images: .* folder read videos"):
        read_split_folders(tmp_path, "train", kind=IMAGES)
    with pytest.raises(FileNotFoundError, match=r"there is neither val nor test in it"):
        read_split_folders(tmp_path, "val", kind=VIDEOS)
    (tmp_path / "train/c").mkdir()
    with pytest.raises(ValueError, match=r"train: 1 class folders without videos: c"):
        read_split_folders(tmp_path, "train", kind=VIDEOS)
    for read in (
        lambda: held(tmp_path / "no", "train"),
        lambda: read_split_folders(tmp_path / "no", "val", kind=IMAGES),
    ):
        with pytest.raises(FileNotFoundError, match=r"no: no such folder \(DATA\.PATH_TO_DATA_DIR\)"):
            read()
