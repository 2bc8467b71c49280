"""What training does to a batch of a classifier's clips on the device: random erasing, then mixup or cutmix."""

from dataclasses import dataclass, replace

from torch import Tensor

from slowfast.datasets.augment.erasing import erase
from slowfast.datasets.augment.mixup import Mix, Mixup
from slowfast.structures.clip import ClipBatch
from slowfast.structures.targets import Labels, TensorMap
from slowfast.utils.seed import generator_for

_STEP = 2**31  # the last part of the seed of what is drawn for a step: no clip has so high a number of repeats


@dataclass(frozen=True)
class LabelBatchAugmentation:
    """Made with a batch by the loader; done once its clips are normalised.

    rectangles: (B, R, 4) int64 and seeds: (B,) int64, as `erase` takes them; they stay on the host
    partner:    (B,) int64, whom each clip is mixed with; a clip without one is its own
    mixup, mix: how targets are made, and what was drawn for the whole step; None for neither
    """

    rectangles: Tensor
    seeds: Tensor
    partner: Tensor
    mixup: Mixup | None = None
    mix: Mix | None = None

    def map(self, change: TensorMap) -> "LabelBatchAugmentation":
        return replace(self, partner=change(self.partner))

    def mixed(self, mixup: Mixup, mix: Mix) -> "LabelBatchAugmentation":
        """The same with what was drawn for the step."""
        return replace(self, mixup=mixup, mix=mix)

    def __call__(self, batch: ClipBatch) -> ClipBatch:
        """Raises ValueError where labels cannot be mixed, see `smooth_targets`."""
        clips = erase(batch.clips, self.rectangles, self.seeds)
        if self.mixup is None or self.mix is None or not isinstance(batch.targets, Labels):
            return replace(batch, clips=clips)
        clips, targets = self.mixup.apply(clips, batch.targets.values, self.mix, self.partner)
        return replace(batch, clips=clips, targets=Labels(targets))


class Mixing:
    """What a step's clips are mixed like: one draw for a whole step, decided by (seed, epoch, step) alone.

    All its micro-batches on all processes are mixed alike. A `StepChange` of the training loader.
    """

    def __init__(self, mixup: Mixup, *, seed: int) -> None:
        self.mixup, self.seed = mixup, seed

    def __call__(self, batch: ClipBatch, epoch: int, step: int) -> ClipBatch:
        if not isinstance(batch.augmentation, LabelBatchAugmentation):
            return batch  # the stand-in for clips that could not be read
        height, width = batch.clips.shape[-2:]
        mix = self.mixup.draw(generator_for(self.seed, epoch, step, _STEP), height, width)
        return replace(batch, augmentation=batch.augmentation.mixed(self.mixup, mix))
