"""From a clip and the people told of it to why: their tokens, and what these looked at."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from slowfast.inference.choose import Choice
from slowfast.inference.explain.recorder import AttentionRecorder
from slowfast.inference.explain.rollout import rollout
from slowfast.inference.streams.clip_stream import SkippedMoment, StreamedClip
from slowfast.layers.token_grid import Size3, volume
from slowfast.models.detection.bmvit import BMViT
from slowfast.structures.outputs.explanation import Explanation, PersonExplanation
from slowfast.structures.outputs.moment import Box, Moment, Person
from slowfast.video.stream import Source

if TYPE_CHECKING:
    from slowfast.inference.detector import ActionDetector


class Explainer:
    """Inside `with`, tells why the people of a clip were told that the detector has just been shown.

    model: a BMViT. Raises ValueError for another, and for a backbone whose attention is not known
    """

    def __init__(self, model: nn.Module) -> None:
        if not isinstance(model, BMViT):
            raise ValueError(
                f"--explain tells which output token claimed a person, as BMViT's do; this model ({type(model).__name__}, "
                "MODEL.MODEL_NAME) may find people in another way: leave it out"
            )
        self._select = model.select
        backbone = model.backbone
        assert isinstance(backbone, nn.Module)
        self.recorder = AttentionRecorder(backbone)

    def __enter__(self) -> "Explainer":
        self.recorder.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.recorder.__exit__(*error)

    @torch.no_grad()
    def __call__(self, clip: StreamedClip, row: int, moment: Moment) -> Explanation:
        """Why the people of `moment` were told.

        clip, row: what the network was shown, and its position in the last batch; moment: of that clip, with the tokens
        of its people
        """
        blocks = self.recorder.of_clip(row)
        tokens = [person.token for person in moment.people]
        if any(token is None for token in tokens):
            raise ValueError("people are explained by the tokens that claimed them, and some of these have none")
        numbers = torch.tensor(tokens, dtype=torch.int64)
        grid = blocks[-1].q_grid
        box_rows, action_rows = self._rows(grid)
        device = blocks[-1].weights.device
        both = torch.cat([box_rows[numbers], action_rows[numbers]]).to(device)
        looked = rollout(blocks, both).float().cpu().numpy()
        people = tuple(
            _explained(person, int(token), grid, clip.region, of_box, of_actions)
            for person, token, of_box, of_actions in zip(moment.people, numbers, *np.split(looked, 2), strict=True)
        )
        pictures, key_slice = _pictures(clip, looked.shape[1])
        return Explanation(clip.time, pictures, key_slice, clip.region, people, self.recorder.numbers)

    def _rows(self, grid: Size3) -> tuple[Tensor, Tensor]:
        """(candidates, Q) twice: what share of each output token is in the token of the box, and in that of the actions.

        Selection is linear: it is asked what it makes of tokens that are each the code of their own place.
        """
        size = volume(grid)
        box, action = self._select(torch.eye(size).view(1, *grid, size))
        return box[0], action[0]


def _explained(
    person: Person, token: int, grid: Size3, region: Box, of_box: np.ndarray, of_actions: np.ndarray
) -> PersonExplanation:
    _, height, width = grid
    row, column = divmod(token % (height * width), width)
    x1, y1, x2, y2 = region
    across, down = (x2 - x1) / width, (y2 - y1) / height
    cell = (x1 + column * across, y1 + row * down, x1 + (column + 1) * across, y1 + (row + 1) * down)
    return PersonExplanation(person, (row, column), cell, of_box, of_actions)


def _pictures(clip: StreamedClip, slices: int) -> tuple[np.ndarray, int]:
    """((slices, h, w, 3) uint8, the slice of the key frame): of each slice its middle frame, of that one the key frame."""
    frames = clip.clip.permute(1, 2, 3, 0).numpy()
    key_frame = len(frames) // 2
    key_slice = key_frame * slices // len(frames)
    middles = [(2 * i + 1) * len(frames) // (2 * slices) for i in range(slices)]
    middles[key_slice] = key_frame
    return frames[middles].copy(), key_slice


def explain_moment(
    detector: "ActionDetector",
    source: str | Path | Source,
    time: float,
    *,
    score: float,
    classes: Iterable[str] | None,
) -> Explanation:
    """See `ActionDetector.explain`."""
    if not (np.isfinite(time) and time >= 0):
        raise ValueError(f"a moment to explain is a second of the video, 0 or more, got {time:g}")
    choice = Choice.of(detector.classes, classes, score)
    # Key frames at 0 and `time`, of which the later one is wanted: the same pass and the same rules as in `stream`.
    clips = detector.clips(source, every=time or 1.0)
    clip = next((clip for clip in clips if clip.time == time), None)
    if clip is None:
        raise ValueError(f"{clips.source.name} has no second {time:g}: it ends at {clips.seconds_read:.2f} s")
    if isinstance(clip, SkippedMoment):
        raise ValueError(f"{clips.source.name} cannot be explained at second {time:g}: {clip.reason}")
    with Explainer(detector.loaded.model) as explainer:
        explained: list[Explanation] = []

        def see(clip: StreamedClip, row: int, moment: Moment) -> None:
            explained.append(explainer(clip, row, choice.of_people(moment)))

        list(detector.moments([clip], choice, on_clip=see))
    return explained[0]
