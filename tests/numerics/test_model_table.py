"""The published costs, counted from the configs themselves."""

import json
from pathlib import Path

import pytest

from slowfast.commands.networks import model_table

REPO = Path(__file__).resolve().parents[2]
FAMILY = ("AVA", "ImageNet", "Kinetics", "SSv2")


@pytest.fixture(scope="module")
def tool():
    return model_table


# One network of each kind. The others differ from these in lengths, widths and depths, and their parameters are compared
# with the published files, exactly, in test_mvit_golden.py.
OF_EACH_KIND = (
    *("AVA/BMViT_S", "AVA/BMViT_ViT_B", "AVA/BMViT_MViTv1_B", "AVA/MVIT_B_16x4_RoI"),
    *("ImageNet/MVITv2_T", "Kinetics/MVIT_B_16x4_CONV", "Kinetics/MVITv2_S_16x4", "Kinetics/MVITv2_S_16x4_MaskFeat_FT"),
)


def config_names() -> list[str]:
    """Folder and name of every config of the family."""
    return [f"{folder}/{path.stem}" for folder in FAMILY for path in sorted((REPO / "configs" / folder).glob("*.yaml"))]


@pytest.fixture(scope="module", params=["one of each kind", pytest.param("all", marks=pytest.mark.slow)])
def rows(request, tool):
    names = config_names()
    assert set(tool.PUBLISHED) <= set(names) and set(OF_EACH_KIND) <= set(names)
    assert len(names) >= 21
    names = names if request.param == "all" else OF_EACH_KIND
    return {name: tool.make_row(REPO / "configs" / f"{name}.yaml") for name in names}


@pytest.fixture
def published(tool, rows):
    """What was printed of the networks that were counted."""
    return {name: published for name, published in tool.PUBLISHED.items() if name in rows}


def test_every_row_is_of_its_config(rows):
    assert [row.config for row in rows.values()] == list(rows)


def test_multiply_adds_are_within_one_percent_of_print(tool, rows, published):
    compared = {name: rows[name].gmacs_off for name, printed in published.items() if printed.gmacs}
    assert len(compared) == (13 if set(tool.PUBLISHED) <= set(rows) else 5)
    assert {name: off for name, off in compared.items() if abs(off) > 0.01} == {}


def test_parameters_are_those_of_print(rows, published):
    """Print rounds, and has 217.6 M for MViTv2-L where the published file has 213.4 M: the manifests are exact."""
    off = {name: rows[name].parameters / p.parameters - 1 for name, p in published.items() if p.parameters}
    assert len(off) >= 4
    large = off.pop("Kinetics/MVITv2_L_40x3_test", None)
    assert large is None or large == pytest.approx(213.39 / 217.6 - 1, abs=1e-4)
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


def zoo() -> dict[str, list[str]]:
    """config -> cells of its row in docs/MODEL_ZOO.md."""
    document = (REPO / "docs" / "MODEL_ZOO.md").read_text(encoding="utf-8").splitlines()
    lines = [line for line in document if " | " in line]
    return {
        line.split(" | ")[0].removeprefix("| "): [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in lines
    }


def test_the_model_zoo_has_a_row_for_every_config():
    assert set(config_names()) <= set(zoo())


def test_the_model_zoo_carries_the_table(tool, rows):
    """All but the last digits of the cost, which follow how the layers are written."""
    written, gmacs = zoo(), tool.HEADER.index("GMACs")
    for name, row in rows.items():
        cells = [cell.strip() for cell in tool.cells(row)]
        assert written[name][:gmacs] == cells[:gmacs]
        assert float(written[name][gmacs]) == pytest.approx(row.gmacs, rel=2e-3)
