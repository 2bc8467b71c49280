"""TRAIN.PARALLEL: two processes take the steps of one, under ddp and fsdp, whatever else is turned on."""

from pathlib import Path

import pytest
import torch

from slowfast.structures.tensors import tensors_in
from slowfast.weights.checkpoint import Checkpointer
from tests.unit.engine.parallel_cases import GOING_ON, OPTIONS, after_steps, config, fresh, spawn

QUICK = [name for name in OPTIONS if name != "compile"]


@pytest.fixture(scope="module")
def toy(request: pytest.FixtureRequest) -> str:
    return str(request.config.rootpath / "configs/Toy/BMViT_toy.yaml")


@pytest.fixture(scope="module")
def by_two(toy: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes made of every case: one pair of them runs all, because a start takes longer than the cases."""
    folder = tmp_path_factory.mktemp("two")
    spawn(folder, toy, QUICK)
    return folder


def check(toy: str, folder: Path, parallel: str, name: str) -> None:
    expected = after_steps(config(toy, OPTIONS[name]))
    found = torch.load(folder / f"{parallel} {name}.pt", weights_only=True)
    for part in ("gradient", "model_state", "tested", *(["ema_state"] if "ema_state" in expected else [])):
        assert found[part].keys() == expected[part].keys()
        tolerance = {"rtol": 1e-5, "atol": 1e-6} if part == "gradient" else {"rtol": 1e-5, "atol": 1e-5}
        if "bf16" in OPTIONS[name]:  # some gradients are nothing but rounding
            largest = max(float(value.abs().max()) for value in expected[part].values())
            tolerance = {"rtol": 0.02, "atol": 0.01 * largest}
        for key, value in expected[part].items():
            torch.testing.assert_close(
                found[part][key], value, **tolerance, msg=lambda t, k=key, p=part: f"{p} {k}: {t}"
            )


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_take_the_steps_of_one(toy, by_two, parallel, name):
    check(toy, by_two, parallel, name)


def test_bf16_was_on(by_two):
    for parallel in ("ddp", "fsdp"):
        found, other = (torch.load(by_two / f"{parallel} {name}.pt", weights_only=True) for name in ("bf16", "nothing"))
        key = "backbone.blocks.0.mlp.fc1.weight"
        assert (found["gradient"][key] - other["gradient"][key]).abs().max() > 1e-4 * other["gradient"][key].abs().max()
        assert all(value.dtype == torch.float32 for value in found["model_state"].values())


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_statistics_of_batch_norms_are_the_same_on_all_processes(by_two, parallel):
    """They saw other clips, and it is not told by a model in which nothing moved."""
    first, second = torch.load(by_two / f"{parallel} statistics.pt", weights_only=True)
    assert first.keys() == second.keys() and len(first) == 18
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
        untouched = 1.0 if name.endswith("var") else 0.0
        assert ("frozen" in name) == bool((value == untouched).all()), name
    assert not torch.equal(first["model counted.running_mean"], first["average counted.running_mean"])
    assert int(first["model counted.num_batches_tracked"]) == 4  # two steps of two micro-batches


@pytest.mark.parametrize("kind", ["parts", "file"])
def test_either_form_of_checkpoint_is_loaded_bit_for_bit_under_either_setting(by_two, kind):
    saved = torch.load(by_two / "saved.pt", weights_only=True)
    assert any(value.abs().sum() > 0 for _, value in tensors_in(saved["optimizer_state"]["state"]))
    for parallel in ("fsdp", "ddp"):
        assert same(torch.load(by_two / f"loaded {parallel} {kind}.pt", weights_only=True), saved)


def test_what_was_loaded_is_gone_on_from(by_two):
    """Bit for bit the steps that were not interrupted under the same setting, and nearly so under the other."""
    load = lambda name: torch.load(by_two / f"{name}.pt", weights_only=True)  # noqa: E731
    straight = load("straight")
    assert same(load("resumed fsdp parts"), straight) and not same(load("saved"), straight)
    for name, value in load("resumed ddp file")["model_state"].items():
        torch.testing.assert_close(
            value, straight["model_state"][name], rtol=0, atol=0.01
        )  # two steps of AdamW: 0.02 at most


def test_one_process_reads_what_two_wrote(by_two, toy):
    found = Checkpointer(by_two / "parts").newest()
    assert {path.name for path in found[0].iterdir()} == {"__0_0.distcp", "__1_0.distcp", ".metadata", "rest.pyth"}
    state = fresh(config(toy, [*GOING_ON, "SOLVER.OPTIMIZING_METHOD", "adamw"]))
    state.load_state_dict(found[1])
    assert same(state.state_dict(), torch.load(by_two / "saved.pt", weights_only=True))


def same(left: dict, right: dict) -> bool:
    first = lambda pair: pair[0]  # noqa: E731
    pairs = zip(sorted(tensors_in(left), key=first), sorted(tensors_in(right), key=first), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.mark.slow
def test_compiled_too(toy, tmp_path):
    spawn(tmp_path, toy, ["compile"])
    for parallel in ("ddp", "fsdp"):
        check(toy, tmp_path, parallel, "compile")
