"""The toy data set: no key frame tells a motion, boxes are tight, files are AVA's, a second call changes nothing."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from scipy.stats import chisquare, ks_2samp

from slowfast.inference.tracking.truth import read_tracks_csv
from slowfast.structures.annotations.label_map import read_label_map
from slowfast.toy.data_set import (
    TOY_ACTIONS,
    annotation_rows,
    is_held_out,
    make_toy_ava,
    track_rows,
    video_name,
    video_scenes,
)
from slowfast.toy.people import (
    FRAME_HEIGHT,
    FRAME_WIDTH,
    Pose,
    ball_parts,
    body_boxes,
    draw_parts,
    person_boxes,
    person_parts,
    pose_at,
    sample_body,
)
from slowfast.toy.scene import (
    MAX_IOU,
    WINDOW_TIMES,
    Scene,
    draw_motions,
    key_boxes,
    place_people,
    render_scene,
    sample_scene,
)
from slowfast.utils.ava.tables import read_exclusions_csv, read_groundtruth_csv

pytestmark = pytest.mark.long  # most of them make videos

VIDEOS, SECONDS, SEED = 9, 4, 5


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """As many as the statistics need."""
    rng = np.random.default_rng(0)
    return [sample_scene(rng) for _ in range(250)]


@pytest.fixture(scope="module")
def few_scenes() -> list[Scene]:
    """The first of them."""
    rng = np.random.default_rng(0)
    return [sample_scene(rng) for _ in range(40)]


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("toy") / "ava"
    report = make_toy_ava(root, videos=VIDEOS, seconds=SECONDS, seed=SEED, num_workers=2)
    assert (report.videos_made, report.videos_reused) == (9, 0)
    assert (report.train_key_frames, report.val_key_frames) == (16, 2)
    assert "9 videos made, 0 reused; 16 train and 2 held-out" in str(report)
    return root


def _swap_directions(scene: Scene) -> Scene:
    swap = {"walk left": "walk right", "walk right": "walk left"}
    return replace(scene, people=tuple(replace(p, motion=swap.get(p.motion, p.motion)) for p in scene.people))


# --- no single key frame tells a motion ----------------------------------------------------------------------------


def test_the_key_frame_is_the_same_picture_whatever_the_motion(few_scenes):
    scene = next(s for s in few_scenes if len({p.body.posture for p in s.people}) == 2)
    pictures = []
    for motions in (
        ("none", "none"),
        ("walk left", "wave"),
        ("walk right", "none"),
        ("jump", "wave"),
        ("wave", "none"),
    ):
        standing, sitting = motions
        people = tuple(replace(p, motion=standing if p.body.posture == "stand" else sitting) for p in scene.people)
        pictures.append(render_scene(replace(scene, people=people), times=np.zeros(1)))
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)


def test_every_motion_is_equally_likely_for_everybody_given_the_layout():
    rng = np.random.default_rng(1)
    layouts = [place_people(rng, 3, speed=24.0) for _ in range(15)]
    assert any(len(placed) == 3 for placed in layouts)
    p_values = []
    for placed in layouts:
        drawn = [draw_motions(rng, placed) for _ in range(400)]
        for person, motions in zip(placed, zip(*drawn, strict=True), strict=True):
            counts = Counter(motions)
            assert set(counts) <= set(person.body.motions)
            expected = 400 * person.body.motion_chances
            p_values.append(chisquare([counts[m] for m in person.body.motions], expected).pvalue)
    assert min(p_values) > 1e-4, p_values  # about 35 tests
    assert np.mean(p_values) > 0.3


def _key_frame_features(scene: Scene) -> list[dict[str, float]]:
    boxes = key_boxes(scene)
    rows = []
    for i, person in enumerate(scene.people):
        pose = pose_at(person.body, np.asarray(0.0), motion=person.motion)
        others = np.delete(boxes, i, axis=0)
        gap = np.abs(others[:, [0, 2]].mean(axis=1) - boxes[i, [0, 2]].mean())
        rows.append(
            {
                "x": person.x + pose.hip[0],
                "y": person.y + pose.hip[1],
                "leg": float(pose.leg),
                "left arm": pose.arms[0],
                "right arm": pose.arms[1],
                "width": boxes[i, 2] - boxes[i, 0],
                "height": boxes[i, 3] - boxes[i, 1],
                "neighbour": gap.min(initial=FRAME_WIDTH),
            }
        )
    return rows


def test_key_frame_features_have_one_distribution_for_all_motions(scenes):
    rows = [
        (p.motion, f)
        for s in scenes
        for p, f in zip(s.people, _key_frame_features(s), strict=True)
        if p.body.posture == "stand"
    ]
    for motion in ("none", "walk left", "walk right", "jump", "wave"):
        for name in rows[0][1]:
            own = [f[name] for m, f in rows if m == motion]
            rest = [f[name] for m, f in rows if m != motion]
            assert len(own) > 30
            assert ks_2samp(own, rest).pvalue > 5e-4, f"{name} at the key frame tells {motion}"  # 40 comparisons


def test_the_two_sample_test_sees_a_frame_that_tells(scenes):
    """The comparison above can fail: a quarter of a second later walkers are elsewhere relative to their key frame."""
    moved = {m: [] for m in ("walk left", "walk right")}
    for person in (p for s in scenes for p in s.people if p.motion in moved):
        moved[person.motion].append(pose_at(person.body, np.asarray(0.25), motion=person.motion).hip[0])
    assert ks_2samp(moved["walk left"], moved["walk right"]).pvalue < 1e-12


# --- motion ----------------------------------------------------------------------------------------------------------


def test_walking_left_is_walking_right_played_backwards(scenes):
    walking = next(s for s in scenes if len(s.people) == 2 and all(p.motion.startswith("walk") for p in s.people))
    times = np.arange(-6, 7) / 12
    forward, swapped = render_scene(walking, times=times), render_scene(_swap_directions(walking), times=times)
    assert np.array_equal(forward[::-1], swapped)
    assert not np.array_equal(forward, swapped)


@pytest.mark.parametrize(("motion", "direction"), [("walk left", -1), ("walk right", 1)])
def test_walkers_move_evenly_in_the_direction_of_their_name(motion, direction):
    body = sample_body(np.random.default_rng(2), speed=24.0, posture="stand")
    pose = pose_at(body, np.array([-0.5, 0.0, 0.5]), motion=motion)
    assert pose.hip[:, 0] == pytest.approx([-12 * direction, 0, 12 * direction])
    assert np.ptp(pose.hip[:, 1]) == 0
    assert np.ptp(pose.arms) == pytest.approx(np.ptp(pose.arms[0]))


def test_jumpers_go_up_and_down_and_wavers_swing_their_free_arms():
    body = replace(sample_body(np.random.default_rng(3), speed=24.0, posture="stand"), ball_hand=None)
    period = np.linspace(0, body.jump_period, 200)
    jump = pose_at(body, period, motion="jump")
    assert np.ptp(jump.hip[:, 1]) == pytest.approx(2 * body.jump_height, rel=1e-3)
    assert 0.12 * FRAME_HEIGHT <= body.jump_height <= 0.16 * FRAME_HEIGHT
    assert np.ptp(jump.hip[:, 0]) == np.ptp(jump.leg) == 0
    wave = pose_at(body, np.linspace(0, body.wave_period, 200), motion="wave")
    assert np.ptp(wave.arms, axis=0) == pytest.approx(np.deg2rad([124, 124]), rel=1e-3)
    holding = pose_at(replace(body, ball_hand=0), np.linspace(0, body.wave_period, 200), motion="wave")
    assert np.ptp(holding.arms, axis=0) == pytest.approx(np.deg2rad([0, 124]), rel=1e-3)
    still = pose_at(body, period, motion="none")
    assert np.ptp(still.hip, axis=0).tolist() == [0, 0]
    assert np.ptp(still.arms, axis=0).tolist() == [0, 0]


def test_a_ball_is_held_before_the_chest_inside_the_box():
    rng = np.random.default_rng(5)
    for hand in (0, 1):
        body = replace(sample_body(rng, speed=24.0, posture="stand"), ball_hand=hand)
        pose = pose_at(body, np.asarray(0.1), motion="wave")
        ball, _ = ball_parts(body, pose)
        x1, y1, x2, y2 = body_boxes(body, pose)
        (x, y), radius = ball.points[0], ball.radius
        assert x == pytest.approx(pose.hip[0]) and y == pytest.approx(pose.hip[1] - 0.16 * body.height)
        assert x1 < x - radius and x + radius < x2 and y1 < y - radius and y + radius < y2
    assert ball_parts(replace(body, ball_hand=None), pose) == []


def test_who_sits_cannot_walk():
    body = sample_body(np.random.default_rng(4), speed=24.0, posture="sit")
    with pytest.raises(ValueError, match=r"a person who sits cannot do 'walk left'; possible: \['none', 'wave'\]"):
        pose_at(body, np.asarray(0.0), motion="walk left")


# --- boxes and layout ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("posture", ["stand", "sit"])
def test_boxes_are_tight_around_the_drawn_person(posture):
    rng = np.random.default_rng(6)
    for _ in range(10):
        body = sample_body(rng, speed=24.0, posture=posture)
        pose = pose_at(body, np.asarray(0.2), motion="wave")
        placed = Pose(pose.hip + np.array([60.0, 45.0]), pose.leg, pose.arms)
        scale = 8
        canvas = np.zeros((FRAME_HEIGHT * scale, FRAME_WIDTH * scale, 3), np.uint8)
        draw_parts(canvas, person_parts(body, placed), scale=scale)
        ys, xs = np.nonzero(canvas.any(axis=2))
        drawn = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / scale
        assert np.abs(body_boxes(body, placed) - drawn).max() < 0.5


def test_people_stay_in_the_frame_and_apart_around_the_key_frame(scenes):
    for scene in scenes:
        boxes = np.stack([person_boxes(p, WINDOW_TIMES) for p in scene.people]) if scene.people else np.zeros((0, 1, 4))
        assert (boxes >= 0).all()
        assert (boxes <= [FRAME_WIDTH, FRAME_HEIGHT, FRAME_WIDTH, FRAME_HEIGHT]).all()
        for i in range(len(boxes)):
            for j in range(i):
                low = np.maximum(boxes[i, :, :2], boxes[j, :, :2])
                high = np.minimum(boxes[i, :, 2:], boxes[j, :, 2:])
                shared = (high - low).clip(min=0).prod(axis=1)
                areas = [(boxes[k, :, 2:] - boxes[k, :, :2]).prod(axis=1) for k in (i, j)]
                assert (shared / (areas[0] + areas[1] - shared)).max() < MAX_IOU


def test_scenes_hold_every_action_and_some_hold_nobody(scenes):
    counts = Counter(len(s.people) for s in scenes)
    assert set(counts) == {0, 1, 2, 3}
    assert counts[2] > counts[0]
    actions = Counter(a for s in scenes for p in s.people for a in p.actions)
    assert set(actions) == set(TOY_ACTIONS.names)
    assert min(actions.values()) > 30
    assert len(sample_scene(np.random.default_rng(0), people=1).people) == 1


# --- files -----------------------------------------------------------------------------------------------------------


def test_rows_of_a_key_frame(few_scenes):
    person = next(p for s in few_scenes for p in s.people if p.actions == ("stand", "hold ball", "walk right"))
    lone = Scene((person,), background_seed=0)
    first, *rest = annotation_rows("toy_0001", [Scene((), 0), lone])
    assert first == "toy_0001,0001"
    x1, y1, x2, y2 = person_boxes(person, np.asarray(0.0)) / [120, 96, 120, 96]
    box = f"{x1:.4f},{y1:.4f},{x2:.4f},{y2:.4f}"
    assert rest == [f"toy_0001,0003,{box},{i},0" for i in (1, 5, 9)]


def test_annotations_are_read_by_the_ava_readers(toy):
    annotations = toy / "annotations"
    label_map = read_label_map(annotations / "toy_action_list.pbtxt")
    assert label_map == TOY_ACTIONS
    assert label_map.ids == (1, 2, 5, 8, 9, 11, 14)
    for split, videos in (("train", {0, 1, 2, 3, 4, 5, 6, 8}), ("val", {7})):
        table = read_groundtruth_csv(annotations / f"toy_{split}.csv")
        key_frames = {(table.videos[v], int(t)) for v, t in zip(table.video, table.timestamp, strict=True)}
        assert key_frames == {(video_name(v), t) for v in videos for t in (1, 3)}
        people = table.label != -1
        assert set(table.label[people].tolist()) <= set(label_map.ids)
        assert ((table.boxes[people] >= 0) & (table.boxes[people] <= 1)).all()
        assert (table.boxes[people][:, 2:] > table.boxes[people][:, :2]).all()
        excluded = read_exclusions_csv(annotations / f"toy_{split}_excluded_timestamps.csv")
        assert len(excluded) == 1
        # a split of fewer than ten key frames keeps them all: its exclusion names a second that is no key frame
        assert excluded <= key_frames if split == "train" else excluded == {("toy_0007", 0)}


def test_tracks_name_everybody_on_every_frame(toy, few_scenes):
    """By hand: at its key frame a person is where the annotations say, with the same number and actions."""
    person = next(p for s in few_scenes for p in s.people if p.actions == ("stand", "hold ball", "walk right"))
    rows = track_rows("toy_0001", [Scene((), 0), Scene((person,), background_seed=0)])
    assert rows[:2] == ["toy_0001,0.0000", "toy_0001,0.0833"] and rows[23] == "toy_0001,1.9167"
    assert [row for row in rows if row.startswith("toy_0001,3.0000")] == [
        row.replace(",0003,", ",3.0000,")
        for row in annotation_rows("toy_0001", [Scene((), 0), Scene((person,), 0)])[1:]
    ]
    tracks = read_tracks_csv(toy / "annotations/toy_val_tracks.csv")["toy_0007"]
    assert len(tracks.times) == 12 * SECONDS and np.abs(np.diff(tracks.times) - 1 / 12).max() < 2e-4
    scenes = video_scenes(7, seed=SEED, seconds=SECONDS)
    assert {p.person for people in tracks.people for p in people} == set(range(sum(len(s.people) for s in scenes)))
    boxes = np.array([p.box for people in tracks.people for p in people])
    assert (boxes >= 0).all() and (boxes <= 1).all() and (boxes[:, 2:] > boxes[:, :2]).all()


def test_who_walks_out_of_the_frame_leaves_the_tracks(few_scenes):
    person = next(p for s in few_scenes for p in s.people if "walk right" in p.actions)
    outside = replace(person, x=person.x + FRAME_WIDTH)
    assert not any("," in row.removeprefix("toy_0001,") for row in track_rows("toy_0001", [Scene((outside,), 0)]))
    cut = [row.split(",") for row in track_rows("v", [Scene((replace(person, x=FRAME_WIDTH - 2.0),), 0)])]
    seen = [float(row[4]) for row in cut if len(row) > 2]
    assert len(seen) > 0 and max(seen) == 1.0


def test_the_frame_at_a_key_second_shows_the_annotated_scene(toy):
    for index in (2, 7):
        with av.open(str(toy / "videos" / f"{video_name(index)}.mp4")) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 12)
            frames = {round(float(f.time) * 12): f.to_ndarray(format="rgb24") for f in container.decode(stream)}
        assert sorted(frames) == list(range(12 * SECONDS))
        for k, scene in enumerate(video_scenes(index, seed=SEED, seconds=SECONDS)):
            expected = render_scene(scene, times=np.zeros(1))[0]
            error = np.abs(frames[12 * (2 * k + 1)].astype(int) - expected).mean()
            assert error < 4, f"video {index}, second {2 * k + 1}: mean difference {error:.1f} of 255"


def test_a_second_call_touches_nothing(toy):
    before = {path: path.stat().st_mtime_ns for path in toy.rglob("*") if path.is_file()}
    report = make_toy_ava(toy, videos=VIDEOS, seconds=SECONDS, seed=SEED)
    assert (report.videos_made, report.videos_reused) == (0, 9)
    assert {path: path.stat().st_mtime_ns for path in toy.rglob("*") if path.is_file()} == before


def test_a_partial_folder_is_finished_with_the_same_bytes(toy):
    lost = [toy / "videos" / "toy_0003.mp4", toy / "annotations" / "toy_train.csv"]
    before = [path.read_bytes() for path in lost]
    for path in lost:
        path.unlink()
    report = make_toy_ava(toy, videos=VIDEOS, seconds=SECONDS, seed=SEED, num_workers=0)
    assert (report.videos_made, report.videos_reused) == (1, 8)
    assert [path.read_bytes() for path in lost] == before


def test_a_folder_of_other_arguments_or_of_something_else_is_refused(toy, tmp_path):
    with pytest.raises(
        ValueError, match=r"made with .*'seed': 5\}, but .*'seed': 6\} is asked for; .*--out, or delete"
    ):
        make_toy_ava(toy, videos=VIDEOS, seconds=SECONDS, seed=6)
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"is not a toy data set \(it has no manifest.json\)"):
        make_toy_ava(tmp_path, videos=2, seconds=2)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_broken_manifest_is_named(tmp_path):
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"manifest.json is not valid JSON .* delete the folder"):
        make_toy_ava(tmp_path, videos=2, seconds=2)


def test_impossible_arguments_are_reported_together(tmp_path):
    told = r"videos \(1\) must be at least 2.*seconds \(3\) must be even.*seed \(-1\) must.*num_workers \(-2\) must"
    with pytest.raises(ValueError, match=told):
        make_toy_ava(tmp_path / "toy", videos=1, seconds=3, seed=-1, num_workers=-2)
    assert not (tmp_path / "toy").exists()


def test_every_eighth_video_is_held_out():
    assert [i for i in range(24) if is_held_out(i, 24)] == [7, 15, 23]
    assert [i for i in range(3) if is_held_out(i, 3)] == [2]


def test_the_command_line(run_tool, run_main):
    made = run_tool(
        "tools/make_toy_ava.py", *["--out", "toy", "--videos", "2", "--seconds", "2", "--seed", "1", "--workers", "0"]
    )
    assert "2 videos made, 0 reused; 1 train and 1 held-out" in made.stdout
    refused = run_main(
        "tools/make_toy_ava.py", *["--out", "toy", "--videos", "3", "--seconds", "2", "--seed", "1"], expect=1
    )
    assert refused.stderr.startswith("make_toy_ava: ")
    assert "Traceback" not in refused.stderr


# --- images instead of videos ----------------------------------------------------------------------------------------


def test_images_instead_of_videos_hold_the_same_pictures(tmp_path):
    report = make_toy_ava(tmp_path / "ava", videos=2, seconds=2, seed=SEED, num_workers=0, frames=True)
    assert (report.videos_made, report.videos_reused) == (2, 0) and not (tmp_path / "ava/videos").exists()
    folder = tmp_path / "ava/frames" / video_name(0)
    assert sorted(path.name for path in folder.iterdir()) == [f"toy_0000_{n:06d}.jpg" for n in range(1, 25)]
    drawn = render_scene(video_scenes(0, seed=SEED, seconds=2)[0])
    for number in (1, 24):
        found = cv2.cvtColor(cv2.imread(str(folder / f"toy_0000_{number:06d}.jpg")), cv2.COLOR_BGR2RGB)
        assert np.abs(found.astype(int) - drawn[number - 1]).mean() < 3  # what JPEG loses; 20 with channels exchanged
    again = make_toy_ava(tmp_path / "ava", videos=2, seconds=2, seed=SEED, num_workers=0, frames=True)
    assert (again.videos_made, again.videos_reused) == (0, 2)
    with pytest.raises(ValueError, match="holds a toy data set made with"):
        make_toy_ava(tmp_path / "ava", videos=2, seconds=2, seed=SEED, num_workers=0)
