"""Key frames at fractions of a second, from the CSV of one's own to clips, detections, exclusions and mAP."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from slowfast.datasets.annotations.people.ava import read_ava
from slowfast.datasets.clips.key_frame_clips import ClipShape, KeyFrameClips, SecondClock
from slowfast.datasets.clips.presets import DetectionPreset
from slowfast.evaluation.frames.evaluator import DetectionEvaluator
from slowfast.evaluation.frames.frame_map import frame_map
from slowfast.structures.clip import ClipMeta
from slowfast.structures.outputs.predictions import Detections
from slowfast.utils.ava.tables import read_detections_csv, read_groundtruth_csv, write_detections_csv
from slowfast.video.source import ClipPixels

BOX = "0.100,0.100,0.500,0.900"
ROWS = f"v,0.5,{BOX},1,0\nv,1,{BOX},2,0\nv,1.25,{BOX},1,0\nv,2.3333333,{BOX},2,0\nw,0.5,{BOX},2,1\n"
KEYS = [("v", 0.5), ("v", 1), ("v", 1.25), ("v", 2.333), ("w", 0.5)]


@pytest.fixture
def annotated(tmp_path):
    (tmp_path / "people.csv").write_text(ROWS)
    (tmp_path / "excluded.csv").write_text("v,1.250\n")
    (tmp_path / "classes.pbtxt").write_text('item { name: "a" id: 1 }\nitem { name: "b" id: 2 }\n')
    classes = tmp_path / "classes.pbtxt"
    return read_ava(
        [tmp_path / "people.csv"],
        label_map_file=classes,
        eval_label_map_file=classes,
        exclusion_file=tmp_path / "excluded.csv",
    )


class Recorder:
    def __init__(self):
        self.centres = []

    def read(self, video, times, *, center):
        self.centres.append((video, times[center]))
        return ClipPixels(np.zeros((len(times), 8, 8, 3), dtype=np.uint8), clamped=0)


def test_every_key_frame_but_the_excluded_one_is_read_at_its_own_moment(annotated):
    key_frames = annotated.key_frames
    found = [(key_frames.video_name(k), key_frames.timestamp[k]) for k in range(len(key_frames))]
    assert found == [key for key in KEYS if key != ("v", 1.25)]
    pixels = Recorder()
    shape, preset = ClipShape(num_frames=4, sampling_rate=2), DetectionPreset(size=(8, 8))
    clips = KeyFrameClips(key_frames, pixels, clock=SecondClock(10, 0), shape=shape, preset=preset)
    metas = [clips[k].meta for k in range(len(clips))]
    assert pixels.centres == found and [meta.key for meta in metas] == found
    assert [str(meta) for meta in metas[:2]] == ["v at 0.5", "v at 1"]


def test_a_perfect_answer_is_written_read_back_and_scores_one(annotated, tmp_path):
    key_frames, labels = annotated.key_frames, annotated.label_map
    evaluator = DetectionEvaluator(
        groundtruth=annotated.groundtruth,
        label_map=labels,
        model_label_map=labels,
        exclusions=annotated.exclusions,
    )
    clips = KeyFrameClips(
        key_frames,
        Recorder(),
        clock=SecondClock(10, 0),
        shape=ClipShape(1, 1),
        preset=DetectionPreset(size=(8, 8)),
    )
    for k in range(len(clips)):
        boxes, actions = key_frames.people(k)
        found = Detections(
            torch.zeros(1, dtype=torch.int64), torch.tensor(boxes), torch.ones(1), torch.tensor(actions).float()
        )
        evaluator.process(found, [clips[k].meta])
    result = evaluator.evaluate()
    assert result.frame_map.mAP == 1.0 and result.frame_map.counters["key_frames_unscored"] == 0
    assert result.frame_map.num_key_frames == 4 and result.frame_map.counters["key_frames_excluded"] == 1
    path = tmp_path / "detections.csv"
    write_detections_csv(result.detections, path)
    text = path.read_text()
    assert text.startswith("v,0000.500,") and "\nv,0001,0.1" in text and "\nv,0002.333,0.1" in text
    again = frame_map(
        read_groundtruth_csv(tmp_path / "people.csv"),
        read_detections_csv(path),
        labels,
        exclusions=annotated.exclusions,
    )
    assert again.mAP == 1.0 and again.counters["detections_dropped_unlisted_key_frame"] == 0


def test_a_moment_between_two_key_frames_is_another_moment(annotated):
    truth = annotated.groundtruth
    late = truth.timestamp + 0.002
    moved = type(truth)(truth.videos, truth.video, late, truth.boxes, truth.label, np.ones(len(truth)))
    with pytest.raises(ValueError, match="none of the 5 detections"):
        frame_map(truth, moved, annotated.label_map)


def test_key_frames_without_annotations_leave_their_detections_and_no_map(tmp_path):
    (tmp_path / "frames.csv").write_text("v,0.5\nv,1\n")
    (tmp_path / "classes.pbtxt").write_text('item { name: "a" id: 1 }\nitem { name: "b" id: 2 }\n')
    classes = tmp_path / "classes.pbtxt"
    annotated = read_ava(
        [tmp_path / "frames.csv"], label_map_file=classes, eval_label_map_file=classes, exclusion_file=None
    )
    labels = annotated.label_map
    evaluator = DetectionEvaluator(groundtruth=annotated.groundtruth, label_map=labels, model_label_map=labels)
    key_frames = annotated.key_frames
    for k in range(len(key_frames)):
        meta = ClipMeta(key_frames.video_name(k), key_frames.timestamp[k].item(), (0.0, 0.0, 1.0, 1.0))
        found = Detections(torch.zeros(1, dtype=torch.int64), torch.rand(1, 4), torch.ones(1), torch.ones(1, 2))
        evaluator.process(found, [meta])
    result = evaluator.evaluate()
    assert result.summary() == {"mAP": None, "AP/a": None, "AP/b": None}
    assert np.isnan(result.headline.value) and len(result.detections) == 4 and len(result.people) == 2
    assert "no mAP: the 2 key frames are listed without people" in result.table()
    assert result.report()["warnings"] == [] and result.report()["num_classes_scored"] == 0


def test_a_detection_between_whole_seconds_is_on_none_of_them(annotated):
    truth = annotated.groundtruth
    whole = replace(truth, timestamp=np.arange(5, dtype=np.int32))
    found = replace(whole, timestamp=np.array([0, 1.5, 2, 3.001, 4]), score=np.ones(5))
    counters = frame_map(whole, found, annotated.label_map).counters
    assert counters["detections_dropped_unlisted_key_frame"] == 2
