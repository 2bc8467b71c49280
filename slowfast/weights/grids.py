"""On which token grid the absolute positions of a file are laid out: what the file tells, else the one grid that fits."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import yaml

from slowfast.layers.token_grid import Size3, size3

GRID_KEY = "MODEL.CHECKPOINT_GRID [t, h, w]"


@dataclass(frozen=True)
class SourceGrid:
    """What is known of the grid of a file.

    grid:        (T, H, W), where the file's config or the user tells; None otherwise
    told_by:     who tells, for the report
    image:       the file is of an image model: T is 1
    class_token: the file's network has a class token, whose row comes first in a joint table
    """

    grid: Size3 | None
    told_by: str
    image: bool
    class_token: bool

    def contradicts(self, positions: int, like: Size3, *, places: bool) -> bool:
        """The file is known to lay out that many positions on another grid than `like` (see `find`)."""
        grid = self._known(places)
        return grid is not None and math.prod(grid) == positions and grid != like

    def _known(self, places: bool) -> Size3 | None:
        return self.grid if self.grid is None or not places else (1, *self.grid[1:])

    def find(self, positions: int, like: Size3, *, places: bool) -> Size3:
        """The grid of that many positions, without the class token's.

        like:   the grid that the model wants
        places: the table is of places only, one for all times

        Raises ValueError, with the grids that fit, when none or more than one does.
        """
        grid = self._known(places)
        if grid is not None:
            if math.prod(grid) != positions:
                raise ValueError(
                    f"{positions} positions, but {self.told_by} says a grid of {_times(grid)}; set {GRID_KEY}"
                )
            return grid
        grids = candidates(positions, like, times=[1] if places or self.image else range(1, positions + 1))
        if len(grids) == 1:
            return grids[0]
        if not grids:
            raise ValueError(f"{positions} positions are no grid of the model's aspect and no square; set {GRID_KEY}")
        fitting = " or ".join(map(_times, grids))
        raise ValueError(
            f"{positions} positions may be a grid of {fitting}, and nothing in the file tells which; set {GRID_KEY}"
        )


def candidates(positions: int, like: Size3, *, times: Iterable[int]) -> list[Size3]:
    """The grids of that many positions, at one of `times`, whose places have the aspect of `like` or are a square.

    Grids of a single place are left out, unless the model's is one.
    """
    found: dict[Size3, None] = {}
    for time in times:
        if positions % time:
            continue
        area = positions // time
        for aspect in (like[1] / like[2], 1.0):
            width = round(math.sqrt(area / aspect))
            height = round(width * aspect)
            if width > 0 and height * width == area and (area > 1 or math.prod(like[1:]) == 1):
                found[size3((time, height, width))] = None
    return list(found)


def grid_of_config(text: str) -> Size3 | None:
    """The (T, H, W) token grid of training of a run, from the YAML text of its config; None where it does not tell.

    PySlowFast's configs and ours name the keys alike. A text that is no such config tells nothing.
    """
    try:
        tree = yaml.safe_load(text)
        data, mvit = tree["DATA"], tree["MVIT"]
        crop, stride = data["TRAIN_CROP_SIZE"], [int(step) for step in mvit["PATCH_STRIDE"]]
        height, width = (crop, crop) if isinstance(crop, int) else crop
        size = (int(data["NUM_FRAMES"]), int(height), int(width))
        if mvit.get("PATCH_2D", False) or len(stride) == 2:
            stride = [1, *stride]
        return size3(max(1, pixels // step) for pixels, step in zip(size, stride, strict=True))
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        return None


def grid_of_relative_positions(shapes: Mapping[str, tuple[int, ...]], *, class_token: bool) -> Size3 | None:
    """The (T, H, W) token grid that the first block's tables of relative positions were made for; None where none tells.

    shapes: of a file's parameters, under our names

    A table over n places has 2 n - 1 rows. What it tells counts where it makes up the joint table of absolute positions.
    """
    rows = {axis: shapes.get(f"blocks.0.attn.rel_pos_{axis}", (0,))[0] for axis in "thw"}
    table = shapes.get("pos_embed")
    if table is None or len(table) != 3 or not (rows["h"] and rows["w"]):
        return None
    positions, height, width = table[1] - class_token, (rows["h"] + 1) // 2, (rows["w"] + 1) // 2
    time = (rows["t"] + 1) // 2 if rows["t"] else positions // (height * width)
    return size3((time, height, width)) if time * height * width == positions else None


def source_grid(
    text: str,
    told: Sequence[int] | None,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    image: bool,
    class_token: bool,
) -> SourceGrid:
    """What is known of a file's grid: the user's word, else the file's own config, else its relative positions.

    text: YAML of the config; shapes: of the parameters, under our names
    """
    if told:
        return SourceGrid(size3(told), "MODEL.CHECKPOINT_GRID", image, class_token)
    if (grid := grid_of_config(text) if text else None) is not None:
        return SourceGrid(grid, "the file's config", image, class_token)
    grid = grid_of_relative_positions(shapes, class_token=class_token)
    return SourceGrid(grid, "the size of its relative positions", image, class_token)


def _times(grid: Size3) -> str:
    return "x".join(map(str, grid))
