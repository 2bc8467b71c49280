"""What a run is: every key, its meaning and its allowed values, and how a YAML file becomes a checked tree of them."""

from slowfast.config.load import get_cfg, load_cfg

__all__ = ["get_cfg", "load_cfg"]
