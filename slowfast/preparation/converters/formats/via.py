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
from slowfast.preparation.converters.attributes import ACTION, AUTO, Told, homes
from slowfast.utils.files import write_text
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import read_json

_RECTANGLE, _EXTREME_RECTANGLE = 2, 8  # shapes in "xy": corner and size; four points on the sides
_NOT_SAID = "_DEFAULT"  # the value of an attribute that nobody touched
_PICTURE = 2  # "type" of a file


@names_its_file()
def read_via(
    path: Path, videos: VideoTimes, *, track_attribute: str = "track", actions_from: str = AUTO
) -> Annotations:
    """actions_from: names of the attributes that tell actions; "auto" and "attributes" stand for all of them. The one
    called `track_attribute` names the actor, unless it is chosen.

    An option's number becomes its text; of several between commas each is an action. Other shapes, boxes that are not
    of one moment, and segments of time without a box are left out, and notes say how many. Raises ValueError naming the file.
    """
    if path.suffix.lower() == ".csv":
        raise ValueError(f"{path}: a CSV export is not read; save the project of VIA, which is JSON")
    project = read_json(path)
    labels: list[Label] = []
    shapes = segments = 0
    if isinstance(project, dict) and ("_via_img_metadata" in project or "_via_settings" in project):
        raise ValueError(f"{path}: a project of VIA 2, which knows pictures only; label the videos with VIA 3")
    told = Told(actions_from)
    try:
        attributes = project["attribute"]
        for one in attributes.values():
            if one["aname"].lower() != track_attribute:
                told.exists(one["aname"])
        for entry in project["metadata"].values():
            shape = entry.get("xy") or []
            corners = _corners(shape)
            if corners is None or len(entry["z"]) != 1:
                shapes += bool(shape)
                segments += not shape and len(entry["z"]) == 2
                continue
            name = videos.name(_video(project, entry["vid"]))
            timing = videos.of(name)
            second = timing.moment(float(entry["z"][0]))
            actions, track = [], ""
            for number, value in entry.get("av", {}).items():
                called, words = attributes[number]["aname"], _told(attributes[number], value)
                if called.lower() == track_attribute and not told.names(called):
                    track = ",".join(words)
                else:
                    actions += told.actions(called, words)
            labels.append(Label(name, second, from_pixels(corners, timing.size), tuple(actions), track))
        pictures = sum(file.get("type") == _PICTURE for file in project["file"].values())
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path}: not a video project of VIA 3: {type(error).__name__} {error}") from None
    notes = [f"{path}: {shapes} shapes that are no rectangle at one moment"] if shapes else []
    notes += [f"{path}: {segments} segments of time, which have no box"] if segments else []
    notes += [f"{path}: {pictures} pictures, of which the project does not tell the moment"] if pictures else []
    return replace(annotations_of(labels), notes=tuple(notes), attributes=told.attributes)


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


def write_via(annotations: Annotations, path: Path, videos: VideoTimes, *, actions_from: str = AUTO) -> None:
    """A project with a view per video. Actions are options of checkboxes, one called "action" or those that were named
    (see `homes`, which raises ValueError); tracks are a text."""
    home = homes(annotations.classes, annotations.attributes, actions_from)
    names = list(dict.fromkeys(home.values())) or [ACTION]
    fields = {name: str(i) for i, name in enumerate(names, start=1)}
    options = {name: [c for c in annotations.classes if home[c] == name] for name in names}
    track = str(len(names) + 1)
    views = {video: str(i) for i, video in enumerate(annotations.videos, start=1)}
    metadata = {}
    for i, label in enumerate(annotations.labels):
        x1, y1, x2, y2 = to_pixels(label.box, videos.of(label.video).size)
        said = {
            fields[name]: ",".join(str(options[name].index(a)) for a in label.actions if home[a] == name)
            for name in names
        }
        metadata[f"{views[label.video]}_{i:06d}"] = {
            **{"vid": views[label.video], "flg": 0, "z": [round(label.time, 6)]},
            "xy": [_RECTANGLE, *(round(value, 4) for value in (x1, y1, x2 - x1, y2 - y1))],
            "av": {**said, track: label.track},
        }
    text = {"anchor_id": "FILE1_Z1_XY1", "desc": "", "default_option_id": ""}
    attributes: dict[str, dict[str, Any]] = {
        fields[name]: {
            **{"aname": name, "type": 2, "options": {str(i): c for i, c in enumerate(options[name])}},
            **text,
        }
        for name in names
    }
    project = {
        "project": {
            "pid": "__VIA_PROJECT_ID__",
            "rev": "__VIA_PROJECT_REV_ID__",
            "pname": path.stem,
            "vid_list": [*views.values()],
        },
        "config": {"file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}}, "ui": {}},
        "attribute": {**attributes, track: {"aname": "track", "type": 1, "options": {}, **text}},
        "file": {i: {"fid": i, "fname": f"{v}.mp4", "type": 4, "loc": 1, "src": f"{v}.mp4"} for v, i in views.items()},
        "metadata": metadata,
        "view": {i: {"fid_list": [i]} for i in views.values()},
    }
    write_text(json.dumps(project, indent=1) + "\n", path)
