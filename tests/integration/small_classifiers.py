"""Small data sets for classifiers, and every published network shrunk until a CPU trains it in a second."""

import json
from pathlib import Path

import cv2
import numpy as np

from slowfast.video.writing.writer import write_video

# The network and its input shrunk; what is done to clips, how a step is taken, and all rates are the file's.
SMALL = [
    *(
        "MVIT.EMBED_DIM",
        "8",
        "MVIT.NUM_HEADS",
        "1",
        "MVIT.DEPTH",
        "2",
        "MVIT.DIM_MUL",
        "[[1,2.0]]",
        "MVIT.HEAD_MUL",
        "[[1,2.0]]",
    ),
    *("MVIT.POOL_Q_STRIDE", "[[1,1,2,2]]", "MVIT.POOL_KV_STRIDE", "[]", "MVIT.POOL_KV_STRIDE_ADAPTIVE", "[1,2,2]"),
    *("DATA.TRAIN_CROP_SIZE", "32", "DATA.TEST_CROP_SIZE", "32", "DATA.TRAIN_JITTER_SCALES", "[36,40]"),
    *(
        "TRAIN.BATCH_SIZE",
        "2",
        "TEST.BATCH_SIZE",
        "4",
        "NUM_GPUS",
        "0",
        "DATA_LOADER.NUM_WORKERS",
        "0",
        "LOG_PERIOD",
        "1",
    ),
    *("SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0.5", "TENSORBOARD.ENABLE", "False", "MODEL.NUM_CLASSES", "0"),
    *("TEST.REPORT", "False"),
]


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def make_small_sets(out: Path) -> None:
    """Four videos as Kinetics and SSv2 list them, and four images as ImageNet."""
    for i in range(4):
        blocks = np.kron(noise(i, 20, 3, 4, 3), np.ones((1, 16, 16, 1), dtype=np.uint8))
        write_video(blocks, out / f"videos/clip {i}.mp4", fps=25)
    names = [f"clip {i}.mp4 {i % 2}" for i in range(4)]
    for split in ("train", "val", "test"):
        (out / f"{split}.csv").write_text("\n".join(names) + "\n")
        for label in ("n01", "n02"):
            folder = out / "images" / split / label
            folder.mkdir(parents=True)
            for i in range(2):
                cv2.imwrite(str(folder / f"{i}.jpg"), noise(i, 48, 64, 3))
    ssv2 = out / "ssv2"
    ssv2.mkdir()
    (ssv2 / "labels.json").write_text(json.dumps({"Closing something": "0", "Opening something": "1"}))
    rows = [{"id": f"clip {i}", "template": f"{('Closing', 'Opening')[i % 2]} [something]"} for i in range(4)]
    for name in ("train", "validation"):
        (ssv2 / f"{name}.json").write_text(json.dumps(rows))


def data_of(config: Path, sets: Path) -> list[str]:
    """Where a recipe's data set lies, and how long the clips of its short videos are."""
    if config.parent.name == "ImageNet":
        return ["DATA.PATH_TO_DATA_DIR", str(sets / "images")]
    folder = sets / "ssv2" if config.parent.name == "SSv2" else sets
    classes = [] if config.parent.name == "SSv2" else ["MODEL.NUM_CLASSES", "2"]
    return [
        *("DATA.PATH_TO_DATA_DIR", str(folder), "DATA.PATH_PREFIX", str(sets / "videos")),
        *("DATA.NUM_FRAMES", "4", *classes),
    ]


def records(folder: Path, kind: str) -> list[dict]:
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == kind]
