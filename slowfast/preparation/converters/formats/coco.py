"""COCO-style JSON of videos: images with a video and a frame, boxes x, y, width, height in pixels, categories, tracks.

images: {"id", "video_id", one of "time" (seconds), "frame_index" (TAO) and "frame_id" from 0, maybe "width" and "height" that
boxes are in pixels of}; annotations: {"image_id", "bbox", "category_id", "track_id" or "instance_id"}. Also YouTube-VIS's form:
videos with "file_names", annotations with "video_id" and "bboxes", a box or null per name.
There is no one document of the format; built from the fields that published data sets and tools use: the samples among
MMTracking's and MMDetection's tests (CocoVID, ImageNet VID, MOT, TAO, YouTube-VIS).
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slowfast.preparation.converters.annotations import (
    Annotations,
    Box,
    Label,
    VideoTimes,
    annotations_of,
    from_pixels,
    to_pixels,
)
from slowfast.utils.files import write_text
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import read_json

_NOTHING = "(no action)"  # the category of an actor that does nothing, which COCO cannot write otherwise
FRAMES_FROM = ("auto", "frame_id", "file_name")
_LAST_NUMBER = re.compile(r"(\d+)\D*$")
_SHOWN = 4


@names_its_file()
def read_coco(path: Path, videos: VideoTimes, *, frames_from: str = "auto", first_frame: int = 0) -> Annotations:
    """A "time" of an image is its moment, else the frame of its "frame_index", else of its "frame_id".

    frames_from: of images without a time: "frame_id" (in YouTube-VIS's form the place in the list); "file_name", the last
                 number in the name of the image; "auto": frame_index, else frame_id where names count in the same steps
    first_frame: what the first frame of a video is called by frame_id, frame_index or file_name
    Annotations of one image with the same box are one actor with several actions. Regions of crowds ("iscrowd") and those
    marked "ignore" are left out, and a note says how many.
    Raises ValueError naming the file: a reference to what is not there, frames beyond the end of a video, and, by "auto",
    names of images that count in other steps than frame_id, as lists of every fifth frame do.
    """
    content = read_json(path)
    there = list(content) if isinstance(content, dict) else []
    lacking = [name for name in ("videos", "annotations", "categories") if name not in there]
    if lacking:
        raise ValueError(
            f"{path}: not a COCO-style file of videos: it has no {' and no '.join(lacking)}; COCO of pictures has no moments, and "
            "BURST no boxes"
        )
    try:
        file = _File(content, videos, frames_from, first_frame)
        actors: dict[tuple, list[tuple[str, float | None]]] = {}
        for video, second, box, track, entry in file.boxes():
            does = file.category(entry), entry.get("score")
            actors.setdefault((video, second, box, track), []).append(does)
        empty = file.empty()
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
    notes = (f"{path}: {file.crowds} regions of crowds, or to be ignored",) if file.crowds else ()
    found = annotations_of(labels, [name for name in file.classes.values() if name != _NOTHING], empty)
    return replace(
        found, notes=notes, remarks=(*found.remarks, *(f"{path}: {remark}" for remark in dict.fromkeys(file.remarks)))
    )


@dataclass(frozen=True)
class _Image:
    """One image of a video: second in it, and the (height, width) that boxes are in pixels of."""

    video: str
    second: float
    size: tuple[int, int]


class _File:
    """The parts of a file by their ids, and the moments of images."""

    def __init__(self, content: dict[str, Any], videos: VideoTimes, frames_from: str, first_frame: int) -> None:
        self._content, self._videos = content, videos
        self._frames_from, self._first = frames_from, first_frame
        for kind in ("videos", "images", "categories"):
            twice = [i for i, count in Counter(entry["id"] for entry in content.get(kind, [])).items() if count > 1]
            if twice:
                raise ValueError(f"two of the {kind} have the id {twice[0]!r}, so annotations of it are of either")
        self.classes = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
        self.remarks: list[str] = []
        self.crowds = 0
        self._names = {entry["id"]: videos.name(_name(entry)) for entry in content["videos"]}
        self._images = self._moments(content.get("images", []))
        self._listed = self._lists()
        self._seen: set[tuple[str, float]] = set()  # moments that show somebody, or something that is left out

    def category(self, entry: dict[str, Any]) -> str:
        """The name of an annotation's class. Raises ValueError for one that is not listed."""
        return str(_of(self.classes, entry, "category_id", "categories", "annotation"))

    def boxes(self) -> Iterator[tuple[str, float, Box, str, dict[str, Any]]]:
        """(video, second, xyxy in fractions, track, annotation)."""
        for entry in self._content["annotations"]:
            if "bboxes" in entry:
                images = _of(self._listed, entry, "video_id", "videos", "annotation")
                if len(images) != len(entry["bboxes"]):
                    raise ValueError(
                        f"annotation {entry.get('id')} has {len(entry['bboxes'])} bboxes, and its video {len(images)} file_names"
                    )
                shown = [(image, box) for image, box in zip(images, entry["bboxes"], strict=True) if box]
                track = str(entry.get("id", ""))
            else:
                shown = [(_of(self._images, entry, "image_id", "images", "annotation"), entry["bbox"])]
                track = str(entry.get("track_id", entry.get("instance_id", "")))
            self._seen |= {(image.video, image.second) for image, _ in shown}
            if entry.get("iscrowd") or entry.get("ignore"):
                self.crowds += len(shown)
                continue
            for image, box in shown:
                yield image.video, image.second, from_pixels(_corners(box), image.size), track, entry

    def empty(self) -> list[tuple[str, float]]:
        """Moments that are listed and show nobody. To be asked after `boxes`."""
        listed = [*self._images.values(), *(image for images in self._listed.values() for image in images)]
        return [key for key in dict.fromkeys((i.video, i.second) for i in listed) if key not in self._seen]

    def _moments(self, images: Sequence[dict[str, Any]]) -> dict[Any, _Image]:
        """{id of an image: which moment it is}."""
        of_video: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for image in images:
            of_video[_of(self._names, image, "video_id", "videos", "image")].append(image)
        sizes = {self._names[entry["id"]]: entry for entry in self._content["videos"]}
        found = {}
        for video, mine in of_video.items():
            timing = self._videos.of(video)
            timed = [image for image in mine if "time" in image]
            numbers = self._numbers(video, [image for image in mine if "time" not in image], self._first)
            for image in timed:
                numbers[image["id"]] = timing.frame_at(timing.moment(float(image["time"])))
            for image in mine:
                found[image["id"]] = self._image(video, numbers[image["id"]], image, sizes[video])
        return found

    def _lists(self) -> dict[Any, list[_Image]]:
        """{id of a video: the images of its file_names}, YouTube-VIS's form."""
        found = {}
        for entry in self._content["videos"]:
            video, names = self._names[entry["id"]], entry.get("file_names") or []
            images = [{"id": place, "frame_id": place, "file_name": name} for place, name in enumerate(names)]
            numbers = self._numbers(video, images, self._first if self._frames_from == "file_name" else 0)
            found[entry["id"]] = [self._image(video, numbers[image["id"]], image, entry) for image in images]
        return found

    def _numbers(self, video: str, images: Sequence[dict[str, Any]], first: int) -> dict[Any, int]:
        """{id of an image: the number, from 0, of its frame in the video}. first: what the first frame is called."""
        kinds = {kind: [_number(image, kind) for image in images] for kind in ("frame_index", "frame_id", "file_name")}
        whole = [kind for kind, numbers in kinds.items() if None not in numbers]
        kind = self._frames_from if self._frames_from != "auto" else (whole or [""])[0]
        if not images:
            return {}
        if kind not in whole or (self._frames_from == "auto" and kind == "file_name"):
            lacking = "time, frame_index and frame_id" if self._frames_from == "auto" else f"a number as {kind}"
            advice = "file_name takes the number in the name of an image" if kind != "file_name" else "chooses another"
            raise ValueError(
                f"video {video!r}: images without {lacking}, such as {_shown(images)}; --frames-from {advice}"
            )
        numbers = [int(number) for number in kinds[kind] if number is not None]
        if self._frames_from == "auto" and kind == "frame_id" and "file_name" in whole:
            steps = {int(name or 0) - number for name, number in zip(kinds["file_name"], numbers, strict=True)}
            if len(steps) > 1:
                names = [str(image["file_name"]) for image in images]
                raise ValueError(
                    f"video {video!r}: frame_id counts {_some(numbers)}, and the names of the images {_some(names)}; say which "
                    "is the number of the frame in the video: --frames-from frame_id where the video was made of these "
                    "images, --frames-from file_name where they were taken from it"
                )
        if first == 0 and min(numbers) == 1:
            self.remarks.append(
                f"video {video!r}: the smallest {kind} is 1, and frames were counted from 0; where the file counts from 1, "
                "say --first-frame 1"
            )
        return {image["id"]: number - first for image, number in zip(images, numbers, strict=True)}

    def _image(self, video: str, number: int, image: dict[str, Any], entry: dict[str, Any]) -> _Image:
        timing = self._videos.of(video)
        try:
            second = timing.second_of(number)
        except IndexError as error:
            raise ValueError(
                f"video {video!r}, image {image.get('file_name', image['id'])}: {error}; is it this video, and not one of "
                "another rate, or does the file count from another number (--first-frame)?"
            ) from None
        told = image if image.get("width") else entry
        size = (int(told["height"]), int(told["width"])) if told.get("width") and told.get("height") else timing.size
        if shape := timing.of_another_shape(size):
            self.remarks.append(f"video {video!r} is {shape}")
        return _Image(video, second, size)


def _of(table: dict[Any, Any], entry: dict[str, Any], key: str, where: str, what: str) -> Any:
    """What an entry refers to. Raises ValueError for what is not there."""
    if key not in entry:
        raise ValueError(f"{what} {entry.get('id')} has no {key}")
    if entry[key] not in table:
        some = _some([*table])
        raise ValueError(f"{what} {entry.get('id')} has {key} {entry[key]!r}, which is not among the {where} ({some})")
    return table[entry[key]]


def _name(video: dict[str, Any]) -> str:
    """YouTube-VIS names no video, but its images: their folder."""
    told = video.get("name") or video.get("file_name")
    return str(told or str(video["file_names"][0]).rsplit("/", 1)[0])


def _number(image: dict[str, Any], kind: str) -> int | None:
    if kind != "file_name":
        return int(image[kind]) if kind in image else None
    found = _LAST_NUMBER.search(str(image.get("file_name", "")).rsplit(".", 1)[0])
    return int(found[1]) if found else None


def _some(values: Sequence[Any]) -> str:
    return ", ".join(str(value) for value in values[:_SHOWN]) + (", ..." if len(values) > _SHOWN else "")


def _shown(images: Sequence[dict[str, Any]]) -> str:
    return _some([image.get("file_name", image.get("id")) for image in images])


def _corners(box: Sequence[float]) -> Box:
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
