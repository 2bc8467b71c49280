"""What tracks are worth, on key frames made by hand; and the files of annotated tracks."""

from dataclasses import replace

import numpy as np
import pytest

from slowfast.inference.tracking.quality import track_quality, track_videos
from slowfast.inference.tracking.tracks import TrackRules
from slowfast.inference.tracking.truth import read_tracks_csv
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.outputs.moment import ActionScore, Moment, Person

CLASSES = LabelMap((1, 5), ("stand", "wave"))
BOX = (0.25, 0.25, 0.5, 0.75)
HERE = "0.25,0.25,0.5,0.75"


def person(stand: float, wave: float, box=BOX, track=None) -> Person:
    actions = (ActionScore("stand", 1, stand), ActionScore("wave", 5, wave))
    return Person(box, box, 0.9, tuple(sorted(actions, key=lambda action: -action.score)), track)


def moments(*people) -> list[Moment]:
    return [Moment(i / 4, (96, 120), found) for i, found in enumerate(people)]


@pytest.fixture
def truth(tmp_path):
    """4 frames of somebody who stands, a quarter of a second apart, then one of nobody."""
    path = tmp_path / "tracks.csv"
    path.write_text("".join(f"v,{i / 4},{HERE},1,3\n" for i in range(4)) + "v,1.0\n")
    return read_tracks_csv(path)


def test_tracks_are_read(tmp_path):
    path = tmp_path / "tracks.csv"
    path.write_text(
        f"video,second,x1,y1,x2,y2,action,person\nv,0.5,{HERE},5,0\nv,0.5,{HERE},1,0\nv,0.25,{HERE},,2\nw,0\n"
    )
    found = read_tracks_csv(path)
    assert list(found) == ["v", "w"] and found["v"].times.tolist() == [0.25, 0.5] and found["w"].people == ((),)
    assert [(p.person, p.box, p.actions) for people in found["v"].people for p in people] == [
        (2, BOX, ()),
        (0, BOX, (5, 1)),
    ]
    assert found["v"].at(0.6)[0].person == 0 and found["v"].at(0.37)[0].person == 2 and found["v"].at(0.7) is None


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("v,0,0.1,0.1,0.2,0.2,1", "line 2: it has 7 columns; expected video,second,x1,y1,x2,y2,action,person"),
        ("v,0,0.1,0.1,0.1,0.2,1,0", "line 2: the box 0.1, 0.1, 0.1, 0.2 is not xyxy in [0, 1] of the frame"),
        ("v,0,10,10,20,20,1,0", "line 2: the box 10, 10, 20, 20 is not xyxy"),
        ("v,0,0.1,0.1,0.2,0.3,1,3", "line 2: person 3 has two boxes on one frame"),
        ("v,0,0.1,0.1,0.2,0.3,wave,3", "line 2: invalid literal for int"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, text):
    path = tmp_path / "tracks.csv"
    path.write_text(f"v,0,0.1,0.1,0.2,0.2,1,3\n{line}\n")
    with pytest.raises(ValueError) as error:
        read_tracks_csv(path)
    assert text in str(error.value) and str(path) in str(error.value)
    path.write_text("v,0\n")
    with pytest.raises(ValueError, match="names nobody: there is nothing to compare tracks with"):
        read_tracks_csv(path)


def test_perfect_people_score_one_tracked_or_not(truth):
    seen = {"v": moments(*[(person(0.9, 0.0),)] * 4, ())}
    alone = track_quality(seen, truth, LabelMap((1,), ("stand",)), score=0.3)
    assert alone.frame_map == 1 and alone.video_map == (1, 1) and alone.identity is None
    tracked = track_quality(track_videos(seen, TrackRules()), truth, LabelMap((1,), ("stand",)), score=0.3)
    assert tracked.frame_map == 1 and tracked.video_map == (1, 1)
    assert (tracked.identity.switches, tracked.identity.idf1) == (0, 1)
    assert "1.0000        1.0000        1.0000         0   1.000" in str(tracked)


def test_a_track_that_breaks_is_a_switch_and_half_a_tube(truth):
    seen = {"v": moments(*[(person(0.9, 0.0, track=1),)] * 2, *[(person(0.8, 0.0, track=2),)] * 2, ())}
    broken = track_quality(seen, truth, LabelMap((1,), ("stand",)), score=0.3)
    assert broken.identity.switches == 1 and broken.identity.idf1 == pytest.approx(0.5)
    assert broken.frame_map == 1 and broken.video_map == (1, 1)  # half of the frames: IoU 0.5
    # Without its first frame the likelier tube covers a quarter of the person, and is a false alarm at 0.5.
    shifted = {"v": [replace(m, people=m.people if m.time else ()) for m in seen["v"]]}
    assert track_quality(shifted, truth, LabelMap((1,), ("stand",)), score=0.3).video_map == (1, 0.5)
    assert track_quality(shifted, truth, LabelMap((1,), ("stand",)), score=0.95).identity.found == 0


def test_smoothing_bridges_one_bad_key_frame(truth):
    """On one frame a false alarm elsewhere is likelier than the person; smoothing lifts the person above it."""
    alarm = person(0.5, 0.0, box=(0.6, 0.1, 0.9, 0.9))
    weak = replace(person(0.4, 0.0), score=0.6)
    seen = {
        "v": moments((person(0.9, 0),), (person(0.9, 0),), (weak, replace(alarm, score=0.6)), (person(0.9, 0),), ())
    }
    stand = LabelMap((1,), ("stand",))
    sharp, smooth = (
        track_quality(track_videos(seen, TrackRules(smoothing=share)), truth, stand, score=0.3) for share in (1, 0.5)
    )
    assert sharp.frame_map == pytest.approx(3 / 4 + 1 / 4 * 4 / 5) and smooth.frame_map == 1


def test_a_gap_in_a_track_is_filled(truth):
    seen = {"v": moments((person(0.9, 0, track=1),), (), (), (person(0.9, 0, track=1),), ())}
    found = track_quality(seen, truth, LabelMap((1,), ("stand",)), score=0.3)
    assert found.video_map == (1, 1) and found.frame_map == pytest.approx(0.5) and found.identity.annotated == 4


def test_key_frames_at_other_times_are_not_scored(truth):
    seen = {"v": moments((person(0.9, 0.0),))}
    late = {"v": [replace(seen["v"][0], time=5.0)]}
    with pytest.raises(ValueError, match="no key frame is at a time that the tracks tell; choose another --every"):
        track_quality(late, truth, CLASSES, score=0.3)
    assert np.isfinite(track_quality({"v": [*seen["v"], *late["v"]]}, truth, CLASSES, score=0.3).frame_map)
