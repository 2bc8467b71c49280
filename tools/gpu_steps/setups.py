"""Which networks the steps measure: BMViT-S and MViTv2-S on a GPU, small ones of the same kind with --tiny."""

from bench import classifiers
from bench.detector import Setup
from gpu_steps.report import Options

CONFIGS = classifiers.CONFIG.parents[1]
TINY = ("DATA.NUM_FRAMES", "4", "DATA.TRAIN_CROP_SIZE", "[32, 32]", "DATA.TEST_CROP_SIZE", "[32, 32]")


def detector_setup(options: Options, *, clips: int, changes: tuple[str, ...] = ()) -> Setup:
    """The BMViT; with --tiny the toy one on two clips at most."""
    name, own = ("Toy/BMViT_toy.yaml", TINY) if options.tiny else ("AVA/BMViT_S.yaml", ())
    clips = min(clips, 2) if options.tiny else clips
    return Setup(str(CONFIGS / name), options.device, clips, (*own, *changes), people=2 if options.tiny else 10)
