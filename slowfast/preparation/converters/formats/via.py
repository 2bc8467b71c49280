"""VGG Image Annotator 3, video projects (JSON): rectangles in pixels at moments in seconds, attributes by number.

"metadata": {KEY: {"vid": view, "z": [second], "xy": [2, x, y, width, height], "av": {attribute: option}}}
Moments are the video's own seconds already. Built from VIA's documentation, and from projects that its users published.
"""

import json
from dataclasses import replace
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

_RECTANGLE, _EXTREME_RECTANGLE = 2, 8  # shapes in "xy": corner and size; four points on the sides
_NOT_SAID = "_DEFAULT"  # the value of an attribute that nobody touched
_ACTION, _TRACK = "1", "2"  # attributes of files that are written here


@names_its_file()
def read_via(path: Path, videos: VideoTimes, *, track_attribute: str = "track") -> Annotations:
    """Every attribute tells actions, but the one called `track_attribute`, which names the actor.

    An option's number becomes its text; of several between commas each is an action. Other shapes, and boxes that are not
    of one moment, are left out, and a note says how many. Raises ValueError naming the file.
    """
    project = read_json(path)
    labels: list[Label] = []
    others = 0
    try:
        attributes = project["attribute"]
        for entry in project["metadata"].values():
            shape = entry.get("xy") or []
            corners = _corners(shape)
            if corners is None or len(entry["z"]) != 1:
                others += bool(shape)  # without a shape it is a temporal segment
                continue
            name = videos.name(_video(project, entry["vid"]))
            timing = videos.of(name)
            second = timing.second_of(timing.frame_at(float(entry["z"][0])))
            actions, track = [], ""
            for number, value in entry.get("av", {}).items():
                told = _told(attributes[number], value)
                if attributes[number]["aname"].lower() == track_attribute:
                    track = ",".join(told)
                else:
                    actions += told
            labels.append(Label(name, second, from_pixels(corners, timing.size), tuple(actions), track))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path}: not a video project of VIA 3: {type(error).__name__} {error}") from None
    note = f"{path}: {others} shapes that are no rectangle at one moment"
    return replace(annotations_of(labels), notes=(note,) if others else ())


def _corners(shape: list[float]) -> Box | None:
    """xyxy in pixels of a rectangle; None for any other shape."""
    if len(shape) == 5 and shape[0] == _RECTANGLE:
        x, y, width, height = map(float, shape[1:])
        return (x, y, x + width, y + height)
    if len(shape) == 9 and shape[0] == _EXTREME_RECTANGLE:
        points = list(map(float, shape[1:]))
        return (min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2]))
    return None


def _video(project: dict[str, Any], view: str) -> str:
    """The name of the first file of a view."""
    file = project["file"][str(project["view"][str(view)]["fid_list"][0])]
    return str(file.get("fname") or file["src"])


def _told(attribute: dict[str, Any], value: str) -> list[str]:
    options = attribute.get("options") or {}
    words = [word.strip() for word in str(value).split(",") if word.strip()]
    return [str(options.get(word, word)) for word in words if word != _NOT_SAID]


def write_via(annotations: Annotations, path: Path, videos: VideoTimes) -> None:
    """A project with a view per video. Actions are options of one checkbox, tracks a text."""
    number = {name: str(i) for i, name in enumerate(annotations.classes)}
    views = {video: str(i) for i, video in enumerate(annotations.videos, start=1)}
    metadata = {}
    for i, label in enumerate(annotations.labels):
        x1, y1, x2, y2 = to_pixels(label.box, videos.of(label.video).size)
        metadata[f"{views[label.video]}_{i:06d}"] = {
            **{"vid": views[label.video], "flg": 0, "z": [round(label.time, 6)]},
            "xy": [_RECTANGLE, *(round(value, 4) for value in (x1, y1, x2 - x1, y2 - y1))],
            "av": {_ACTION: ",".join(number[action] for action in label.actions), _TRACK: label.track},
        }
    text = {"anchor_id": "FILE1_Z1_XY1", "desc": "", "default_option_id": ""}
    project = {
        "project": {
            "pid": "__VIA_PROJECT_ID__",
            "rev": "__VIA_PROJECT_REV_ID__",
            "pname": path.stem,
            "vid_list": [*views.values()],
        },
        "config": {"file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}}, "ui": {}},
        "attribute": {
            _ACTION: {"aname": "action", "type": 2, "options": {i: name for name, i in number.items()}, **text},
            _TRACK: {"aname": "track", "type": 1, "options": {}, **text},
        },
        "file": {i: {"fid": i, "fname": f"{v}.mp4", "type": 4, "loc": 1, "src": f"{v}.mp4"} for v, i in views.items()},
        "metadata": metadata,
        "view": {i: {"fid_list": [i]} for i in views.values()},
    }
    write_text(json.dumps(project, indent=1) + "\n", path)
