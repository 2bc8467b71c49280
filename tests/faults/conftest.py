"""What is done to runs here is done to the small ones of tests/integration."""

from pathlib import Path

import pytest

from tests.integration.conftest import (
    on_toy_data,
    overrides,
    roi_config,
    small_sets,
    toy_config,
    toy_data,
    train_once,
    trained,
)

__all__ = [
    "on_toy_data",
    "overrides",
    "roi_config",
    "small_sets",
    "toy_config",
    "toy_data",
    "train_once",
    "trained",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is marked, for `make test-fast` to leave out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)
