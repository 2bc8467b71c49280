"""COCO-style JSON of videos: images with a video and a frame, boxes x, y, width, height in pixels, categories, tracks.

images: {"id", "video_id", "frame_id" (or "frame_index") from 0, maybe "time" in seconds}; annotations: {"image_id", "bbox", "category_id",
"track_id" (or "instance_id")}. Also YouTube-VIS's form, annotations with "video_id" and "bboxes", a box or null per frame.
There is no one document of the format; built from the fields that published data sets and tools use.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slowfast.preparation.converters.annotations import (
    Annotations,
    Label,
    VideoTimes,
    annotations_of,
    from_pixels,
    to_pixels,
)
from slowfast.utils.files import write_text
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import read_json


@names_its_file()
def read_coco(path: Path, videos: VideoTimes) -> Annotations:
    """A "time" of an image is its moment; without one "frame_id" counts the frames of the file from 0.

    Annotations of one image with the same box are one actor with several actions. Raises ValueError naming the file.
    """
    content = read_json(path)
    try:
        classes = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
        names = {
            entry["id"]: videos.name(str(entry.get("name") or entry.get("file_name") or _folder(entry)))
            for entry in content["videos"]
        }
        actors: dict[tuple, list[tuple[str, float | None]]] = {}
        empty = []
        for image in content.get("images", []):
            empty.append((names[image["video_id"]], _second(image, names, videos)))
        for video, second, box, track, entry in _boxes(content, names, videos):
            found = actors.setdefault((video, second, from_pixels(box, videos.of(video).size), track), [])
            found.append((classes[entry["category_id"]], entry.get("score")))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path}: not a COCO-style file of videos: {type(error).__name__} {error}") from None
    labels = [
        Label(
            video,
            second,
            box,
            tuple(sorted({a for a, _ in does if a != _NOTHING})),
            track,
            max((s for _, s in does if s is not None), default=None),
        )
        for (video, second, box, track), does in actors.items()
    ]
    return annotations_of(labels, [name for name in classes.values() if name != _NOTHING], empty)


_NOTHING = "(no action)"  # the category of an actor that does nothing, which COCO cannot write otherwise


def _folder(video: dict[str, Any]) -> str:
    """YouTube-VIS names no video, but its images: their folder."""
    return str(video["file_names"][0]).rsplit("/", 1)[0]


def _second(image: dict[str, Any], names: dict[Any, str], videos: VideoTimes) -> float:
    timing = videos.of(names[image["video_id"]])
    if "time" in image:
        return timing.second_of(timing.frame_at(float(image["time"])))
    return timing.second_of(int(image["frame_id"] if "frame_id" in image else image["frame_index"]))


def _boxes(content: dict[str, Any], names: dict[Any, str], videos: VideoTimes) -> Iterator[tuple]:
    """(video, second, xyxy in pixels, track, annotation)."""
    images = {image["id"]: image for image in content.get("images", [])}
    for entry in content["annotations"]:
        track = str(entry.get("track_id", entry.get("instance_id", "")))
        if "bboxes" in entry:
            video = names[entry["video_id"]]
            for frame, box in enumerate(entry["bboxes"]):
                if box:
                    yield video, videos.of(video).second_of(frame), _corners(box), str(entry.get("id", "")), entry
            continue
        image = images[entry["image_id"]]
        yield names[image["video_id"]], _second(image, names, videos), _corners(entry["bbox"]), track, entry


def _corners(box: list[float]) -> tuple[float, float, float, float]:
    x, y, width, height = map(float, box)
    return (x, y, x + width, y + height)


def write_coco(annotations: Annotations, path: Path, videos: VideoTimes) -> None:
    """An annotation per actor, moment and action; images have frame_id, of the file, and time."""
    numbers = {video: i for i, video in enumerate(annotations.videos, start=1)}
    moments = sorted({(a.video, a.time) for a in annotations.labels} | set(annotations.empty))
    image_of = {key: i for i, key in enumerate(moments, start=1)}
    idle = any(not label.actions for label in annotations.labels)
    categories = {name: i for i, name in enumerate([*annotations.classes, *([_NOTHING] if idle else [])], start=1)}
    entries: list[dict[str, Any]] = []
    for label in annotations.labels:
        x1, y1, x2, y2 = to_pixels(label.box, videos.of(label.video).size)
        box = [round(value, 4) for value in (x1, y1, x2 - x1, y2 - y1)]
        for action in label.actions or (_NOTHING,):
            entry: dict[str, Any] = {
                **{"id": len(entries) + 1, "image_id": image_of[label.video, label.time], "bbox": box},
                **{"area": round(box[2] * box[3], 4), "category_id": categories[action], "iscrowd": 0},
            }
            entry |= {"track_id": label.track} if label.track else {}
            entry |= {"score": label.score} if label.score is not None else {}
            entries.append(entry)
    content = {
        "videos": [
            {"id": i, "name": video, "width": videos.of(video).size[1], "height": videos.of(video).size[0]}
            for video, i in numbers.items()
        ],
        "images": [
            {
                "id": i,
                "video_id": numbers[v],
                "frame_id": videos.of(v).frame_at(t),
                "time": t,
                "file_name": f"{v}/{videos.of(v).frame_at(t):06d}.jpg",
            }
            for (v, t), i in image_of.items()
        ],
        "annotations": entries,
        "categories": [{"id": i, "name": name} for name, i in categories.items()],
    }
    write_text(json.dumps(content) + "\n", path)
