"""Files with several sets of weights, and files of wrappers: the average first, and the report says what else there is."""

import argparse
import pathlib
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import slowfast
from slowfast.config import load_cfg
from slowfast.models import build_model
from slowfast.weights.entries import KNOWN_NAMES
from slowfast.weights.file import read_weight_file, reading_once
from slowfast.weights.load import load_weights

SMALL = ("configs/Toy/BMViT_toy.yaml", ["MODEL.MODEL_NAME", "MViT", "MVIT.EMBED_DIM", 16, "MVIT.DEPTH", 2])
SMALL[1].extend(["MVIT.POOL_Q_STRIDE", [[0, 1, 1, 1], [1, 1, 2, 2]], "MVIT.CLS_EMBED_ON", True])


def build(seed: int, *overrides: object) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(load_cfg(SMALL[0], [*SMALL[1], *overrides])).eval()


@pytest.fixture(scope="module")
def models() -> tuple[nn.Module, nn.Module]:
    """The raw and the averaged weights."""
    return build(0), build(1)


def saved(tmp_path, content):
    torch.save(content, tmp_path / "weights.ckpt")
    return tmp_path / "weights.ckpt"


def holds(model: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    ("raw_name", "average_name"),
    [
        ("model_state", "ema_state"),
        ("state_dict", "state_dict_ema"),
        ("state_dict", "ema_state_dict"),
        ("model", "model_ema"),
    ],
)
@pytest.mark.parametrize("average_first", [False, True])
def test_the_average_is_taken_and_the_other_named(tmp_path, models, raw_name, average_name, average_first):
    raw, average = models
    content = {raw_name: raw.state_dict(), average_name: average.state_dict()}
    path = saved(tmp_path, dict(reversed(content.items())) if average_first else content)
    loaded = build(2)
    report = load_weights(loaded, path)
    assert holds(loaded, average) and (report.container, report.averaged) == (average_name, True)
    assert f"({average_name}, averaged weights)" in str(report)
    assert f"not taken, though in the file: {raw_name}: raw weights (MODEL.CHECKPOINT_ENTRY takes one)" in str(report)
    for prefer in ("raw", raw_name):
        report = load_weights(loaded, path, prefer=prefer)
        assert holds(loaded, raw) and (report.container, report.averaged) == (raw_name, False)
        assert report.others == (f"{average_name}: averaged weights",)


@pytest.mark.parametrize("told_by", ["steps", "meta"])
def test_mmengine_has_the_average_in_state_dict(tmp_path, models, told_by):
    """Its hook exchanges the two when it saves: what is called ema_state_dict then holds the raw weights."""
    raw, average = models
    wrapped = {f"module.{name}": tensor for name, tensor in raw.state_dict().items()}
    content = {"state_dict": average.state_dict(), "ema_state_dict": wrapped}
    if told_by == "steps":
        wrapped["steps"] = torch.tensor(7)
    else:
        content["meta"] = {"mmengine_version": "0.10.4"}
    path, loaded = saved(tmp_path, content), build(2)
    assert load_weights(loaded, path).container == "state_dict" and holds(loaded, average)
    report = load_weights(loaded, path, prefer="raw")
    assert report.container == "ema_state_dict" and holds(loaded, raw)
    assert set(report.dropped) == ({"steps"} if told_by == "steps" else set())


def test_one_set_alone_is_taken_whatever_is_preferred(tmp_path, models):
    path, loaded = saved(tmp_path, {"model_state": models[0].state_dict(), "epoch": 3}), build(2)
    report = load_weights(loaded, path)
    assert holds(loaded, models[0]) and not report.averaged and not report.others
    assert "not taken" not in str(report) and "(model_state), names of PySlowFast" in str(report)


def test_an_entry_of_an_unknown_name_is_listed_and_taken_by_its_name(tmp_path, models):
    raw, other = models
    path = saved(
        tmp_path, {"model_state": raw.state_dict(), "teacher": other.state_dict(), "rng": {"t": torch.ones(3)}}
    )
    loaded = build(2)
    assert load_weights(loaded, path).others == ("teacher: raw weights",) and holds(loaded, raw)
    load_weights(loaded, path, prefer="teacher")
    assert holds(loaded, other)
    with pytest.raises(ValueError) as error:
        read_weight_file(path, prefer="student")
    assert (
        "has no weights under the name 'student'; name one of its entries in MODEL.CHECKPOINT_ENTRY: model_state: raw"
        in (str(error.value))
    )


def test_only_unknown_names_must_be_named(tmp_path, models):
    path = saved(tmp_path, {"student": models[0].state_dict(), "teacher": models[1].state_dict()})
    with pytest.raises(ValueError, match="CHECKPOINT_ENTRY: student: raw weights; teacher: raw weights"):
        read_weight_file(path)


@pytest.mark.parametrize("bare", [True, False])
def test_averaged_model_of_torch(tmp_path, models, bare):
    averaged = AveragedModel(models[0])
    averaged.update_parameters(models[0])
    averaged.update_parameters(models[1])
    state = averaged.state_dict()
    path, loaded = saved(tmp_path, state if bare else {"model": state}), build(2)
    report = load_weights(loaded, path)
    assert holds(loaded, averaged.module) and report.averaged and not holds(loaded, models[0])
    assert report.dropped == {"n_averaged": "counts the steps of the average"}


# ------------------------------------------------------------------------------------------------------- Lightning


def lightning(state: dict, **extra) -> dict:
    return {
        "epoch": 4,
        "global_step": 99,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": state,
        "loops": {},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5), "dirpath": "/x"}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}],
        "lr_schedulers": [],
    } | extra


@pytest.mark.parametrize("prefix", ["model.", "net.", "backbone.", "model.module.", "model._orig_mod."])
def test_lightning_prefixes(tmp_path, models, prefix):
    state = {prefix + name: tensor for name, tensor in models[0].state_dict().items()}
    path = saved(tmp_path, lightning(state, hyper_parameters={"lr": 0.1, "args": argparse.Namespace(depth=2)}))
    loaded = build(2)
    assert load_weights(loaded, path).complete and holds(loaded, models[0])


def test_what_lies_beside_the_network_of_a_lightning_module_is_named(tmp_path, models):
    state = {f"model.{name}": tensor for name, tensor in models[0].state_dict().items()}
    state |= {"criterion.weight": torch.ones(7), "accuracy.total": torch.tensor(3)}
    loaded = build(2)
    report = load_weights(loaded, saved(tmp_path, lightning(state)))
    assert holds(loaded, models[0])
    assert report.dropped == dict.fromkeys(
        ("criterion.weight", "accuracy.total"), "beside the network, which is under model"
    )
    with pytest.raises(ValueError, match="not those of a project we know"):  # no Lightning file: nothing is guessed
        load_weights(loaded, saved(tmp_path, {"state_dict": state}))


def test_options_of_lightning_are_read_without_its_code(tmp_path, models, monkeypatch):
    """Its AttributeDict, paths and numpy numbers, pickled by their real names, while the module is not there to be read."""
    module = types.ModuleType("lightning_fabric.utilities.data")
    module.AttributeDict = type("AttributeDict", (dict,), {"__module__": module.__name__})
    state = {f"model.{name}": tensor for name, tensor in models[0].state_dict().items()}
    options = module.AttributeDict(root=pathlib.Path("/data"), lr=np.float64(0.1))
    for name in ("lightning_fabric", "lightning_fabric.utilities", module.__name__):
        monkeypatch.setitem(sys.modules, name, module)
    path = saved(tmp_path, lightning(state, hyper_parameters=options))
    monkeypatch.undo()
    assert module.__name__ not in sys.modules
    loaded = build(2)
    load_weights(loaded, path)
    assert holds(loaded, models[0]) and module.__name__ not in sys.modules


def a_schedule() -> float:
    return 0.1


def test_options_that_need_code_are_refused_in_short(tmp_path, models):
    path = saved(tmp_path, lightning(models[0].state_dict(), hyper_parameters={"schedule": a_schedule}))
    with pytest.raises(ValueError, match="code in a file is never run here") as error:
        read_weight_file(path)
    assert "a_schedule" in str(error.value) and "save the plain parameters" in str(error.value)
    assert str(error.value).count("\n") == 0 and pickle.dumps(a_schedule)


# ---------------------------------------------------------------------------------------------------- what is said


def test_a_file_of_another_network_is_refused_in_a_few_lines(tmp_path):
    state = {
        f"layer{i}.{j}.conv{k}.w{leaf}": torch.ones(1)
        for i in range(9)
        for j in range(3)
        for k in range(3)
        for leaf in "ab"
    }
    with pytest.raises(ValueError, match="not those of a project we know") as error:
        load_weights(build(0), saved(tmp_path, {"state_dict": state}))
    assert len(str(error.value).splitlines()) < 45 and "more lines" in str(error.value)


def test_two_names_for_one_parameter_are_an_error(tmp_path, models):
    """As `backbone.norm` and `norm` would be: the second does not replace the first without a word."""
    state = {
        f"backbone.{name}": tensor for name, tensor in models[0].state_dict().items() if not name.startswith("head.")
    }
    state |= {name: t for name, t in models[0].state_dict().items() if name.startswith("head.")}
    state["norm.weight"] = torch.zeros_like(state["backbone.norm.weight"])
    with pytest.raises(ValueError, match=r"unexpected            1\n      norm\.weight"):
        load_weights(build(2), saved(tmp_path, {"model_state": state}))


def test_a_lightning_module_with_its_average_beside_the_network(tmp_path, models):
    """Both are in one `state_dict`; the loss of the module is in neither."""
    raw, average = models
    state = {f"model.{name}": tensor for name, tensor in raw.state_dict().items()}
    state |= {f"ema_model.module.{name}": tensor for name, tensor in average.state_dict().items()}
    state |= {"ema_model.n_averaged": torch.tensor(5), "criterion.weight": torch.ones(2)}
    path, loaded = saved(tmp_path, {"pytorch-lightning_version": "2.1", "state_dict": state}), build(2)
    report = load_weights(loaded, path)
    assert holds(loaded, average) and (report.container, report.averaged) == ("state_dict.ema_model", True)
    assert report.others == ("state_dict.model: raw weights",) and not report.renamed
    assert list(report.dropped) == ["criterion.weight"]
    for prefer in ("raw", "state_dict.model"):
        report = load_weights(loaded, path, prefer=prefer)
        assert holds(loaded, raw) and report.others == ("state_dict.ema_model: averaged weights",)


def test_two_branches_of_a_network_are_no_average(tmp_path):
    state = {f"{part}.weight": torch.zeros(2) for part in ("left", "right", "ema_rate.inner")}
    file = read_weight_file(saved(tmp_path, {"state_dict": state}))
    assert file.state.keys() == state.keys() and file.container == "state_dict" and not file.others


@pytest.mark.parametrize("inner", ["module", "shadow"])
def test_an_average_one_level_deeper(tmp_path, models, inner):
    raw, average = models
    kept = {inner: average.state_dict(), "decay": 0.99}
    path = saved(
        tmp_path, {"model": raw.state_dict(), "ema": kept, "optimizer": {"state": {0: {"step": torch.ones(1)}}}}
    )
    loaded = build(2)
    report = load_weights(loaded, path)
    assert holds(loaded, average) and (report.container, report.averaged) == (f"ema.{inner}", True)
    assert report.others == ("model: raw weights",)


@pytest.mark.parametrize("kept", [{"shadow_params": [torch.zeros(2)], "decay": 0.9}, [torch.zeros(2)]])
def test_an_average_without_names_is_told_of(tmp_path, models, kept):
    raw, _ = models
    loaded = build(2)
    report = load_weights(loaded, saved(tmp_path, {"model": raw.state_dict(), "ema": kept}))
    assert holds(loaded, raw) and report.others == ("ema: averaged weights in a form that is not known",)
    assert not load_weights(loaded, saved(tmp_path, {"model": raw.state_dict(), "ema": {"decay": 0.9}})).others


def test_a_prefix_alone_is_no_list_of_renamed_parameters(tmp_path, repo_root):
    model = build_model(load_cfg(repo_root / SMALL[0], ["MVIT.EMBED_DIM", 16, "MVIT.DEPTH", 2, *SMALL[1][6:8]]))
    for prefix in ("", "module.", "_orig_mod."):
        state = {prefix + name: tensor for name, tensor in model.state_dict().items()}
        report = load_weights(model, saved(tmp_path, {"state_dict": state}))
        assert not report.renamed and len(report.loaded) == len(state)


def test_the_library_says_which_weights_it_took_and_takes_others(tmp_path, caplog):
    def made(seed: int, **keys: object) -> nn.Module:
        torch.manual_seed(seed)
        return slowfast.create_model("mvitv2_t_in1k", overrides={"MVIT.EMBED_DIM": 12}, **keys)

    raw, average = made(0), made(1)
    path = saved(tmp_path, {"model_state": raw.state_dict(), "ema_state": average.state_dict()})
    caplog.set_level("WARNING")
    assert holds(made(2, weights=path), average)
    assert caplog.messages == [
        f"weights {path}: ema_state, averaged weights; not taken: model_state: raw weights "
        '(overrides={"MODEL.CHECKPOINT_ENTRY": NAME} takes one)'
    ]
    asked = {"MVIT.EMBED_DIM": 12, "MODEL.CHECKPOINT_ENTRY": "raw"}
    assert holds(slowfast.create_model("mvitv2_t_in1k", weights=path, overrides=asked), raw)


def test_a_file_is_read_once_while_a_run_asks_for_it(tmp_path, models, monkeypatch):
    raw, average = models
    path, reads = saved(tmp_path, {"model_state": raw.state_dict(), "ema_state": average.state_dict()}), []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda *given, **keys: (reads.append(given), load(*given, **keys))[1])
    with reading_once():
        assert read_weight_file(path) is read_weight_file(path)
        load_weights(loaded := build(2), path)
        assert holds(loaded, average) and len(reads) == 1
        assert not read_weight_file(path, prefer="raw").averaged and len(reads) == 2
    read_weight_file(path)
    assert len(reads) == 3


def test_known_names_are_distinct():
    assert len(set(KNOWN_NAMES)) == len(KNOWN_NAMES)
