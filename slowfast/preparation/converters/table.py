"""The table of formats: how each is read into the neutral structure and written from it. One row serves both ways."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from slowfast.preparation.converters.annotations import Annotations, VideoTimes, every
from slowfast.preparation.converters.attributes import AUTO, check_chosen, merged
from slowfast.preparation.converters.formats.ava import read_ava_csv, write_ava
from slowfast.preparation.converters.formats.coco import read_coco, write_coco
from slowfast.preparation.converters.formats.cvat import read_cvat, write_cvat
from slowfast.preparation.converters.formats.label_studio import read_label_studio, write_label_studio
from slowfast.preparation.converters.formats.spreadsheet import read_spreadsheet, write_spreadsheet
from slowfast.preparation.converters.formats.tubes import read_tube_pickle, write_tube_pickle
from slowfast.preparation.converters.formats.via import read_via, write_via
from slowfast.preparation.converters.suspect import alike, check_times
from slowfast.preparation.faults import READ_ERRORS

CONVERT_ERRORS = READ_ERRORS  # what `convert` raises for a wrong file, or a video that cannot be read


@dataclass(frozen=True)
class Options:
    """What a format may need beside its file.

    label_map:    of AVA's CSVs
    first_second: their timestamp at the start of a video
    first_frame:  what a spreadsheet or a COCO-style file that counts frames calls the first one of a video
    frames_from:  see `read_coco`
    actions_from: "auto", "attributes", "label", or names of attributes between commas: see `read_cvat`, `write_cvat`
    split:        of pickles of tubes
    test_videos:  held out where two CSVs are written
    min_score:    of detections that become pre-labels
    """

    label_map: Path | None = None
    first_second: float = 0
    first_frame: int = 0
    frames_from: str = "auto"
    actions_from: str = "auto"
    split: int = 1
    test_videos: tuple[str, ...] = ()
    min_score: float = 0.3


@dataclass(frozen=True)
class Format:
    """read: (file, videos, options); write: (annotations, file or folder, videos, options), None where it is not written.
    writes_folder: what is written is a folder. per_video: a file holds one video. has_attributes: boxes have attributes,
    which may tell actions. has_first_second: its times may count from another second than the start of a file."""

    what: str
    read: Callable[[Path, VideoTimes, Options], Annotations]
    write: Callable[[Annotations, Path, VideoTimes, Options], None] | None
    writes_folder: bool = False
    per_video: bool = False
    has_attributes: bool = False
    has_first_second: bool = False


def _read_ava(path: Path, videos: VideoTimes, options: Options) -> Annotations:
    if options.label_map is None:
        raise ValueError("AVA's CSVs number their classes: give their label map (--label-map)")
    return read_ava_csv(
        path, videos, label_map=options.label_map, first_second=options.first_second, min_score=options.min_score
    )


FORMATS: dict[str, Format] = {
    "spreadsheet": Format(
        "CSV with a row per actor and moment",
        lambda path, videos, o: read_spreadsheet(path, videos, first_frame=o.first_frame),
        lambda found, path, videos, o: write_spreadsheet(found, path, videos),
    ),
    "ava": Format(
        "AVA's CSVs: annotations, and detections as pre-labels",
        _read_ava,
        lambda found, path, videos, o: write_ava(found, path, test_videos=o.test_videos, first_second=o.first_second),
        writes_folder=True,
        has_first_second=True,
    ),
    "cvat": Format(
        "CVAT for video 1.1 (XML)",
        lambda path, videos, o: read_cvat(path, videos, actions_from=o.actions_from),
        lambda found, path, videos, o: write_cvat(found, path, videos, actions_from=o.actions_from),
        per_video=True,
        has_attributes=True,
    ),
    "label-studio": Format(
        "Label Studio, video rectangles (JSON)",
        lambda path, videos, o: read_label_studio(path, videos, actions_from=o.actions_from),
        lambda found, path, videos, o: write_label_studio(found, path, videos, actions_from=o.actions_from),
        has_attributes=True,
    ),
    "via": Format(
        "VGG Image Annotator 3, video project (JSON)",
        lambda path, videos, o: read_via(path, videos, actions_from=o.actions_from),
        lambda found, path, videos, o: write_via(found, path, videos, actions_from=o.actions_from),
        has_attributes=True,
    ),
    "coco": Format(
        "COCO-style JSON of videos",
        lambda path, videos, o: read_coco(path, videos, frames_from=o.frames_from, first_frame=o.first_frame),
        lambda found, path, videos, o: write_coco(found, path, videos),
    ),
    "tubes": Format(
        "JHMDB-GT.pkl, UCF101v2-GT.pkl, pyannot",
        lambda path, videos, o: read_tube_pickle(path, videos, split=o.split),
        lambda found, path, videos, o: write_tube_pickle(found, path, videos, test_videos=o.test_videos),
    ),
}


def _together(parts: Sequence[Annotations]) -> Annotations:
    """Those of several files."""
    return Annotations(
        tuple(sorted((a for part in parts for a in part.labels), key=lambda a: (a.video, a.time, a.track, a.box))),
        tuple(dict.fromkeys(name for part in parts for name in part.classes)),
        tuple(sorted({key for part in parts for key in part.empty})),
        tuple(note for part in parts for note in part.notes),
        tuple(remark for part in parts for remark in part.remarks),
        merged(part.attributes for part in parts),
    )


def convert(
    files: list[Path],
    source: str,
    target: str,
    out: Path,
    videos: VideoTimes,
    *,
    options: Options,
    seconds: float | None = None,
) -> Annotations:
    """Read the files of one format, and write all of it in another; what was written is returned.

    seconds: keep key frames so far apart only (labels of every frame become key frames)
    Raises ValueError where a format is not written, nothing was found, a key frame is outside its video, or a chosen attribute
    is not there.
    """
    writer = FORMATS[target].write
    if writer is None:
        raise ValueError(
            f"{target} is read and not written; write one of {', '.join(n for n, f in FORMATS.items() if f.write)}"
        )
    told = ", ".join(map(str, files))
    if options.actions_from != AUTO and not (FORMATS[source].has_attributes or FORMATS[target].has_attributes):
        able = ", ".join(name for name, one in FORMATS.items() if one.has_attributes)
        raise ValueError(
            f"--actions-from {options.actions_from}: boxes of {source} and {target} have no attributes; those of {able} have"
        )
    found = _together([FORMATS[source].read(path, videos, options) for path in files])
    if FORMATS[source].has_attributes:
        check_chosen(options.actions_from, found.attributes, told)
    advice = (
        f"; the start of a file is second {options.first_second:g} (--first-second)"
        if FORMATS[source].has_first_second
        else ""
    )
    found = replace(found, remarks=(*found.remarks, *check_times(found, videos, advice=advice), *alike(found.classes)))
    if seconds is not None and found.labels:
        total = len(found.labels)
        found = every(found, seconds, videos)
        if not found.labels:
            raise ValueError(
                f"{told}: none of {total} boxes is on a frame that is shown at 0, {seconds:g}, {2 * seconds:g}, ... s (--every); it "
                "is for boxes on every frame: leave it out"
            )
    if not found.labels:
        why = "".join(f"; left out: {note}" for note in found.notes)
        raise ValueError(f"{told}: no labelled box was found{why}")
    if FORMATS[target].per_video and len(found.videos) > 1:
        for video in found.videos:
            path = out / f"{video.replace('/', '_')}.xml"
            path.parent.mkdir(parents=True, exist_ok=True)
            writer(found.of_videos([video]), path, videos, options)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        writer(found, out, videos, options)
    return found
