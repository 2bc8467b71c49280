"""CSV of eight columns -> BoxTable for regular files of detections, or of ground truth whose person ids are numbers, a
block of text at a time, in numpy operations only.

1. The commas and line ends of a block are found at once; a regular block has seven commas, then a line end, in every
   line, and no quote.
2. A run is a stretch of lines with the same text up to the label, as all classes of a box have. Video, timestamp and
   box are read once per run, label and score once per line.
3. Eight digits are read as one 64-bit integer. A decimal of at most 15 digits is then a whole number below 2 ** 53 over
   a power of ten up to 10 ** 22. Both are exact in float64, so their quotient is the nearest float64, as `float` gives.
   Other numbers are left to `float`.
4. Blocks are read by a few threads: numpy works without Python's lock.

What is not regular is not judged here: the answer is None, and `tables` reads the file in another way.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from slowfast.structures.annotations.box_table import BoxTable
from slowfast.utils.processes.cores import effective_cores

COLUMNS = 8
LABEL, SCORE = 6, 7  # columns
BLOCK_BYTES = 1 << 21
THREADS = min(4, effective_cores().count)
MAX_START = 512  # bytes of a line before its label
FREED_ONCE = (32 << 20) - 8192  # just below glibc's largest threshold for this, DEFAULT_MMAP_THRESHOLD_MAX
PADDING = bytes(MAX_START)  # around a block, so that any word that touches it can be read

ASCII_ZEROS = np.uint64(0x3030303030303030)
# Entry n keeps the last n of 8 bytes, and the first n.
LAST_BYTES = np.array([2**64 - 2 ** (64 - 8 * n) for n in range(9)], dtype=np.uint64)
FIRST_BYTES = np.array([2 ** (8 * n) - 1 for n in range(9)], dtype=np.uint64)
MAX_PLACES = 14  # and one digit before the point
POWERS_OF_TEN = np.array([float(10**n) for n in range(23)])
WHOLE_POWERS_OF_TEN = np.array([10**n for n in range(MAX_PLACES + 1)], dtype=np.uint64)
EXPONENT_MARK = np.uint64(int.from_bytes(b"e-", "little"))


class ReadsBytes(Protocol):
    """A file open for reading, packed or not."""

    def read(self, size: int, /) -> bytes: ...


class _IrregularError(Exception):
    """The file has to be read in another way."""


@dataclass(frozen=True)
class _Block:
    """The L lines of a block in S runs.

    videos:           names in the order of their first line
    length:           (S,) lines of each run
    video, timestamp: (S,) int32; video is an index into `videos`
    boxes:            (S, 4) float64
    label, score:     (L,) int32, (L,) float64
    """

    videos: tuple[str, ...]
    length: np.ndarray
    video: np.ndarray
    timestamp: np.ndarray
    boxes: np.ndarray
    label: np.ndarray
    score: np.ndarray


def read_regular_rows(file: ReadsBytes, are_boxes: Callable[[np.ndarray], np.ndarray]) -> BoxTable | None:
    """The table of a regular file; None as soon as the file proves irregular, or may hold a value that breaks a rule.

    are_boxes: says which of (n, 4) boxes follow the rules, (n,) bool
    Needs 12 bytes a line besides the table, 52 bytes a line.
    """
    # glibc gives memory back to the system, and a block's arrays with it, until a piece as large as this was freed once.
    # It is never touched. Without it a fresh process spends half its time on page faults.
    np.empty(FREED_ONCE, dtype=np.uint8)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            blocks = list(_in_order(pool, partial(_read_block, are_boxes=are_boxes), _texts(file)))
    except _IrregularError:
        return None
    if not blocks:
        return None
    videos: dict[str, int] = {}
    video = [_renumbered(block, videos) for block in blocks]
    length, timestamp, boxes, label, score = (
        np.concatenate([getattr(block, name) for block in blocks])
        for name in ("length", "timestamp", "boxes", "label", "score")
    )
    return BoxTable(
        videos=tuple(videos),
        video=np.repeat(np.concatenate(video), length),
        timestamp=np.repeat(timestamp, length),
        boxes=np.repeat(boxes, length, axis=0),
        label=label,
        score=score,
    )


def _in_order(pool: ThreadPoolExecutor, read: Callable[[bytes], _Block], texts: Iterator[bytes]) -> Iterator[_Block]:
    """read(text) for each text, a few at a time; a text is taken from the file only when a thread will soon be free."""
    waiting: deque[Future[_Block]] = deque()
    for text in texts:
        waiting.append(pool.submit(read, text))
        if len(waiting) > THREADS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _renumbered(block: _Block, videos: dict[str, int]) -> np.ndarray:
    """(S,) int32: the videos of a block as indices into `videos`, to which new names are added."""
    return np.array([videos.setdefault(name, len(videos)) for name in block.videos], dtype=np.int32)[block.video]


def _texts(file: ReadsBytes) -> Iterator[bytes]:
    """The file in pieces of about BLOCK_BYTES that end where a line ends; no byte-order mark."""
    rest = file.read(3).removeprefix(b"\xef\xbb\xbf")
    while piece := file.read(BLOCK_BYTES):
        lines, newline, tail = piece.rpartition(b"\n")
        if newline:
            yield rest + lines + newline
            rest = tail
        elif len(rest) < BLOCK_BYTES:
            rest += piece
        else:
            raise _IrregularError
    if rest:
        yield rest + b"\n"


def _read_block(lines: bytes, are_boxes: Callable[[np.ndarray], np.ndarray]) -> _Block:
    """lines: whole lines."""
    if b"\r" in lines:
        lines = lines.replace(b"\r\n", b"\n")
    if any(character in lines for character in (b'"', b"\r", b"\0")):
        raise _IrregularError
    text = np.frombuffer(b"".join((PADDING, lines, PADDING)), dtype=np.uint8)
    is_end = text == ord("\n")
    stops = np.flatnonzero(is_end | (text == ord(",")))
    ends = stops[COLUMNS - 1 :: COLUMNS].copy()
    if len(stops) != COLUMNS * np.count_nonzero(is_end) or not is_end[ends].all():
        raise _IrregularError
    ends_of = stops.reshape(-1, COLUMNS)  # of each column
    before_label, before_score = ends_of[:, LABEL - 1].copy(), ends_of[:, SCORE - 1].copy()
    starts = np.append(len(PADDING), ends[:-1] + 1)

    first = np.flatnonzero(_differs_from_row_before(text, starts, before_label))
    run_stops = ends_of[first, :LABEL].T
    run_starts = np.concatenate([starts[None, first], run_stops[:-1] + 1])
    videos, video = _videos(text, run_starts[0], run_stops[0])
    block = _Block(
        videos=videos,
        length=np.diff(first, append=len(ends)),
        video=video,
        timestamp=_whole_numbers(text, run_starts[1], run_stops[1]),
        boxes=_decimals(text, run_starts[2:].T.ravel(), run_stops[2:].T.ravel()).reshape(-1, 4),
        label=_whole_numbers(text, before_label + 1, before_score),
        score=_decimals(text, before_score + 1, ends),
    )
    if block.label.min() < 1 or not np.isfinite(block.score).all() or not are_boxes(block.boxes).all():
        raise _IrregularError
    return block


def _words(text: np.ndarray, start: np.ndarray, count: int) -> np.ndarray:
    """(n, count) uint64: the 8 * count bytes from each start on, the first byte lowest."""
    size = 8 * count
    return np.ndarray((len(text) - size + 1,), f"V{size}", text, strides=(1,))[start].view("<u8").reshape(-1, count)


def _differs_from_row_before(text: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """(n,) bool: are the bytes from start to stop other ones than those of the row before? True in the first row."""
    length = stop - start
    longest = int(length.max())
    if longest > MAX_START:
        raise _IrregularError
    count = -(-longest // 8)
    kept = FIRST_BYTES.take(np.arange(longest + 1)[:, None] - 8 * np.arange(count), mode="clip")
    words = _words(text, start, count) & kept.take(length, axis=0)
    differs = np.zeros(len(start), dtype=bool)
    differs[0] = True
    differs[1 + np.flatnonzero(words[1:] != words[:-1]) // count] = True
    return differs


def _videos(text: np.ndarray, start: np.ndarray, stop: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """The names from start to stop: each once, and (n,) int32 indices into them."""
    if (start == stop).any():
        raise _IrregularError
    first = np.flatnonzero(_differs_from_row_before(text, start, stop))
    try:
        names = [text[a:b].tobytes().decode() for a, b in zip(start[first].tolist(), stop[first].tolist(), strict=True)]
    except UnicodeDecodeError:
        raise _IrregularError from None
    index = {name: number for number, name in enumerate(dict.fromkeys(names))}
    numbers = np.array([index[name] for name in names], dtype=np.int32)
    return tuple(index), np.repeat(numbers, np.diff(first, append=len(start)))


def _digits(words: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last `count` (n,) of the 8 characters of each word (n,) as a number -> ((n,) uint64, (n,) bool: not digits)."""
    values = (words ^ ASCII_ZEROS) & LAST_BYTES.take(count, mode="clip")
    # A byte above 9 shows in its upper half, at the latest when 6 is added.
    odd = (((values + np.uint64(0x0606060606060606)) | values) & np.uint64(0xF0F0F0F0F0F0F0F0)) != 0
    # Pairs, fours, all eight: each step adds neighbours, the left one times 10, 100, 10000.
    values = values * np.uint64(10) + (values >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    values = values * np.uint64(100) + (values >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    values = values * np.uint64(10000) + (values >> np.uint64(32)) & np.uint64(0x00000000FFFFFFFF)
    return values, odd


def _whole_numbers(text: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """(n,) int32 from one to eight digits each."""
    count = stop - start
    values, odd = _digits(_words(text, stop - 8, 1)[:, 0], count)
    if odd.any() or count.min() < 1 or count.max() > 8:
        raise _IrregularError
    return values.astype(np.int32)


def _fixed_point(text: np.ndarray, start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, ...]:
    """Fields "D" or "D.ddd" -> ((n,) uint64 digits, (n,) places after the point, (n,) bool: the field is not like this)."""
    length = stop - start
    places = np.maximum(length - 2, 0)
    words = _words(text, stop - 16, 2)
    low, odd = _digits(words[:, 1], places)
    high, high_odd = _digits(words[:, 0], places - 8)
    leading = text.take(start) - np.uint8(ord("0"))
    odd |= high_odd | (leading > 9) | (places > MAX_PLACES) | ((length > 1) & (text.take(start + 1) != ord(".")))
    digits = low + high * np.uint64(10**8) + leading * WHOLE_POWERS_OF_TEN.take(places, mode="clip")
    return digits, places, odd


def _decimals(text: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """(n,) float64, each the value of `float` of its field."""
    digits, places, odd = _fixed_point(text, start, stop)
    values = digits / POWERS_OF_TEN.take(places, mode="clip")
    if odd.any():
        rows = np.flatnonzero(odd)
        values[rows] = _numbers_with_exponent(text, start[rows], stop[rows])
    return values


def _numbers_with_exponent(text: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """As `_decimals`, for fields like "1.5e-05"; what is not like that goes through `float`."""
    exponent, odd = _digits(_words(text, stop - 8, 1)[:, 0], np.full(len(stop), 2))
    mark = _words(text, stop - 4, 1)[:, 0] & FIRST_BYTES[2]
    digits, places, not_fixed = _fixed_point(text, start, stop - 4)
    places = places + exponent.astype(np.int64)
    odd |= not_fixed | (mark != EXPONENT_MARK) | (stop - start < 5) | (places >= len(POWERS_OF_TEN))
    values = digits / POWERS_OF_TEN.take(places, mode="clip")
    for row in np.flatnonzero(odd).tolist():
        try:
            values[row] = float(text[start[row] : stop[row]].tobytes())
        except ValueError:
            raise _IrregularError from None
    return values
