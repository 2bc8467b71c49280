"""Start-up at AVA's size: annotations of 299 videos to key frames, and what each worker is sent of them."""

import io
import pickle
import tempfile
import time
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import torch.multiprocessing  # registers how tensors travel  # noqa: F401

from slowfast.datasets.annotations.people.key_frames import build_key_frames
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.utils.ava.tables import read_groundtruth_csv
from slowfast.utils.files import write_text

VIDEOS, SECONDS, CLASSES = 299, range(902, 1799), 80
LABELS = LabelMap(tuple(range(1, CLASSES + 1)), tuple(f"class {i}" for i in range(1, CLASSES + 1)))


def write_csv(path: Path, rows: int) -> None:
    """As AVA's: every second annotated, people with several actions each."""
    rng = np.random.default_rng(0)
    people = rows // 3
    seconds = np.sort(rng.integers(0, VIDEOS * len(SECONDS), people))
    left = np.round(rng.uniform(0, 0.5, (people, 2)), 3)
    boxes = np.concatenate([left, left + np.round(rng.uniform(0.1, 0.5, (people, 2)), 3)], axis=1)
    lines = []
    for person, (moment, box) in enumerate(zip(seconds.tolist(), boxes.tolist(), strict=True)):
        sides = ",".join(f"{side:.3f}" for side in box)
        start = f"video{moment // len(SECONDS):03d}abcde,{SECONDS[moment % len(SECONDS)]:04d},{sides}"
        lines += [f"{start},{action + 1},{person % 40}\n" for action in rng.choice(CLASSES, 3, replace=False).tolist()]
    write_text("".join(lines), path)


def main(rows: int, *, workers: int = 16) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        write_csv(path, rows)
        clock = time.process_time()
        table = read_groundtruth_csv(path)
        read = time.process_time() - clock
        key_frames, report = build_key_frames(table, LABELS)
        built = time.process_time() - clock - read
    print(f"{len(table):,} rows of {VIDEOS} videos: {read:.2f} s to read, {built:.2f} s to build; {report}")
    plain, clock = len(pickle.dumps(key_frames, protocol=pickle.HIGHEST_PROTOCOL)), time.process_time()
    sent = 0
    for _ in range(workers):
        buffer = io.BytesIO()
        ForkingPickler(buffer, pickle.HIGHEST_PROTOCOL).dump(key_frames)
        sent = buffer.tell()
        del buffer
    spent = time.process_time() - clock
    print(f"a worker is sent {sent / 1e6:.3f} MB ({plain / 1e6:.1f} MB as a copy); {workers} of them in {spent:.2f} s")
