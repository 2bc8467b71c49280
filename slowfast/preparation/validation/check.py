"""Validation of a whole data set: what a config names, or files on a command line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np
from fvcore.common.config import CfgNode

from slowfast.datasets.annotations.people.jhmdb import BOXES_FILE, read_jhmdb_rows
from slowfast.datasets.annotations.people.proposals import read_proposals
from slowfast.datasets.annotations.people.tubes import read_tubes
from slowfast.datasets.annotations.videos.video_lists import read_video_list
from slowfast.datasets.build import read_split
from slowfast.datasets.clips.key_frame_clips import FrameClock, SecondClock
from slowfast.datasets.prepared import check_prepared
from slowfast.datasets.sets.ava import ava_clock, ava_files, ava_frames
from slowfast.datasets.sets.labels import class_names_of, list_of_split
from slowfast.datasets.sets.pixels import video_files
from slowfast.datasets.split import KeyFrameSplit, VideoSplit
from slowfast.preparation.faults import READ_ERRORS, Faults
from slowfast.preparation.validation.ava_files import read_files
from slowfast.preparation.validation.facts import SplitFacts, facts_of_key_frames, facts_of_videos
from slowfast.preparation.validation.labelled import check_labelled
from slowfast.preparation.validation.mirrored import check_mirrored
from slowfast.preparation.validation.rows import check_rows, check_shared
from slowfast.preparation.validation.split import CheckedSplit
from slowfast.preparation.validation.videos import Pixels, VideoCheck, check_unlabelled, check_videos
from slowfast.structures.annotations.problem import Problem
from slowfast.video.reader import VideoFiles
from slowfast.video.remote.address import is_url
from slowfast.video.stored.cache import CachedVideos


@dataclass(frozen=True)
class Validation:
    """What was found. splits, facts: train and test, as far as they could be read; checks: of detection sets, whose
    frames can be shown."""

    title: str
    faults: Faults
    splits: tuple[CheckedSplit, ...] = ()
    facts: tuple[SplitFacts, ...] = ()
    checks: tuple[VideoCheck, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where training would stumble."""
        return int(self.faults.any_error)

    def text(self) -> str:
        """For the terminal."""
        found = self.faults.text()
        facts = "\n".join(str(facts) for facts in self.facts)
        return "\n\n".join(part for part in (facts, found, f"{self.title}: {self.faults.summary()}") if part)

    def report(self) -> dict:
        """Ready for JSON."""
        return {
            "data_set": self.title,
            "ok": not self.faults.any_error,
            "summary": self.faults.summary(),
            "splits": {facts.name: facts.report() for facts in self.facts},
            "findings": self.faults.report(),
        }


@dataclass
class _Detection:
    """A detection set while it is checked. pixels: of a split, asked for once its annotations are read."""

    splits: list[CheckedSplit] = field(default_factory=list)
    pixels: list[Callable[[], Pixels]] = field(default_factory=list)
    clock: SecondClock | FrameClock = field(default_factory=FrameClock)
    folder: Path | None = None
    ignore_missing: bool = False


# ----------------------------------------------------------------------------------------------------- from a config


def validate_config(cfg: CfgNode, *, decode: bool = False) -> Validation:
    """Check the data that a run with this config would read: training data where TRAIN.ENABLE is on, and the test's.

    decode: read every key frame of every video
    Annotations in AVA's format, JHMDB-21's, UCF101-24's and lists of videos are read line by line, and every fault is
    named; any other set is read by its builder, whose first error is the fault.
    """
    names = ["train", "test"] if cfg.TRAIN.ENABLE else ["test"]
    faults, detection = Faults(), _Detection()
    sets = {name: cfg.TRAIN.DATASET if name == "train" else cfg.TEST.DATASET for name in names}
    labelled: list[tuple[str, VideoSplit]] = []
    for name in names:
        if sets[name] in LINE_BY_LINE:
            LINE_BY_LINE[sets[name]](cfg, name, detection, faults)
    facts, checks = check_detection(detection, faults, decode=decode, ignore_unknown=bool(cfg.AVA.CLASSES))
    if not faults.any_error:  # what only the builder itself would find
        for name in names:
            try:
                split = read_split(cfg, name)
            except READ_ERRORS as error:
                faults.add("refused", f"{name}: {error}")
                continue
            if isinstance(split, VideoSplit):
                labelled.append((name, split))
            elif sets[name] not in LINE_BY_LINE:
                own = _Detection([], [], split.clock)
                own.splits.append(_of_key_frames(name, split))
                own.pixels.append(partial(_files_of, split))
                more_facts, more_checks = check_detection(own, faults, decode=decode)
                facts, checks = (*facts, *more_facts), (*checks, *more_checks)
    check_labelled(labelled, faults, decode=decode)
    if cfg.TRAIN.ENABLE and cfg.DATA.RANDOM_FLIP:
        _mirrored(cfg, detection, labelled, faults)
    facts += tuple(facts_of_videos(name, split.videos) for name, split in labelled)
    title = " and ".join(dict.fromkeys(sets.values()))
    return Validation(title, faults, tuple(detection.splits), facts, checks)


def _mirrored(cfg: CfgNode, found: _Detection, labelled: Sequence[tuple[str, VideoSplit]], faults: Faults) -> None:
    """Whether left and right are exchanged where clips are mirrored."""
    for split in found.splits:
        if split.name == "train" and split.label_map is not None:
            names = dict(zip(split.label_map.ids, split.label_map.names, strict=True))
            pairs = [*split.label_map.swaps, *(tuple(pair) for pair in cfg.DATA.FLIP_SWAPS)]
            swaps = [(names[a], names[b]) for a, b in pairs if {a, b} <= set(names)]
            advice = (
                'keep their label: write swap: "NAME" into the label map, DATA.FLIP_SWAPS, or DATA.RANDOM_FLIP False'
            )
            check_mirrored(list(names.values()), swaps, advice, faults)
            for kept, gone in split.parted:
                faults.add(
                    "mirrored class",
                    f"a mirrored clip of {kept!r} shows {gone!r}, which is not among AVA.CLASSES, and keeps its label: name both "
                    "or set DATA.RANDOM_FLIP False",
                )
    for name, videos in labelled:
        if name == "train":
            check_mirrored(videos.videos.class_names, (), "keep their label: set DATA.RANDOM_FLIP False", faults)


def _ava(cfg: CfgNode, name: str, found: _Detection, faults: Faults) -> None:
    a, files = cfg.AVA, ava_files(cfg, name)
    found.splits.append(
        read_files(
            name,
            files.people,
            label_map=files.label_map,
            eval_label_map=files.eval_label_map,
            exclusions=files.exclusions[0] if files.exclusions else None,
            classes=tuple(a.CLASSES),
            valid=tuple(a.VALID_SECONDS) or None,
            keys={path: f"AVA.{key} in AVA.ANNOTATION_DIR" for path, key in files.keys.items()},
            faults=faults,
        )
    )
    for path in files.proposals:
        _proposals(path, f"AVA.{files.keys[path]} in AVA.ANNOTATION_DIR", faults)
    found.clock, found.ignore_missing = ava_clock(cfg), a.IGNORE_MISSING_VIDEOS
    if a.PIXELS == "frames":
        found.pixels.append(lambda: ava_frames(cfg, training=name == "train"))
    else:
        found.pixels.append(lambda: video_files(cfg, a.VIDEO_DIR, threads=1))
        found.folder = None if is_url(a.VIDEO_DIR) else Path(a.VIDEO_DIR)


def _proposals(path: Path, key: str, faults: Faults) -> None:
    """Boxes of a person detector, by the reader of the two-stage model."""
    if not path.is_file():
        faults.add("missing file", f"no such file ({key})", file=str(path))
        return
    try:
        read_proposals(path, min_score=0.0)
    except READ_ERRORS as error:
        faults.add("refused", str(error).removeprefix(f"{path}: "), file=str(path))


def _jhmdb(cfg: CfgNode, name: str, found: _Detection, faults: Faults) -> None:
    root = Path(cfg.JHMDB.ANNOTATION_DIR)
    try:
        table, label_map, lines = read_jhmdb_rows(root, split=cfg.JHMDB.SPLIT, subset=name)
    except READ_ERRORS as error:
        faults.add("refused", str(error))
        return
    file = np.zeros(len(table), dtype=np.int64)
    found.splits.append(
        CheckedSplit(name, table, (str(root / BOXES_FILE),), file, lines, label_map, label_map, unit="frame")
    )
    found.pixels.append(lambda: video_files(cfg, cfg.JHMDB.VIDEO_DIR, threads=1))


def _ucf24(cfg: CfgNode, name: str, found: _Detection, faults: Faults) -> None:
    problems: list[Problem] = []
    try:
        tubes = read_tubes(cfg.UCF24.ANNOTATION_FILE, split=cfg.UCF24.SPLIT, subset=name, problems=problems)
    except READ_ERRORS as error:
        faults.add("refused", str(error))
        return
    faults.take(problems)
    table = tubes.table(frames="annotated" if name == "train" else cfg.TUBES.FRAMES)
    none = np.zeros(len(table), dtype=np.int64)
    found.splits.append(
        CheckedSplit(name, table, (tubes.source,), none, none, tubes.label_map, tubes.label_map, unit="frame")
    )
    found.pixels.append(lambda: video_files(cfg, cfg.UCF24.VIDEO_DIR, threads=1))
    found.ignore_missing = cfg.UCF24.IGNORE_MISSING_VIDEOS


def _video_list(cfg: CfgNode, name: str, found: _Detection, faults: Faults) -> None:
    """Every wrong line of a list of videos, in which nobody is found."""
    problems: list[Problem] = []
    try:
        names, named = class_names_of(cfg)
        path, _ = list_of_split(cfg.DATA.PATH_TO_DATA_DIR, name)
        read_video_list(
            path,
            num_classes=len(names),
            separator=cfg.DATA.PATH_LABEL_SEPARATOR,
            multi_label=cfg.DATA.MULTI_LABEL,
            class_names=names if named else None,
            problems=problems,
        )
    except READ_ERRORS as error:
        faults.add("refused", str(error))
    faults.take(problems)


# The sets whose files are read whole, whatever is wrong in them.
LINE_BY_LINE: dict[str, Callable[[CfgNode, str, _Detection, Faults], None]] = {
    "ava": _ava,
    "jhmdb": _jhmdb,
    "ucf24": _ucf24,
    "kinetics": _video_list,
}


def _of_key_frames(name: str, split: KeyFrameSplit) -> CheckedSplit:
    """A set that only its builder can read: rows without lines."""
    table, annotated = split.annotated.groundtruth, split.annotated
    none = np.zeros(len(table), dtype=np.int64)
    unit = "second" if isinstance(split.clock, SecondClock) else "frame"
    return CheckedSplit(
        name, table, ("",), none, none, annotated.label_map, annotated.eval_label_map, annotated.exclusions, unit=unit
    )


def _files_of(split: KeyFrameSplit) -> Pixels:
    """Where its frames come from, without a cache, which would be filled."""
    pixels = split.pixels.source if isinstance(split.pixels, CachedVideos) else split.pixels
    return pixels  # type: ignore[return-value]


# ------------------------------------------------------------------------------------------------------ from paths


def validate_files(
    annotations: Sequence[Path],
    *,
    test: Sequence[Path] = (),
    label_map: Path,
    exclusions: Path | None = None,
    videos: Path | None = None,
    fps: float = 30.0,
    first_second: int = 0,
    decode: bool = False,
) -> Validation:
    """Check files in AVA's format. test: of the test split, if there is one; videos: their folder, if there is one."""
    faults = Faults()
    found = _Detection(clock=SecondClock(fps, first_second), folder=videos)
    for name, paths in (("train", annotations), ("test", test)):
        if paths:
            found.splits.append(
                read_files(
                    name,
                    paths,
                    label_map=label_map,
                    eval_label_map=label_map,
                    exclusions=exclusions,
                    keys={},
                    faults=faults,
                )
            )
            if videos is not None:
                found.pixels.append(lambda: VideoFiles(videos, threads=1))
    facts, checks = check_detection(found, faults, decode=decode)
    title = ", ".join(path.name for path in [*annotations, *test])
    return Validation(title, faults, tuple(found.splits), facts, checks)


# --------------------------------------------------------------------------------------------------------- the checks


def check_detection(
    found: _Detection, faults: Faults, *, decode: bool, ignore_unknown: bool = False
) -> tuple[tuple[SplitFacts, ...], tuple[VideoCheck, ...]]:
    """All checks of people on key frames."""
    facts, checks = [], []
    for split in found.splits:
        check_rows(split, faults, ignore_unknown=ignore_unknown)
    check_shared(found.splits, faults)
    for split, pixels in zip_longest(found.splits, found.pixels):
        key_frames = split.usable()
        if key_frames is None or split.label_map is None:
            continue
        facts.append(facts_of_key_frames(split.name, key_frames, split.label_map))
        if pixels is None:
            continue
        try:
            source = pixels()
        except READ_ERRORS as error:
            faults.add("refused", f"{split.name}: {error}")
            continue
        checks.append(VideoCheck(split.name, key_frames, source, found.clock, _places(split)))
    _check_records(checks, faults)
    check_videos(checks, faults, decode=decode, ignore_missing=found.ignore_missing)
    if found.folder is not None and checks:
        used = [name for split in found.splits for name in split.table.videos]
        used += [video for split in found.splits for video, _ in split.exclusions]
        check_unlabelled(found.folder, used, faults)
    return tuple(facts), tuple(checks)


def _check_records(checks: Sequence[VideoCheck], faults: Faults) -> None:
    """Prepared videos against their records, as a training does at its start."""
    for check in checks:
        try:
            check_prepared(check.pixels, check.key_frames.used_videos, check.clock)
        except ValueError as error:
            faults.add("changed video", f"{check.name}: {error}")


def _places(split: CheckedSplit) -> Callable[[str, float], dict]:
    """(video, timestamp) -> the first row that names the key frame."""
    rows: dict[tuple[str, float], int] = {}
    names, table = split.table.videos, split.table
    for row, (video, time) in enumerate(zip(table.video.tolist(), table.timestamp.tolist(), strict=True)):
        rows.setdefault((names[video], time), row)
    return lambda video, time: split.place(rows[video, time])
