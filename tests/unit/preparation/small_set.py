"""A small data set in AVA's format: videos of four seconds, a CSV a split, a label map, and a config that reads it."""

from pathlib import Path

import yaml

from tests.unit.video.video_maker import write_video

CLASSES = 'item { name: "stand" id: 1 }\nitem { name: "walk" id: 3 }\nitem { name: "wave" id: 7 }\n'
TRAIN = [
    "a,1,0.1,0.1,0.5,0.9,1,0",
    "a,1,0.1,0.1,0.5,0.9,7,0",
    "a,2,0.2,0.1,0.6,0.9,3,0",
    "b,1,0.3,0.2,0.7,0.8,7,1",
    "b,2.5,0.3,0.2,0.7,0.8,3,1",
]
TEST = ["c,1,0.1,0.1,0.5,0.9,1,0", "c,2,0.2,0.1,0.6,0.9,3,0", "c,3,0.2,0.2,0.6,0.9,7,0"]


def make_set(folder: Path, *, train=TRAIN, test=TEST, videos=("a", "b", "c")) -> Path:
    """Write it below `folder`, which is returned."""
    for name in ("videos", "annotations"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", train), ("test", test)):
        (folder / "annotations" / f"{name}.csv").write_text("".join(f"{row}\n" for row in rows))
    (folder / "annotations" / "classes.pbtxt").write_text(CLASSES)
    for name in videos:
        write_video(folder / "videos" / f"{name}.mp4", frames=40, fps=10)
    return folder


def write_config(folder: Path, repo_root: Path, **keys: object) -> Path:
    """A config of the toy network on the set in `folder`; keys: of AVA."""
    ava = {
        "VIDEO_DIR": str(folder / "videos"),
        "ANNOTATION_DIR": str(folder / "annotations"),
        "TRAIN_GT_BOX_LISTS": ["train.csv"],
        "GROUNDTRUTH_FILE": "test.csv",
        "TRAIN_EXCLUSION_FILE": "",
        "EXCLUSION_FILE": "",
        "TRAIN_LABEL_MAP_FILE": "classes.pbtxt",
        "LABEL_MAP_FILE": "classes.pbtxt",
        "FIRST_SECOND": 0,
        "VALID_SECONDS": [],
        **keys,
    }
    content = {
        "_BASE_": str(repo_root / "configs/Toy/BMViT_toy.yaml"),
        "AVA": ava,
        "DATA": {"TARGET_FPS": 10.0, "CACHE_DIR": "", "FLIP_SWAPS": []},
        "MODEL": {"NUM_CLASSES": 0},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path
