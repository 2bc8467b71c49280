"""Label Studio, video rectangles (JSON): boxes in percent, on frames that the tool counts from 1 at a steady rate.

The tool shows the picture at second (frame - 1) / rate, so that second is what was annotated, whatever number the frame
has in the file. The rate is that of the labelling interface (its frameRate, 24 unless said); "time" is frame / rate, and
"framesCount" is the duration times the rate, rounded up. A key frame with "enabled": false ends what is seen.
Built from Label Studio's documentation and from what its editor writes. Older editors showed the picture of the next
frame, at frame / rate; nothing in a file tells which one it was.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
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
    around,
    filled,
    from_pixels,
    to_pixels,
)
from slowfast.preparation.converters.attributes import ACTOR, ATTRIBUTES, AUTO, LABEL, Told, homes
from slowfast.utils.files import write_text
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import read_json

# After the track in ids of regions that are written: an id is of one region, as choices are about the region of their id.
_MORE = re.compile(r"~\d+$")


@names_its_file()
def read_label_studio(path: Path, videos: VideoTimes, *, actions_from: str = AUTO) -> Annotations:
    """All tasks of an export, each the newest annotation that was not cancelled.

    actions_from: "attributes" (choices that are made for a region), "label" (its labels), names of choices (the name of
    their tag, from_name), "auto": choices where a region of the file has any. Regions without either are actors who do
    nothing. Raises ValueError that names the file.
    """
    tasks = read_json(path)
    labels: list[Label] = []
    try:
        results = [(task, _newest(task)) for task in (tasks if isinstance(tasks, list) else [tasks])]
        chosen = [_choices(result) for _, result in results]
        told = Told(actions_from, ATTRIBUTES if any(chosen) else LABEL)
        idle = sum(not result for _, result in results)
        others = sum(r.get("type") not in ("videorectangle", "choices") for _, result in results for r in result)
        for (task, result), choices in zip(results, chosen, strict=True):
            name = videos.name(_video(task))
            for region in result:
                if region.get("type") == "videorectangle":
                    actions = told.label(map(str, region["value"].get("labels", ())))
                    for choice, values in choices.get(str(region.get("id")), ()):
                        actions += told.actions(choice, values)
                    labels += _region(region, name, videos.of(name), tuple(actions))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{path}: not an export of video rectangles: {type(error).__name__} {error}; export as JSON, not JSON-MIN"
        ) from None
    notes = [f"{path}: {idle} tasks without an annotation"] if idle else []
    notes += [f"{path}: {others} results that are no rectangles in a video"] if others else []
    return replace(annotations_of(labels), notes=tuple(notes), attributes=told.attributes)


def _newest(task: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of the last annotation that was not cancelled."""
    done = [entry for entry in task.get("annotations", []) if not entry.get("was_cancelled")]
    return done[-1]["result"] if done else []


def _choices(result: Sequence[dict[str, Any]]) -> dict[str, list[tuple[str, list[str]]]]:
    """{id of a region: (name of a choice, what was chosen)}: a choice about a region has the region's id."""
    regions = {str(entry.get("id")) for entry in result if entry.get("type") == "videorectangle"}
    made: dict[str, list[tuple[str, list[str]]]] = {}
    for entry in result:
        if entry.get("type") == "choices" and str(entry.get("id")) in regions:
            said = str(entry.get("from_name", "choices")), [str(choice) for choice in entry["value"]["choices"]]
            made.setdefault(str(entry["id"]), []).append(said)
    return made


def _video(task: dict[str, Any]) -> str:
    """The video of a task, which may be under any key of its data."""
    data = task["data"]
    return str(data.get("video") or data.get("video_url") or next(iter(data.values())))


def _region(region: dict[str, Any], name: str, timing: Timing, actions: tuple[str, ...]) -> list[Label]:
    value = region["value"]
    rate = _rate(value, timing)
    height, width = timing.size
    keys = []
    for entry in value["sequence"]:
        shown = timing.moment((float(entry["frame"]) - 1) / rate)
        x, y, w, h = (float(entry[side]) / 100 for side in ("x", "y", "width", "height"))
        pixels = to_pixels((x, y, x + w, y + h), timing.size)
        upright = around(pixels, float(entry.get("rotation") or 0), pivot=(x * width, y * height))
        box = (x, y, x + w, y + h) if upright == pixels else from_pixels(upright, timing.size)
        keys.append(KeyBox(shown, box, True, actions))
        if not entry.get("enabled", True):  # it is still shown on this frame
            end = min(timing.frame_at(shown) + 1, len(timing.times) - 1)
            keys.append(KeyBox(timing.second_of(end), keys[-1].box, False, actions))
    return filled(name, _MORE.sub("", str(region.get("id", ""))), keys, timing)


def _rate(value: dict[str, Any], timing: Timing) -> float:
    """Frames a second that the tool counted: what frames and times of a region agree on, else as counted."""
    duration = float(value.get("duration") or timing.times[-1] + 1 / timing.rate)
    count = float(value.get("framesCount") or 0)
    timed = [(float(entry["frame"]), float(entry["time"])) for entry in value["sequence"] if entry.get("time")]
    rates = [frame / time for frame, time in timed]
    agree = bool(rates) and max(rates) - min(rates) < 1e-3 * min(rates)
    if agree and (not count or abs(count - rates[0] * duration) <= 1.5):
        return rates[0]
    return count / duration if count else timing.rate


def write_label_studio(annotations: Annotations, path: Path, videos: VideoTimes, *, actions_from: str = AUTO) -> None:
    """A task per video, with predictions where labels have scores, else annotations; a region per track and set of
    actions.

    actions_from: by default actions are labels of regions; with names they are choices about them (see `homes`, which raises
                  ValueError), with "attributes" choices called "action"; the label of such a region is "actor"
    Frames are counted at `Timing.steady_rate`: show the video with that frameRate, which is framesCount / duration, in the
    tool, or a frame of a video of uneven times may not be met.
    """
    scored = any(label.score is not None for label in annotations.labels)
    home = homes(annotations.classes, annotations.attributes, LABEL if actions_from == AUTO else actions_from)
    tasks = []
    for video in annotations.videos:
        timing = videos.of(video)
        result = _regions([label for label in annotations.labels if label.video == video], timing, home)
        kind = "predictions" if scored else "annotations"
        tasks.append({"data": {"video": f"{video}.mp4"}, kind: [{"result": result}]})
    write_text(json.dumps(tasks, indent=1) + "\n", path)


def _regions(labels: Sequence[Label], timing: Timing, home: dict[str, str]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, tuple[str, ...]], list[Label]] = {}
    for number, label in enumerate(labels):
        groups.setdefault((label.track or f"alone {number}", label.actions), []).append(label)
    regions = []
    duration = len(timing.times) / timing.rate
    count = round(duration * timing.steady_rate)
    duration = count / timing.steady_rate
    times: Counter[str] = Counter()
    for (track, actions), mine in groups.items():
        times[track] += 1
        sequence = []
        for place, label in enumerate(mine):
            # Whether there is a next frame of the same actor: else this one is the last on which it is seen.
            following = mine[place + 1].time if place + 1 < len(mine) else float("inf")
            near = timing.frame_at(following) <= timing.frame_at(label.time) + 1 if following < float("inf") else False
            sequence.append(_entry(label, timing, enabled=near))
        kept = [action for action in actions if home[action] == LABEL]
        choices = list(dict.fromkeys(home[action] for action in actions if home[action] != LABEL))
        shown = kept if kept or not choices else [ACTOR]
        value = {"framesCount": count, "duration": duration, "sequence": sequence, "labels": shown}
        about: dict[str, Any] = {"id": track if times[track] == 1 else f"{track}~{times[track]}", "to_name": "video"}
        about |= {"score": mine[0].score} if mine[0].score is not None else {}
        regions.append({**about, "type": "videorectangle", "from_name": "box", "value": value})
        for name in choices:
            chosen = {"choices": [action for action in actions if home[action] == name]}
            regions.append({**about, "type": "choices", "from_name": name, "value": chosen})
    return regions


def _entry(label: Label, timing: Timing, *, enabled: bool) -> dict[str, Any]:
    box: Box = label.box
    # The first frame that the tool shows once the frame of the label is on screen.
    start = timing.second_of(timing.frame_at(label.time))
    frame = ceil(start * timing.steady_rate - 1e-3) + 1
    return {
        **{"frame": frame, "enabled": enabled, "rotation": 0, "time": frame / timing.steady_rate},
        **{"x": box[0] * 100, "y": box[1] * 100, "width": (box[2] - box[0]) * 100, "height": (box[3] - box[1]) * 100},
    }
