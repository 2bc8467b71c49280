"""How many classes a model has when MODEL.NUM_CLASSES is left out."""

from fvcore.common.config import CfgNode

# What the label maps of the published sets hold. `folder`: the fewest that there can be; a run counts the folders.
USUAL_CLASSES = {
    "ava": 80,
    "jhmdb": 21,
    "ucf24": 24,
    "kinetics": 400,
    "ssv2": 174,
    "charades": 157,
    "imagenet": 1000,
    "jhmdb_videos": 21,
    "folder": 2,
}


def num_classes(cfg: CfgNode) -> int:
    """MODEL.NUM_CLASSES; left out, the usual number of the data set's classes.

    A run asks the label map first and writes what it says into the key, so this counts where no data is read: to build
    or count a network. Raises ValueError for a data set whose number of classes is not known.
    """
    if cfg.MODEL.NUM_CLASSES:
        return cfg.MODEL.NUM_CLASSES
    dataset = cfg.TRAIN.DATASET if cfg.TRAIN.ENABLE else cfg.TEST.DATASET
    if dataset not in USUAL_CLASSES:
        raise ValueError(f"MODEL.NUM_CLASSES is left out, and how many classes {dataset} has is not known: set it")
    return USUAL_CLASSES[dataset]


def with_num_classes(cfg: CfgNode, count: int, source: str) -> CfgNode:
    """The frozen config with the number of classes that `source` has, where MODEL.NUM_CLASSES was left out.

    Raises ValueError where it says another number.
    """
    if count == cfg.MODEL.NUM_CLASSES:
        return cfg
    if cfg.MODEL.NUM_CLASSES:
        raise ValueError(
            f"MODEL.NUM_CLASSES is {cfg.MODEL.NUM_CLASSES}, but {source} has {count} classes; set MODEL.NUM_CLASSES "
            f"{count}, or leave it out"
        )
    known = cfg.clone()
    known.defrost()
    known.MODEL.NUM_CLASSES = count
    known.freeze()
    return known
