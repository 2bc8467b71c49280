"""Where the golden values of classification are; made by PySlowFast (the README beside them)."""

import json
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "classification"


def golden(name: str) -> Any:
    """What is in a JSON file of golden values."""
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def golden_arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / name) as arrays:
        return dict(arrays)
