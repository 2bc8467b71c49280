"""Files that are not weights: each gets its own error, and no code in a file is run."""

import argparse
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from slowfast.weights.file import read_weight_file

STATE = {"a.weight": torch.arange(600.0), "a.bias": torch.ones(3)}


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.pyth"
    torch.save({"model_state": STATE, "cfg": "X: 1", "class_names": ["sit"], "class_ids": [4], "epoch": 2}, path)
    return path


def test_our_file(good):
    file = read_weight_file(good)
    assert torch.equal(file.state["a.weight"], STATE["a.weight"])
    assert (file.container, file.class_names, file.class_ids, file.config) == ("model_state", ("sit",), (4,), "X: 1")


def test_a_bare_state_dict(tmp_path):
    torch.save(STATE, tmp_path / "bare.pth")
    file = read_weight_file(tmp_path / "bare.pth")
    assert file.container == "" and set(file.state) == set(STATE)


def test_safetensors(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors", metadata={"class_names": '["sit"]', "class_ids": "[4]", "cfg": "X: 1"})
    file = read_weight_file(tmp_path / "w.safetensors")
    assert torch.equal(file.state["a.bias"], STATE["a.bias"])
    assert (file.class_names, file.class_ids, file.config) == (("sit",), (4,), "X: 1")


def test_truncated_safetensors(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:200])
    with pytest.raises(ValueError, match=r"cut\.safetensors is cut off or no safetensors file"):
        read_weight_file(tmp_path / "cut.safetensors")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"weights .*nothing\.pyth do not exist"):
        read_weight_file(tmp_path / "nothing.pyth")
    with pytest.raises(FileNotFoundError, match="are not a file"):
        read_weight_file(tmp_path)


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.99])
def test_truncated_file(good, tmp_path, keep):
    cut = tmp_path / "cut.pyth"
    cut.write_bytes(good.read_bytes()[: int(len(good.read_bytes()) * keep)])
    with pytest.raises(
        ValueError, match=r"cut\.pyth is cut off, damaged or no PyTorch file .*; download it again"
    ) as caught:
        read_weight_file(cut)
    assert len(str(caught.value)) < len(str(cut)) + 140  # one sentence of torch's, not its whole advice


def test_truncated_file_of_the_old_format(tmp_path):
    old = tmp_path / "old.pyth"
    torch.save({"model_state": STATE}, old, _use_new_zipfile_serialization=False)
    assert set(read_weight_file(old).state) == set(STATE)
    old.write_bytes(old.read_bytes()[:300])
    with pytest.raises(ValueError, match="is cut off, damaged or no PyTorch file"):
        read_weight_file(old)


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><html>Sign in</html>", b"\n  <html><body>404</body></html>", b"<?xml version='1.0'?>"]
)
def test_web_page(tmp_path, page):
    (tmp_path / "page.pyth").write_bytes(page)
    with pytest.raises(ValueError, match="is a web page, not weights"):
        read_weight_file(tmp_path / "page.pyth")


def test_git_lfs_pointer(tmp_path):
    (tmp_path / "pointer.pyth").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n")
    with pytest.raises(ValueError, match="is a git-lfs pointer, not the weights; run `git lfs pull`"):
        read_weight_file(tmp_path / "pointer.pyth")


def test_empty_file(tmp_path):
    (tmp_path / "empty.pyth").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty\.pyth is empty; download it again"):
        read_weight_file(tmp_path / "empty.pyth")


def test_plain_text(tmp_path):
    (tmp_path / "text.pyth").write_bytes(b"hello, these are no weights\n")
    with pytest.raises(ValueError, match="is cut off, damaged or no PyTorch file") as caught:
        read_weight_file(tmp_path / "text.pyth")
    assert "weights_only" not in str(caught.value)  # torch's own text advises to switch it off


class Runs:
    """A pickle that runs a command when it is read the ordinary way."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("torch_format", [True, False])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, nested, torch_format):
    proof = tmp_path / "ran"
    content = {"model_state": STATE, "hook": Runs(f"touch {proof}")}
    if nested:
        content = {"model_state": STATE, "args": argparse.Namespace(hook=Runs(f"touch {proof}"))}
    path = tmp_path / "code.pyth"
    if torch_format:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps({"hook": Runs(f"touch {proof}")}, protocol=2))
    with pytest.raises(
        ValueError, match="is a pickle that needs code to be read, and code in a file is never run here"
    ) as error:
        read_weight_file(path)
    assert "system" in str(error.value)
    assert not proof.exists()


def test_no_parameters(tmp_path):
    torch.save({"epoch": 3, "note": "x"}, tmp_path / "none.pyth")
    with pytest.raises(ValueError, match=r"holds no parameters: .* found epoch, note"):
        read_weight_file(tmp_path / "none.pyth")


def test_not_a_dict(tmp_path):
    torch.save([torch.ones(2)], tmp_path / "list.pyth")
    with pytest.raises(ValueError, match="holds a list, not a dict of parameters"):
        read_weight_file(tmp_path / "list.pyth")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
def test_numbers_stay_in_the_file_until_they_are_used(tmp_path):
    """A run looks at a file for its classes and its configuration before it loads it."""
    path = tmp_path / "weights.pyth"
    torch.save({"model_state": {"a": torch.arange(3.0)}, "class_names": ["sit"], "cfg": "RNG_SEED: 1"}, path)
    file = read_weight_file(path)
    assert str(path) in Path("/proc/self/maps").read_text()
    assert file.class_names == ("sit",) and file.state["a"].tolist() == [0, 1, 2]
    path = tmp_path / "old.pyth"
    torch.save({"model_state": {"a": torch.ones(3)}}, path, _use_new_zipfile_serialization=False)
    assert read_weight_file(path).state["a"].tolist() == [1, 1, 1]  # of the old format, which cannot be mapped


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda t: t.to(torch.float8_e4m3fn), r"of the type torch\.float8_e4m3fn"),
        (lambda t: t.to_sparse(), "a sparse tensor"),
        (lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8), r"of the type torch\.qint8"),
        (lambda t: t.to(torch.complex64), r"of the type torch\.complex64"),
        (lambda t: t.to("meta"), "a tensor without numbers"),
    ],
    ids=["fp8", "sparse", "quantised", "complex", "meta"],
)
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_weights_that_are_no_plain_numbers(tmp_path, made, why):
    torch.save({"model_state": {"a.weight": made(torch.ones(2, 2))}}, tmp_path / "w.pyth")
    with pytest.raises(
        ValueError, match=rf"w\.pyth: a\.weight is {why}.*; in the program that wrote the file, save them as float32"
    ):
        read_weight_file(tmp_path / "w.pyth")


@pytest.mark.parametrize(
    ("entry", "value", "what"),
    [
        ("class_names", 5, "texts, but 5"),
        ("class_names", [1], r"texts, but \[1\]"),
        ("class_ids", ["a"], r"whole numbers, but \['a'\]"),
    ],
)
def test_classes_of_a_file_that_are_none(tmp_path, entry, value, what):
    torch.save({"model_state": {"a.weight": torch.ones(2, 2)}, entry: value}, tmp_path / "w.pyth")
    with pytest.raises(ValueError, match=rf"w\.pyth: cannot be read as weights: its {entry} are no list of {what}"):
        read_weight_file(tmp_path / "w.pyth")
