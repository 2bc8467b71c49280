"""Drawing what a detector found: boxes, action names and scores on frames, as a video and as a sheet of pictures."""

import colorsys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import cv2
import numpy as np

from slowfast.utils.files import write_bytes
from slowfast.video.writing.writer import write_video

Colour = tuple[int, int, int]  # RGB
Area = tuple[int, int, int, int]  # xyxy in pixels of the canvas
Labels = Sequence[Sequence[tuple[str, float]]]

READABLE_SHORT_SIDE = 384  # pixels; smaller frames are enlarged until text can be read
FONT = cv2.FONT_HERSHEY_SIMPLEX
# Capitals are 2 % of the width of a picture high: 8 pixels where it is shown 400 pixels wide.
TEXT_WIDTH, FONT_SCALE, LINE_HEIGHT, MARGIN = 480, 0.46, 18, 4
INK: Colour = (28, 28, 34)
PAPER: Colour = (250, 250, 250)
READABLE_LUMINANCE = 0.58  # of a strip under dark text; black is 0, white is 1
BETWEEN = "interpolated between key frames"
COLOUR_SALT = 1221  # with it the seven actions of the toy data set lie far apart on the colour circle


@dataclass(frozen=True)
class TextSize:
    """scale: OpenCV's of FONT; line: height of a line; margin: around the text; stroke: width of a pen. In pixels."""

    scale: float
    line: int
    margin: int
    stroke: int


def text_size(width: int, text: float = 1.0) -> TextSize:
    """Of a picture `width` pixels wide. text: times the usual size."""
    factor = text * width / TEXT_WIDTH
    scale = FONT_SCALE * factor
    return TextSize(scale, round(LINE_HEIGHT * factor), max(2, round(MARGIN * factor)), max(1, round(1.6 * scale)))


@dataclass(frozen=True)
class FrameBoxes:
    """What is drawn on one frame of a clip; as `boxes` and `labels` of DrawnClip."""

    boxes: np.ndarray
    labels: Labels


@dataclass(frozen=True)
class DrawnClip:
    """One clip and what belongs to its key frame; n detections, m annotated people.

    frames:             (T, H, W, 3) uint8 RGB
    key_index:          position of the key frame in `frames`
    title:              such as "toy_0007, second 3"
    boxes, labels:      (n, 4) xyxy in [0, 1] of the frame, and n lists of (action name, score)
    true_boxes, true_labels: (m, 4) and m lists of action names, or None where there is no ground truth
    between:            T entries for the other frames, which the detector did not see by themselves: what was found on the
                        key frames around them, moved in between; None: they stay without boxes
    """

    frames: np.ndarray
    key_index: int
    title: str
    boxes: np.ndarray
    labels: Labels
    true_boxes: np.ndarray | None = None
    true_labels: Sequence[Sequence[str]] | None = None
    between: Sequence[FrameBoxes] | None = None

    @property
    def groundtruth(self) -> tuple[np.ndarray, Sequence[Sequence[str]]] | None:
        if self.true_boxes is None:
            return None
        return self.true_boxes, self.true_labels if self.true_labels is not None else [[] for _ in self.true_boxes]


def action_colour(name: str) -> Colour:
    """A colour that stays with an action's name: bright enough for dark text on it."""
    number = zlib.crc32(name.encode("utf-8"), COLOUR_SALT)
    hue, saturation = (number % 360) / 360, 0.45 + 0.25 * (number // 360 % 2)
    colour = np.array(colorsys.hsv_to_rgb(hue, saturation, 0.97))
    luminance = colour @ (0.299, 0.587, 0.114)
    white = max(0.0, (READABLE_LUMINANCE - luminance) / (1 - luminance))  # blue and red need it
    red, green, blue = (int(v) for v in np.round(255 * (colour + white * (1 - colour))))
    return red, green, blue


def readable_scale(height: int, width: int) -> int:
    """The whole number by which a frame is enlarged so that its short side is at least READABLE_SHORT_SIDE."""
    return max(1, ceil(READABLE_SHORT_SIDE / min(height, width)))


def draw_detections(
    frames: np.ndarray,
    boxes: np.ndarray,
    labels: Labels,
    *,
    groundtruth: tuple[np.ndarray, Sequence[Sequence[str]]] | None = None,
    dashed: Sequence[bool] | None = None,
    numbers: Sequence[int | None] | None = None,
    scale: int | None = None,
    text: float = 1.0,
    guessed: bool = False,
) -> np.ndarray:
    """Draw the same detections on every frame -> (T, scale*H, scale*W, 3) uint8 RGB; the input is not changed.

    frames:      (T, H, W, 3) uint8 RGB
    boxes:       (n, 4) xyxy in [0, 1] of the frame; a solid rectangle in the colour of the best action
    labels:      n lists of (action name, score), one line each on a filled strip in the action's colour, best first
    groundtruth: boxes (m, 4) and m lists of action names: thin dashed rectangles, the names below them
    dashed:      n flags: boxes drawn with dashed lines, as they were not found on this very frame
    numbers:     n numbers of people, written before the names of their actions; None for one without
    scale:       whole enlargement; None enlarges until text can be read
    text:        times the usual size of letters, for pictures that are shown small
    guessed:     the boxes are no detections but stand between them: half as thick, "~" before each name

    Raises ValueError when boxes and labels differ in number or have another shape.
    """
    boxes = _checked_boxes(boxes, labels, "boxes")
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise ValueError(f"frames must be uint8 (T, H, W, 3), got {frames.dtype} {frames.shape}")
    height, width = frames.shape[1:3]
    scale = readable_scale(height, width) if scale is None else scale
    if scale < 1:
        raise ValueError(f"scale must be a whole number >= 1, got {scale}")
    size = np.array([width, height, width, height]) * scale
    corners = np.round(boxes * size).astype(int)
    ranked = [sorted(entries, key=lambda entry: -entry[1]) for entries in labels]
    true_corners = np.zeros((0, 4), int)
    true_names: Sequence[Sequence[str]] = []
    if groundtruth is not None:
        true_corners = np.round(_checked_boxes(*groundtruth, "ground truth boxes") * size).astype(int)
        true_names = groundtruth[1]
    canvases = [cv2.resize(f, (width * scale, height * scale), interpolation=cv2.INTER_CUBIC) for f in frames]
    letters, lead = text_size(width * scale, text), "~ " if guessed else ""
    pen = max(1, round((1 if guessed else 2) * max(1.0, width * scale / (2 * TEXT_WIDTH))))
    for canvas in canvases:
        for box in true_corners:
            _dashed_rectangle(canvas, box)
        for box, entries, broken in zip(corners, ranked, dashed or [False] * len(corners), strict=True):
            colour = action_colour(entries[0][0]) if entries else PAPER
            if broken:
                _dashed_rectangle(canvas, box, colour=colour, thickness=pen)
                continue
            cv2.rectangle(canvas, box[:2].tolist(), box[2:].tolist(), INK, thickness=pen + 2, lineType=cv2.LINE_AA)
            cv2.rectangle(canvas, box[:2].tolist(), box[2:].tolist(), colour, thickness=pen, lineType=cv2.LINE_AA)
        taken: list[Area] = []  # texts come after all boxes, so that no line crosses them
        for box, entries, number in zip(corners, ranked, numbers or [None] * len(corners), strict=True):
            before = lead if number is None else f"{lead}{number}: "
            lines = [(f"{before}{name} {score:.2f}", action_colour(name)) for name, score in entries]
            _draw_strip(canvas, box, lines, taken, corners.tolist(), letters=letters, below=False)
        for box, names in zip(true_corners, true_names, strict=True):
            lines = [(", ".join(names), PAPER)] if names else []
            _draw_strip(canvas, box, lines, taken, true_corners.tolist(), letters=letters, below=True)
    return np.stack(canvases) if canvases else np.zeros((0, height * scale, width * scale, 3), np.uint8)


def _checked_boxes(boxes: np.ndarray, labels: Sequence, what: str) -> np.ndarray:
    boxes = np.asarray(boxes, dtype=np.float64)
    boxes = boxes.reshape(0, 4) if boxes.size == 0 else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) != len(labels):
        raise ValueError(
            f"{what} must be (n, 4) with one list of labels each, got {boxes.shape} and {len(labels)} lists"
        )
    return boxes


def _dashed_rectangle(
    canvas: np.ndarray, box: np.ndarray, *, colour: Colour = PAPER, thickness: int = 1, dash: int = 6
) -> None:
    """A dashed rectangle with dark gaps, so that it shows on any picture."""
    x1, y1, x2, y2 = box.tolist()
    cv2.rectangle(canvas, (x1, y1), (x2, y2), INK, thickness=thickness)
    for x in range(x1, x2, 2 * dash):
        for y in (y1, y2):
            cv2.line(canvas, (x, y), (min(x + dash, x2), y), colour, thickness=thickness)
    for y in range(y1, y2, 2 * dash):
        for x in (x1, x2):
            cv2.line(canvas, (x, y), (x, min(y + dash, y2)), colour, thickness=thickness)


def _draw_strip(
    canvas: np.ndarray,
    box: np.ndarray,
    lines: list[tuple[str, Colour]],
    taken: list[Area],
    people: Sequence[Sequence[int]],
    *,
    letters: TextSize,
    below: bool,
) -> None:
    """Write lines of (text, colour of the strip) beside a box, where they hide the least; adds the strip to `taken`.

    taken: strips that are there already, avoided first; people: boxes (this one too), avoided second; below: try there
    before above.
    """
    if not lines:
        return
    scale, stroke = letters.scale, letters.stroke
    width = max(cv2.getTextSize(text, FONT, scale, stroke)[0][0] for text, _ in lines) + 2 * letters.margin
    height = letters.line * len(lines)
    x1, y1, x2, y2 = box.tolist()
    places = [(x1, y1 - height), (x1, y2), (x2, y1), (x1 - width, y1), (x1, y1)]
    if below:
        places[0], places[1] = places[1], places[0]
    limit_x, limit_y = max(0, canvas.shape[1] - width), max(0, canvas.shape[0] - height)
    # moved into the frame first: near an edge the strip slides along the box
    fitted = [(min(max(x, 0), limit_x), min(max(y, 0), limit_y)) for x, y in places]
    areas = [(x, y, x + width, y + height) for x, y in fitted]
    x, y = min(areas, key=lambda area: (_covered(area, taken), _covered(area, people)))[:2]
    taken.append((x, y, x + width, y + height))
    for i, (text, colour) in enumerate(lines):
        top = y + i * letters.line
        cv2.rectangle(canvas, (x, top), (x + width - 1, top + letters.line - 1), colour, thickness=cv2.FILLED)
        origin = (x + letters.margin, top + letters.line - letters.margin - 1)
        cv2.putText(canvas, text, origin, FONT, scale, INK, stroke, cv2.LINE_AA)


def _covered(area: Area, taken: Sequence[Sequence[int]]) -> int:
    """Pixels of `area` that the areas in `taken` use."""
    x1, y1, x2, y2 = area
    return sum(max(0, min(x2, c) - max(x1, a)) * max(0, min(y2, d) - max(y1, b)) for a, b, c, d in taken)


def _bar(width: int, text: str, letters: TextSize) -> np.ndarray:
    """A dark line of text, as wide as asked for; text that is too long is made smaller."""
    height = letters.line + 2 * max(1, letters.margin - 1)
    bar = np.full((height, width, 3), INK, np.uint8)
    space, need = width - 4 * letters.margin, cv2.getTextSize(text, FONT, letters.scale, letters.stroke)[0][0]
    scale = letters.scale * min(1.0, space / max(need, 1))
    origin = (2 * letters.margin, height - 2 * letters.margin + 1)
    cv2.putText(bar, text, origin, FONT, scale, PAPER, letters.stroke, cv2.LINE_AA)
    return bar


def _with_title(frame: np.ndarray, title: str, text: float) -> np.ndarray:
    """The frame below a line with its title."""
    return np.concatenate([_bar(frame.shape[1], title, text_size(frame.shape[1], text)), frame])


def _key_picture(clip: DrawnClip, *, scale: int | None, text: float) -> np.ndarray:
    key = clip.frames[clip.key_index][None]
    picture = draw_detections(key, clip.boxes, clip.labels, groundtruth=clip.groundtruth, scale=scale, text=text)[0]
    return _with_title(picture, clip.title, text)


def _played(clips: Iterable[DrawnClip], *, hold: int, scale: int | None, text: float) -> Iterator[np.ndarray]:
    for clip in clips:
        for i, frame in enumerate(clip.frames):
            if i == clip.key_index:
                yield from [_key_picture(clip, scale=scale, text=text)] * hold
            drawn = FrameBoxes(np.zeros((0, 4)), []) if clip.between is None else clip.between[i]
            picture = draw_detections(frame[None], drawn.boxes, drawn.labels, scale=scale, text=text, guessed=True)[0]
            title = clip.title if clip.between is None else f"{clip.title}   ~ {BETWEEN}"
            yield _with_title(picture, title, text)


def detection_video(
    clips: Iterable[DrawnClip],
    path: str | Path,
    *,
    fps: float,
    hold_seconds: float = 1.5,
    scale: int | None = None,
    text: float = 1.0,
) -> int:
    """Play clips one after another in an mp4; each stops at its key frame, where what was found is drawn. The other
    frames bear what the clip has for them (`between`), marked as interpolated.

    fps: of the clips; hold_seconds: how long the key frame stays; scale, text as in `draw_detections`. All clips have
    one frame size. Returns the number of frames written. Raises ValueError without any clip.
    """
    hold = max(1, round(hold_seconds * fps))
    return write_video(_played(clips, hold=hold, scale=scale, text=text), path, fps)


def contact_sheet(
    clips: Sequence[DrawnClip],
    path: str | Path,
    *,
    columns: int = 2,
    scale: int | None = None,
    gap: int = 8,
    text: float = 1.6,
) -> np.ndarray:
    """Put the key frames of clips of one frame size, with what was found, in a grid; write it as PNG and return it.

    The usual letters are for a sheet of two columns that is shown from 400 pixels of width on.
    Returns (H, W, 3) uint8 RGB. Raises ValueError without any clip, and OSError when the file cannot be written.
    """
    if not clips:
        raise ValueError("a contact sheet needs at least one clip, got none")
    pictures = [_key_picture(clip, scale=scale, text=text) for clip in clips]
    height, width = pictures[0].shape[:2]
    columns = min(columns, len(pictures))
    rows = ceil(len(pictures) / columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    if any(clip.groundtruth is not None for clip in clips):
        told = "solid: detected, with scores    dashed: annotated"
        sheet = np.concatenate([sheet, _bar(sheet.shape[1], told, text_size(width, text))])
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded, png = cv2.imencode(".png", sheet[..., ::-1])
    if not encoded:
        raise OSError(f"{path}: OpenCV could not encode a {sheet.shape[1]} x {sheet.shape[0]} picture as PNG")
    write_bytes(png.tobytes(), path)
    return sheet
