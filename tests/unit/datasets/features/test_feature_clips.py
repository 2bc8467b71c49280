"""slowfast.datasets.features: what a clip of features shows is what a clip of pixels shows, and nothing is made twice."""

import json

import numpy as np
import pytest
import torch

from slowfast.datasets.annotations.people.key_frames import build_key_frames
from slowfast.datasets.augment.colours import ClipColours
from slowfast.datasets.clips.collate import collate
from slowfast.datasets.clips.key_frame_clips import ClipShape, FrameClock, KeyFrameClips
from slowfast.datasets.clips.presets import Augmentation, DetectionPreset
from slowfast.datasets.features.feature_clips import FeatureClips, FeatureReport, count
from slowfast.datasets.features.store import FeatureStore, VideoFeatures
from slowfast.datasets.features.views import VideoView, Views, people_in_view
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.clip import ClipSample, UnreadableClip
from slowfast.video.source import ClipPixels, ClipReadError

LENGTH = 10  # frames of the video "a"
SHAPE = ClipShape(4, 2)
SIZE = (8, 12)


class Drawn:
    """Frame n of "a" is a gradient shifted by n; "broken" cannot be read. Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def read(self, video, times, *, center):
        raise AssertionError("frames are numbered")

    def read_frames(self, video, numbers, *, center):
        self.asked += 1
        if video == "broken":
            raise ClipReadError(video, None, "no such file")
        assert 1 <= numbers[center] <= LENGTH
        inside = np.clip(numbers, 1, LENGTH)
        ramp = np.arange(16 * 24).reshape(16, 24, 1) % 97
        frames = (ramp + 13 * inside[:, None, None, None] + np.arange(3)).astype(np.uint8)
        return ClipPixels(frames, int((inside != numbers).sum()))


def key_frames(*rows):
    """rows: (video, frame, box, label)"""
    names = tuple(sorted({row[0] for row in rows}))
    table = BoxTable(
        names,
        np.array([names.index(row[0]) for row in rows], dtype=np.int32),
        np.array([row[1] for row in rows], dtype=np.int32),
        np.array([row[2] for row in rows], dtype=np.float64),
        np.array([row[3] for row in rows], dtype=np.int32),
    )
    return build_key_frames(table, LabelMap((1, 2), ("left", "right")))[0]


FRAMES = key_frames(
    ("a", 1, (0.25, 0.25, 0.5, 0.75), 1), ("a", 5, (0.5, 0.25, 0.75, 0.75), 2), ("a", 10, (0.5, 0.5, 0.75, 0.75), 1)
)


def presets(*, flip: bool = False, crop: str = "box_safe") -> Views:
    augmentation = Augmentation(crop=crop, crop_scale=(0.5, 0.9), flip=flip, swap_actions=((0, 1),), colour=0.2)
    return Views(DetectionPreset(size=SIZE), DetectionPreset(size=SIZE, augmentation=augmentation), seed=5)


def pixels_as_features(view: VideoView) -> torch.Tensor:
    """Features that are the pixels themselves, as the device shows them: (n, 3, h, w)."""
    change = ClipColours.of([view.colours], [view.clip.shape[-2:]])
    clip = view.clip[None].float()
    return (change(clip) if change else clip)[0].transpose(0, 1)


def clips(folder, *, frames=FRAMES, pixels=None, views=3, identity=None, **options) -> FeatureClips:
    store = FeatureStore(folder, identity or {"weights": "one"})
    return FeatureClips(
        frames, pixels or Drawn(), store, shape=SHAPE, presets=presets(flip=True), views=views, seed=3, **options
    )


def test_the_plain_view_is_what_a_test_clip_shows(tmp_path):
    made, pixels = clips(tmp_path), Drawn()
    assert count(list(made.make(pixels_as_features))) == FeatureReport(3, 0, ())
    plain = KeyFrameClips(
        FRAMES, pixels, clock=FrameClock(), shape=SHAPE, preset=DetectionPreset(size=SIZE), strict=True
    )
    for k in range(len(FRAMES)):
        ours, theirs = made[k], plain[k]
        assert isinstance(ours, ClipSample) and isinstance(theirs, ClipSample)
        assert ours.clip.dtype == torch.float16 and torch.equal(ours.clip.float(), theirs.clip.float())
        torch.testing.assert_close(ours.boxes, theirs.boxes)
        assert torch.equal(ours.actions, theirs.actions) and ours.meta == theirs.meta
    assert [made[k].meta.repeated_frames for k in range(3)] == [2, 0, 1]  # -3 -1 1 3, 1 3 5 7, 6 8 10 12


def test_other_views_show_one_crop_of_the_whole_video(tmp_path):
    made = clips(tmp_path)
    list(made.make(pixels_as_features))
    flipped = set()
    for view in (1, 2):
        entry = made.store.load("a", view)
        left, top, right, bottom = entry.region
        flipped.add(left > right)
        low, high = min(left, right), max(left, right)
        assert low <= 0.25 and high >= 0.75 and top <= 0.25 and bottom >= 0.75  # everybody of the video is inside
        shown, _ = entry.of(np.array([5]))
        cut = Drawn().read_frames("a", np.array([5]), center=0).frames[0]
        x1, x2, y1, y2 = (round(v * s) for v, s in ((low, 24), (high, 24), (top, 16), (bottom, 16)))
        part = cut[y1:y2, x1:x2].astype(np.float32).mean((0, 1))
        assert np.abs(shown[0].astype(np.float32).mean((1, 2)) - part).max() < 40  # colours are jittered by 0.2
    assert made.store.load("a", 1).region != made.store.load("a", 2).region and flipped <= {True, False}


def test_pixels_of_a_mirrored_view_are_mirrored_with_its_people(tmp_path):
    augmentation = Augmentation(crop="none", flip=True, colour=0.0, swap_actions=((0, 1),))
    plain = DetectionPreset(size=SIZE)
    made = FeatureClips(
        FRAMES,
        Drawn(),
        FeatureStore(tmp_path, {}),
        shape=SHAPE,
        presets=Views(plain, DetectionPreset(size=SIZE, augmentation=augmentation), seed=1),
        views=6,
        swaps=((0, 1),),
    )
    list(made.make(pixels_as_features))
    regions = [made.store.load("a", view).region for view in range(6)]
    mirrored = [view for view in range(6) if regions[view][0] > regions[view][2]]
    assert 0 < len(mirrored) < 6 and 0 not in mirrored
    for view in range(1, 6):
        shown, there = made.store.load("a", view).features, made.store.load("a", 0).features
        assert np.array_equal(shown, there[..., ::-1] if view in mirrored else there)
    view = mirrored[0]
    epoch = next(e for e in range(100) if made._view(0, e) == view)
    sample = made[(0, epoch)]
    torch.testing.assert_close(sample.boxes, torch.tensor([[0.625, 0.5, 0.25, 0.5]]))  # 0.25 to 0.5 is now 0.5 to 0.75
    assert sample.actions.tolist() == [[0, 1]]


def test_epochs_draw_among_the_views(tmp_path):
    made = clips(tmp_path)
    list(made.make(pixels_as_features))
    seen = {made[(1, epoch)].meta.region for epoch in range(20)}
    assert seen == {made.store.load("a", view).region for view in range(3)}
    assert made[(1, 4)].meta == made[(1, 4)].meta


def test_people_in_a_mirrored_view_by_hand():
    boxes, actions = np.array([[0.5, 0.5, 0.75, 1.0]]), np.array([[1, 0]])
    people, does = people_in_view(boxes, actions, (1.0, 0.5, 0.5, 1.0), min_visible=0.5, swaps=((0, 1),))
    # the view shows x 0.5 to 1 mirrored, y 0.5 to 1: the person is its right half, whole in height
    torch.testing.assert_close(people, torch.tensor([[0.75, 0.5, 0.5, 1.0]]))
    assert does.tolist() == [[0, 1]]
    people, does = people_in_view(boxes, actions, (0.7, 0.0, 1.0, 1.0), min_visible=0.5, swaps=())
    assert people.shape == (0, 4) and does.shape == (0, 2)  # a fifth of the person is left
    assert actions.tolist() == [[1, 0]]


def test_nothing_is_made_twice_and_more_frames_are_made_in_addition(tmp_path):
    pixels = Drawn()
    few = key_frames(("a", 5, (0.25, 0.25, 0.5, 0.75), 1))
    assert count(list(clips(tmp_path, frames=few, pixels=pixels, views=1).make(pixels_as_features))).made == 1
    again = clips(tmp_path, frames=few, pixels=pixels, views=1)
    assert count(list(again.make(pixels_as_features))) == FeatureReport(0, 1, ()) and pixels.asked == 1
    more = clips(tmp_path, pixels=pixels, views=1)
    assert count(list(more.make(pixels_as_features))).made == 1
    assert more.store.load("a", 0).numbers.tolist() == [-3, -1, 1, 3, 5, 6, 7, 8, 10, 12]
    assert more.store.load("a", 0).row.tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7]
    assert count(list(again.make(pixels_as_features))).reused == 1  # what it needs is among them


def test_frames_before_the_first_that_no_clip_shows(tmp_path):
    """Frames -3 and -1 repeat frame 1, which the clip itself does not have."""
    one = key_frames(("a", 2, (0.25, 0.25, 0.5, 0.75), 1))
    made = clips(tmp_path, frames=one, views=1)
    list(made.make(pixels_as_features))
    entry = made.store.load("a", 0)
    assert (entry.numbers.tolist(), entry.row.tolist()) == ([-2, 0, 2, 4], [0, 0, 1, 2])
    assert made[0].meta.repeated_frames == 2
    theirs = KeyFrameClips(one, Drawn(), clock=FrameClock(), shape=SHAPE, preset=DetectionPreset(size=SIZE))[0]
    assert torch.equal(made[0].clip.float(), theirs.clip.float())


def test_other_weights_find_nothing(tmp_path):
    list(clips(tmp_path, views=1).make(pixels_as_features))
    assert count(list(clips(tmp_path, views=1, identity={"weights": "two"}).make(pixels_as_features))).made == 1


@pytest.mark.parametrize("damage", ["cut", "text", "gone"])
def test_a_damaged_entry_is_made_anew(tmp_path, damage):
    list(clips(tmp_path, views=1).make(pixels_as_features))
    (array,) = tmp_path.glob("*.npy")
    if damage == "cut":
        array.write_bytes(array.read_bytes()[:200])
    elif damage == "text":
        next(tmp_path.glob("*.json")).write_text("{")
    else:
        array.unlink()
    made = clips(tmp_path, views=1)
    assert made.store.load("a", 0) is None
    assert count(list(made.make(pixels_as_features))).made == 1 and made.store.load("a", 0) is not None


def test_a_video_that_cannot_be_read_is_named(tmp_path):
    frames = key_frames(("a", 1, (0, 0, 1, 1), 1), ("broken", 1, (0, 0, 1, 1), 1))
    made = clips(tmp_path, frames=frames, views=1)
    report = count(list(made.make(pixels_as_features)))
    assert report.made == 1 and [str(e) for e in report.failed] == ["cannot read broken: no such file"]
    assert str(FeatureReport.of_all([report, report])).startswith(
        "features of 2 views of videos made, 0 found, 2 cannot"
    )
    sample = made[1]
    assert isinstance(sample, UnreadableClip) and "no features of view 0 of broken" in sample.reason
    with pytest.raises(ClipReadError):
        list(clips(tmp_path, frames=frames, views=1, strict=True).make(pixels_as_features))


def test_a_batch_of_features_stays_as_it_is_on_the_device(tmp_path):
    made = clips(tmp_path, views=1)
    list(made.make(pixels_as_features))
    batch = collate([made[0], made[1]], blank_size=(4, *SIZE), num_classes=2)
    assert batch.clips.shape == (2, 3, 4, *SIZE) and batch.flipped is None
    ready = batch.mirrored().normalized(torch.zeros(3), torch.ones(3))
    assert torch.equal(ready.clips, batch.clips)


def test_a_full_disk_names_the_key(tmp_path, monkeypatch):
    store = FeatureStore(tmp_path, {})
    entry = VideoFeatures(np.array([1]), np.array([0]), np.zeros((1, 2, 1, 1), np.float16), (0, 0, 1, 1), 1, 1)

    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(
        OSError, match=r"No space left on device while writing the features of a to .*DATA.FEATURE_CACHE"
    ):
        store.write("a", 0, entry)
    assert list(tmp_path.iterdir()) == [] and store.load("a", 0) is None


def test_an_entry_tells_what_it_is_of(tmp_path):
    list(clips(tmp_path, views=1).make(pixels_as_features))
    meta = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert (meta["video"], meta["view"], meta["identity"]["weights"]) == ("a", 0, "one")
