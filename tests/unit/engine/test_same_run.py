"""slowfast.engine.same_run: a run goes on, and weights are tested, as they were trained, or the keys are named."""

import logging

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.engine import same_run
from slowfast.engine.same_run import describe_changes, refuse_another_run, refuse_other_weights
from slowfast.weights.checkpoint import Checkpointer

NAMES = ("stand", "walk")


@pytest.fixture
def cfg_of(repo_root, tmp_path):
    given = ["OUTPUT_DIR", str(tmp_path / "run"), "SOLVER.MAX_EPOCH", "3", "SOLVER.WARMUP_EPOCHS", "0"]
    return lambda *overrides: load_cfg(repo_root / "configs/Toy/BMViT_toy.yaml", [*given, *overrides])


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpointer(tmp_path / "run/checkpoints")


def save(checkpoints, cfg, epoch=2):
    state = {"model_state": {"a": torch.zeros(2)}, "cfg": cfg.dump(), "class_names": list(NAMES)}
    return checkpoints.save(epoch, state)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (["LOSS.ACTOR_TYPE", "focal"], "LOSS.ACTOR_TYPE is 'focal', it was 'ce'"),
        (["BMVIT.BOX_PRIOR", "False"], "BMVIT.BOX_PRIOR is False, it was True"),
        (["DATA.SAMPLING_RATE", "3"], r"DATA.SAMPLING_RATE is 3, it was \d"),
        (["SOLVER.MAX_EPOCH", "4"], "SOLVER.MAX_EPOCH is 4, it was 3"),
        (["MVIT.EMBED_DIM", "24"], r"MVIT.EMBED_DIM is 24, it was \d+"),
    ],
)
def test_a_key_that_changes_results_is_refused_and_may_be_on_purpose(cfg_of, checkpoints, change, text):
    save(checkpoints, cfg_of())
    with pytest.raises(ValueError, match=text) as refused:
        refuse_another_run(cfg_of(*change), checkpoints, NAMES)
    message = str(refused.value)
    assert "Choose another OUTPUT_DIR" in message and message.endswith(f'set CHANGED_ON_PURPOSE "[{change[0]}]"')
    assert "Going on would mix the two" in message and len(message.splitlines()) == 3
    refuse_another_run(cfg_of(*change, "CHANGED_ON_PURPOSE", f"[{change[0]}]"), checkpoints, NAMES)


def test_the_remedy_keeps_what_was_on_purpose_already(cfg_of, checkpoints):
    save(checkpoints, cfg_of())
    changed = cfg_of("RNG_SEED", "7", "LOSS.ACTION", "2", "CHANGED_ON_PURPOSE", "[RNG_SEED]")
    with pytest.raises(ValueError, match=r'CHANGED_ON_PURPOSE "\[RNG_SEED, LOSS.ACTION\]"') as refused:
        refuse_another_run(changed, checkpoints, NAMES)
    assert "RNG_SEED is" not in str(refused.value)


def test_of_a_finished_run_the_weights_would_have_another_name(cfg_of, checkpoints):
    save(checkpoints, cfg_of(), epoch=3)
    with pytest.raises(ValueError, match="That run is finished, so its weights would be tested under another name"):
        refuse_another_run(cfg_of("LOSS.ACTOR_TYPE", "focal"), checkpoints, NAMES)


@pytest.mark.parametrize(
    "change",
    [
        *(["NUM_GPUS", "0"], ["AVA.VIDEO_DIR", "/elsewhere"], ["DATA_LOADER.NUM_WORKERS", "1"], ["LOG_PERIOD", "3"]),
        *(["TEST.NMS_IOU", "0.5"], ["MODEL.PRECISION", "bf16"], ["MODEL.COMPILE", "off"], ["NUM_THREADS", "1"]),
        *(["TRAIN.CHECKPOINT_FILE_PATH", "weights.pyth"], ["DATA.CACHE_DIR", "/elsewhere"]),
    ],
)
def test_where_and_how_fast_may_change(cfg_of, checkpoints, change):
    save(checkpoints, cfg_of())
    refuse_another_run(cfg_of(*change), checkpoints, NAMES)


def test_other_classes_are_refused(cfg_of, checkpoints):
    save(checkpoints, cfg_of())
    with pytest.raises(
        ValueError, match=r"a run on other classes .*: 2 \(stand, walk\), and the data has 2 \(walk, stand\)"
    ):
        refuse_another_run(cfg_of(), checkpoints, NAMES[::-1])
    refuse_another_run(cfg_of(), checkpoints, None)  # data that only numbers its classes


def test_nothing_to_compare_with(cfg_of, checkpoints):
    refuse_another_run(cfg_of(), checkpoints, NAMES)
    assert not checkpoints.folder.exists()
    checkpoints.save(2, {"model_state": {"a": torch.zeros(2)}})
    refuse_another_run(cfg_of("LOSS.ACTOR_TYPE", "focal"), checkpoints, NAMES)


def test_the_newest_that_can_be_read_is_compared(cfg_of, checkpoints):
    save(checkpoints, cfg_of(), epoch=1)
    save(checkpoints, cfg_of("RNG_SEED", "7")).write_bytes(b"cut off")
    refuse_another_run(cfg_of(), checkpoints, NAMES)
    with pytest.raises(ValueError, match="RNG_SEED is 7, it was 0"):
        refuse_another_run(cfg_of("RNG_SEED", "7"), checkpoints, NAMES)


def test_without_resuming_a_folder_with_a_run_is_refused(cfg_of, checkpoints):
    save(checkpoints, cfg_of())
    with pytest.raises(ValueError, match=r"TRAIN.AUTO_RESUME is False, but .* holds checkpoints of an earlier run"):
        refuse_another_run(cfg_of("TRAIN.AUTO_RESUME", "False"), checkpoints, NAMES)


def test_weights_are_tested_as_the_network_they_were_trained_as(cfg_of, checkpoints):
    path = save(checkpoints, cfg_of())
    refuse_other_weights(cfg_of("LOSS.ACTOR_TYPE", "focal", "SOLVER.BASE_LR", "1"), path)
    for key, value in (("BMVIT.BOX_PRIOR", "False"), ("DATA.SAMPLING_RATE", "3")):
        with pytest.raises(
            ValueError, match=f"was trained with another configuration:\n  - {key} is {value}"
        ) as refused:
            refuse_other_weights(cfg_of(key, value), path)
        assert "config.yaml of its run" in str(refused.value) and f'CHANGED_ON_PURPOSE "[{key}]"' in str(refused.value)
        refuse_other_weights(cfg_of(key, value, "CHANGED_ON_PURPOSE", f"[{key}]"), path)


@pytest.fixture
def said(monkeypatch, caplog):
    monkeypatch.setattr(same_run, "get_logger", lambda: logging.getLogger("same_run"))
    caplog.set_level(logging.INFO, "same_run")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


def test_what_is_other_is_said(cfg_of, checkpoints, said):
    path = save(checkpoints, cfg_of(), epoch=3)
    changed = cfg_of("RNG_SEED", "7", "CHANGED_ON_PURPOSE", "[RNG_SEED]", "LOG_PERIOD", "3", "TEST.NMS_IOU", "0.5")
    describe_changes(changed, checkpoints.newest()[1], path)
    assert [level for level, _ in said()] == ["WARNING", "WARNING", "INFO"]
    purpose, finished, others = (text for _, text in said())
    assert purpose == "RNG_SEED is 7, it was 0 (CHANGED_ON_PURPOSE)" and "the run is finished: nothing is" in finished
    assert others.endswith("LOG_PERIOD is 3, it was 10; TEST.NMS_IOU is 0.5, it was 0.0")


def test_start_weights_of_a_run_that_goes_on_are_mentioned(cfg_of, checkpoints, said):
    path = save(checkpoints, cfg_of())
    describe_changes(cfg_of("TRAIN.CHECKPOINT_FILE_PATH", "w.pyth"), checkpoints.newest()[1], path)
    path = save(checkpoints, cfg_of("TRAIN.CHECKPOINT_FILE_PATH", "w.pyth"))
    describe_changes(cfg_of("TRAIN.CHECKPOINT_FILE_PATH", "w.pyth"), checkpoints.newest()[1], path)
    (level, text), (level2, text2) = said()
    assert level == "WARNING" and "w.pyth is not used: the run goes on from" in text and "at random weights" in text
    assert level2 == "INFO" and text2.endswith("w.pyth was read when the run began, and is not read again")
