"""The published costs, counted from the configs themselves."""

import json
from pathlib import Path

import pytest

from slowfast.commands import model_table

REPO = Path(__file__).resolve().parents[2]
FAMILY = ("AVA", "ImageNet", "Kinetics", "SSv2")


@pytest.fixture(scope="module")
def tool():
    return model_table


@pytest.fixture(scope="module")
def rows(tool):
    paths = [path for folder in FAMILY for path in sorted((REPO / "configs" / folder).glob("*.yaml"))]
    return {row.config: row for row in map(tool.make_row, paths)}


def test_every_published_config_exists(tool, rows):
    assert set(tool.PUBLISHED) <= set(rows)
    assert len(rows) >= 21


def test_multiply_adds_are_within_one_percent_of_print(tool, rows):
    compared = {name: rows[name].gmacs_off for name, published in tool.PUBLISHED.items() if published.gmacs}
    assert len(compared) == 13
    assert {name: off for name, off in compared.items() if abs(off) > 0.01} == {}


def test_parameters_are_those_of_print(tool, rows):
    """Print rounds, and has 217.6 M for MViTv2-L where the published file has 213.4 M: the manifests are exact."""
    off = {name: rows[name].parameters / p.parameters - 1 for name, p in tool.PUBLISHED.items() if p.parameters}
    assert off.pop("Kinetics/MVITv2_L_40x3_test") == pytest.approx(213.39 / 217.6 - 1, abs=1e-4)
    assert {name: value for name, value in off.items() if abs(value) > 0.011} == {}


def test_command_line(tool, tmp_path, capsys):
    config = str(REPO / "configs" / "Kinetics" / "MVITv2_S_16x4.yaml")
    assert tool.main([config, "--markdown", "--json", str(tmp_path / "rows.json")]) == 0
    header, _, line = capsys.readouterr().out.splitlines()
    assert header.startswith("| config | input | tokens |")
    assert line.startswith("| Kinetics/MVITv2_S_16x4 | 16x224x224 | 8x7x7x768 | 34.54 | 34.5 | 64.")
    assert line.endswith(" | 64 | +0.7% |  |")
    (row,) = json.loads((tmp_path / "rows.json").read_text())
    assert row["token_grid"] == "8x7x7" and row["gmacs_off"] == pytest.approx(0.0072, abs=1e-3)
    assert tool.main(["no_such.yaml"]) == 1
    assert "no_such.yaml does not exist" in capsys.readouterr().err


def test_the_model_zoo_carries_the_table(tool, rows):
    """All but the last digits of the cost, which follow how the layers are written."""
    document = (REPO / "docs" / "MODEL_ZOO.md").read_text(encoding="utf-8").splitlines()
    written = {
        line.split(" | ")[0].removeprefix("| "): line.strip("| ").split(" | ") for line in document if " | " in line
    }
    gmacs = tool.HEADER.index("GMACs")
    for name, row in rows.items():
        cells = [cell.strip() for cell in tool.cells(row)]
        found = [cell.strip() for cell in written[name]]
        assert found[:gmacs] == cells[:gmacs]
        assert float(found[gmacs]) == pytest.approx(row.gmacs, rel=2e-3)
