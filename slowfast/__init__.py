"""BMViT: single-stage action localization with multiscale vision transformers and bipartite matching."""

__version__ = "0.1.0"
