"""slowfast.engine.record.provenance: hashes by hand, and commits of real and absent clones."""

import hashlib
import subprocess

import torch
from torch import nn

import slowfast
from slowfast.config import get_cfg
from slowfast.engine.record.provenance import commit, file_sha256, provenance, state_sha256

CPU = torch.device("cpu")


def test_a_state_is_hashed_by_names_types_shapes_and_bytes():
    state = {"b": torch.tensor([[1.0, 2.0]]), "a": torch.tensor(3, dtype=torch.int64)}
    by_hand = hashlib.sha256(
        b"a torch.int64 ()\n"
        + (3).to_bytes(8, "little")
        + b"b torch.float32 (1, 2)\n"
        + bytes.fromhex("0000803f00000040")
    ).hexdigest()
    assert state_sha256(state) == by_hand == state_sha256(dict(reversed(state.items())))
    wide = torch.tensor([[1.0, 9.0], [2.0, 9.0]])
    assert state_sha256(state | {"b": wide[:, 0][None]}) == by_hand  # strides are no content
    others = (state | {"b": torch.tensor([[1.0], [2.0]])}, state | {"b": torch.tensor([[1.0, 2.5]])}, {"c": state["b"]})
    assert by_hand not in map(state_sha256, others)
    assert len(state_sha256({"h": torch.ones(2, dtype=torch.bfloat16)})) == 64


def test_what_a_result_was_made_with(tmp_path):
    file = tmp_path / "w.pyth"
    file.write_bytes(b"weights")
    model, cfg = nn.Linear(2, 1), get_cfg()
    found = provenance(cfg, model, CPU, weights=str(file), config_file="a.yaml", overrides=("RNG_SEED", "1"))
    assert found["weights"] == {
        "state_sha256": state_sha256(model.state_dict()),
        "file": str(file),
        "file_sha256": hashlib.sha256(b"weights").hexdigest(),
    }
    assert found["config_sha256"] == hashlib.sha256(cfg.dump().encode()).hexdigest()
    assert found["command"] == {"config": "a.yaml", "overrides": ["RNG_SEED", "1"]}
    assert found["versions"]["slowfast"] == slowfast.__version__ and found["versions"]["cuda"] is None
    assert found["device"].startswith("cpu (") and found["precision"] == "float32"
    trained = provenance(cfg, model, CPU)["weights"]
    assert (trained["file"], trained["file_sha256"]) == (None, None) and file_sha256(file)


def test_the_commit_of_a_clone_and_of_none(tmp_path):
    assert commit(tmp_path) is None
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]

    def git(*words):
        return subprocess.run(["git", "-C", tmp_path, *who, *words], check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "one")
    git("tag", "v1")
    head = git("rev-parse", "HEAD").strip()
    assert commit(tmp_path) == head and len(head) == 40
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == f"{head}-dirty"
    inside = tmp_path / "site-packages"
    inside.mkdir()
    assert commit(inside) is None  # somebody else's clone around an installed package
