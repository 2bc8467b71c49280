"""slowfast.config.effects and differences: every key has one effect, and what differs between two configurations."""

from collections import Counter

import pytest

from slowfast.config import get_cfg, load_cfg
from slowfast.config.differences import differences, flat, forbidden, read_dump
from slowfast.config.effects import EFFECTS, FILES, TO_GO_ON, TO_TEST, Effect, all_listed
from slowfast.config.load import SCHEMA


def test_every_key_has_exactly_one_effect():
    listed = Counter(all_listed())
    assert set(listed) == set(SCHEMA), set(listed) ^ set(SCHEMA)
    assert [key for key, count in listed.items() if count > 1] == []
    assert set(FILES) <= set(SCHEMA) and {EFFECTS[key] for key in FILES} == {Effect.TRAINING}


@pytest.mark.parametrize(
    ("key", "effect"),
    [
        ("LOSS.ACTOR_TYPE", Effect.TRAINING),
        ("BMVIT.BOX_PRIOR", Effect.NETWORK),
        ("DATA.SAMPLING_RATE", Effect.CLIP),
        ("SOLVER.MAX_EPOCH", Effect.TRAINING),
        ("TEST.NMS_IOU", Effect.EVALUATION),
        ("NUM_GPUS", Effect.PLACE),
        ("TRAIN.CHECKPOINT_FILE_PATH", Effect.START),
    ],
)
def test_effects_that_a_user_has_met(key, effect):
    assert EFFECTS[key] is effect
    assert (effect in TO_GO_ON) == (effect in (Effect.NETWORK, Effect.CLIP, Effect.TRAINING))
    assert (effect in TO_TEST) == (effect in (Effect.NETWORK, Effect.CLIP))


def test_a_dump_reads_as_it_was(repo_root):
    cfg = load_cfg(repo_root / "configs/AVA/BMViT_S.yaml", ["AVA.CLASSES", "[1, 2]", "DATA.CACHE_DIR", "0123"])
    assert read_dump(cfg.dump()) == flat(cfg)


def test_a_dump_of_an_earlier_version_is_read_under_the_present_names():
    text = "BMVIT: {BOX_PRIOR: false}\nAVA: {FPS: 25}\nMATCHER: {L1: 3.0}\nTRAIN: {MIXED_PRECISION: true}\nGONE: 1\n"
    was = read_dump(text)
    assert (was["BMVIT.BOX_PRIOR"], was["DATA.TARGET_FPS"], was["MATCHER.BOX_L1"]) == (False, 25.0, 3.0)
    assert was["MODEL.PRECISION"] == "bf16" and "GONE" not in was
    assert was["TUBES.MAX_GAP"] == SCHEMA["TUBES.MAX_GAP"].default  # younger than the file


@pytest.mark.parametrize("text", ["", "just text", "a: [", "MVIT: {DEPTH: 16}\nBN: {NORM_TYPE: batchnorm}\n"])
def test_what_is_no_dump_of_ours_is_not_compared(text):
    assert read_dump(text) is None


def test_differences_in_the_order_of_the_schema():
    now, was = get_cfg(), get_cfg()
    now.LOSS.ACTOR_TYPE, now.NUM_GPUS, now.DATA.SAMPLING_RATE = "focal", 0, 2
    found = differences(flat(now), flat(was))
    assert [str(one) for one in found] == [
        "NUM_GPUS is 0, it was 1",
        "LOSS.ACTOR_TYPE is 'focal', it was 'ce'",
        "DATA.SAMPLING_RATE is 2, it was 4",
    ]
    assert [one.key for one in forbidden(found, TO_GO_ON)] == ["LOSS.ACTOR_TYPE", "DATA.SAMPLING_RATE"]
    assert [one.key for one in forbidden(found, TO_TEST)] == ["DATA.SAMPLING_RATE"]


def test_a_file_that_moved_is_the_same_and_another_file_is_not():
    now, was = get_cfg(), get_cfg()
    now.AVA.TRAIN_GT_BOX_LISTS = ["/elsewhere/ava_train_v2.2.csv"]
    now.UCF24.ANNOTATION_FILE = "data/ucf24/UCF101v2-GT.pkl"
    found = differences(flat(now), flat(was))
    assert len(found) == 2 and [one.key for one in forbidden(found, TO_GO_ON)] == ["UCF24.ANNOTATION_FILE"]


def test_a_key_on_purpose_must_exist(repo_root):
    with pytest.raises(ValueError, match=r"CHANGED_ON_PURPOSE lists SOLVER.MAX_EPOC, .*did you mean SOLVER.MAX_EPOCH"):
        load_cfg(repo_root / "configs/Toy/BMViT_toy.yaml", ["CHANGED_ON_PURPOSE", "[SOLVER.MAX_EPOC]"])
