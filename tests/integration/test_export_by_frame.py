"""`tools/export.py --by-frame`: two ONNX files that give the numbers of whole clips, each frame computed once."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from slowfast.inference import ActionDetector
from tests.unit.inference.export.shrunk import CLASSES, save_checkpoint, shrunk_config
from tests.unit.inference.streams.test_frame_reuse import FRAMES, Noise
from tests.unit.video.video_maker import write_video

EVERY = 1 / 6  # two frames


def numbers(moments) -> np.ndarray:
    people = [(moment.time, one) for moment in moments for one in moment.people]
    return np.array(
        [[time, *p.box, p.score, *(a.score for a in sorted(p.actions, key=lambda a: a.id))] for time, p in people]
    )


@pytest.fixture(scope="module")
def weights(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cfg = shrunk_config(repo_root / "configs/JHMDB/BMViT_lite.yaml").clone()
    cfg.defrost()
    cfg.TEST.ACTOR_THRESHOLD = 0.0
    cfg.freeze()
    return save_checkpoint(cfg, tmp_path_factory.mktemp("weights") / "best.pyth")


@pytest.mark.long
def test_two_files_give_the_numbers_of_whole_clips(run_main, weights, tmp_path):
    """One export, looked at from every side: numbers, how often a frame is computed, the command, files that do not match."""
    done = run_main(
        "tools/export.py",
        *("--weights", str(weights), "--format", "onnx", "--by-frame", "--out", str(tmp_path / "lite.onnx")),
    )
    files = [tmp_path / "lite_frames.onnx", tmp_path / "lite.onnx"]
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("wrote ")] == list(map(str, files))
    facts = [{p.key: json.loads(p.value) for p in onnx.load(file).metadata_props} for file in files]
    assert facts[0]["input"]["shape"] == ["batch", 3, 32, 32] and facts[0]["outputs"] == ["features"]
    assert facts[1]["input"]["shape"] == ["batch", *facts[0]["features"][:1], 8, 1, 1]
    assert facts[1]["input"]["type"] == "float32" and facts[1]["frames"]["file"] == "lite_frames.onnx"

    eager = ActionDetector.from_checkpoint(weights, device="cpu", batch=3)
    whole_clips = ActionDetector.from_checkpoint(weights, device="cpu", batch=3)
    whole_clips._reuse = None
    ours = ActionDetector.from_onnx(files[1], batch=3)
    expected = numbers(whole_clips.stream(Noise(), every=EVERY))
    assert len(expected) == 4 * FRAMES // 2 and np.ptp(expected[:, 5]) > 1e-3  # 2 x 2 candidates a key frame
    for detector in (eager, ours):
        np.testing.assert_allclose(numbers(detector.stream(Noise(), every=EVERY)), expected, atol=1e-5, rtol=0)
        assert (
            detector._reuse.computed == FRAMES // 2 + 1 < detector._reuse.asked / 7
        )  # the last stands for those after it

    video = tmp_path / "video.mp4"
    write_video(video, frames=12)
    line = ("tools/predict.py", str(video), "--no-video", "--score", "0", "--weights")
    run_main(*line, str(files[1]), "--out", "out")
    assert len((tmp_path / "out/video.jsonl").read_text().splitlines()) >= 3
    refused = run_main(*line, str(files[0]), "--out", "out2", expect=1)
    assert "lite_frames.onnx is the part of an export that sees single frames; give the other file" in refused.stderr
    shutil.copy(files[1], files[0])
    refused = run_main(*line, str(files[1]), "--out", "out2", expect=1)
    assert "lite_frames.onnx is not the file that was written with" in refused.stderr
    files[0].unlink()
    refused = run_main(*line, str(files[1]), "--out", "out2", expect=1)
    assert "lite_frames.onnx beside it, which sees frames, is not there" in refused.stderr
    assert not (tmp_path / "out2").exists() and len(CLASSES) == 5


def test_what_cannot_be_written_by_frame(run_main, repo_root, weights, tmp_path):
    toy = save_checkpoint(shrunk_config(repo_root / "configs/Toy/BMViT_toy.yaml"), tmp_path / "toy.pyth")
    (tmp_path / "there_frames.onnx").write_text("mine")
    before = sorted(tmp_path.iterdir())
    for (path, kind, out, *more), text in (
        ((toy, "onnx", "a.onnx"), "BMViT on MViT, which sees whole clips: leave it out"),
        ((weights, "torch", "a.pt2"), "--by-frame writes two ONNX files of float32 numbers; leave"),
        ((weights, "onnx", "a.onnx", "--int8"), "leave --int8 out"),
        ((weights, "onnx", "there.onnx"), "there_frames.onnx exists already"),
    ):
        line = ("--weights", str(path), "--format", kind, "--out", out, "--by-frame", *more)
        done = run_main("tools/export.py", *line, expect=1)
        assert text in done.stderr and done.stderr.startswith("error: ")
    assert sorted(tmp_path.iterdir()) == before
