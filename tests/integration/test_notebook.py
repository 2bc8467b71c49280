"""docs/notebooks/first_steps.ipynb: valid, without outputs, and its cells run one after another as they stand."""

import importlib
import json
import re
import runpy
from pathlib import Path

import pytest
import torch

FIELDS = {"code": {"cell_type", "execution_count", "id", "metadata", "outputs", "source"}}
FIELDS["markdown"] = FIELDS["code"] - {"execution_count", "outputs"}
# A shorter run: (as it stands in the notebook, as it is tested). Each must be there.
SHORTER = (("VIDEOS = 32", "VIDEOS = 8"), ("EPOCHS = 2", "EPOCHS = 1"))


@pytest.fixture(scope="module")
def notebook(repo_root: Path) -> dict:
    return json.loads((repo_root / "docs/notebooks/first_steps.ipynb").read_text(encoding="utf-8"))


def test_it_is_nbformat_4_without_outputs(notebook):
    assert notebook["nbformat"] == 4 and notebook["metadata"]["kernelspec"]["language"] == "python"
    cells = notebook["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells) >= 12
    for cell in cells:
        assert set(cell) == FIELDS[cell["cell_type"]]
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


def test_files_that_it_links_to_exist(notebook, repo_root):
    text = "".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    links = re.findall(r"\]\(([^)#\s]+)", text)
    assert links and all((repo_root / "docs/notebooks" / link).is_file() for link in links)


def test_its_cells_run_in_order(notebook, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    script = "\n\n".join(cells)
    for shown, tested in SHORTER:
        assert script.count(f"{shown}\n") + script.count(f"{shown} ") == 1
        script = script.replace(shown, tested)
    (tmp_path / "cells.py").write_text(script, encoding="utf-8")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        left = runpy.run_path(str(tmp_path / "cells.py"))
    finally:
        torch.set_num_threads(threads)
        importlib.import_module("matplotlib.pyplot").close("all")
    assert left["losses"] and left["metrics"]["clips"] == 2
    assert left["picture"].dtype == "uint8" and left["picture"].shape[2] == 3
    assert "toy AVA in runs/first_steps/data: 8 videos made" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "cells.py"}
