"""The files that keep every video's scores: our `.npz`, and JSON laid out as mmaction2's DumpResults. No pickle.

The JSON is a list with a record per video, of mmaction2's keys and some of ours:

    pred_score  C numbers; null for a video without views
    pred_label  index of the best class; null with it
    gt_label    class index, or a list of class indices where videos have many labels
    name        of the video, and `views`, how many its scores come from
    set         in the first record only, what is true of all: class_names, multi_label, num_views, ensemble

A float32 is a double, and JSON keeps doubles exactly, so both files give the same numbers. A file with mmaction2's three
keys only is read, too: its classes and videos are then numbered, every video has its views, and a list of one label is
one label unless another video has more or fewer.
"""

import json
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from slowfast.evaluation.videos.scores import VideoScores
from slowfast.utils.files import open_whole
from slowfast.utils.reading import reading

FORMAT = "slowfast video scores 1"
EXTENSIONS = (".npz", ".json")
PICKLES = (".pkl", ".pickle")
PICKLE_TO_JSON = """\
a pickle runs code when it is read, so it is not read here. In the environment that wrote it, make JSON of it:
  import json, pickle
  rows = pickle.load(open("{name}", "rb"))
  json.dump([{{k: row[k].tolist() for k in ("pred_score", "pred_label", "gt_label")}} for row in rows], open("{stem}.json", "w"))"""


def write_scores(scores: VideoScores, path: str | Path) -> None:
    """Write `.npz` (compressed) or `.json`; `read_scores` gives the same back. Only a complete file appears at `path`.

    Raises ValueError for another ending.
    """
    ending = Path(path).suffix.lower()
    if ending not in EXTENSIONS:
        raise ValueError(f"{path}: a file of scores ends in {' or '.join(EXTENSIONS)}")
    if ending == ".json":
        _write_json(scores, path)
        return
    with open_whole(path, "wb") as file:
        np.savez_compressed(
            file,
            format=np.array(FORMAT),
            names=np.array(scores.names),
            class_names=np.array(scores.class_names),
            labels=scores.labels,
            scores=scores.scores,
            views=scores.views,
            num_views=np.array(scores.num_views),
            ensemble=np.array(scores.ensemble),
        )


def read_scores(path: str | Path) -> VideoScores:
    """Raises FileNotFoundError, or ValueError naming the file when it holds no scores, and for pickles what to do."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix.lower() in PICKLES:
        raise ValueError(f"{path}: {PICKLE_TO_JSON.format(name=path.name, stem=path.stem)}")
    with reading(path, "not a file of video scores"):
        return _read_json(path) if path.suffix.lower() == ".json" else _read_npz(path)


def _read_npz(path: Path) -> VideoScores:
    if not is_zipfile(path):
        raise ValueError("it is no .npz archive")
    with np.load(path, allow_pickle=False) as file:
        if str(file["format"]) != FORMAT:
            raise ValueError(f"its format is {str(file['format'])!r}, not {FORMAT!r}")
        return VideoScores(
            names=tuple(file["names"].tolist()),
            class_names=tuple(file["class_names"].tolist()),
            labels=file["labels"],
            scores=file["scores"],
            views=file["views"],
            num_views=int(file["num_views"]),
            ensemble=str(file["ensemble"]),
        )


# ------------------------------------------------------------------------------------------------------ JSON


def _write_json(scores: VideoScores, path: str | Path) -> None:
    """A line per video."""
    shared = {
        "class_names": list(scores.class_names),
        "multi_label": scores.multi_label,
        "num_views": scores.num_views,
        "ensemble": scores.ensemble,
    }
    with open_whole(path) as file:
        for v, name in enumerate(scores.names):
            seen = scores.views[v] > 0
            record = {
                "name": name,
                "pred_score": scores.scores[v].tolist() if seen else None,
                "pred_label": int(scores.predicted[v]) if seen else None,
                "gt_label": np.flatnonzero(scores.labels[v]).tolist() if scores.multi_label else int(scores.labels[v]),
                "views": int(scores.views[v]),
            }
            if v == 0:
                record["set"] = shared
            file.write(("[\n" if v == 0 else ",\n") + json.dumps(record, ensure_ascii=False, allow_nan=False))
        file.write("\n]\n")


def _read_json(path: Path) -> VideoScores:
    records = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse_constant)
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise ValueError("expected a list with an object for each video")
    for key in ("pred_score", "gt_label"):
        lacking = next((v for v, record in enumerate(records) if key not in record), None)
        if lacking is not None:
            raise ValueError(f"video {lacking} of the list has no {key!r}")
    shared = records[0].get("set", {})
    if not isinstance(shared, dict):
        raise ValueError(f"'set' of the first video is no object, but {str(shared)[:60]!r}")
    scores = _score_rows([record["pred_score"] for record in records])
    classes = scores.shape[1]
    num_views = shared.get("num_views", 1)
    given = ~np.isnan(scores).any(axis=1)
    views = [record.get("views", num_views if has else 0) for record, has in zip(records, given, strict=True)]
    return VideoScores(
        names=tuple(str(record.get("name", v)) for v, record in enumerate(records)),
        class_names=tuple(shared.get("class_names", map(str, range(classes)))),
        labels=_labels([record["gt_label"] for record in records], classes, shared.get("multi_label")),
        scores=scores,
        views=np.array(views, dtype=np.int64),
        num_views=int(num_views),
        ensemble=str(shared.get("ensemble", "as written")),
    )


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number; a video without views has the pred_score null")


def _score_rows(rows: list[Any]) -> np.ndarray:
    """(V, C) float32, nan where a row is null."""
    length = next((len(row) for row in rows if isinstance(row, list)), None)
    if length is None:
        raise ValueError("no video has a pred_score: there is nothing to evaluate")
    scores = np.full((len(rows), length), np.nan, dtype=np.float32)
    for v, row in enumerate(rows):
        if row is None:
            continue
        if not isinstance(row, list) or len(row) != length or not all(type(x) in (int, float) for x in row):
            raise ValueError(f"pred_score of video {v} of the list is not {length} numbers, nor null")
        scores[v] = row
    return scores


def _labels(given: list[Any], classes: int, multi_label: bool | None) -> np.ndarray:
    """(V,) int64, or (V, C) bool with many labels; multi_label: None where the file does not say."""
    rows = [label if isinstance(label, list) else [label] for label in given]
    for v, row in enumerate(rows):
        wrong = [k for k in row if type(k) is not int or not 0 <= k < classes]
        if wrong:
            raise ValueError(f"gt_label of video {v} of the list: {wrong[0]!r} is not a class of 0 to {classes - 1}")
    if multi_label is None:
        multi_label = any(len(row) != 1 for row in rows)
    if not multi_label:
        several = next((v for v, row in enumerate(rows) if len(row) != 1), None)
        if several is not None:
            raise ValueError(f"gt_label of video {several} of the list has {len(rows[several])} classes, expected 1")
        return np.array([row[0] for row in rows], dtype=np.int64)
    hot = np.zeros((len(rows), classes), dtype=bool)
    for v, row in enumerate(rows):
        hot[v, row] = True
    return hot
