"""Models. `build_model(cfg)` makes the one that MODEL.MODEL_NAME names; new ones register in MODEL_REGISTRY."""

from slowfast.models.build import MODEL_REGISTRY, build_model

__all__ = ["MODEL_REGISTRY", "build_model"]
