"""Identity switches and IDF1 of people followed through a video. Numpy and SciPy only.

Switches are those of CLEAR MOT (Bernardin and Stiefelhagen 2008): frame by frame, a person keeps the track of the frame
before where the two still overlap enough; who is left is matched by the Hungarian method on the IoU; a person that is
matched to another track than when last matched is a switch.

IDF1 (Ristani et al. 2016) judges the video as a whole: persons and tracks are matched one to one, so that the most boxes
agree; IDF1 is twice the boxes that agree over all boxes, annotated and found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from slowfast.evaluation.frames.matching import box_iou

# Of one frame: number of a person or a track -> its box, xyxy in any one unit.
Boxes = Mapping[int, Sequence[float]]


@dataclass(frozen=True)
class IdentityScores:
    """Counts, which add up over videos.

    annotated, found: boxes of persons, and of tracks
    agreed:           boxes of both that agree when persons and tracks are matched one to one (IDTP)
    matched:          annotated boxes that overlap a found one, matched frame by frame
    switches:         times that a person went on under another track
    """

    annotated: int = 0
    found: int = 0
    agreed: int = 0
    matched: int = 0
    switches: int = 0

    def __add__(self, other: "IdentityScores") -> "IdentityScores":
        return IdentityScores(
            self.annotated + other.annotated,
            self.found + other.found,
            self.agreed + other.agreed,
            self.matched + other.matched,
            self.switches + other.switches,
        )

    @property
    def idf1(self) -> float:
        """2 IDTP / (2 IDTP + IDFP + IDFN), nan where there is no box at all."""
        boxes = self.annotated + self.found
        return 2 * self.agreed / boxes if boxes else float("nan")


def identity_scores(persons: Sequence[Boxes], tracks: Sequence[Boxes], *, iou_threshold: float = 0.5) -> IdentityScores:
    """One video: the annotated persons and the tracks of each of its frames, in order.

    Raises ValueError where the two have different numbers of frames.
    """
    if len(persons) != len(tracks):
        raise ValueError(f"{len(persons)} frames are annotated and {len(tracks)} are tracked; both must be the same")
    last: dict[int, int] = {}  # the track a person had when it was last matched
    together: dict[tuple[int, int], int] = {}  # frames on which a person and a track overlap
    matched = switches = 0
    for people, found in zip(persons, tracks, strict=True):
        overlap = _overlaps(people, found, iou_threshold)
        for pair in overlap:
            together[pair] = together.get(pair, 0) + 1
        for person, track in _matches(overlap, last).items():
            matched += 1
            switches += last.get(person, track) != track
            last[person] = track
    return IdentityScores(
        annotated=sum(map(len, persons)),
        found=sum(map(len, tracks)),
        agreed=sum(together[pair] for pair in _one_to_one({pair: float(n) for pair, n in together.items()})),
        matched=matched,
        switches=switches,
    )


def _overlaps(people: Boxes, found: Boxes, threshold: float) -> dict[tuple[int, int], float]:
    """(person, track) -> IoU, of the pairs that reach the threshold."""
    pairs = [(person, track) for person in people for track in found]
    if not pairs:
        return {}
    ious = box_iou(
        np.array([people[person] for person, _ in pairs], dtype=np.float64),
        np.array([found[track] for _, track in pairs], dtype=np.float64),
    )
    return {pair: float(iou) for pair, iou in zip(pairs, ious, strict=True) if iou >= threshold}


def _matches(overlap: dict[tuple[int, int], float], last: Mapping[int, int]) -> dict[int, int]:
    """person -> track on one frame: those that go on, then the best matching of the rest."""
    # Two persons may have had one track, one after the other.
    kept = dict(_one_to_one({pair: iou for pair, iou in overlap.items() if last.get(pair[0]) == pair[1]}))
    taken = set(kept.values())
    rest = {(p, t): iou for (p, t), iou in overlap.items() if p not in kept and t not in taken}
    return kept | dict(_one_to_one(rest))


def _one_to_one(weights: Mapping[tuple[int, int], float]) -> list[tuple[int, int]]:
    """The pairs of the matching of highest weight, of those that have one."""
    rows, columns = (sorted({pair[side] for pair in weights}) for side in (0, 1))
    table = np.zeros((len(rows), len(columns)))
    for (person, track), weight in weights.items():
        table[rows.index(person), columns.index(track)] = weight
    chosen = zip(*linear_sum_assignment(table, maximize=True), strict=True)
    return [(rows[i], columns[k]) for i, k in chosen if table[i, k] > 0]
