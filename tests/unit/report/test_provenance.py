"""slowfast.report.provenance: what made a result, and the keys in which two runs differ, in words for the page."""

import sys

import pytest
import torch
from torch import nn

from slowfast.config import get_cfg
from slowfast.engine.record.provenance import provenance
from slowfast.report.detection.page import report_figures, report_html
from slowfast.report.provenance import differing_keys, made_with
from slowfast.report.svg import new_figure, styled, to_svg
from slowfast.utils.missing import MissingPackageError
from tests.unit.report.page_elements import outside_references
from tests.unit.report.test_detection_page import run


def test_everything_that_made_a_result_is_in_one_sentence():
    kept = provenance(
        get_cfg(), nn.Linear(1, 1), torch.device("cpu"), config_file="a<b>.yaml", overrides=["RNG_SEED", "3"]
    )
    kept["commit"], kept["weights"]["file"] = "0123456789abcdef0123456789abcdef01234567-dirty", "best.pyth"
    text = made_with("run", {"run": kept})
    assert f"torch {torch.__version__}" in text and "float32 on cpu" in text and "commit 0123456789ab-dirty" in text
    assert f"weights {kept['weights']['state_sha256'][:12]} of best.pyth" in text
    assert "command: --cfg a&lt;b&gt;.yaml RNG_SEED 3" in text
    assert "no commit known" in made_with("run", {"run": kept | {"commit": None}})
    assert "data set ava; tested 20" in text and f"; tested {kept['date']}; float32" in text
    assert "<b>an earlier version</b>: data set, date, versions, commit and weights were not recorded" in made_with(
        "an earlier version", {}
    )


def test_two_runs_name_the_keys_that_differ():
    first, second = get_cfg(), get_cfg()
    first.OUTPUT_DIR, first.LOSS.ACTOR_TYPE, first.AVA.CLASSES = "runs/a", "focal", [1, 2]
    table = differing_keys(("a", "b"), (first, second))
    assert "<tr><td>LOSS.ACTOR_TYPE</td><td>&#x27;focal&#x27;</td><td>&#x27;ce&#x27;</td></tr>" in table
    assert "<tr><td>AVA.CLASSES</td><td>[1, 2]</td><td>[]</td></tr>" in table and table.count("<tr>") == 3
    assert "OUTPUT_DIR" not in table  # it always differs
    same = get_cfg()
    same.OUTPUT_DIR = "runs/a"
    assert differing_keys(("a", "b"), (same, second)) == "<p>The configurations of the two runs are the same.</p>"


def test_both_are_on_the_page():
    kept = provenance(get_cfg(), nn.Linear(1, 1), torch.device("cpu"))
    runs = (run("runA", run=kept), run("runB"))
    page = report_html(runs, report_figures(runs), {}, differing="<p>LOSS.ACTOR differs</p>")
    assert "<p>LOSS.ACTOR differs</p><nav>" in page and f"weights {kept['weights']['state_sha256'][:12]}" in page
    assert outside_references(page) == []


def test_a_report_without_matplotlib_says_how_to_get_it(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for make in (styled, new_figure, lambda: to_svg(None, name="a", label="a")):
        with pytest.raises(MissingPackageError, match=r"^a report needs matplotlib: pip install matplotlib"):
            make()
