"""CVAT, "CVAT for video 1.1" (XML): tracks of boxes with key frames, and attributes that change from frame to frame.

<track id label><box frame outside occluded keyframe xtl ytl xbr ybr><attribute name>value</attribute></box></track>
Frames count from 0 in the order of decoding, whatever the video's times are. Built from CVAT's documentation of the format.
"""

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from slowfast.preparation.converters.annotations import (
    Annotations,
    KeyBox,
    Label,
    Timing,
    VideoTimes,
    annotations_of,
    filled,
    from_pixels,
    to_pixels,
)
from slowfast.utils.files import write_text
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import read_text

_NOTHING = {"", "false", "none", "__undefined__", "undefined", "no"}


@names_its_file()
def read_cvat(path: Path, videos: VideoTimes, *, actions_from: str = "auto", video: str = "") -> Annotations:
    """actions_from: "attributes" (a checkbox that is true gives its name, any other attribute its value, several between
    commas), "label" (the label of a track), "auto": attributes where there are any. video: instead of the one in the file.

    Boxes between the listed ones stand on straight lines through time. Raises ValueError where the file is no such XML,
    and IndexError, named, for frames that the video does not have.
    """
    root = _parse(path)
    name = videos.name(video or _source(root, path))
    timing = videos.of(name)
    size = _original_size(root) or timing.size
    by_attribute = actions_from == "attributes" or (
        actions_from == "auto" and root.find(".//box/attribute") is not None
    )
    labels: list[Label] = []
    for track in root.iter("track"):
        keys = []
        for box in track.iter("box"):
            corners = [float(box.get(side, "nan")) for side in ("xtl", "ytl", "xbr", "ybr")]
            does = tuple(_attributes(box)) if by_attribute else (track.get("label", ""),)
            try:
                second = timing.second_of(int(box.get("frame", "-1")))
            except IndexError as error:
                raise ValueError(f"{path}: track {track.get('id')}: {error}") from None
            keys.append(KeyBox(second, from_pixels(corners, size), box.get("outside") != "1", does))
        labels += filled(name, track.get("id", ""), keys, timing)
    return annotations_of(labels)


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


def _original_size(root: ElementTree.Element) -> tuple[int, int] | None:
    width, height = (root.findtext(f".//meta//original_size/{side}") for side in ("width", "height"))
    return (int(height), int(width)) if width and height else None


def _attributes(box: ElementTree.Element) -> Iterable[str]:
    """The actions that the attributes of a box tell."""
    for attribute in box.iter("attribute"):
        value = (attribute.text or "").strip()
        if value.lower() == "true":
            yield attribute.get("name", "")
        elif value.lower() not in _NOTHING:
            yield from (word.strip() for word in value.split(",") if word.strip())


def write_cvat(annotations: Annotations, path: Path, videos: VideoTimes) -> None:
    """One file of one video, each label a key frame; actions are the attribute "action". Actors without a track get one of
    their own. Raises ValueError for annotations of several videos."""
    if len(annotations.videos) != 1:
        raise ValueError(
            f"CVAT has a file per video, and these are of {len(annotations.videos)}: write one after the other"
        )
    (video,) = annotations.videos
    timing = videos.of(video)
    height, width = timing.size
    tracks: dict[str, list[Label]] = {}
    for number, label in enumerate(annotations.labels):
        tracks.setdefault(label.track or f"alone {number}", []).append(label)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    lines += [
        f"  <meta><task><name>{escape(video)}</name><size>{len(timing.times)}</size><mode>interpolation</mode>"
        f"<labels><label><name>actor</name><type>rectangle</type></label></labels>"
        f"<original_size><width>{width}</width><height>{height}</height></original_size></task></meta>"
    ]
    for number, (_, labels) in enumerate(tracks.items()):
        lines.append(f'  <track id="{number}" label="actor" source="file">')
        lines += _boxes(labels, timing)
        lines.append("  </track>")
    write_text("\n".join([*lines, "</annotations>", ""]), path)


def _boxes(labels: list[Label], timing: Timing) -> list[str]:
    """A key frame each, and where the next label is on a later frame than the next, an end ("outside") after it."""
    lines = []
    for place, label in enumerate(labels):
        frame = timing.frame_at(label.time)
        lines.append(_box(label, frame, timing.size, outside=False))
        following = timing.frame_at(labels[place + 1].time) if place + 1 < len(labels) else len(timing.times)
        if following > frame + 1:
            lines.append(_box(label, frame + 1, timing.size, outside=True))
    return lines


def _box(label: Label, frame: int, size: tuple[int, int], *, outside: bool) -> str:
    x1, y1, x2, y2 = to_pixels(label.box, size)
    action = quoteattr("action")
    return (
        f'    <box frame="{frame}" keyframe="1" outside="{int(outside)}" occluded="0" xtl="{x1:.4f}" ytl="{y1:.4f}" '
        f'xbr="{x2:.4f}" ybr="{y2:.4f}" z_order="0"><attribute name={action}>{escape(",".join(label.actions))}</attribute></box>'
    )
