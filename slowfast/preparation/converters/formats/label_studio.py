"""Label Studio, video rectangles (JSON): boxes in percent, on frames that the tool counts from 1 at a steady rate.

The tool shows the picture at second (frame - 1) / rate, rate = framesCount / duration, so that second is what was
annotated, whatever number the frame has in the file. A key frame with "enabled": false ends what is seen.
Built from Label Studio's documentation of the format.
"""

import json
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

from slowfast.preparation.converters.annotations import (
    Annotations,
    Box,
    KeyBox,
    Label,
    Timing,
    VideoTimes,
    annotations_of,
    filled,
)
from slowfast.utils.files import write_text
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import read_json


@names_its_file()
def read_label_studio(path: Path, videos: VideoTimes) -> Annotations:
    """All tasks of an export, each the newest annotation that was not cancelled. Raises ValueError that names the file."""
    tasks = read_json(path)
    labels: list[Label] = []
    try:
        for task in tasks if isinstance(tasks, list) else [tasks]:
            name = videos.name(_video(task))
            timing = videos.of(name)
            done = [entry for entry in task.get("annotations", []) if not entry.get("was_cancelled")]
            for region in done[-1]["result"] if done else []:
                if region.get("type") == "videorectangle":
                    labels += _region(region, name, timing)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path}: not an export of video rectangles: {type(error).__name__} {error}") from None
    return annotations_of(labels)


def _video(task: dict[str, Any]) -> str:
    """The video of a task, which may be under any key of its data."""
    data = task["data"]
    return str(data.get("video") or data.get("video_url") or next(iter(data.values())))


def _region(region: dict[str, Any], name: str, timing: Timing) -> list[Label]:
    value = region["value"]
    rate = timing.rate
    if value.get("framesCount") and value.get("duration"):
        rate = float(value["framesCount"]) / float(value["duration"])
    actions = tuple(value.get("labels", ()))
    keys = []
    for entry in value["sequence"]:
        shown = timing.second_of(timing.frame_at((float(entry["frame"]) - 1) / rate))
        x, y, width, height = (float(entry[side]) / 100 for side in ("x", "y", "width", "height"))
        keys.append(KeyBox(shown, (x, y, x + width, y + height), True, actions))
        if not entry.get("enabled", True):  # it is still shown on this frame
            end = min(timing.frame_at(shown) + 1, len(timing.times) - 1)
            keys.append(KeyBox(timing.second_of(end), keys[-1].box, False, actions))
    return filled(name, str(region.get("id", "")), keys, timing)


def write_label_studio(annotations: Annotations, path: Path, videos: VideoTimes) -> None:
    """A task per video, with predictions where labels have scores, else annotations; a region per track and set of
    actions. Frames are counted at `Timing.steady_rate`: show the video with that frameRate, which is framesCount /
    duration, in the tool, or a frame of a video of uneven times may not be met."""
    scored = any(label.score is not None for label in annotations.labels)
    tasks = []
    for video in annotations.videos:
        timing = videos.of(video)
        result = _regions([label for label in annotations.labels if label.video == video], timing)
        kind = "predictions" if scored else "annotations"
        tasks.append({"data": {"video": f"{video}.mp4"}, kind: [{"result": result}]})
    write_text(json.dumps(tasks, indent=1) + "\n", path)


def _regions(labels: Sequence[Label], timing: Timing) -> list[dict[str, Any]]:
    groups: dict[tuple, list[Label]] = {}
    for number, label in enumerate(labels):
        groups.setdefault((label.track or f"alone {number}", label.actions), []).append(label)
    regions = []
    duration = len(timing.times) / timing.rate
    count = round(duration * timing.steady_rate)
    duration = count / timing.steady_rate
    for (track, actions), mine in groups.items():
        sequence = []
        for place, label in enumerate(mine):
            # Whether there is a next frame of the same actor: else this one is the last on which it is seen.
            following = mine[place + 1].time if place + 1 < len(mine) else float("inf")
            near = timing.frame_at(following) <= timing.frame_at(label.time) + 1 if following < float("inf") else False
            sequence.append(_entry(label, timing, enabled=near))
        value = {"framesCount": count, "duration": duration, "sequence": sequence, "labels": list(actions)}
        regions.append(
            {
                **{"id": f"{track}", "type": "videorectangle", "from_name": "box", "to_name": "video", "value": value},
                **({"score": mine[0].score} if mine[0].score is not None else {}),
            }
        )
    return regions


def _entry(label: Label, timing: Timing, *, enabled: bool) -> dict[str, Any]:
    box: Box = label.box
    # The first frame that the tool shows once the frame of the label is on screen.
    start = timing.second_of(timing.frame_at(label.time))
    frame = ceil(start * timing.steady_rate - 1e-3) + 1
    return {
        **{"frame": frame, "enabled": enabled, "rotation": 0, "time": label.time},
        **{"x": box[0] * 100, "y": box[1] * 100, "width": (box[2] - box[0]) * 100, "height": (box[3] - box[1]) * 100},
    }
