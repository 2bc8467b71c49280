"""What is kept of the explanations of a whole video: every score, and the pictures of key frames evenly over its length."""

from slowfast.inference.choose import Choice
from slowfast.inference.explain.explainer import Explainer
from slowfast.inference.streams.clip_stream import StreamedClip
from slowfast.structures.outputs.explanation import Explanation
from slowfast.structures.outputs.moment import Moment

MOST_KEPT = 32  # key frames whose pictures are kept; fewer than half of it only where the video has fewer


class Collector:
    """Give it the clips of one video in order (`on_clip` of ActionDetector.moments); memory for pictures is bounded.

    moments: all key frames, their people with every chosen action
    kept:    explanations of every `stride`th of them
    """

    def __init__(self, explainer: Explainer, choice: Choice, *, most: int = MOST_KEPT) -> None:
        self.moments: list[Moment] = []
        self.kept: list[Explanation] = []
        self.stride = 1
        self._explainer, self._choice, self._most = explainer, choice, most

    def see(self, clip: StreamedClip, row: int, moment: Moment) -> None:
        moment = self._choice.of_people(moment)
        if len(self.moments) % self.stride == 0:
            self.kept.append(self._explainer(clip, row, moment))
            if len(self.kept) > self._most:
                self.kept, self.stride = self.kept[::2], 2 * self.stride
        self.moments.append(moment)
