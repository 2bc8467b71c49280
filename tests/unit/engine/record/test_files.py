"""slowfast.engine.record.files: a test leaves the configuration of the training in whose folder it runs."""

import hashlib
import json
import logging

import pytest

from slowfast.config import load_cfg
from slowfast.engine.record.files import save_config
from slowfast.tasks.tested_run import _config_of_the_test


@pytest.fixture
def cfg_of(repo_root, tmp_path):
    return lambda *keys: load_cfg(repo_root / "configs/Toy/BMViT_toy.yaml", ["OUTPUT_DIR", str(tmp_path), *keys])


def test_a_test_in_the_folder_of_a_training_has_a_file_of_its_own(cfg_of, tmp_path, caplog):
    trained, tested = cfg_of("RNG_SEED", 3), cfg_of("RNG_SEED", 4)
    save_config(trained)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/checkpoint_epoch_00001.pyth").touch()
    with caplog.at_level(logging.INFO):
        save_config(tested, trains=False)
    assert load_cfg(tmp_path / "config.yaml") == trained and load_cfg(tmp_path / "test_config.yaml") == tested
    assert "config.yaml stays that of the training; the configuration of this test is test_config.yaml" in caplog.text
    save_config(tested)
    assert load_cfg(tmp_path / "config.yaml") == tested  # a training that goes on


def test_a_test_in_a_folder_of_its_own_leaves_one_file(cfg_of, tmp_path):
    for seed in (3, 4):
        save_config(cfg_of("RNG_SEED", seed), trains=False)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    assert load_cfg(tmp_path / "config.yaml").RNG_SEED == 4


def test_a_report_reads_the_configuration_that_its_numbers_were_made_with(tmp_path):
    for name in ("config.yaml", "test_config.yaml"):
        (tmp_path / name).write_text(name)
        made_with = {"run": {"config_sha256": hashlib.sha256(name.encode()).hexdigest()}}
        (tmp_path / "metrics.json").write_text(json.dumps(made_with))
        assert _config_of_the_test(tmp_path).name == name
    for other in ({}, {"run": {"config_sha256": "of a later training"}}):
        (tmp_path / "metrics.json").write_text(json.dumps(other))
        assert _config_of_the_test(tmp_path).name == "config.yaml"
