"""Speed and memory of the AVA frame-mAP: ours from arrays and from CSV, and a straightforward per-frame implementation.

The straightforward one is written the way the field's evaluators are: read rows into a dictionary per key frame, loop
over key frames and over classes, compare boxes with small numpy calls, keep Python lists.
"""

import csv
import tempfile
import tracemalloc
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from bench.timing import Timing, interleaved

from slowfast.evaluation.frames.frame_map import OFFICIAL_CAP, PROTOCOLS, frame_map
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.utils.ava.tables import read_detections_csv, write_detections_csv

NUM_CLASSES = 60
KEY_FRAMES_PER_VIDEO = 900
FIRST_SECOND = 902
VAL_KEY_FRAMES = 57_600
REFERENCE_ROWS = 120_000
CSV_ROWS = 7_000_000


def make_tables(rows: int, *, boxes_per_frame: int, seed: int = 0) -> tuple[BoxTable, BoxTable, LabelMap]:
    """Synthetic ground truth and about `rows` detections, boxes_per_frame x 60 classes a key frame, as in AVA val."""
    rng = np.random.default_rng(seed)
    frames = max(1, rows // (boxes_per_frame * NUM_CLASSES))
    videos = tuple(f"video_{number:04d}" for number in range((frames - 1) // KEY_FRAMES_PER_VIDEO + 1))
    video = (np.arange(frames) // KEY_FRAMES_PER_VIDEO).astype(np.int32)
    timestamp = (np.arange(frames) % KEY_FRAMES_PER_VIDEO + FIRST_SECOND).astype(np.int32)
    low = rng.random((frames, boxes_per_frame, 2), dtype=np.float32) * 0.5
    boxes = np.concatenate([low, low + 0.2 + 0.3 * rng.random(low.shape, dtype=np.float32)], axis=2)
    shape = (frames, boxes_per_frame, NUM_CLASSES)
    score = rng.random(shape, dtype=np.float32) ** 4
    labels = np.arange(1, NUM_CLASSES + 1, dtype=np.int32)
    detections = BoxTable(
        videos,
        np.repeat(video, boxes_per_frame * NUM_CLASSES),
        np.repeat(timestamp, boxes_per_frame * NUM_CLASSES),
        np.repeat(boxes.reshape(-1, 4), NUM_CLASSES, axis=0),
        np.tile(labels, frames * boxes_per_frame),
        score.reshape(-1),
    )
    people = np.stack([boxes[:, 0], np.clip(boxes[:, -1] + 0.03, 0, 1)], axis=1).reshape(-1, 4)
    three = rng.integers(1, NUM_CLASSES + 1, (len(people), 3), dtype=np.int32)
    groundtruth = BoxTable(
        videos, np.repeat(video, 6), np.repeat(timestamp, 6), np.repeat(people, 3, axis=0), three.reshape(-1)
    )
    return groundtruth, detections, LabelMap(tuple(labels.tolist()), tuple(f"class {i}" for i in labels))


def _read_rows(path: Path) -> dict[tuple[str, int], list[tuple]]:
    rows: dict[tuple[str, int], list[tuple]] = defaultdict(list)
    with open(path, newline="") as file:
        for video, time_text, x1, y1, x2, y2, label, score in csv.reader(file):
            rows[video, int(time_text)].append((float(score), int(label), float(x1), float(y1), float(x2), float(y2)))
    return rows


def _group_rows(table: BoxTable) -> dict[tuple[str, int], list[tuple]]:
    rows: dict[tuple[str, int], list[tuple]] = defaultdict(list)
    scores = np.ones(len(table)) if table.score is None else table.score
    for number in range(len(table)):
        key = (table.videos[table.video[number]], int(table.timestamp[number]))
        rows[key].append((float(scores[number]), int(table.label[number]), *map(float, table.boxes[number])))
    return rows


def _iou_matrix(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    low = np.maximum(boxes_a[:, None, :2], boxes_b[None, :, :2])
    high = np.minimum(boxes_a[:, None, 2:], boxes_b[None, :, 2:])
    inter = np.prod(np.maximum(high - low, 0), axis=2)
    area_a, area_b = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (boxes_a, boxes_b))
    return inter / (area_a[:, None] + area_b[None] - inter)


def _match(rows: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One class on one key frame: scores, best first, and which of them are true positives."""
    rows = rows[(rows[:, 4] > rows[:, 2]) & (rows[:, 5] > rows[:, 3])]
    rows = rows[np.argsort(-rows[:, 0])]
    hits, taken = np.zeros(len(rows), dtype=bool), np.zeros(len(boxes), dtype=bool)
    if len(boxes):
        iou = _iou_matrix(rows[:, 2:], boxes[:, 2:])
        for number, person in enumerate(np.argmax(iou, axis=1)):
            hits[number] = iou[number, person] >= 0.5 and not taken[person]
            taken[person] |= hits[number]
    return rows[:, 0], hits


def reference_map(truth: dict, found: dict, class_ids: tuple[int, ...], *, protocol: str) -> float:
    """The same number as `frame_map` for scores without ties, frame by frame and class by class."""
    scores: dict[int, list[float]] = defaultdict(list)
    hits: dict[int, list[bool]] = defaultdict(list)
    instances: dict[int, int] = defaultdict(int)
    for key, people in truth.items():
        best = sorted(found.get(key, []), key=lambda row: -row[0])
        best = best[:OFFICIAL_CAP] if protocol == "official" else best
        people_array, best_array = np.array(people), np.array(best).reshape(-1, 6)
        for class_id in class_ids:
            boxes = people_array[people_array[:, 1] == class_id]
            instances[class_id] += len(boxes)
            cell_scores, cell_hits = _match(best_array[best_array[:, 1] == class_id], boxes)
            scores[class_id].extend(cell_scores)
            hits[class_id].extend(cell_hits)
    values = []
    for class_id in class_ids:
        if instances[class_id]:
            ranked = np.array(hits[class_id], dtype=bool)[np.argsort(scores[class_id])[::-1]]
            precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
            envelope = np.maximum.accumulate(precision[::-1])[::-1]
            values.append(envelope[ranked].sum() / instances[class_id])
    return float(np.mean(values))


def _peak_bytes(work: Callable[[], object]) -> int:
    """What `work` allocates at its worst moment, its result included."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _first_key_frames(table: BoxTable, count: int) -> BoxTable:
    return table.rows((table.video.astype(np.int64) * KEY_FRAMES_PER_VIDEO + table.timestamp - FIRST_SECOND) < count)


def _check(truth: BoxTable, found: BoxTable, label_map: LabelMap) -> None:
    """Both implementations must agree before they are timed."""
    for protocol in PROTOCOLS:
        theirs = reference_map(_group_rows(truth), _group_rows(found), label_map.ids, protocol=protocol)
        ours = frame_map(truth, found, label_map, protocol=protocol).mAP
        if abs(theirs - ours) > 1e-4:  # scores drawn at random tie now and then
            raise RuntimeError(f"the two implementations disagree under {protocol}: {theirs} and {ours}")


def _reference_cases(
    truth: BoxTable, found: BoxTable, label_map: LabelMap, folder: Path
) -> dict[str, Callable[[], object]]:
    """What the straightforward implementation does with the rows of `found`, from arrays and from a CSV."""
    path = folder / "subset.csv"
    write_detections_csv(found, path)
    truth_rows, found_rows = _group_rows(truth), _group_rows(found)
    cases: dict[str, Callable[[], object]] = {
        "their arrays": partial(_group_rows, found),
        "their CSV": partial(_read_rows, path),
    }
    for protocol in PROTOCOLS:
        work = partial(reference_map, truth_rows, found_rows, label_map.ids, protocol=protocol)
        cases[f"their {protocol}"] = work
    return cases


def _our_cases(
    groundtruth: BoxTable, detections: BoxTable, label_map: LabelMap, path: Path
) -> dict[str, Callable[[], object]]:
    """The same for ours; the CSV at `path` holds the first rows of `detections`."""
    shuffled = detections.rows(np.random.default_rng(1).permutation(len(detections)))
    tables = {"arrays": detections, "arrays, shuffled": shuffled, "CSV": read_detections_csv(path)}
    cases: dict[str, Callable[[], object]] = {"read CSV": partial(read_detections_csv, path)}
    for protocol in PROTOCOLS:
        for name, table in tables.items():
            cases[f"{protocol} {name}"] = partial(frame_map, groundtruth, table, label_map, protocol=protocol)
    return cases


def main(rows: int, *, repeats: int) -> None:
    """Print the table for `rows` detections on the key frames of AVA val or fewer; the CSV holds at most CSV_ROWS."""
    boxes_per_frame = max(2, round(rows / (VAL_KEY_FRAMES * NUM_CLASSES)))
    groundtruth, detections, label_map = make_tables(rows, boxes_per_frame=boxes_per_frame)
    frames = len(groundtruth) // 6
    subset = min(frames, REFERENCE_ROWS // (boxes_per_frame * NUM_CLASSES))
    truth, found = _first_key_frames(groundtruth, subset), _first_key_frames(detections, subset)
    _check(truth, found, label_map)
    in_csv = min(len(detections), CSV_ROWS)
    print(
        f"\n{len(detections)} detections, {boxes_per_frame} boxes x {NUM_CLASSES} classes on {frames} key frames, "
        f"{in_csv} of them in the CSV;\nstraightforward implementation on the first {len(found)}; "
        f"microseconds a row, median of {repeats}; CPU counts all threads"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "detections.csv"
        write_detections_csv(detections.rows(np.arange(in_csv)), path)
        cases = _our_cases(groundtruth, detections, label_map, path)
        timings = interleaved(
            cases | _reference_cases(truth, found, label_map, Path(folder)), repeats=repeats, device=torch.device("cpu")
        )
        peaks = {name: _peak_bytes(work) for name, work in cases.items()}
    _print_table(timings, peaks, rows=len(detections), in_csv=in_csv, in_reference=len(found))


def _print_table(
    timings: dict[str, Timing], peaks: dict[str, int], *, rows: int, in_csv: int, in_reference: int
) -> None:
    """Our microseconds a row, theirs, and the ratio: on the wall clock and in CPU time."""
    clocks = (
        {name: timing.median * 1e6 for name, timing in timings.items()},
        {name: timing.cpu_median * 1e6 for name, timing in timings.items()},
    )
    wall, cpu = (clock["read CSV"] / in_csv for clock in clocks)
    peak = peaks["read CSV"] / in_csv
    print(f"read CSV {wall:.3f} us/row ({cpu:.3f} CPU), peak {peak:.1f} bytes/row with the table")
    header = ("protocol", "input", "wall", "per frame", "ratio", "CPU", "per frame", "ratio", "peak bytes/row")
    print("{:<10}{:<18}{:>7}{:>11}{:>8}{:>7}{:>11}{:>8}{:>16}".format(*header))
    for protocol in PROTOCOLS:
        for name in ("arrays", "arrays, shuffled", "CSV"):
            count, origin = (in_csv, "CSV") if name == "CSV" else (rows, "arrays")
            line = f"{protocol:<10}{name:<18}"
            for clock in clocks:
                before = clock["read CSV"] / in_csv if name == "CSV" else 0.0
                ours = clock[f"{protocol} {name}"] / count + before
                theirs = (clock[f"their {origin}"] + clock[f"their {protocol}"]) / in_reference
                line += f"{ours:>7.3f}{theirs:>11.1f}{theirs / ours:>7.0f}x"
            print(f"{line}{peaks[f'{protocol} {name}'] / count:>16.1f}")
