"""Configs that came with the package are found from any directory, and only under configs/."""

from pathlib import Path

import pytest

from slowfast.config import load_cfg
from slowfast.config.load import load_cfg_with_sources
from slowfast.config.shipped import find_config, shipped_configs

TOY = "configs/Toy/BMViT_toy.yaml"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_clone_ships_its_own_folder():
    assert shipped_configs() == Path(__file__).resolve().parents[3] / "configs"
    assert len(list(shipped_configs().glob("*/*.yaml"))) >= 24


def test_a_path_below_configs_is_found_from_anywhere():
    for path in (TOY, Path(TOY), f"./{TOY}"):
        cfg, report = load_cfg_with_sources(path)
        assert cfg.MODEL.MODEL_NAME == "BMViT"
        assert report.sources["MODEL.MODEL_NAME"].startswith(str(shipped_configs() / "Toy/BMViT_toy.yaml"))
    assert load_cfg("configs/Toy/RoI_toy.yaml").MODEL.MODEL_NAME == "TwoStage"  # its _BASE_ lies beside it


def test_a_file_of_the_working_directory_comes_first(tmp_path):
    (tmp_path / TOY).parent.mkdir(parents=True)
    (tmp_path / TOY).write_text("RNG_SEED: 77\n")
    assert load_cfg(TOY).RNG_SEED == 77


def test_the_error_says_where_it_was_sought():
    with pytest.raises(
        FileNotFoundError, match=r"configs/Toy/none.yaml does not exist \(working .*configs has none eit"
    ):
        load_cfg("configs/Toy/none.yaml")
    with pytest.raises(
        FileNotFoundError, match=r"Toy/BMViT_toy.yaml does not exist .*only a path that starts with con"
    ):
        load_cfg("Toy/BMViT_toy.yaml")
    with pytest.raises(FileNotFoundError, match=r"none\.yaml does not exist \(working directory [^;,]*\)$"):
        load_cfg(Path.cwd() / "configs" / "none.yaml")


def test_other_paths_are_left_alone():
    for path in (Path("Toy/BMViT_toy.yaml"), Path.cwd() / TOY, Path("my_configs/Toy/BMViT_toy.yaml")):
        assert find_config(path) == path
