"""Lists of videos with labels: a line `path label` per video, as Kinetics has them."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from slowfast.datasets.annotations.videos.class_names import numbers_as_names
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.structures.annotations.problem import Problem, raise_or_collect
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import read_text
from slowfast.video.pictures.images import IMAGE_EXTENSIONS
from slowfast.video.reader import VIDEO_EXTENSIONS

_PATH_NAMES = ("path", "file", "filename", "file_name", "video", "video_path", "video_id", "name")
_LABEL_NAMES = ("label", "labels", "class", "class_id", "label_id", "target", "index")
_STILLS = tuple(extension for extension in IMAGE_EXTENSIONS if extension != ".gif")  # that one may move


@names_its_file()
def read_video_list(
    path: str | Path,
    *,
    num_classes: int,
    separator: str = " ",
    multi_label: bool = False,
    class_names: Sequence[str] | None = None,
    problems: list[Problem] | None = None,
) -> LabelledVideos:
    """A line per video: path, separator, class index from 0; with `multi_label` indices between commas, or none.

    The last separator of a line counts, so a path may hold it. Three more things are understood:
    - PySlowFast's third field, `PATH SOMETHING LABEL`: one field without a slash after a file name with the extension
      of a video is not part of the path.
    - a first line of column names, as `path label`, is skipped
    - class_names: a line may end with a name in place of an index; the longest that follows a separator counts.

    problems: a list for every line that breaks a rule; such lines are left out
    Raises FileNotFoundError, or, without a list, ValueError naming file and line for a line without a label, a label
    that is no class, a path to an image, and a path that is there twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (DATA.PATH_TO_DATA_DIR)")
    if multi_label and "," in separator:
        raise ValueError(f"DATA.PATH_LABEL_SEPARATOR ({separator!r}) stands between the labels of a video; use another")
    names = tuple(class_names) if class_names is not None else numbers_as_names(num_classes)
    read = _read_many if multi_label else _read_one
    by_name = {name: index for index, name in enumerate(names)} if class_names is not None else {}
    paths: dict[str, list[int]] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip() or (number == 1 and _is_header(line, separator, by_name)):
            continue
        try:
            video, indices = read(line, separator, by_name)
            video = _without_third_field(video, separator)
            wrong = _what_is_wrong(video, indices, num_classes, paths)
        except ValueError as error:
            wrong = str(error)
        if wrong:
            raise_or_collect(Problem(str(path), number, wrong), problems)
        else:
            paths[video] = indices
    if not paths:
        raise_or_collect(Problem(str(path), 0, "lists no video (DATA.PATH_TO_DATA_DIR)", "empty"), problems)
    labels = list(paths.values())
    if not multi_label:
        return LabelledVideos(tuple(paths), np.array([one for (one,) in labels], dtype=np.int64), names)
    hot = np.zeros((len(paths), num_classes), dtype=bool)
    for row, indices in enumerate(labels):
        hot[row, indices] = True
    return LabelledVideos(tuple(paths), hot, names)


def _read_one(line: str, separator: str, by_name: dict[str, int]) -> tuple[str, list[int]]:
    """Path and class index of a line; `by_name` is empty where only indices are understood."""
    line = line.strip()
    video, found, text = line.rpartition(separator)
    if found and video.strip() and _is_index(text):
        return video.strip(), [int(text)]
    place = line.find(separator)
    while place > 0:
        name = line[place + len(separator) :].strip()
        if name in by_name:
            return line[:place].strip(), [by_name[name]]
        place = line.find(separator, place + len(separator))
    if by_name:
        near = get_close_matches(text.strip(), by_name, n=1)
        hint = f"; is {near[0]!r} meant?" if near else ""
        rule = f"one class index or one of the {len(by_name)} names of DATA.LABEL_FILE"
    else:
        hint, rule = "", "one class index"
        if found and text.strip() and not text.strip().replace(",", "").isdecimal():
            hint = "; classes by name need DATA.LABEL_FILE"
    raise ValueError(f"expected a path, {separator!r} and {rule}, found {line[:100]!r}{hint}")


def _read_many(line: str, separator: str, by_name: dict[str, int]) -> tuple[str, list[int]]:
    """Path and class indices of a line; names are not understood here."""
    video, found, text = line.rpartition(separator)
    words = [word for word in text.split(",") if word.strip()]
    if not found or not video.strip() or not all(map(_is_index, words)):
        rule = "class indices between commas"
        raise ValueError(f"expected a path, {separator!r} and {rule}, found {line.strip()[:100]!r}")
    return video.strip(), [int(word) for word in words]


def _what_is_wrong(video: str, indices: list[int], num_classes: int, seen: Collection[str]) -> str:
    """The rule that a line breaks; "" for none."""
    wrong = [index for index in indices if not 0 <= index < num_classes]
    if wrong:
        return f"class {wrong[0]} is not one of 0 to {num_classes - 1} (MODEL.NUM_CLASSES)"
    if video.lower().endswith(_STILLS):
        return (
            f"{video!r} is an image, and this list is of videos (TRAIN.DATASET and TEST.DATASET imagenet read images)"
        )
    return f"{video!r} is listed more than once" if video in seen else ""


def _is_header(line: str, separator: str, by_name: dict[str, int]) -> bool:
    """Column names in the first line; not where the second is the name of a class."""
    path, _, label = (part.strip().strip('"') for part in line.lower().partition(separator))
    return path in _PATH_NAMES and label in _LABEL_NAMES and label not in by_name


def _is_index(text: str) -> bool:
    """A whole number; a negative one is too, and is no class."""
    return text.strip().removeprefix("-").isdecimal()


def _without_third_field(video: str, separator: str) -> str:
    before, found, field = video.rpartition(separator)
    before, field = before.strip(), field.strip()
    is_field = field and not {"/", "\\"} & set(field) and not field.lower().endswith(VIDEO_EXTENSIONS)
    return before if found and is_field and before.lower().endswith(VIDEO_EXTENSIONS) else video


def check_paths(source: Path, paths: Sequence[str]) -> None:
    """Raises ValueError where `source` lists no video, or one twice."""
    if not paths:
        raise ValueError(f"{source}: lists no video (DATA.PATH_TO_DATA_DIR)")
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            raise ValueError(f"{source}: {path!r} is listed more than once")
        seen.add(path)
