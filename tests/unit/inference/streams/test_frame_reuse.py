"""What was computed from a frame alone is computed once, whatever clips show the frame, and the numbers stay."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from slowfast.config import load_cfg
from slowfast.engine.device.inputs import Inputs
from slowfast.inference.build import DETECTS, Loaded
from slowfast.inference.detector import ActionDetector
from slowfast.inference.streams.frame_reuse import reuses_frames
from slowfast.models.backbone import sees_frames
from slowfast.models.detection.bmvit import BMViT
from slowfast.models.detection.heads import BMViTHeads
from slowfast.models.detection.token_select import TokenSelect
from slowfast.structures.outputs.moment import ActionClass
from slowfast.video.stream import TimedFrame
from tests.unit.models.tiny import tiny_bmvit

FPS, FRAMES = 12, 60  # the toy's clips: 8 frames, every second one of 12 a second
NAMES = ("stand", "sit", "wave")


class FakeImageNetwork(nn.Module):
    """A convolution on each frame, then one along time. seen: how many frames went through the first."""

    stride, dim = (1, 16, 16), 6

    def __init__(self) -> None:
        super().__init__()
        self.alone = nn.Conv2d(3, 4, 16, stride=16)
        self.together = nn.Conv3d(4, 6, (3, 1, 1), padding=(1, 0, 0))
        self.seen = 0

    def frame_features(self, frames: Tensor) -> Tensor:
        self.seen += len(frames)
        return torch.tanh(self.alone(frames))

    def folded_frames(self):
        return self.frame_features

    def forward_features(self, features: Tensor) -> Tensor:
        return self.together(features).permute(0, 2, 3, 4, 1)

    def forward(self, clips: Tensor) -> Tensor:
        alone = self.frame_features(clips.transpose(1, 2).flatten(0, 1))
        return self.forward_features(alone.unflatten(0, (len(clips), -1)).transpose(1, 2))


class Noise:
    """60 frames of noise."""

    name, frame_seconds, last_duration, damaged = "noise", 1 / FPS, 1 / FPS, ()

    def frames(self):
        for number in range(FRAMES):
            picture = np.random.default_rng(number).integers(0, 256, (48, 60, 3), dtype=np.uint8)
            yield TimedFrame(number / FPS, lambda picture=picture: picture)


@pytest.fixture
def detector(repo_root: Path) -> ActionDetector:
    torch.manual_seed(0)
    cfg = load_cfg(repo_root / "configs/Toy/BMViT_toy.yaml", ["MODEL.NUM_CLASSES", "3", "TEST.ACTOR_THRESHOLD", "0"])
    backbone = FakeImageNetwork()
    heads = BMViTHeads(
        backbone.dim, num_classes=3, hidden=12, depth=2, actor_logits=1, box_prior=True, prior_size=(0.3, 0.5)
    )
    model = BMViT(backbone, select=TokenSelect(box_tokens="central_pair", action_tokens="temporal_mean"), heads=heads)
    inputs = Inputs(torch.device("cpu"), mean=(0.45, 0.4, 0.5), std=(0.2, 0.25, 0.3))
    classes = tuple(ActionClass(i, i + 1, name) for i, name in enumerate(NAMES))
    return ActionDetector(Loaded(Path("fake.pyth"), cfg, DETECTS, model.eval(), inputs, classes), batch=3)


def numbers(moments) -> np.ndarray:
    rows = []
    for moment in moments:
        for person in sorted(moment.people, key=lambda person: person.box):
            scores = {action.name: action.score for action in person.actions}
            rows.append([moment.time, *person.box, person.score, *(scores[name] for name in NAMES)])
    return np.array(rows)


@pytest.mark.parametrize("every", [1 / 6, 1 / 3, 0.5, 0.4], ids=lambda every: f"{every:.2f} s")
def test_each_frame_is_computed_once_and_the_numbers_stay(detector, every):
    backbone = detector.loaded.model.backbone
    clips = detector.clips(Noise(), every=every)
    shown = {id(frame): frame for clip in clips for frame in clip.shown}  # kept, so that no id comes twice
    backbone.seen = 0
    reused = numbers(detector.stream(Noise(), every=every))
    reuse, seen = detector._reuse, backbone.seen
    assert seen == reuse.computed == len(shown)
    moments = int(np.ceil(FRAMES / FPS / every - 1e-9))
    assert reuse.asked == 8 * moments and len(reused) == 20 * moments  # 4 x 5 places are candidates

    detector._reuse = None
    backbone.seen = 0
    whole = numbers(detector.stream(Noise(), every=every))
    assert backbone.seen == 8 * moments > 2 * seen or every >= 0.4
    assert np.ptp(whole[:, 5]) > 0.01  # frames decide something
    np.testing.assert_allclose(reused, whole, atol=1e-5, rtol=0)


def test_a_quarter_of_the_frames_is_new_where_every_is_a_quarter_of_the_clip(detector):
    list(detector.stream(Noise(), every=4 / FPS))  # 2 of 8 frames
    assert detector._reuse.computed == FRAMES // 2 + 1  # the even ones, and the last, which stands for those after it
    assert detector._reuse.asked == 8 * FRAMES // 4


def test_features_are_kept_no_longer_than_frames(detector):
    clips = detector.clips(Noise(), every=1 / 3)
    kept = [sum(getattr(frame, "features", None) is not None for frame in clips._frames)
            for _ in detector.moments(clips, _everything(detector))]  # fmt: skip
    assert 0 < max(kept) <= clips.most_kept <= 24 and kept[-1] <= 16


def _everything(detector: ActionDetector):
    from slowfast.inference.choose import Choice

    return Choice.of(detector.classes, None, 0.0)


def test_only_networks_that_see_frames_apart_are_asked_to(detector):
    assert reuses_frames(detector.loaded.model) and sees_frames(detector.loaded.model.backbone)
    mvit = tiny_bmvit()
    assert not reuses_frames(mvit) and not sees_frames(mvit.backbone)
    assert not reuses_frames(detector.loaded.model.backbone)  # a backbone finds nobody
