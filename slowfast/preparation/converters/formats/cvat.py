"""CVAT, "CVAT for video 1.1" (XML): tracks of boxes with key frames, and attributes that change from frame to frame.

<track id label><box frame outside occluded keyframe xtl ytl xbr ybr><attribute name>value</attribute></box></track>
Frames count from 0 in the order of decoding, whatever the video's times are. A project's file holds several tasks, and its
tracks say which (task_id). Built from CVAT's documentation and from what its exporter writes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from slowfast.preparation.converters.annotations import (
    Annotations,
    Box,
    KeyBox,
    Label,
    Timing,
    VideoTimes,
    annotations_of,
    around,
    filled,
    from_pixels,
    to_pixels,
)
from slowfast.preparation.converters.attributes import ACTION, ACTOR, ATTRIBUTES, AUTO, LABEL, Told, homes
from slowfast.utils.files import write_text
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import read_text
from slowfast.video.source import ClipReadError

_STEP = re.compile(r"step=(\d+)")  # in <frame_filter>
_NOTHING = {"", "false", "none", "__undefined__", "undefined", "no"}


@names_its_file()
def read_cvat(path: Path, videos: VideoTimes, *, actions_from: str = AUTO) -> Annotations:
    """actions_from: "attributes" (a checkbox that is true gives its name, any other attribute its value, several between
    commas), "label" (the label of a track), names of attributes between commas, "auto": attributes where there are any.

    Boxes between the listed ones stand on straight lines through time; a turned one becomes the upright one around it.
    Tracks of other shapes are left out, and a note says how many. Raises ValueError where the file is no such XML, and
    IndexError, named, for frames that the video does not have.
    """
    root = _parse(path)
    films = _Films(root, path, videos)
    told = Told(actions_from, LABEL if root.find(".//box/attribute") is None else ATTRIBUTES)
    for declared in root.iterfind("./meta//label/attributes/attribute/name"):
        told.exists(declared.text or "")
    labels: list[Label] = []
    others = 0
    for track in root.iter("track"):
        film = films.of(track)
        others += track.find("box") is None
        keys = []
        for box in track.iter("box"):
            gone, frame = box.get("outside") == "1", int(box.get("frame", "-1"))
            if gone and 0 <= frame - len(film.timing.times) < film.step:
                continue  # the end of a box on the last frame, which some versions write on the one after it
            does = told.label([track.get("label", "")])
            does += [action for name, values in _attributes(box) for action in told.actions(name, values)]
            try:
                second = film.timing.second_of(frame)
            except IndexError as error:
                raise ValueError(f"{path}: track {track.get('id')}: {error}") from None
            keys.append(KeyBox(second, from_pixels(_corners(box), film.size), not gone, tuple(does)))
        labels += filled(film.name, track.get("id", ""), keys, film.timing)
    note = f"{path}: {others} tracks that are no boxes (polygons, points, masks, skeletons, ...)"
    found = annotations_of(labels)
    remarks = (*found.remarks, *(f"{path}: {remark}" for remark in films.remarks))
    return replace(found, notes=(note,) if others else (), remarks=remarks, attributes=told.attributes)


@dataclass(frozen=True)
class _Film:
    """size: (height, width) that boxes are in pixels of; step: every how many frames were shown to be annotated."""

    name: str
    timing: Timing
    size: tuple[int, int]
    step: int


class _Films:
    """The videos of a file: the one of a task, or those of a project, whose tracks name their task."""

    def __init__(self, root: ElementTree.Element, path: Path, videos: VideoTimes) -> None:
        self._root, self._path, self._videos = root, path, videos
        tasks = root.findall("./meta//tasks/task")
        self._tasks = {task.findtext("id", ""): task for task in tasks}
        self._known: dict[str, _Film] = {}
        self.remarks: list[str] = []

    def of(self, track: ElementTree.Element) -> _Film:
        """Raises ValueError where a project's track names no task."""
        number = track.get("task_id", "") if self._tasks else ""
        if number not in self._known:
            self._known[number] = self._film(number)
        return self._known[number]

    def _film(self, number: str) -> _Film:
        if self._tasks and number not in self._tasks:
            raise ValueError(
                f"{self._path}: a track of task {number!r}, and the project has tasks {', '.join(self._tasks)}"
            )
        task = self._tasks.get(number)
        told = _source(self._root, self._path)
        if task is not None:
            told = task.findtext("source") or task.findtext("name") or number
        name = self._videos.name(told)
        try:
            timing = self._videos.of(name)
        except ClipReadError as error:
            raise ValueError(f"{self._path}: it calls its video {told!r}: {error}; or rename the file to it") from None
        place = self._root.find("meta") if task is None else task
        size = None if place is None else _original_size(place)
        step = _STEP.search("" if place is None else place.findtext(".//frame_filter") or "")
        if shape := timing.of_another_shape(size or timing.size):
            self.remarks.append(f"video {name!r} is {shape}")
        return _Film(name, timing, size or timing.size, int(step[1]) if step else 1)


def _corners(box: ElementTree.Element) -> Box:
    """xyxy in pixels; of a box that is turned about its centre the upright one around it."""
    x1, y1, x2, y2 = (float(box.get(side, "nan")) for side in ("xtl", "ytl", "xbr", "ybr"))
    return around((x1, y1, x2, y2), float(box.get("rotation") or 0), pivot=((x1 + x2) / 2, (y1 + y2) / 2))


def _parse(path: Path) -> ElementTree.Element:
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError(f"{path}: a file of CVAT declares no document type, and one with entities is not read")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: not an XML file: {error}") from None
    if root.tag != "annotations":
        raise ValueError(f"{path}: expected <annotations> of CVAT for video 1.1, found <{root.tag}>")
    if root.find("image") is not None and root.find("track") is None:
        raise ValueError(f"{path}: this is CVAT for images; export as CVAT for video 1.1, whose tracks have times")
    return root


def _source(root: ElementTree.Element, path: Path) -> str:
    """The name of the video: of the task's source, else of the task, else of the file."""
    for place in (".//meta/source", ".//meta/task/source", ".//meta/task/name", ".//meta/job/source"):
        found = root.findtext(place)
        if found:
            return found
    return path.stem


def _original_size(place: ElementTree.Element) -> tuple[int, int] | None:
    width, height = (place.findtext(f".//original_size/{side}") for side in ("width", "height"))
    return (int(height), int(width)) if width and height else None


def _attributes(box: ElementTree.Element) -> Iterable[tuple[str, list[str]]]:
    """(name, what it says) of the attributes of a box; a checkbox that is true says its name."""
    for attribute in box.iter("attribute"):
        name, value = attribute.get("name", ""), (attribute.text or "").strip()
        if value.lower() == "true":
            yield name, [name]
        elif value.lower() in _NOTHING:
            yield name, []
        else:
            yield name, [word.strip() for word in value.split(",")]


def write_cvat(annotations: Annotations, path: Path, videos: VideoTimes, *, actions_from: str = AUTO) -> None:
    """One file of one video, each label a key frame. Actors without a track get one of their own.

    actions_from: as `read_cvat` reads it. By default actions are the values of the attribute "action" of tracks called
    "actor"; with names see `homes`; with "label" they are labels of tracks, a track per actor and action.
    Raises ValueError for annotations of several videos, and as `homes`.
    """
    if len(annotations.videos) != 1:
        raise ValueError(
            f"CVAT has a file per video, and these are of {len(annotations.videos)}: write one after the other"
        )
    (video,) = annotations.videos
    timing = videos.of(video)
    height, width = timing.size
    home = homes(annotations.classes, annotations.attributes, actions_from)
    tracks: dict[tuple[str, str], list[Label]] = {}
    for number, label in enumerate(annotations.labels):
        for name in [a for a in label.actions if home[a] == LABEL] or [ACTOR]:
            tracks.setdefault((label.track or f"alone {number}", name), []).append(label)
    attributes = list(dict.fromkeys(name for name in home.values() if name != LABEL))
    attributes = attributes or ([] if LABEL in home.values() else [ACTION])  # or an idle actor's label were its action
    names = "".join(
        f"<label><name>{escape(name)}</name><type>rectangle</type></label>"
        for name in dict.fromkeys(name for _, name in tracks)
    )
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    lines += [
        f"  <meta><task><name>{escape(video)}</name><size>{len(timing.times)}</size><mode>interpolation</mode>"
        f"<labels>{names}</labels>"
        f"<original_size><width>{width}</width><height>{height}</height></original_size></task></meta>"
    ]
    for number, ((_, name), labels) in enumerate(tracks.items()):
        lines.append(f'  <track id="{number}" label={quoteattr(name)} source="file">')
        lines += _boxes(labels, timing, attributes, home)
        lines.append("  </track>")
    write_text("\n".join([*lines, "</annotations>", ""]), path)


def _boxes(labels: list[Label], timing: Timing, attributes: list[str], home: dict[str, str]) -> list[str]:
    """A key frame each, and where the next label is on a later frame than the next, an end ("outside") after it."""
    lines = []
    for place, label in enumerate(labels):
        frame = timing.frame_at(label.time)
        said = "".join(
            f"<attribute name={quoteattr(name)}>{escape(_value(label, name, home))}</attribute>" for name in attributes
        )
        lines.append(_box(label, frame, timing.size, said, outside=False))
        following = timing.frame_at(labels[place + 1].time) if place + 1 < len(labels) else len(timing.times)
        if following > frame + 1:
            lines.append(_box(label, frame + 1, timing.size, said, outside=True))
    return lines


def _value(label: Label, attribute: str, home: dict[str, str]) -> str:
    """Of a box: "true" or "false" for a checkbox, else the actions."""
    if [c for c, name in home.items() if name == attribute] == [attribute]:
        return str(any(home[a] == attribute for a in label.actions)).lower()
    return ",".join(a for a in label.actions if home[a] == attribute)


def _box(label: Label, frame: int, size: tuple[int, int], said: str, *, outside: bool) -> str:
    x1, y1, x2, y2 = to_pixels(label.box, size)
    return (
        f'    <box frame="{frame}" keyframe="1" outside="{int(outside)}" occluded="0" xtl="{x1:.4f}" ytl="{y1:.4f}" '
        f'xbr="{x2:.4f}" ybr="{y2:.4f}" z_order="0">{said}</box>'
    )
