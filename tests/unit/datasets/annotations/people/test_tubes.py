"""UCF101-24 and JHMDB-21 from their pickles: by hand on small ones, and the real files where they are."""

import pickle

import numpy as np
import pytest

from slowfast.datasets.annotations.people.jhmdb import read_jhmdb
from slowfast.datasets.annotations.people.tubes import read_tubes, table_of_tubes, tubes_of_table
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable
from slowfast.structures.annotations.tube import Tube

ACT = {
    "labels": ["run", "wave"],
    "gttubes": {
        "run/a": {0: [np.array([[2, 0, 0, 31, 23], [3, 32, 24, 319, 239]], dtype=np.float32)]},
        "wave/b": {1: [np.array([[1, 0, 0, 159, 119]]), np.array([[1, 160, 0, 319, 119]])]},
        "wave/c": {1: [np.array([[1, 0, 0, 9, 9]])]},
    },
    "nframes": {"run/a": 4, "wave/b": 1, "wave/c": 2},
    "resolution": {"run/a": (240, 320), "wave/b": (240, 320), "wave/c": (240, 320)},
    "train_videos": [["wave/c"], ["run/a"]],
    "test_videos": [["wave/b", "run/a"], ["wave/c"]],
}
PYANNOT = {
    "classes": ["Dive", "Ski"],
    "trainvideos": ["Dive/t", "Dive/not annotated"],
    "db": {
        np.str_("Ski/v"): {
            "label": 1,
            "numf": np.uint8(200),
            "annotations": [
                {
                    "label": 1,
                    "sf": 4,
                    "ef": 6,
                    "boxes": np.array([[200, 100, 120, 140], [160, 120, 32, 24]], dtype=np.uint8),
                }
            ],
        },
        np.str_("Dive/t"): {
            "label": 0,
            "numf": 9,
            "annotations": [{"label": 0, "sf": 0, "ef": 1, "boxes": np.array([[0, 0, 320, 240]], dtype=np.uint16)}],
        },
    },
}


@pytest.fixture
def write(tmp_path):
    def write_pickle(content):
        (tmp_path / "gt.pkl").write_bytes(pickle.dumps(content, protocol=2))
        return tmp_path / "gt.pkl"

    return write_pickle


def test_act_by_hand(write):
    found = read_tubes(write(ACT), split=1, subset="test")
    assert found.videos == ("run/a", "wave/b") and found.num_frames == (4, 1)
    assert (found.label_map.ids, found.label_map.names) == ((1, 2), ("run", "wave"))
    assert [(t.video, t.label, t.frames.tolist()) for t in found.tubes] == [
        ("run/a", 1, [2, 3]),
        ("wave/b", 2, [1]),
        ("wave/b", 2, [1]),
    ]
    # The last pixel is inside: 0..31 of 320 ends at 0.1.
    np.testing.assert_allclose(found.tubes[0].boxes, [[0, 0, 0.1, 0.1], [0.1, 0.1, 1, 1]])
    assert read_tubes(write(ACT), split=2, subset="train").videos == ("run/a",)


def test_the_tables_of_every_and_of_annotated_frames(write):
    found = read_tubes(write(ACT), split=1, subset="test")
    annotated, every = found.table(frames="annotated"), found.table(frames="every")
    assert sorted(zip(annotated.video.tolist(), annotated.timestamp.tolist(), strict=True)) == [
        (0, 2),
        (0, 3),
        (1, 1),
        (1, 1),
    ]
    empty = every.label == NO_LABEL
    assert every.timestamp[empty].tolist() == [1, 4] and np.isnan(every.boxes[empty]).all() and len(every) == 6
    frames = found.key_frames(frames="every")
    assert [(frames.video_name(k), int(frames.timestamp[k]), len(frames.people(k)[0])) for k in range(len(frames))] == [
        ("run/a", 1, 0),
        ("run/a", 2, 1),
        ("run/a", 3, 1),
        ("run/a", 4, 0),
        ("wave/b", 1, 2),
    ]
    assert len(found.key_frames(frames="annotated")) == 3
    with pytest.raises(ValueError, match="frames must be one of every, annotated, got 'all'"):
        found.table(frames="all")


def test_pyannot_by_hand_and_its_small_integers_do_not_overflow(write):
    found = read_tubes(write(PYANNOT), subset="test")
    assert found.videos == ("Ski/v",) and found.num_frames == (200,)
    tube = found.tubes[0]
    assert (tube.video, tube.label, tube.frames.tolist()) == ("Ski/v", 2, [5, 6])  # sf counts from 0, and ef is outside
    # 200 + 120 is 320, not 64.
    np.testing.assert_allclose(tube.boxes, [[200 / 320, 100 / 240, 1, 1], [0.5, 0.5, 0.6, 0.6]])
    train = read_tubes(write(PYANNOT), subset="train")
    assert train.videos == ("Dive/t",) and train.tubes[0].boxes.tolist() == [[0, 0, 1, 1]]


def test_errors_name_the_file_and_what_is_wrong(write):
    path = write(ACT)
    with pytest.raises(ValueError, match=r"gt\.pkl: has splits 1 to 2, got 3"):
        read_tubes(path, split=3)
    with pytest.raises(ValueError, match="subset must be one of train, test, got 'val'"):
        read_tubes(path, subset="val")
    with pytest.raises(ValueError, match=r"neither an ACT pickle .* nor a pyannot pickle .*; it holds \['x'\]"):
        read_tubes(write({"x": 1}))
    with pytest.raises(ValueError, match="has split 1 only, got 2"):
        read_tubes(write(PYANNOT), split=2)
    with pytest.raises(ValueError, match="not laid out as expected: KeyError 'run/a'"):
        read_tubes(write(ACT | {"gttubes": {}}))
    wide = {"run/a": {0: [np.array([[1, 0, 0, 320, 10]])]}, "wave/b": {}}
    with pytest.raises(
        ValueError, match=r"run/a, frame 1: box \[0\.0, 0\.0, 1\.0031, 0\.0458\] .* must lie inside the frame"
    ):
        read_tubes(write(ACT | {"gttubes": wide}))
    with pytest.raises(ValueError, match="split 1 test holds no annotated person"):
        read_tubes(write(ACT | {"gttubes": {"run/a": {}, "wave/b": {}}}))


def test_tubes_to_table_and_back():
    boxes = np.array([[0, 0, 0.5, 0.5], [0.1, 0, 0.6, 0.5]])
    tubes = (
        Tube("a", 1, np.array([3, 5]), boxes),
        Tube("b", 1, np.array([1]), boxes[:1]),
        Tube("b", 2, np.array([1]), boxes[:1]),
    )
    back = tubes_of_table(table_of_tubes(tubes, ("a", "b")))
    assert [(t.video, t.label, t.frames.tolist(), t.boxes.tolist()) for t in back] == [
        (t.video, t.label, t.frames.tolist(), t.boxes.tolist()) for t in tubes
    ]
    twice = BoxTable(("v",), *(np.zeros(2, np.int32), np.full(2, 7), boxes, np.ones(2, np.int32)))
    with pytest.raises(ValueError, match="video 'v', frame 7 has two boxes of class 1"):
        tubes_of_table(twice)


@pytest.mark.parametrize(
    ("frames", "boxes", "scores", "message"),
    [
        ([], np.zeros((0, 4)), None, "strictly rising order"),
        ([2, 2], np.zeros((2, 4)), None, "strictly rising order"),
        ([1, 2], np.zeros((3, 4)), None, r"shape \(2, 4\), got \(3, 4\)"),
        ([1, 2], np.zeros((2, 4)), np.zeros(1), r"scores of shape \(2,\), got \(1,\)"),
    ],
)
def test_a_tube_refuses_what_is_none(frames, boxes, scores, message):
    with pytest.raises(ValueError, match=message):
        Tube("v", 1, np.array(frames), boxes, 1.0, scores)


@pytest.mark.parametrize("split", [1, 2, 3])
def test_the_pickle_and_the_tables_of_jhmdb_say_the_same(shared_dir, split):
    folder = shared_dir / "data" / "jhmdb"
    pickled = read_tubes(folder / "JHMDB-GT.pkl.gz", split=split, subset="test")
    _, label_map, table = read_jhmdb(folder, split=split, subset="test")
    assert pickled.label_map == label_map
    tubes = tubes_of_table(table)
    assert len(tubes) == len(pickled.tubes) == {1: 268, 2: 270, 3: 265}[split]
    for a, b in zip(tubes, pickled.tubes, strict=True):
        assert (a.video, a.label, a.frames.tolist()) == (b.video, b.label, b.frames.tolist())
        np.testing.assert_allclose(a.boxes, b.boxes)
    assert not np.isnan(pickled.table(frames="every").boxes).any()  # every frame is annotated


def test_the_real_ucf24(shared_dir):
    path = shared_dir / "data" / "ucf24" / "pyannot_with_class_names.pkl.gz"
    sets = {subset: read_tubes(path, subset=subset) for subset in ("train", "test")}
    assert {name: len(s.videos) for name, s in sets.items()} == {"train": 2284, "test": 910}
    assert sum(sets["test"].num_frames) == 159289  # as 3D-RetinaNet counts them
    assert sets["test"].label_map.num_classes == 24
    assert sum(len(s.tubes) for s in sets.values()) == 4458
    frames = dict(zip(sets["test"].videos, sets["test"].num_frames, strict=True))
    assert all(tube.frames[-1] <= frames[tube.video] for tube in sets["test"].tubes)
    every, annotated = (len(sets["test"].key_frames(frames=kind)) for kind in ("every", "annotated"))
    assert (every, annotated) == (159289, 138527)
