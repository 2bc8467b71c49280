"""The data sets, a file each: a builder from the config to a Split, registered by name. A new one goes here."""

from slowfast.datasets.sets import ava, charades, folder, imagenet, jhmdb, jhmdb_videos, kinetics, ssv2, ucf24

__all__ = ["ava", "charades", "folder", "imagenet", "jhmdb", "jhmdb_videos", "kinetics", "ssv2", "ucf24"]
