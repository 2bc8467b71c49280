"""`--explain` and `ActionDetector.explain` on a trained detector: the token is the one that the box came from."""

from pathlib import Path

import pytest
import torch
from torch import nn

import slowfast
from slowfast.inference.explain import page
from slowfast.structures.outputs.predictions import Predictions
from slowfast.toy.demo import _LEFT_BEHIND, Demo

TOOL = "tools/predict.py"
PLANTED, BOX = 37, (0.7, 0.6, 0.2, 0.4)  # candidate of 8 x 10, and its box as cxcywh


class PlantedHeads(nn.Module):
    """One candidate is a person, and its box tells which."""

    def forward(self, box_tokens, action_tokens, grid):
        batch, candidates = box_tokens.shape[:2]
        actor = torch.full((batch, candidates, 1), -9.0)
        boxes, actions = torch.full((batch, candidates, 4), 0.3), torch.zeros(batch, candidates, 7)
        actor[:, PLANTED], boxes[:, PLANTED], actions[:, PLANTED, 2] = 9.0, torch.tensor(BOX), 4.0
        return Predictions(actor, boxes, actions)


@pytest.fixture
def video(toy_data: Path) -> Path:
    return toy_data / "videos/toy_0007.mp4"


@pytest.fixture
def weights(trained: Path) -> Path:
    return trained / "checkpoints/best.pyth"


def test_the_token_told_is_the_one_that_the_box_came_from(weights, video):
    detector = slowfast.load(weights, device="cpu", batch=2)
    detector.loaded.model.heads = PlantedHeads()
    made = detector.explain(video, 1.5)
    (one,) = made.people
    assert (made.time, one.person.token, one.cell) == (1.5, PLANTED, (3, 7))
    assert one.cell_box == pytest.approx((0.7, 3 / 8, 0.8, 4 / 8))
    assert one.person.box == pytest.approx((0.6, 0.4, 0.8, 0.8))
    # Half of the last stage is the token itself: most comes from where it stands.
    _, h, w = one.box_attention.shape
    heat = one.box_attention.sum(0)
    top, left = divmod(int(heat.argmax()), w)
    assert one.cell_box[1] - 1 / h <= top / h <= one.cell_box[3] and one.cell_box[0] - 1 / w <= left / w
    assert left / w <= one.cell_box[2]
    assert [moment.people[0].token for moment in detector.stream(video, every=1.0, score=0.5)] == [PLANTED] * 4


def test_a_moment_is_that_of_the_stream(weights, video):
    detector = slowfast.load(weights, device="cpu")
    streamed = list(detector.stream(video, every=1.0, score=0.02))
    for second in (0.0, 2.0):
        told = [one.person for one in detector.explain(video, second, score=0.02).people]
        assert [p.token for p in told] == [p.token for p in streamed[int(second)].people] and told
        assert told[0].score == pytest.approx(streamed[int(second)].people[0].score, abs=1e-5)
    with pytest.raises(ValueError, match=r"toy_0007\.mp4 has no second 9: it ends at 4\.00 s"):
        detector.explain(video, 9)
    with pytest.raises(ValueError, match="a moment to explain is a second of the video, 0 or more, got -1"):
        detector.explain(video, -1)


def test_the_page_of_the_command(run_main, weights, video, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_PEOPLE", 2)  # a model at its beginning finds many
    options = ["--explain", "--score", "0.05", "--no-video", "--classes", "sit", "wave"]
    done = run_main(TOOL, "--weights", str(weights), str(video), "--out", "with", *options)
    assert "toy_0007_explain.html" in done.stdout
    text = (tmp_path / "with/toy_0007_explain.html").read_text(encoding="utf-8")
    assert "data:image/jpeg;base64," in text and text.count("<section>") == 2 and "<script" not in text
    assert "more people, seen on the fewest key frames, are not shown." in text
    run_main(TOOL, "--weights", str(weights), str(video), "--out", "without", *options[1:])
    same = [(tmp_path / folder / "toy_0007.jsonl").read_text() for folder in ("with", "without")]
    assert same[0] == same[1]  # looking changes nothing
    assert not (tmp_path / "without/toy_0007_explain.html").exists()


def test_the_demo_ends_with_a_held_out_video(trained, toy_config, overrides, monkeypatch, capsys):
    monkeypatch.setattr(page, "MOST_PEOPLE", 1)
    Demo(toy_config, overrides, trained).predict_a_video()
    assert "toy_0007.mp4: 16 key frames" in capsys.readouterr().out
    left = {path.name for path in trained.glob("player*")}
    assert left == {"player.html", "player_explain.html", "player.jsonl", "player.csv", "player.mp4"}
    assert {"player.html", "player_explain.html", "player.jsonl"} <= set(_LEFT_BEHIND)
