"""One small whole file for every reader, and how it is read: what the tests of this folder damage."""

import gzip
import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from slowfast.config.load import load_cfg
from slowfast.datasets.annotations.people.charades import read_charades
from slowfast.datasets.annotations.people.jhmdb import read_jhmdb
from slowfast.datasets.annotations.people.proposals import read_proposals
from slowfast.datasets.annotations.people.tubes import read_tubes
from slowfast.datasets.annotations.videos.class_names import read_class_names
from slowfast.datasets.annotations.videos.ssv2 import read_ssv2
from slowfast.datasets.annotations.videos.video_lists import read_video_list
from slowfast.evaluation.videos.score_files import read_scores
from slowfast.preparation.converters.annotations import Timing
from slowfast.preparation.converters.formats.coco import read_coco
from slowfast.preparation.converters.formats.cvat import read_cvat
from slowfast.preparation.converters.formats.label_studio import read_label_studio
from slowfast.preparation.converters.formats.spreadsheet import read_spreadsheet
from slowfast.preparation.converters.formats.via import read_via
from slowfast.structures.annotations.label_map import read_label_map
from slowfast.utils.ava.tables import read_detections_csv, read_exclusions_csv, read_groundtruth_csv
from slowfast.video.pictures.frame_lists import read_frame_lists
from slowfast.video.stored.manifest import read_record
from slowfast.weights.checkpoint import read_checkpoint
from slowfast.weights.file import read_weight_file


@dataclass(frozen=True)
class Case:
    """name: of the file; good: its content; read: what reads it; beside: other files of its folder."""

    name: str
    good: bytes
    read: Callable[[Path], object]
    beside: tuple[tuple[str, bytes], ...] = ()


class Videos:
    """Stands for `VideoTimes`: every video has 20 frames, so that no file is opened."""

    def name(self, given: str) -> str:
        return Path(given).stem

    def of(self, video: str) -> Timing:
        return Timing(np.arange(20) / 10, (48, 64))


def packed(value: object, protocol: int = 2) -> bytes:
    return pickle.dumps(value, protocol=protocol)


PIECE = np.array([[1, 10, 10, 60, 60], [2, 11, 10, 61, 60]], dtype=np.float32)
ACT = {
    "labels": ["run", "sit"],
    "gttubes": {"run/a": {0: [PIECE]}, "sit/b": {1: [PIECE]}},
    "nframes": {"run/a": 3, "sit/b": 3},
    "resolution": {"run/a": (240, 320), "sit/b": (240, 320)},
    "train_videos": [["run/a"]],
    "test_videos": [["sit/b"]],
}
BOXES = np.array([[10, 10, 50, 60], [11, 10, 50, 60]], dtype=np.uint8)
PYANNOT = {
    "classes": ["run", "sit"],
    "trainvideos": ["a"],
    "db": {
        name: {"numf": 4, "label": 0, "annotations": [{"label": 0, "sf": 0, "ef": 2, "boxes": BOXES}]} for name in "ab"
    },
}
STATE = {"head.projection.weight": torch.zeros(2, 3), "head.projection.bias": torch.zeros(2)}


def torch_file(content: object, *, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def npz_scores() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(
        file, format=np.array("slowfast video scores 1"), names=np.array(["a", "b"]), class_names=np.array(["x", "y"]),
        labels=np.array([0, 1]), scores=np.eye(2, dtype=np.float32), views=np.array([1, 1]), num_views=np.array(1),
        ensemble=np.array("mean"),
    )  # fmt: skip
    return file.getvalue()


FRAMES = (
    b'original_vido_id video_id frame_id path labels\na 0 0 a/a_0.jpg "1"\na 0 1 a/a_1.jpg ""\nc 1 2 c/b.jpg "0,1"\n'
)
RECORD = {
    **{
        "video": "a",
        "file": "a.mp4",
        "source": "b.mp4",
        "source_bytes": 1,
        "source_time": 1,
        "done": {"mode": "index"},
    },
    **{
        "starts_at": 0.0,
        "frames": 4,
        "fps": 25.0,
        "seconds": 1.0,
        "height": 4,
        "width": 4,
        "codec": "h264",
        "bytes": 9,
    },
    **{"sha256": "", "decoder": "", "version": 1},
}
VIA = {
    "attribute": {"1": {"aname": "action", "type": 2, "options": {"0": "run"}}},
    "file": {"1": {"fid": "1", "fname": "a.mp4"}},
    "view": {"1": {"fid_list": ["1"]}},
    "metadata": {"1_a": {"vid": "1", "z": [0.5], "xy": [2, 1, 1, 20, 20], "av": {"1": "0"}}},
}
COCO = {
    "categories": [{"id": 1, "name": "run"}],
    "videos": [{"id": 1, "name": "a"}],
    "images": [{"id": 1, "video_id": 1, "frame_id": 3}],
    "annotations": [{"image_id": 1, "bbox": [1, 1, 20, 20], "category_id": 1, "track_id": 4}],
}
REGION = {
    "type": "videorectangle",
    "value": {
        "framesCount": 20,
        "duration": 2.0,
        "labels": ["run"],
        "sequence": [{"frame": 1, "time": 0.0, "x": 10, "y": 10, "width": 30, "height": 30, "enabled": True}],
    },
}
CVAT = b"""<?xml version="1.0"?><annotations><meta><task><original_size><width>64</width><height>48</height></original_size>
<source>a.mp4</source></task></meta><track id="0" label="run"><box frame="1" outside="0" xtl="1" ytl="1" xbr="20" ybr="20">
<attribute name="sits">true</attribute></box><box frame="9" outside="1" xtl="1" ytl="1" xbr="20" ybr="20"/></track></annotations>
"""
JHMDB_VIDEOS = b"video,frames,height,width,split1,split2,split3\nrun/a,2,240,320,test,train,train\nsit/b,2,240,320,train,test,test\n"
JHMDB_BOXES = (
    b"video,label,frame,x1,y1,x2,y2\nrun/a,run,1,10,10,60,60\nrun/a,run,2,10,10,60,60\nsit/b,sit,1,10,10,60,60\n"
)
BLOCKS = b'# classes\nitem { name: "walk left" id: 1 swap: "walk right" }\nitem { name: "walk right" id: 2 }\n'
PEOPLE = b"a,0902,0.1,0.1,0.5,0.5,3,0\na,0902,0.1,0.1,0.5,0.5,4,1\nb,3.5,0,0,1,1,,\nb,4\n"
CONFIG = b"MODEL:\n  NUM_CLASSES: 7\nDATA:\n  TRAIN_CROP_SIZE: [64, 96]\nRNG_SEED: 3\nOUTPUT_DIR: 'runs/x'\n"
MMACTION = json.dumps([{"pred_score": [0.5, 0.5], "pred_label": 0, "gt_label": 1}] * 2).encode()
SSV2_LABELS, SSV2 = (
    b'{"Holding something": "0", "Moving something": "1"}',
    b'[{"id": "7", "template": "Holding [something]"}]',
)


CASES = {
    "label map, blocks": Case("map.pbtxt", BLOCKS, read_label_map),
    "label map, lines": Case("map.txt", b"1 walk left\n2: walk right\n\nwalk left <-> walk right\n", read_label_map),
    "label map, JSON": Case("map.json", b'[{"id": 1, "name": "a", "swap": "b"}, {"id": 2, "name": "b"}]', read_label_map),
    "label map, CSV": Case("map.csv", b'id,name,swap\n1,"walk, left",\n2,b,\n', read_label_map),
    "class names": Case("names.txt", b"0 run\n1 sit\n", read_class_names),
    "class names, JSON": Case("names.json", b'{"run": 0, "sit": 1}', read_class_names),
    "video list": Case("train.csv", b"a.mp4 1\nb c.mp4 0\nd.mp4 x 2\n", lambda p: read_video_list(p, num_classes=3)),
    "video list, many labels": Case(
        "train.csv", b"a.mp4 1,2\nb.mp4 \n", lambda p: read_video_list(p, num_classes=3, multi_label=True)
    ),
    "SSv2 labels": Case("labels.json", SSV2_LABELS, lambda p: read_ssv2(p.parent, part="train"), (("train.json", SSV2),)),
    "SSv2": Case("train.json", SSV2, lambda p: read_ssv2(p.parent, part="train"), (("labels.json", SSV2_LABELS),)),
    "Charades": Case("train.csv", FRAMES, lambda p: read_charades(p, num_classes=3, by_frame=True)),
    "frame list": Case("train.csv", FRAMES, lambda p: read_frame_lists([p])),
    "annotations": Case("people.csv", PEOPLE, read_groundtruth_csv),
    "annotations, gzipped": Case("people.csv.gz", gzip.compress(PEOPLE, mtime=0), read_groundtruth_csv),
    "detections": Case("found.csv", b"a,0902,0.1,0.1,0.5,0.5,3,0.25\nb,3.5,0,0,1,1,4,1e-3\n", read_detections_csv),
    "exclusions": Case("out.csv", b"a,0902\nb,0903\n", read_exclusions_csv),
    "proposals": Case(
        "boxes.csv", b"a,0902,0.1,0.1,0.5,0.5,,0.9\nb,3.5,0,0,1,1,4,0.95\n", lambda p: read_proposals(p, min_score=0.8)
    ),
    "JHMDB boxes": Case(
        "jhmdb21_boxes.csv.gz",
        gzip.compress(JHMDB_BOXES, mtime=0),
        lambda p: read_jhmdb(p.parent, split=1, subset="test"),
        (("jhmdb21_videos.csv", JHMDB_VIDEOS),),
    ),
    "JHMDB videos": Case(
        "jhmdb21_videos.csv",
        JHMDB_VIDEOS,
        lambda p: read_jhmdb(p.parent, split=1, subset="test"),
        (("jhmdb21_boxes.csv.gz", gzip.compress(JHMDB_BOXES, mtime=0)),),
    ),
    "tubes, ACT": Case("act.pkl", packed(ACT), lambda p: read_tubes(p).table(frames="every")),
    "tubes, pyannot": Case("pyannot.pkl", packed(PYANNOT, 4), lambda p: read_tubes(p).table(frames="every")),
    "tubes, protocol 0": Case("act.pkl", packed(ACT, 0), lambda p: read_tubes(p).table(frames="every")),
    "config": Case("a.yaml", CONFIG, load_cfg),
    "weights": Case("w.pyth", torch_file({"model_state": STATE, "class_names": ["a", "b"]}, zipped=True), read_weight_file),
    "weights, old": Case("w.pth", torch_file({"state_dict": STATE}, zipped=False), read_weight_file),
    "weights, safetensors": Case("w.safetensors", save(STATE, {"class_names": '["a", "b"]'}), read_weight_file),
    "weights, config beside": Case(
        "config.json",
        b'{"model_type": "bmvit", "id2label": {"0": "a", "1": "b"}, "class_ids": [1, 2], "cfg": "MODEL: {}"}',
        lambda p: read_weight_file(p.with_name("w.safetensors")),
        (("w.safetensors", save(STATE)),),
    ),
    "checkpoint": Case("c.pyth", torch_file({"model_state": STATE}, zipped=True), read_checkpoint),
    "scores": Case("scores.npz", npz_scores(), read_scores),
    "scores, JSON": Case("scores.json", MMACTION, read_scores),
    "record of a video": Case(
        ".manifest/a.json", json.dumps(RECORD).encode(), lambda p: read_record(p.parent.parent, "a")
    ),
    "CVAT": Case("a.xml", CVAT, lambda p: read_cvat(p, Videos())),
    "VIA": Case("a.json", json.dumps(VIA).encode(), lambda p: read_via(p, Videos())),
    "COCO": Case("a.json", json.dumps(COCO).encode(), lambda p: read_coco(p, Videos())),
    "Label Studio": Case(
        "a.json",
        json.dumps([{"data": {"video": "a.mp4"}, "annotations": [{"result": [REGION]}]}]).encode(),
        lambda p: read_label_studio(p, Videos()),
    ),
    "spreadsheet": Case(
        "a.csv",
        b"video,time,x1,y1,x2,y2,action,track\na,0.5,1,1,20,20,run;sit,1\na,0.6,,,,,,\n",
        lambda p: read_spreadsheet(p, Videos()),
    ),
}  # fmt: skip
