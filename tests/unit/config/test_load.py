"""slowfast.config.load: files, overrides, types, and the text of every message a user can meet."""

import re
from pathlib import Path

import pytest
import yaml

from slowfast.config import get_cfg, load_cfg
from slowfast.config.load import SCHEMA, load_cfg_with_sources, nearest_keys


@pytest.fixture
def write(tmp_path):
    def write_file(text: str = "", name: str = "a.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def error_of(path, overrides=()) -> str:
    with pytest.raises(ValueError) as caught:
        load_cfg(path, overrides)
    return str(caught.value)


# -------------------------------------------------------------------------------- what loads


def test_an_empty_file_is_the_defaults_and_they_are_valid(write):
    assert load_cfg(write()) == get_cfg()


def test_every_get_cfg_is_a_new_tree():
    first = get_cfg()
    first.AVA.TRAIN_GT_BOX_LISTS.append("mine.csv")
    first.MVIT.DEPTH = 3
    assert get_cfg().AVA.TRAIN_GT_BOX_LISTS == ["ava_train_v2.2.csv"]
    assert get_cfg().MVIT.DEPTH == 16


def test_the_tree_is_frozen(write):
    cfg = load_cfg(write())
    with pytest.raises(AttributeError, match="immutable"):
        cfg.NUM_GPUS = 2
    with pytest.raises(AttributeError, match="immutable"):
        cfg.SOLVER.BASE_LR = 1.0


def test_overrides_win_over_the_file(write):
    path = write("SOLVER:\n  BASE_LR: 0.1\nTRAIN:\n  BATCH_SIZE: 32\n")
    cfg = load_cfg(path, ["SOLVER.BASE_LR", "0", "NUM_GPUS", "2"])
    assert (cfg.SOLVER.BASE_LR, cfg.NUM_GPUS, cfg.TRAIN.BATCH_SIZE) == (0.0, 2, 32)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("1", 1.0), ("1e-6", 1e-6), ("2.5E-5", 2.5e-5), (1, 1.0), (0.5, 0.5), ("0", 0.0)],
)
def test_a_float_key_takes_whole_numbers_and_exponents(write, typed, expected):
    value = load_cfg(write(), ["SOLVER.BASE_LR", typed]).SOLVER.BASE_LR
    assert isinstance(value, float)
    assert value == expected
    value = load_cfg(write(f"SOLVER:\n  BASE_LR: {typed}\n")).SOLVER.BASE_LR
    assert isinstance(value, float)
    assert value == expected


@pytest.mark.parametrize("typed", ["[1,8,8]", "[1, 8, 8]", "(1, 8, 8)", "1, 8, 8", [1, 8, 8], (1, 8, 8)])
def test_lists_and_tuples_in_any_spelling(write, typed):
    assert load_cfg(write(), ["MVIT.POOL_KV_STRIDE_ADAPTIVE", typed]).MVIT.POOL_KV_STRIDE_ADAPTIVE == [1, 8, 8]


@pytest.mark.parametrize(
    ("typed", "expected"), [("''", ""), ("'a b'", "a b"), ('"7"', "7"), ("it's", "it's"), ("'a", "'a")]
)
def test_text_may_be_quoted_once_more_than_the_shell_needs(write, typed, expected):
    assert expected == load_cfg(write(), ["DATA.CACHE_DIR", typed]).DATA.CACHE_DIR


def test_numbers_inside_lists_may_have_exponents_and_rows_are_typed(write):
    cfg = load_cfg(write("SOLVER: {STEPS: [0, 5], LRS: [1, 1e-1]}\nMVIT: {DIM_MUL: [[1, 2], [3, 2e0]]}\n"))
    assert cfg.SOLVER.STEPS == [0.0, 5.0]
    assert cfg.SOLVER.LRS == [1.0, 0.1]
    assert cfg.MVIT.DIM_MUL == [[1, 2.0], [3, 2.0]]
    assert [type(item) for item in cfg.MVIT.DIM_MUL[0]] == [int, float]


def test_text_keys_keep_what_was_typed(write):
    overrides = ["OUTPUT_DIR", "2024", "TRAIN.CHECKPOINT_FILE_PATH", "1e5", "AVA.TRAIN_LISTS", "[train.csv, '7']"]
    cfg = load_cfg(write(), [*overrides, "DATA.CACHE_DIR", ""])
    assert (cfg.OUTPUT_DIR, cfg.TRAIN.CHECKPOINT_FILE_PATH, cfg.DATA.CACHE_DIR) == ("2024", "1e5", "")
    assert cfg.AVA.TRAIN_LISTS == ["train.csv", "7"]
    assert all(type(text) is str for text in (cfg.OUTPUT_DIR, *cfg.AVA.TRAIN_LISTS))


@pytest.mark.parametrize("typed", ["False", "false", False])
def test_booleans(write, typed):
    assert load_cfg(write(), ["DATA.RANDOM_FLIP", typed]).DATA.RANDOM_FLIP is False


@pytest.mark.parametrize("typed", ["None", "null", None])
def test_none_means_off_where_pyslowfast_writes_it(write, typed):
    keys = ["SOLVER.CLIP_GRAD_L2NORM", "SOLVER.CLIP_GRAD_VAL", "MVIT.POOL_KVQ_KERNEL", "MVIT.POOL_KV_STRIDE"]
    cfg = load_cfg(write(), [part for key in keys for part in (key, typed)])
    assert (cfg.SOLVER.CLIP_GRAD_L2NORM, cfg.SOLVER.CLIP_GRAD_VAL) == (0.0, 0.0)
    assert (cfg.MVIT.POOL_KVQ_KERNEL, cfg.MVIT.POOL_KV_STRIDE) == ([], [])


def test_a_crop_size_is_a_number_or_height_and_width(write):
    cfg = load_cfg(write("DATA: {TRAIN_CROP_SIZE: [256, 448]}"), ["DATA.TEST_CROP_SIZE", "224"])
    assert cfg.DATA.TRAIN_CROP_SIZE == [256, 448]
    assert cfg.DATA.TEST_CROP_SIZE == 224


def test_the_dump_of_a_tree_loads_to_the_same_tree(write):
    text = "MVIT: {DIM_MUL: [[1, 2.0]], POOL_KVQ_KERNEL: [3, 3, 3]}\nSOLVER: {BASE_LR: 1e-7}\nOUTPUT_DIR: '12'\n"
    cfg = load_cfg(write(text))
    assert load_cfg(write(cfg.dump(), "dumped.yaml")) == cfg


def test_an_empty_section_is_fine(write):
    assert load_cfg(write("TRAIN:\nAUG:\nMVIT:\n  REV:\n")) == get_cfg()


# -------------------------------------------------------------------------------- where values came from


def test_provenance(write):
    write("TRAIN:\n  BATCH_SIZE: 32\nSOLVER:\n  BASE_LR: 1\n", "bases/base.yaml")
    path = write("# how to run\n_BASE_: bases/base.yaml\n\nSOLVER:\n  BASE_LR: 2\n")
    cfg, report = load_cfg_with_sources(path, ["TEST.BATCH_SIZE", "4"])
    assert report.sources["TRAIN.BATCH_SIZE"] == f"{path.parent}/bases/base.yaml:2"
    assert report.sources["SOLVER.BASE_LR"] == f"{path}:5"
    assert report.sources["TEST.BATCH_SIZE"] == "command line"
    assert report.sources["NUM_GPUS"] == "default"
    assert set(report.sources) == set(SCHEMA)
    assert (cfg.TRAIN.BATCH_SIZE, cfg.SOLVER.BASE_LR, cfg.TEST.BATCH_SIZE) == (32, 2.0, 4)
    assert report.accepted == {}
    assert report.lines() == []


def test_a_key_written_twice_is_noted_and_the_second_counts(write):
    path = write("MVIT:\n  NUM_HEADS: 3\n  NUM_HEADS: 1\n")
    cfg, report = load_cfg_with_sources(path)
    assert cfg.MVIT.NUM_HEADS == 1
    assert report.lines() == [f"MVIT.NUM_HEADS is written twice, at {path}:2 and {path}:3; the second counts"]


# -------------------------------------------------------------------------------- _BASE_


def test_base_is_relative_to_the_file_and_may_be_a_chain_or_a_list(write, monkeypatch, tmp_path):
    write("TRAIN: {BATCH_SIZE: 1}\nMVIT: {DEPTH: 4}\nNUM_GPUS: 0\n", "a/one.yaml")
    write("_BASE_: one.yaml\nTRAIN: {BATCH_SIZE: 2}\n", "a/two.yaml")
    write("TEST: {BATCH_SIZE: 3}\n", "b/three.yaml")
    path = write("_BASE_: [../a/two.yaml, three.yaml]\nMVIT: {DEPTH: 5}\n", "b/four.yaml")
    monkeypatch.chdir(tmp_path.parent)
    cfg, report = load_cfg_with_sources(path)
    assert (cfg.TRAIN.BATCH_SIZE, cfg.MVIT.DEPTH, cfg.NUM_GPUS, cfg.TEST.BATCH_SIZE) == (2, 5, 0, 3)
    assert report.sources["TRAIN.BATCH_SIZE"] == f"{tmp_path}/a/two.yaml:2"  # no b/../a


def test_a_base_that_leads_back_is_named(write):
    path = write("_BASE_: b.yaml\n", "a.yaml")
    other = write("_BASE_: a.yaml\n", "b.yaml")
    assert error_of(path) == f"_BASE_ goes in a circle: {path} -> {other} -> {path}"


def test_a_missing_base_names_who_wants_it(write):
    path = write("_BASE_: none.yaml\n")
    with pytest.raises(FileNotFoundError, match=rf"none\.yaml, the _BASE_ of {re.escape(str(path))}, does not exist"):
        load_cfg(path)


def test_base_must_be_a_file_name(write):
    assert "_BASE_ must be a file name or a list of them, not 3" in error_of(write("_BASE_: 3\n"))


def test_base_is_for_files_only(write):
    assert "_BASE_ is not a key (command line)" in error_of(write(), ["_BASE_", "a.yaml"])


# -------------------------------------------------------------------------------- files that are refused


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config file .*gone\.yaml does not exist \(working directory "):
        load_cfg(tmp_path / "gone.yaml")


def test_python_configs_are_refused_unread(write, tmp_path):
    path = write(f"open({str(tmp_path / 'ran')!r}, 'w')\n", "evil.py")
    assert "must be a .yaml or .yml file; Python configs are never run" in error_of(path)
    assert not (tmp_path / "ran").exists()
    assert "evil.py must be a .yaml or .yml file" in error_of(write("_BASE_: evil.py\n"))


@pytest.mark.parametrize(
    "value",
    ["!!python/object/apply:os.system ['touch ran']", "[1, !!python/name:os.system '']", "!!python/tuple [3, 7, 7]"],
)
def test_unsafe_yaml_is_refused_and_not_run(write, value, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    message = error_of(write(f"NUM_GPUS: 1\nMVIT:\n  PATCH_KERNEL: {value}\n"))
    assert re.search(
        r"a\.yaml is not plain YAML: could not determine a constructor for the tag .*python/.* at line 3", message
    )
    assert not (tmp_path / "ran").exists()


def test_a_command_line_cannot_name_a_tag_either(write):
    message = error_of(write(), ["MVIT.PATCH_KERNEL", "[!!python/name:os.system '']"])
    assert "MVIT.PATCH_KERNEL must be a list of 2 or 3 whole numbers, not the text" in message


def test_broken_yaml_tells_the_line(write):
    assert "a.yaml is not plain YAML: " in error_of(write("NUM_GPUS: 1\nTRAIN: {ENABLE\n"))
    assert "at line 3" in error_of(write("NUM_GPUS: 1\nTRAIN: {ENABLE\n"))


def test_aliases_are_refused(write):
    assert "uses a YAML alias (*name); write the value out" in error_of(write("A: &a [*a]\n"))


def test_a_file_that_is_not_a_mapping(write):
    assert "must hold KEY: VALUE lines, not [1, 2]" in error_of(write("[1, 2]"))


def test_a_file_that_is_not_text(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    assert "a.yaml is not UTF-8 text" in error_of(tmp_path / "a.yaml")


# -------------------------------------------------------------------------------- values that are refused


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("NUM_GPUS: two", "NUM_GPUS must be a whole number, not the text 'two'"),
        ("NUM_GPUS: '2'", "NUM_GPUS must be a whole number, not the text '2' ({file}:1); remove the quotes"),
        ("NUM_GPUS: 2.0", "NUM_GPUS must be a whole number, not 2.0"),
        ("NUM_GPUS: True", "NUM_GPUS must be a whole number, not True"),
        ("NUM_GPUS:", "NUM_GPUS must be a whole number, not None"),
        ("OUTPUT_DIR: 2024", "OUTPUT_DIR must be text, not 2024 ({file}:1); put it in quotes"),
        ("SOLVER: {BASE_LR: .inf}", "SOLVER.BASE_LR must be a finite number, not inf"),
        ("SOLVER: {BASE_LR: .nan}", "SOLVER.BASE_LR must be a finite number, not nan"),
        ("SOLVER: {BASE_LR: False}", "SOLVER.BASE_LR must be a finite number, not False"),
        ("TRAIN: {ENABLE: 1}", "TRAIN.ENABLE must be True or False, not 1"),
        ("DATA: {MEAN: [0, 0]}", "DATA.MEAN must be a list of 3 numbers, not [0, 0]"),
        ("DATA: {MEAN: 0.5}", "DATA.MEAN must be a list of 3 numbers, not 0.5"),
        ("DATA: {STD: [1, 1]}", "DATA.STD must be a list of 3 numbers, not [1, 1]"),
        ("DATA: {TRAIN_CROP_SIZE: [1, 2, 3]}", "TRAIN_CROP_SIZE must be a whole number or a list of 2 whole numbers"),
        ("MVIT: {DIM_MUL: [1, 2.0]}", "MVIT.DIM_MUL must be a list of rows [block, multiplier], not [1, 2.0]"),
        ("MVIT: {POOL_Q_STRIDE: [[1, 2, 2]]}", "MVIT.POOL_Q_STRIDE must be a list of rows [block, t, h, w], not"),
        ("AVA: {TRAIN_LISTS: [1]}", "AVA.TRAIN_LISTS must be a list of texts, not [1]"),
        ("AVA: {TRAIN_LISTS: a.csv}", "AVA.TRAIN_LISTS must be a list of texts, not the text 'a.csv'"),
    ],
)
def test_a_value_of_the_wrong_kind(write, line, message):
    path = write(line + "\n")
    found = error_of(path)
    assert message.format(file=path) in found
    assert f"({path}:1)" in found
    assert found.count("\n  - ") == 1


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("NUM_GPUS", -1, "NUM_GPUS (-1) must be at least 0"),
        ("OUTPUT_DIR", "", "OUTPUT_DIR ('') must not be empty"),
        ("DIST_BACKEND", "mpi", "DIST_BACKEND ('mpi') must be auto or nccl or gloo"),
        ("MODEL.NUM_CLASSES", -1, "MODEL.NUM_CLASSES (-1) must be at least 0"),
        ("MVIT.DROPPATH_RATE", 1, "MVIT.DROPPATH_RATE (1.0) must be in [0, 1)"),
        (
            "MVIT.DIM_MUL",
            "[[1, 2], [1, 2]]",
            "must have rows [block, multiplier] with block >= 0, multiplier > 0, and no",
        ),
        ("MVIT.DIM_MUL", "[[1, 0]]", "MVIT.DIM_MUL ([[1, 0.0]]) must have rows"),
        (
            "MVIT.POOL_Q_STRIDE",
            "[[1, 0, 2, 2]]",
            "must have rows [block, t, h, w] with block >= 0, strides >= 1, and no",
        ),
        ("MVIT.PATCH_STRIDE", "[2, 0, 4]", "MVIT.PATCH_STRIDE ([2, 0, 4]) must be at least 1 in every item"),
        ("BMVIT.ACTOR_LOGITS", 3, "BMVIT.ACTOR_LOGITS (3) must be 1 or 2"),
        ("BMVIT.BOX_PRIOR_SIZE", "[0.2, 1]", "BMVIT.BOX_PRIOR_SIZE ([0.2, 1.0]) must be in (0, 1) in every item"),
        ("BMVIT.AUX_BLOCKS", "[3, 3]", "BMVIT.AUX_BLOCKS ([3, 3]) must be at least 0 in every item and must not name"),
        ("LOSS.NO_ACTOR_WEIGHT", 1.5, "LOSS.NO_ACTOR_WEIGHT (1.5) must be in [0, 1]"),
        ("SOLVER.BASE_LR", -1, "SOLVER.BASE_LR (-1.0) must be at least 0"),
        ("SOLVER.BETAS", "[0.9, 1]", "SOLVER.BETAS ([0.9, 1.0]) must be in [0, 1) in every item"),
        ("SOLVER.LAYER_DECAY", 0, "SOLVER.LAYER_DECAY (0.0) must be in (0, 1]"),
        ("DATA.STD", "[1, 1, 0]", "DATA.STD ([1.0, 1.0, 0.0]) must be above 0 in every item"),
        ("DATA.TRAIN_CROP_SIZE", 0, "DATA.TRAIN_CROP_SIZE (0) must be at least 1"),
        (
            "DATA.CROP_SCALE",
            "[0.9, 0.5]",
            "DATA.CROP_SCALE ([0.9, 0.5]) must be in (0, 1] in every item and must be [smal",
        ),
        ("DATA.MIN_VISIBLE", 2, "DATA.MIN_VISIBLE (2.0) must be in [0, 1]"),
        (
            "AVA.VALID_SECONDS",
            "[5, 2]",
            "AVA.VALID_SECONDS ([5, 2]) must be at least 0 in every item and must be [first,",
        ),
        ("JHMDB.SPLIT", 4, "JHMDB.SPLIT (4) must be 1 or 2 or 3"),
    ],
)
def test_a_value_that_is_not_allowed(write, key, value, message):
    found = error_of(write(), [key, value])
    assert found.startswith("this config cannot run:\n  - " + key)
    assert message in found
    assert "(command line)" in found


def test_an_odd_override_list_names_the_key_without_a_value(write):
    assert "SOLVER.BASE_LR lacks a value" in error_of(write(), ["NUM_GPUS", "1", "SOLVER.BASE_LR"])


def test_all_problems_at_once(write):
    path = write("TRAIN:\n  BATCH_SIZES: 8\nSOLVER:\n  BASE_LR: fast\nDATA:\n  NUM_FRAMES: 15\n")
    lines = error_of(path, ["NUM_GPUS", "3", "JHMDB.SPLIT"]).split("\n  - ")
    assert lines[0] == "this config cannot run:"
    assert [line.split(" ")[0] for line in lines[1:]] == [
        "JHMDB.SPLIT",
        "TRAIN.BATCH_SIZES",
        "SOLVER.BASE_LR",
        "TRAIN.BATCH_SIZE",
        "TEST.BATCH_SIZE",
        "DATA.NUM_FRAMES",
    ]


def test_rules_between_keys_are_not_asked_about_a_broken_value(write):
    assert error_of(write(), ["NUM_GPUS", "-3"]).count("\n  - ") == 1
    assert error_of(write(), ["MVIT.PATCH_STRIDE", "[0, 0, 0]"]).count("\n  - ") == 1


# -------------------------------------------------------------------------------- unknown keys


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("TRAIN.BATCH_SIZ", "TRAIN.BATCH_SIZE"),
        ("SOLVER.BASELR", "SOLVER.BASE_LR"),
        ("solver.base_lr", "SOLVER.BASE_LR"),
        ("SOLVER.BATCH_SIZE", "TRAIN.BATCH_SIZE"),
        ("BATCH_SIZE", "TRAIN.BATCH_SIZE"),
        ("MVIT.POOL_Q_STRIDES", "MVIT.POOL_Q_STRIDE"),
        ("BMVIT.BOX_TOKEN", "BMVIT.BOX_TOKENS"),
        ("OUTPUTDIR", "OUTPUT_DIR"),
    ],
)
def test_nearest_keys(typed, first):
    nearest = nearest_keys(typed)
    assert len(nearest) <= 3
    assert first in nearest[:2]


def test_an_unknown_key_names_its_neighbours_and_its_place(write):
    path = write("NUM_GPUS: 1\nTRAIN:\n  BATCH_SIZ: 8\n")
    assert f"TRAIN.BATCH_SIZ is not a key ({path}:3); did you mean TRAIN.BATCH_SIZE" in error_of(path)


def test_an_unknown_key_like_no_other(write):
    assert "QQQ is not a key (command line); tools/print_config.py lists all keys" in error_of(write(), ["QQQ", "1"])


def test_a_section_given_as_a_value(write):
    assert "TRAIN is a section of keys, not a key; it cannot be 5" in error_of(write("TRAIN: 5\n"))


def test_a_mapping_given_as_a_value(write):
    assert "TRAIN.DATASET.NAME is not a key" in error_of(write("TRAIN: {DATASET: {NAME: ava}}\n"))


# -------------------------------------------------------------------------------- the declarations


def test_every_key_is_documented_and_tells_what_it_allows():
    for name, key in SCHEMA.items():
        assert re.fullmatch(r"[A-Z0-9_]+(\.[A-Z0-9_]+)?", name)
        assert len(key.doc) > 15 and key.doc.rstrip().endswith("."), name
        assert key.allowed


def test_no_default_is_a_path_of_some_machine():
    for name, key in SCHEMA.items():
        texts = key.default if isinstance(key.default, list) else [key.default]
        assert not any(isinstance(text, str) and text.startswith(("/", "~")) for text in texts), name


def test_yaml_of_the_defaults_needs_no_tags():
    assert yaml.safe_load(get_cfg().dump())["MVIT"]["PATCH_KERNEL"] == [3, 7, 7]
