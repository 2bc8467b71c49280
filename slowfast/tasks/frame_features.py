"""Features of frames made once with the weights at hand, for a backbone whose image network is frozen."""

import hashlib

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.datasets.build import build_feature_clips, build_views
from slowfast.datasets.features.feature_clips import FeatureReport, count
from slowfast.datasets.features.store import FeatureStore
from slowfast.datasets.features.views import VideoView
from slowfast.datasets.split import KeyFrameSplit
from slowfast.models.backbone import frames_at_once, sees_frames
from slowfast.tasks.task import Pictures
from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed
from slowfast.utils.progress import progress


class FrameFeatures:
    """What `model.backbone.frame_features` makes of the frames of a run, in DATA.FEATURE_CACHE.

    pictures: (3, n, h, w) uint8 RGB and how its colours are changed -> (n, 3, h, w) as the network takes them, on the device
    stride:   pixels of the input along each side that one place of the features covers
    """

    def __init__(self, cfg: CfgNode, model: nn.Module, pictures: Pictures) -> None:
        backbone = model.get_submodule("backbone")
        if not sees_frames(backbone):
            raise ValueError(
                f"DATA.FEATURE_VIEWS ({cfg.DATA.FEATURE_VIEWS}) needs a backbone with a part that sees single frames "
                f"(FrameCNNMViT); MODEL.BACKBONE {cfg.MODEL.BACKBONE} has none: set it to 0"
            )
        trained = [n for n, p in model.named_parameters() if n.startswith("backbone.frames.") and p.requires_grad]
        if trained and cfg.TRAIN.ENABLE:
            raise ValueError(
                f"DATA.FEATURE_VIEWS ({cfg.DATA.FEATURE_VIEWS}) keeps what the image network makes of frames, and training "
                'would change it: set MODEL.FREEZE ["backbone.frames."], or FEATURE_VIEWS 0'
            )
        self.cfg, self.pictures, self.features_of = cfg, pictures, backbone.folded_frames()
        weights = hashlib.sha256()
        for name, tensor in sorted(model.get_submodule("backbone.frames").state_dict().items()):
            weights.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        self._weights = weights.hexdigest()
        self.stride = backbone.feature_stride
        self.store: FeatureStore | None = None

    def fill(self, name: str, split: KeyFrameSplit) -> None:
        """Make what the store lacks of the "train" or "test" split: each process its share of the videos."""
        if self.store is None:
            d = self.cfg.DATA
            identity = {
                "weights": self._weights,
                "pixels": [list(d.MEAN), list(d.STD), d.REVERSE_INPUT_CHANNEL, d.CACHE_SHORT_SIDE],
                **build_views(self.cfg, split.annotated.label_map).identity,
            }
            self.store = FeatureStore(d.FEATURE_CACHE, identity)
        clips = build_feature_clips(self.cfg, name, split, self.store)
        share = slice(distributed.rank(), None, distributed.world_size())
        total = len(split.annotated.key_frames.used_videos[share]) * clips.views
        outcomes = []
        with progress(what=f"features of the {name} videos", total=total, unit="view") as bar:
            for outcome in clips.make(self._features, share=share):
                outcomes.append(outcome)
                bar.update()
        reports = distributed.gather_objects(count(outcomes))
        get_logger().info("%s: %s", name, FeatureReport.of_all(reports))

    @torch.no_grad()
    def _features(self, view: VideoView) -> Tensor:
        """n frames -> (n, F, h / 32, w / 32)."""
        x = self.pictures(view.clip, view.colours)
        return torch.cat([self.features_of(part) for part in x.split(frames_at_once(x.device))])
