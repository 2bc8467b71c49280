"""An example of a data set of one's own: two films of sliding blocks, a spreadsheet of boxes, CSVs, a label map, a config.

    NAME/videos/garden.mp4, yard.mp4    128 x 96 pixels, 12 frames a second, 12 seconds
    NAME/boxes.csv                      the spreadsheet: video, time, left, top, width, height in pixels, action, track
    NAME/annotations/train.csv          made from it, as `bmvit convert-annotations` does: garden
    NAME/annotations/test.csv           yard
    NAME/annotations/classes.pbtxt      slide left and slide right are exchanged in mirrored clips
    NAME/config.yaml                    a small network that trains on the CPU
    NAME/README.md                      the four commands

The actors are blocks, not people: anything with a box and an action will do. Key frames are half a second apart.
"""

import csv
import io
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from slowfast.config.shipped import shipped_configs
from slowfast.preparation.converters.annotations import Annotations, VideoTimes
from slowfast.preparation.converters.formats.ava import LABEL_MAP, write_ava
from slowfast.preparation.converters.formats.spreadsheet import read_spreadsheet
from slowfast.structures.annotations.label_map import read_label_map, write_label_map
from slowfast.utils.files import write_text
from slowfast.video.writing.writer import write_video

HEIGHT, WIDTH, FPS, SECONDS = 96, 128, 12, 12
SCENE = 2.0  # seconds in which every block goes on as it does
KEY_FRAMES = 0.5  # seconds between them
VIDEOS = ("garden", "yard")
TEST_VIDEO = "yard"
SPEED = {"slide left": -22.0, "slide right": 22.0, "rest": 0.0}  # pixels a second
PAIR = ("slide left", "slide right")


@dataclass(frozen=True)
class Block:
    """A block in one scene. x, y: its centre in the middle of the scene, in pixels; size: (width, height)."""

    x: float
    y: float
    size: tuple[int, int]
    colour: tuple[int, int, int]
    action: str

    def box(self, second: float) -> tuple[float, float, float, float]:
        """Left, top, width, height in pixels, `second` seconds from the middle of the scene."""
        x = self.x + SPEED[self.action] * second
        return (x - self.size[0] / 2, self.y - self.size[1] / 2, float(self.size[0]), float(self.size[1]))


def make_example(folder: str | Path) -> Path:
    """Write the example and return its folder.

    Raises ValueError where there is something already, so that nothing of yours is overwritten.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} exists already; choose another name, or delete it")
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    films = {name: _scenes(seed) for seed, name in enumerate(VIDEOS)}
    for seed, (name, scenes) in enumerate(films.items()):
        write_video(_frames(scenes, seed), folder / "videos" / f"{name}.mp4", FPS)
    write_text(_spreadsheet(films), folder / "boxes.csv")
    annotate(read_spreadsheet(folder / "boxes.csv", VideoTimes(folder / "videos")), folder / "annotations")
    write_text(_config(folder), folder / "config.yaml")
    write_text(README.format(folder=shlex.quote(str(folder)), test=TEST_VIDEO), folder / "README.md")
    return folder


def annotate(annotations: Annotations, folder: Path) -> None:
    """The CSVs and the label map, with the pair that mirroring exchanges."""
    write_ava(annotations, folder, test_videos=[TEST_VIDEO])
    found = read_label_map(folder / LABEL_MAP)
    first, second = found.ids_of(PAIR)
    write_label_map(type(found)(found.ids, found.names, ((first, second),)), folder / LABEL_MAP)


def _scenes(seed: int) -> list[list[Block]]:
    """One or two blocks a scene, side by side on their own lanes; every action is as frequent."""
    rng = np.random.default_rng(seed)
    actions = list(SPEED)
    scenes = []
    for number in range(round(SECONDS / SCENE)):
        lanes = rng.permutation([28.0, 68.0])[: 1 + number % 2]
        scenes.append(
            [
                Block(
                    float(rng.uniform(50, WIDTH - 50)),
                    float(lane),
                    (int(rng.integers(18, 27)), int(rng.integers(22, 35))),
                    (int(rng.integers(150, 255)), int(rng.integers(40, 200)), int(rng.integers(20, 120))),
                    actions[(number + place + seed) % 3],
                )
                for place, lane in enumerate(lanes)
            ]
        )
    return scenes


def _frames(scenes: list[list[Block]], seed: int) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB."""
    rng = np.random.default_rng(seed + 100)
    coarse = rng.integers(60, 130, (HEIGHT // 8, WIDTH // 8, 3))
    ground = np.kron(coarse, np.ones((8, 8, 1))).astype(np.uint8)
    frames = np.repeat(ground[None], FPS * SECONDS, axis=0)
    for number in range(FPS * SECONDS):
        second = number / FPS
        for block in scenes[int(second // SCENE)]:
            left, top, width, height = block.box(second % SCENE - SCENE / 2)
            rows = slice(round(top), round(top + height))
            columns = slice(max(round(left), 0), max(round(left + width), 0))
            frames[number, rows, columns] = block.colour
    return frames


def _spreadsheet(films: dict[str, list[list[Block]]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["video", "time", "left", "top", "width", "height", "action", "track"])
    for name, scenes in films.items():
        for number, scene in enumerate(scenes):
            for offset in np.arange(KEY_FRAMES, SCENE, KEY_FRAMES).tolist():
                for place, block in enumerate(scene):
                    box = [f"{value:g}" for value in block.box(offset - SCENE / 2)]
                    writer.writerow(
                        [f"{name}.mp4", f"{number * SCENE + offset:g}", *box, block.action, 10 * number + place]
                    )
    return buffer.getvalue()


def _config(folder: Path) -> str:
    """The toy network's config on these data, whole, so that it can be read and moved."""
    content = yaml.safe_load((shipped_configs() / "Toy" / "BMViT_toy.yaml").read_text(encoding="utf-8"))
    content["OUTPUT_DIR"] = str(folder / "run")
    content["MODEL"]["NUM_CLASSES"] = 0
    content["DATA"] |= {"TARGET_FPS": float(FPS), "FLIP_SWAPS": [], "CACHE_DIR": "", "SAMPLING_RATE": 1}
    content["AVA"] = {
        "VIDEO_DIR": str(folder / "videos"),
        "ANNOTATION_DIR": str(folder / "annotations"),
        "TRAIN_GT_BOX_LISTS": ["train.csv"],
        "GROUNDTRUTH_FILE": "test.csv",
        "TRAIN_EXCLUSION_FILE": "",
        "EXCLUSION_FILE": "",
        "TRAIN_LABEL_MAP_FILE": LABEL_MAP,
        "LABEL_MAP_FILE": LABEL_MAP,
        "FIRST_SECOND": 0,
        "VALID_SECONDS": [],
    }
    content["SOLVER"] |= {"MAX_EPOCH": 60, "WARMUP_EPOCHS": 5.0}
    content["TRAIN"] |= {"EVAL_PERIOD": 20, "CHECKPOINT_PERIOD": 20, "BATCH_SIZE": 6}
    head = "# An example of a data set of one's own. Paths start from the folder in which the commands are given.\n"
    return head + yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=140)


README = """# A data set of your own

Two films of sliding blocks and a spreadsheet of their boxes. Put your films into `videos/`, your rows into `boxes.csv`, then:

    bmvit convert-annotations --from spreadsheet --to ava --videos {folder}/videos --test-video {test} \\
        --out {folder}/annotations {folder}/boxes.csv
    bmvit validate-data --cfg {folder}/config.yaml --decode --html {folder}/data.html
    bmvit train --cfg {folder}/config.yaml
    bmvit predict --weights {folder}/run/checkpoints/best.pyth --out {folder}/predicted {folder}/videos/{test}.mp4

Without an installation `bmvit NAME` is `python -m slowfast.commands NAME`. What each step means: docs/OWN_DATA.md.
"""
