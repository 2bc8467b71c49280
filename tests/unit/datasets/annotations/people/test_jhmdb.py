import gzip

import numpy as np
import pytest

from slowfast.config import get_cfg
from slowfast.datasets.annotations.people.jhmdb import held_out_videos, read_jhmdb, read_jhmdb_videos, source_of
from slowfast.datasets.sets.jhmdb import build_jhmdb


@pytest.fixture
def tiny(tmp_path):
    (tmp_path / "jhmdb21_videos.csv").write_text(
        "video,frames,height,width,split1,split2,split3\n"
        "wave/w0,2,240,320,train,test,train\n"
        "catch/c0,1,240,320,test,train,train\n"
        "catch/c1,1,240,320,train,train,test\n"
    )
    with gzip.open(tmp_path / "jhmdb21_boxes.csv.gz", "wt") as boxes:
        boxes.write("video,label,frame,x1,y1,x2,y2\n")
        boxes.write("wave/w0,wave,1,0,0,319,239\nwave/w0,wave,2,32,24,63,47\n")
        boxes.write("catch/c0,catch,1,80,60,159,119\ncatch/c1,catch,1,80,60,159,179\n")
    return tmp_path


def test_split_by_hand(tiny):
    frames, label_map, table = read_jhmdb(tiny, split=1, subset="train")
    assert (label_map.ids, label_map.names) == ((1, 2), ("catch", "wave"))
    found = [(frames.video_name(k), int(frames.timestamp[k])) for k in range(len(frames))]
    assert found == [("catch/c1", 1), ("wave/w0", 1), ("wave/w0", 2)]
    # Pixels are inclusive and count from 0: 0..319 is the whole width, 32..63 of 320 is 0.1 to 0.2.
    np.testing.assert_allclose(frames.boxes, [[0.25, 0.25, 0.5, 0.75], [0, 0, 1, 1], [0.1, 0.1, 0.2, 0.2]], atol=1e-7)
    assert frames.actions.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert sorted(zip(table.timestamp.tolist(), table.label.tolist(), strict=True)) == [(1, 1), (1, 2), (2, 2)]


def test_subsets_and_errors(tiny):
    assert read_jhmdb(tiny, split=2, subset="test")[0].videos == ("wave/w0",)
    with pytest.raises(ValueError, match="splits 1, 2 and 3, got 4"):
        read_jhmdb(tiny, split=4, subset="test")
    with pytest.raises(ValueError, match="one of train, test, got 'val'"):
        read_jhmdb(tiny, split=1, subset="val")
    (tiny / "jhmdb21_videos.csv").write_text("video,frames\n")
    with pytest.raises(ValueError, match=r"jhmdb21_videos.csv lacks the columns \['height', 'width', 'split1'\]"):
        read_jhmdb(tiny, split=1, subset="train")


def test_as_videos_with_one_label(tiny):
    (tiny / "jhmdb21_boxes.csv.gz").unlink()  # not needed
    train = read_jhmdb_videos(tiny, split=1, subset="train")
    assert (train.names, train.labels.tolist()) == (("catch/c1", "wave/w0"), [0, 1])
    test = read_jhmdb_videos(tiny, split=2, subset="test")
    assert (test.names, test.labels.tolist(), test.class_names) == (("wave/w0",), [1], ("catch", "wave"))
    with pytest.raises(ValueError, match="splits 1, 2 and 3, got 4"):
        read_jhmdb_videos(tiny, split=4, subset="test")
    (tiny / "jhmdb21_videos.csv").write_text("video,frames,height,width,split1\na/b,1,2,3,train\n")
    with pytest.raises(ValueError, match=r"jhmdb21_videos.csv: no video of split 1 is marked 'test'"):
        read_jhmdb_videos(tiny, split=1, subset="test")


def test_sources_stay_together():
    assert source_of("brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0") == "April_09"
    assert source_of("wave/a_wave_wave_f_nm_np1_fr_med_1") == "a_wave"  # the last one is the class
    assert source_of("wave/unusual") == "unusual"
    videos = [f"wave/s{source}_wave_u_{clip}" for source in range(6) for clip in range(3)]
    videos += ["catch/only_catch_u_0", "catch/only_catch_u_1"]
    out = held_out_videos(videos, 0.25)
    assert len(out) == 6  # two sources of three: at least a quarter of 18, and no class loses its only source
    assert {source_of(video) for video in out}.isdisjoint({source_of(video) for video in videos if video not in out})
    assert held_out_videos(videos[::-1], 0.25) == out and held_out_videos(videos, 0.0) == frozenset()
    assert len(held_out_videos(videos, 0.99)) == 15  # one source is left to train on


def test_held_out_videos_are_tested_and_not_trained(tmp_path):
    videos = [f"wave/s{source}_wave_u_0" for source in range(4)]
    (tmp_path / "jhmdb21_videos.csv").write_text(
        "video,frames,height,width,split1,split2,split3\n"
        + "".join(f"{video},1,240,320,train,train,train\n" for video in videos)
        + "wave/t_wave_u_0,1,240,320,test,test,test\n"
    )
    with gzip.open(tmp_path / "jhmdb21_boxes.csv.gz", "wt") as boxes:
        boxes.write("video,label,frame,x1,y1,x2,y2\n")
        boxes.writelines(f"{video},wave,1,0,0,9,9\n" for video in (*videos, "wave/t_wave_u_0"))
    cfg = get_cfg()
    cfg.merge_from_list(["JHMDB.ANNOTATION_DIR", str(tmp_path), "JHMDB.HELD_OUT", 0.3])

    def used(split: str) -> set[str]:
        found = build_jhmdb(cfg, split)
        assert {tube.video for tube in found.annotated.tubes} == set(found.annotated.key_frames.used_videos)
        return set(found.annotated.key_frames.used_videos)

    train = used("train")
    assert len(train) == 2 and used("test") == {"wave/t_wave_u_0"}
    cfg.JHMDB.TEST_ON = "held_out"
    assert used("train") == train and used("test") == set(videos) - train
    note = build_jhmdb(cfg, "test").annotated.notes[0]
    assert note.endswith("train (only the 2 videos that JHMDB.HELD_OUT 0.3 keeps): 2 key frames of 2 videos")


@pytest.mark.parametrize(("split", "train", "test"), [(1, 660, 268), (2, 658, 270), (3, 663, 265)])
def test_the_real_set(shared_dir, split, train, test):
    counts = {}
    for subset in ("train", "test"):
        frames, label_map, table = read_jhmdb(shared_dir / "data" / "jhmdb", split=split, subset=subset)
        assert label_map.num_classes == 21
        assert len(frames) == len(table) == len(frames.boxes)  # one person on every frame
        assert (frames.boxes[:, :2] >= 0).all() and frames.boxes.max() == 1
        counts[subset] = len(frames.videos)
    assert counts == {"train": train, "test": test}
