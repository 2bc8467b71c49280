"""GroundTruthCells: which detection finds which ground-truth box, for many key frames at once. Numpy only.

A cell is one class on one key frame: cell = key frame number * classes + class index.
"""

import numpy as np

ONES_IN_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)


def box_iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """IoU of (n, 4) and (n, 4) float64 xyxy boxes, row by row; 0 where both areas are 0."""
    width = np.minimum(boxes_a[:, 2], boxes_b[:, 2]) - np.maximum(boxes_a[:, 0], boxes_b[:, 0])
    height = np.minimum(boxes_a[:, 3], boxes_b[:, 3]) - np.maximum(boxes_a[:, 1], boxes_b[:, 1])
    intersection = np.maximum(height, 0) * np.maximum(width, 0)
    area_a = (boxes_a[:, 2] - boxes_a[:, 0]) * (boxes_a[:, 3] - boxes_a[:, 1])
    area_b = (boxes_b[:, 2] - boxes_b[:, 0]) * (boxes_b[:, 3] - boxes_b[:, 1])
    # The order of these sums is that of the official evaluator: an IoU of exactly 0.5 rounds the same way.
    union = area_a + area_b - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


class GroundTruthCells:
    """Ground-truth boxes sorted by cell, each with the best score of the detections that found it so far.

    A detection finds the box of its cell with which its IoU is highest, if that IoU reaches the threshold; of equal
    IoUs the box that comes first by (x1, y1, x2, y2). Of all detections that find a box, the one with the highest score
    is the true positive and the others are false ones. So one maximum per box is all there is to know, and detections
    can be offered in any order and in any number of calls.

    After all offers, `hit_score` (G,) float64 holds the score of each box's true positive, -inf where nobody found it;
    `class_index` (G,) is the class of each box.
    """

    def __init__(self, cell: np.ndarray, boxes: np.ndarray, *, num_cells: int, num_classes: int, iou_threshold: float):
        order = np.argsort(cell, kind="stable")
        cell, boxes = cell[order], boxes[order].astype(np.float64)
        shares = np.zeros(len(cell), dtype=bool)
        shares[1:] = cell[1:] == cell[:-1]
        shares[:-1] |= shares[1:]
        crowd = np.flatnonzero(shares)
        boxes[crowd] = boxes[crowd[np.lexsort((*boxes[crowd].T[::-1], cell[crowd]))]]
        self.boxes = boxes
        self.class_index = cell % num_classes
        self.hit_score = np.full(len(cell), -np.inf)
        self.iou_threshold = iou_threshold
        self._cells, self._first, self._count = np.unique(cell, return_index=True, return_counts=True)
        self._occupied = np.zeros(num_cells // 8 + 1, dtype=np.uint8)
        np.bitwise_or.at(self._occupied, self._cells >> 3, (1 << (self._cells & 7)).astype(np.uint8))
        self._before = np.cumsum(ONES_IN_BYTE[self._occupied], dtype=np.int32) - ONES_IN_BYTE[self._occupied]
        same = (cell[1:] == cell[:-1]) & (self.boxes[1:] == self.boxes[:-1]).all(axis=1)
        self.num_repeated = int(same.sum())

    def occupied(self, cell: np.ndarray) -> np.ndarray:
        """(n,) int64 cells -> (n,) bool: does the cell hold ground truth? Most detections stop at this one bit."""
        return (self._occupied.take(cell >> 3) >> (cell & 7).astype(np.uint8)) & 1 == 1

    def _place(self, cell: np.ndarray) -> np.ndarray:
        """(n,) occupied cells -> (n,) their places among all occupied cells: the bits set before theirs."""
        lower_bits = (1 << (cell & 7)) - 1
        return self._before.take(cell >> 3) + ONES_IN_BYTE.take(self._occupied.take(cell >> 3) & lower_bits)

    def offer(self, cell: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> None:
        """Detections of occupied cells: cell (n,) int64, boxes (n, 4) xyxy, scores (n,)."""
        if len(cell) == 0:
            return
        boxes = boxes.astype(np.float64)
        place = self._place(cell)
        first, count = self._first[place], self._count[place]
        best_iou = np.full(len(cell), -1.0)
        best_box = first.copy()
        rows = np.arange(len(cell))
        for k in range(count.max()):
            rows = rows[count[rows] > k]
            candidate = first[rows] + k
            iou = box_iou(boxes[rows], self.boxes[candidate])
            better = iou > best_iou[rows]
            best_iou[rows[better]] = iou[better]
            best_box[rows[better]] = candidate[better]
        found = best_iou >= self.iou_threshold
        np.maximum.at(self.hit_score, best_box[found], scores[found].astype(np.float64))

    def finish(self) -> None:
        """Called once after all offers; here every offer is settled at once."""
