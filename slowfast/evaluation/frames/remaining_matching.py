"""RemainingCells: ACT's matching, where a detection may take another box when the nearest is found. Numpy only."""

import numpy as np

from slowfast.evaluation.frames.matching import GroundTruthCells, box_iou


class RemainingCells(GroundTruthCells):
    """As GroundTruthCells, but boxes that were found leave the choice.

    By descending score, a detection finds that box of its cell, among those not found yet, with which its IoU is
    highest, if that IoU reaches the threshold. The two rules differ where several people of a frame do one action: a
    second box on the first person, near enough to the second, is a false positive there and finds the second one here.
    Of detections of equal score the one with the higher (x1, y1, x2, y2) chooses first: that decides which of them are
    hits, by their boxes and not by the order of rows; in the curve any order of them is as likely as any other.
    """

    def __init__(self, cell: np.ndarray, boxes: np.ndarray, *, num_cells: int, num_classes: int, iou_threshold: float):
        super().__init__(cell, boxes, num_cells=num_cells, num_classes=num_classes, iou_threshold=iou_threshold)
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def offer(self, cell: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> None:
        """As GroundTruthCells.offer; what concerns cells of several boxes waits for `finish`."""
        crowded = self._count[self._place(cell)] > 1
        super().offer(cell[~crowded], boxes[~crowded], scores[~crowded])
        if crowded.any():
            self._waiting.append((cell[crowded], boxes[crowded].astype(np.float64), scores[crowded].astype(np.float64)))

    def finish(self) -> None:
        """Match what waits: the best detections of all cells first, then all second best, and so on."""
        if not self._waiting:
            return
        cell, boxes, scores = (np.concatenate(column) for column in zip(*self._waiting, strict=True))
        self._waiting = []
        order = np.lexsort((*-boxes.T[::-1], -scores, cell))
        cell, boxes, scores = cell[order], boxes[order], scores[order]
        starts = np.flatnonzero(np.diff(cell, prepend=cell[0] - 1))
        rank = np.arange(len(cell)) - np.repeat(starts, np.diff(starts, append=len(cell)))
        by_rank = np.argsort(rank, kind="stable")
        for rows in np.split(by_rank, np.cumsum(np.bincount(rank))[:-1]):
            self._take_best(cell[rows], boxes[rows], scores[rows])

    def _take_best(self, cell: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> None:
        """One detection for each of different cells."""
        place = self._place(cell)
        first, count = self._first[place], self._count[place]
        best_iou, best_box = np.full(len(cell), -1.0), first.copy()
        for k in range(count.max()):
            rows = np.flatnonzero(count > k)
            rows = rows[np.isneginf(self.hit_score[first[rows] + k])]
            iou = box_iou(boxes[rows], self.boxes[first[rows] + k])
            better = iou > best_iou[rows]
            best_iou[rows[better]], best_box[rows[better]] = iou[better], first[rows[better]] + k
        found = best_iou >= self.iou_threshold
        self.hit_score[best_box[found]] = scores[found]
