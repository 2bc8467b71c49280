"""Config files as other projects write them: PySlowFast's dumps, facebookresearch/mvit's layout; and what is said of them."""

from pathlib import Path

import pytest
import yaml

from slowfast.config import get_cfg, load_cfg
from slowfast.config.foreign.pyslowfast import ACCEPTED
from slowfast.config.foreign.pyslowfast_defaults import BESIDE, UPSTREAM, WHY, differing_defaults
from slowfast.config.foreign.pyslowfast_differences import DIFFERENCES
from slowfast.config.load import SCHEMA, load_cfg_with_sources

REPO = Path(__file__).resolve().parents[3]
DUMP = Path(__file__).with_name("pyslowfast_dump.yaml")


@pytest.fixture
def load(tmp_path):
    def load_text(text: str, overrides=()):
        path = tmp_path / "published.yaml"
        path.write_text(text)
        return load_cfg_with_sources(path, overrides)

    return load_text


def changed(**sections) -> str:
    """The dump with other values: {"SOLVER": {"BASE_LR": 1}} or {"NUM_SHARDS": 2}."""
    content = yaml.safe_load(DUMP.read_text())
    for name, value in sections.items():
        content[name] = {**content[name], **value} if isinstance(value, dict) else value
    return yaml.safe_dump(content)


# ------------------------------------------------------------------------------------------------------------ dumps


def test_a_dumped_config_is_the_one_it_was_dumped_from():
    cfg, report = load_cfg_with_sources(DUMP)
    shipped = load_cfg(REPO / "configs" / "Kinetics" / "MVITv2_S_16x4.yaml")
    for section in ("MVIT", "MIXUP", "SOLVER"):
        assert cfg[section] == shipped[section], section
    assert {key for key in cfg.MODEL if cfg.MODEL[key] != shipped.MODEL[key]} == {"PRECISION"}
    assert cfg.MODEL.PRECISION == "float32"  # a dump says TRAIN.MIXED_PRECISION False, a file leaves it out: auto
    different = {key for key in cfg.DATA if cfg.DATA[key] != shipped.DATA[key]}
    assert different == {"COLOR_JITTER"} and cfg.DATA.COLOR_JITTER == 0.0  # False there, and read for boxes only
    assert report.sources["DATA.PATH_TO_DATA_DIR"] == report.sources["TEST.SAVE_RESULTS_PATH"] == "default"
    assert not report.differing and report.notes == ()
    (line,) = report.lines()
    assert line.startswith(
        f"{len(report.accepted)} PySlowFast keys change nothing here: of AUG, AVA, BENCHMARK, BN, CONTRASTIVE"
    )
    assert len(line) < 300 and line.endswith("(print_config lists them)")


def test_the_dump_holds_every_key_that_pyslowfast_has():
    given = set(dotted(yaml.safe_load(DUMP.read_text())))
    assert set(UPSTREAM) <= given
    older = {
        "BN.MOMENTUM",
        "BN.EPSILON",
        "AVA.TRAIN_PCA_EIGVAL",
        "AVA.TRAIN_PCA_EIGVEC",
        "DATA.CROP_SIZE",
        "PREFETCH.NUM_LOADERS",
    }
    assert set(ACCEPTED) - given == older | {"TEST.CHECKPOINT_SQUEEZE_TEMPORAL"}


def dotted(tree: dict, prefix: str = "") -> list[str]:
    names = []
    for name, value in tree.items():
        names += dotted(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
    return names


def test_strides_that_do_not_follow_from_the_adaptive_one_are_still_an_error(load):
    with pytest.raises(ValueError, match=r"POOL_KV_STRIDE and MVIT.POOL_KV_STRIDE_ADAPTIVE .* are both set"):
        load(changed(MVIT={"POOL_KV_STRIDE": [[0, 1, 2, 2]]}))


def test_rates_of_a_dump_are_not_multiplied_again(load):
    """PySlowFast multiplies them before it writes the config; a file written by hand is multiplied here."""
    cfg, report = load(changed(NUM_SHARDS=16, SOLVER={"BASE_LR": 0.0016}))
    assert not cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS and cfg.SOLVER.BASE_LR == 0.0016
    assert "are multiplied by NUM_SHARDS (16) already: SOLVER.BASE_LR_SCALE_NUM_SHARDS is False here" in report.notes[0]
    cfg, _ = load("NUM_SHARDS: 16\nSOLVER: {BASE_LR_SCALE_NUM_SHARDS: True}\n")
    assert cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS


def test_the_views_that_minus_one_stands_for(load):
    cfg, report = load("TEST: {NUM_ENSEMBLE_VIEWS: -1}\n")
    assert cfg.TEST.NUM_TEMPORAL_CLIPS == [1, 3, 5, 7, 10]
    assert report.sources["TEST.NUM_TEMPORAL_CLIPS"].startswith("TEST.NUM_ENSEMBLE_VIEWS -1, ")


def test_colour_augmentation_switched_on_needs_a_strength(load):
    assert load("AVA: {TRAIN_USE_COLOR_AUGMENTATION: False}\n")[0].DATA.COLOR_JITTER == 0.0
    later = load("AVA: {TRAIN_USE_COLOR_AUGMENTATION: False}\n", ["DATA.COLOR_JITTER", "0.3"])
    assert later[0].DATA.COLOR_JITTER == 0.3
    with pytest.raises(ValueError, match=r"is called DATA.COLOR_JITTER \(a strength, 0 is off\) here"):
        load(changed(AVA={"TRAIN_USE_COLOR_AUGMENTATION": True}))


def test_the_same_network_under_another_name(load):
    cfg, report = load("MODEL: {MODEL_NAME: PTVMViT, ARCH: mvit}\n")
    assert cfg.MODEL.MODEL_NAME == "MViT" and report.sources["MODEL.MODEL_NAME"].startswith("PTVMViT is MViT here, ")
    assert load("", ["MODEL.MODEL_NAME", "PTVMViT", "DETECTION.ENABLE", "True"])[0].MODEL.MODEL_NAME == "TwoStage"


# ---------------------------------------------------------------------------------------------- facebookresearch/mvit

STAGES = {"T": (10, 0.1, [1, 3, 8]), "S": (16, 0.1, [1, 3, 14]), "B": (24, 0.3, [2, 5, 21])}
SOLVER = """\
SOLVER:
  BASE_LR_SCALE_NUM_SHARDS: True
  BASE_LR: 0.00025
  LR_POLICY: cosine
  MAX_EPOCH: 300
  WEIGHT_DECAY: 0.05
  OPTIMIZING_METHOD: adamw
  CLIP_GRAD_L2NORM: 1.0
"""
TO_TEST = "TEST: {ENABLE: True, CHECKPOINT_SQUEEZE_TEMPORAL: True}\nTRAIN: {ENABLE: False}\n"


def image_file(depth: int, drop_path: float, stages: list[int], more: str = "") -> str:
    multipliers = [[block, 2.0] for block in stages]
    strides = [[block, *([2, 2] if block in stages else [1, 1])] for block in range(depth)]
    return f"""\
MVIT:
  DROPPATH_RATE: {drop_path}
  DEPTH: {depth}
  DIM_MUL: {multipliers}
  HEAD_MUL: {multipliers}
  POOL_KVQ_KERNEL: [3, 3]
  POOL_KV_STRIDE_ADAPTIVE: [4, 4]
  POOL_Q_STRIDE: {strides}
{more}"""


@pytest.mark.parametrize("size", STAGES)
def test_the_image_files_are_the_shipped_configs(load, size):
    cfg, report = load(image_file(*STAGES[size]) + SOLVER)
    shipped = load_cfg(REPO / "configs" / "ImageNet" / f"MVITv2_{size}.yaml")
    assert {name for name in cfg if cfg[name] != shipped[name]} == {"TEST"}
    # There a training is not followed by a test, and a batch of a test is smaller.
    assert {key for key in cfg.TEST if cfg.TEST[key] != shipped.TEST[key]} == {"ENABLE", "BATCH_SIZE"}
    assert f"it is the network of configs/ImageNet/MVITv2_{size}.yaml" in report.notes[0]
    assert "is in the layout of facebookresearch/mvit: read as an image model" in report.lines()[0]
    assert report.sources["MVIT.PATCH_KERNEL"].endswith("default of facebookresearch/mvit")
    assert report.sources["MVIT.POOL_Q_STRIDE"].endswith(":8")


@pytest.mark.parametrize("size", STAGES)
def test_the_image_files_that_test(load, size):
    cfg, report = load(image_file(*STAGES[size]) + TO_TEST)
    assert cfg.TEST.ENABLE and not cfg.TRAIN.ENABLE and cfg.TEST.DATASET == "imagenet"
    assert report.harmless["TEST.CHECKPOINT_SQUEEZE_TEMPORAL"] == "kernels of weights are fitted by their shape"


def test_the_large_image_file_has_no_config_of_ours(load):
    text = image_file(48, 0.5, [2, 8, 44], "  EMBED_DIM: 144\n  NUM_HEADS: 2\n  DIM_MUL_IN_ATT: False\n") + TO_TEST
    cfg, report = load(text)
    assert (cfg.MVIT.DEPTH, cfg.MVIT.EMBED_DIM, cfg.MVIT.DIM_MUL_IN_ATT) == (48, 144, False)
    assert "configs/ImageNet" not in report.notes[0]


def test_its_dump_holds_the_strides_of_keys_in_its_layout(load):
    rows = [[0, 4, 4], *([block, 2, 2] for block in (1, 2)), *([block, 1, 1] for block in range(3, 10))]
    cfg, _ = load(image_file(*STAGES["T"], f"  POOL_KV_STRIDE: {rows}\n  PATCH_KERNEL: [7, 7]\n"))
    assert cfg.MVIT.POOL_KV_STRIDE == [] and cfg.MVIT.POOL_KV_STRIDE_ADAPTIVE == [1, 4, 4]


def test_a_mistyped_file_of_clips_is_not_taken_for_one_of_images(load):
    with pytest.raises(ValueError, match=r"MVIT.POOL_Q_STRIDE must be a list of rows \[block, t, h, w\]"):
        load("DATA: {NUM_FRAMES: 16}\n" + image_file(*STAGES["T"]))


# -------------------------------------------------------------------------------------------------- what is different


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        (
            "DATA: {DECODING_SHORT_SIZE: 320}",
            "DATA.DECODING_SHORT_SIZE",
            "320 is the short side that videos are decoded to",
        ),
        ("DATA: {SSL_COLOR_JITTER: True}", "DATA.SSL_COLOR_JITTER", "True changes the colours of training clips there"),
        ("MODEL: {FP16_ALLREDUCE: True}", "MODEL.FP16_ALLREDUCE", "True rounds gradients to half precision there"),
        ("MODEL: {HEAD_ACT: none}", "MODEL.HEAD_ACT", "'none' is applied to scores there"),
        ("TASK: ssl", "TASK", "'ssl' chooses what is learnt there"),
        (
            "TRAIN: {CHECKPOINT_FILE_PATH: w.pyth, CHECKPOINT_EPOCH_RESET: False}",
            "TRAIN.CHECKPOINT_EPOCH_RESET",
            "False goes on from the epoch of the file there",
        ),
        (
            "TEST: {DATASET: ava}\nAVA: {FULL_TEST_ON_VAL: False}",
            "AVA.FULL_TEST_ON_VAL",
            "False validates on every fourth",
        ),
    ],
)
def test_values_that_change_what_pyslowfast_computes_are_told_apart(load, text, key, value):
    _, report = load(text + "\nBN: {NUM_SPLITS: 3}\n")
    assert list(report.differing) == [key] and report.differing[key].startswith(value)
    assert report.harmless == {"BN.NUM_SPLITS": "MViT has no batch norm"}
    assert set(report.accepted) == {key, "BN.NUM_SPLITS"}
    lines = report.lines()
    assert lines[0] == "1 PySlowFast keys change nothing here: BN.NUM_SPLITS"
    assert lines[1].startswith(f"{key} changes what PySlowFast computes: {value}")


@pytest.mark.parametrize("text", ["TRAIN: {CHECKPOINT_EPOCH_RESET: False}", "DETECTION: {SPATIAL_SCALE_FACTOR: 8}"])
def test_a_value_that_the_run_has_nothing_to_do_with_is_harmless(load, text):
    _, report = load(text)
    assert not report.differing and len(report.harmless) == 1


def test_every_difference_is_of_an_accepted_key_and_says_what_happens_there():
    assert set(DIFFERENCES) <= set(ACCEPTED)
    assert all("there" in difference.why and difference.same for difference in DIFFERENCES.values())


def test_every_default_that_differs_has_its_reason_and_no_other():
    ours = {name: key.default for name, key in SCHEMA.items()}
    assert set(UPSTREAM) <= set(ours) and set(BESIDE) <= set(ours) and not set(BESIDE) & set(UPSTREAM)
    assert {key for key, there in UPSTREAM.items() if ours[key] != there} == set(WHY)
    assert len(differing_defaults(ours)) == len(WHY) + len(BESIDE)


def test_the_table_of_defaults_is_that_of_the_dump():
    """Where the file's own values of MVITv2_S do not hide them: the two tables were written apart."""
    content = yaml.safe_load(DUMP.read_text())
    set_by_the_file = set(dotted(content)) & {
        name for name, source in load_cfg_with_sources(REPO / "configs/Kinetics/MVITv2_S_16x4.yaml")[1].sources.items()
        if source != "default"
    }  # fmt: skip
    for key in set(UPSTREAM) - set_by_the_file - {"NUM_GPUS", "RNG_SEED", "MVIT.POOL_KV_STRIDE"}:
        value = content
        for part in key.split("."):
            value = value[part]
        assert (value or None) == (UPSTREAM[key] or None), key


def test_shared_defaults_of_pasted_files_do_nothing_of_their_own():
    """What issue reports met: a rate of heads and a clip of gradients that a pasted file never asked for."""
    assert (
        get_cfg().SOLVER.HEAD_LR_MULT == 1.0
        and UPSTREAM["SOLVER.CLIP_GRAD_L2NORM"] == get_cfg().SOLVER.CLIP_GRAD_L2NORM
    )
