"""slowfast.tasks.frame_features: features of a run are made with its weights, and the network makes of them what it makes of
pixels."""

import gzip

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.engine.run import build_inputs
from slowfast.models.build import build_model
from slowfast.tasks.build import build_task
from tests.unit.video.video_maker import write_video

SMALL = ["MODEL.NUM_CLASSES", 0, "DATA.TRAIN_CROP_SIZE", [64, 64], "DATA.TEST_CROP_SIZE", [64, 64]]
SMALL += ["MVIT.EMBED_DIM", 16, "MVIT.NUM_HEADS", 2, "MVIT.DEPTH", 1, "DATA.FEATURE_VIEWS", 2, "TRAIN.BATCH_SIZE", 2]


@pytest.fixture(scope="module")
def jhmdb(tmp_path_factory):
    """Three training videos of two classes, and one of the test part."""
    root = tmp_path_factory.mktemp("jhmdb")
    videos = {"wave/a_wave_u_0": "train", "wave/b_wave_u_0": "train", "run/c_run_u_0": "train", "run/d_run_u_0": "test"}
    lines = ["video,frames,height,width,split1,split2,split3\n"]
    with gzip.open(root / "jhmdb21_boxes.csv.gz", "wt") as boxes:
        boxes.write("video,label,frame,x1,y1,x2,y2\n")
        for video, part in videos.items():
            (root / video).parent.mkdir(exist_ok=True)
            write_video(root / f"{video}.mp4", frames=6)
            lines.append(f"{video},6,48,64,{part},{part},{part}\n")
            boxes.writelines(f"{video},{video.split('/')[0]},{frame},16,12,31,35\n" for frame in range(1, 7))
    (root / "jhmdb21_videos.csv").write_text("".join(lines))
    return root


def config(repo_root, jhmdb, cache, *overrides):
    where = ["JHMDB.ANNOTATION_DIR", str(jhmdb), "JHMDB.VIDEO_DIR", str(jhmdb), "DATA.FEATURE_CACHE", str(cache)]
    start = ["TRAIN.CHECKPOINT_FILE_PATH", "", "OUTPUT_DIR", str(cache)]
    return load_cfg(repo_root / "configs/JHMDB/BMViT_lite.yaml", [*SMALL, *where, *start, *overrides])


def meet(cfg):
    torch.manual_seed(0)
    task = build_task(cfg)
    model = build_model(task.cfg)
    inputs = build_inputs(task, torch.device("cpu"))
    task.meet_model(model, inputs.pictures)
    return task, model.eval(), inputs


def test_features_give_what_pixels_give(repo_root, jhmdb, tmp_path):
    task, model, inputs = meet(config(repo_root, jhmdb, tmp_path))
    pixels = build_task(config(repo_root, jhmdb, tmp_path, "DATA.FEATURE_VIEWS", 0))
    (ours,), (theirs,) = list(task.test_loader()), list(pixels.test_loader())
    assert ours.clips.shape == (6, 1408, 8, 2, 2) and theirs.clips.shape == (6, 3, 8, 64, 64)
    assert [meta.key for meta in ours.meta] == [meta.key for meta in theirs.meta]
    with torch.no_grad():
        found, wanted = (model(inputs.prepare(batch).clips) for batch in (ours, theirs))
    torch.testing.assert_close(found.boxes, wanted.boxes, rtol=0, atol=2e-3)  # features are kept in float16
    torch.testing.assert_close(found.actor_probability, wanted.actor_probability, rtol=0, atol=2e-3)
    assert ours.targets.boxes.allclose(theirs.targets.boxes, atol=1e-6)
    loader = task.train_loader()
    batches = list(loader)
    assert {batch.clips.shape[1] for batch in batches} == {1408}
    assert sum(len(batch) for batch in batches) == 6  # every 4th of 6 frames of three videos


def test_other_weights_make_other_features(repo_root, jhmdb, tmp_path):
    task, model, inputs = meet(config(repo_root, jhmdb, tmp_path))
    made = len(list(tmp_path.glob("*.npy")))
    assert made == 1 + 2 * 3  # the test part in the plain view, the training part in two
    task.meet_model(model, inputs.pictures)
    assert len(list(tmp_path.glob("*.npy"))) == made
    with torch.no_grad():
        model.backbone.frames.stem.conv.weight.mul_(1.1)
    task.meet_model(model, inputs.pictures)
    assert len(list(tmp_path.glob("*.npy"))) == 2 * made


def test_errors(repo_root, jhmdb, tmp_path):
    cfg = config(repo_root, jhmdb, tmp_path, "MODEL.FREEZE", ["backbone.blocks."])
    with pytest.raises(ValueError, match=r"training would change it: set MODEL.FREEZE \[\"backbone.frames.\"\]"):
        meet(cfg)
    cfg = config(repo_root, jhmdb, tmp_path, "MODEL.BACKBONE", "MViT", "MODEL.FREEZE", ["heads."])
    with pytest.raises(ValueError, match=r"needs a backbone with a part that sees single frames .*MODEL.BACKBONE MViT"):
        meet(cfg)
    with pytest.raises(ValueError, match=r"DATA.FEATURE_CACHE \(''\) must name a directory .*FEATURE_VIEWS \(2\)"):
        config(repo_root, jhmdb, "", "OUTPUT_DIR", str(tmp_path))
    with pytest.raises(ValueError, match=r"MODEL.FREEZE \(\[\]\) must name the image network, \[backbone.frames.\]"):
        config(repo_root, jhmdb, tmp_path, "MODEL.FREEZE", [])
    with pytest.raises(ValueError, match=r"DATA.MULTI_SCALE \(\[64\]\) must be \[\] with DATA.FEATURE_VIEWS \(2\)"):
        config(repo_root, jhmdb, tmp_path, "DATA.MULTI_SCALE", [64])
    with pytest.raises(ValueError, match=r"JHMDB.HELD_OUT \(0.0\) must be above 0 with JHMDB.TEST_ON held_out"):
        config(repo_root, jhmdb, tmp_path, "JHMDB.TEST_ON", "held_out")
    with pytest.raises(
        ValueError, match=r"MODEL.FREEZE: no parameter's name begins with 'cnn.'; names begin with .*heads"
    ):
        build_model(config(repo_root, jhmdb, tmp_path, "MODEL.FREEZE", ["cnn."]))


def test_seconds_are_not_frames(repo_root, jhmdb, tmp_path):
    from slowfast.datasets.build import build_feature_clips
    from slowfast.datasets.clips.key_frame_clips import SecondClock

    cfg = config(repo_root, jhmdb, tmp_path)
    task = build_task(cfg)
    split = type(task.test_split)(task.test_split.annotated, task.test_split.pixels, SecondClock(30.0, 900))
    with pytest.raises(
        ValueError, match=r"counted in frames of video files \(jhmdb, ucf24\), not for jhmdb: set it to 0"
    ):
        build_feature_clips(cfg, "test", split, store=None)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (["MVIT.PATCH_STRIDE", [2, 4, 4]], r"MVIT.PATCH_STRIDE \(\[2, 4, 4\]\) must be \[t, 16, 16\]"),
        (["MVIT.CLS_EMBED_ON", True], "FrameCNNMViT has one width and one stride; leave out MVIT.CLS_EMBED_ON"),
        (["MVIT.POOL_Q_STRIDE", [[0, 1, 2, 2]]], "leave out MVIT.POOL_Q_STRIDE"),
    ],
)
def test_keys_that_this_backbone_does_not_have(repo_root, jhmdb, tmp_path, override, message):
    with pytest.raises(ValueError, match=message):
        build_model(config(repo_root, jhmdb, tmp_path, *override))


def test_a_few_videos_of_each_class(repo_root, jhmdb, tmp_path):
    task = build_task(config(repo_root, jhmdb, tmp_path, "DATA.SHOTS", 1))
    annotated = task.train_split.annotated
    assert len(annotated.key_frames.used_videos) == 2  # one of run, one of wave
    assert annotated.notes[-1].startswith("DATA.SHOTS 1: 4 key frames of 2 videos are left, drawn by RNG_SEED")
    with pytest.raises(
        ValueError, match=r"DATA.SHOTS \(2\) asks for more training videos than these classes have: run \(1\)"
    ):
        _ = build_task(config(repo_root, jhmdb, tmp_path, "DATA.SHOTS", 2)).train_split


def test_given_boxes_are_in_pixels_whatever_the_model_is_shown(repo_root, jhmdb, tmp_path):
    two_stage = ["MODEL.MODEL_NAME", "TwoStage", "DETECTION.BOXES", "groundtruth"]
    task, model, inputs = meet(config(repo_root, jhmdb, tmp_path, *two_stage))
    pixels = build_task(config(repo_root, jhmdb, tmp_path, *two_stage, "DATA.FEATURE_VIEWS", 0))
    (ours,), (theirs,) = list(task.test_loader()), list(pixels.test_loader())
    boxes = pixels.arguments(theirs)[1]
    torch.testing.assert_close(task.arguments(ours)[1], boxes)
    with torch.no_grad():
        found = [model(*t.arguments(inputs.prepare(batch))) for t, batch in ((task, ours), (pixels, theirs))]
    torch.testing.assert_close(found[0].action_logits, found[1].action_logits, rtol=0, atol=5e-3)
    detected = [task.postprocess()(one, batch.meta) for one, batch in zip(found, (ours, theirs), strict=True)]
    torch.testing.assert_close(detected[0].boxes, detected[1].boxes)
    assert detected[0].boxes.max() <= 1 and (detected[0].boxes[:, 2:] - detected[0].boxes[:, :2]).max() < 0.9


def test_detected_boxes_are_tested_on_features(repo_root, jhmdb, tmp_path):
    """Two boxes above the threshold on frame 2, none elsewhere; ids are frame numbers."""
    file = tmp_path / "found.csv"
    file.write_text(
        "run/d_run_u_0,2,0.1,0.2,0.5,0.9,,0.9\nrun/d_run_u_0,2,0,0,1,1,,0.6\nrun/d_run_u_0,3,0,0,1,1,,0.4\n"
    )
    two_stage = ["MODEL.MODEL_NAME", "TwoStage", "JHMDB.TEST_PREDICT_BOX_LISTS", f"[{file}]"]
    task, model, inputs = meet(config(repo_root, jhmdb, tmp_path / "features", *two_stage))
    (batch,) = list(task.test_loader())
    with torch.no_grad():
        found = task.postprocess()(model(*task.arguments(inputs.prepare(batch))), batch.meta)
    assert [batch.meta[int(i)].timestamp for i in found.clip_index] == [2, 2]
    boxes = found.boxes[found.boxes[:, 0].argsort()]
    torch.testing.assert_close(boxes, torch.tensor([[0, 0, 1, 1], [0.1, 0.2, 0.5, 0.9]]))
    assert not task.train_split.proposals.files  # trained on annotated people


@pytest.mark.parametrize(
    ("lists", "error", "message"),
    [
        (
            "[]",
            ValueError,
            r"on jhmdb: name files in JHMDB\.TEST_PREDICT_BOX_LISTS, or set DETECTION\.BOXES groundtruth",
        ),
        (
            "[gone.csv]",
            FileNotFoundError,
            r"gone\.csv: no such file \(JHMDB\.TEST_PREDICT_BOX_LISTS in JHMDB\.ANNOTATION_DIR\)",
        ),
        (
            "[low.csv]",
            ValueError,
            r"low\.csv: no box that scores at least 0\.5 \(JHMDB\.DETECTION_SCORE_THRESH\) lies on any",
        ),
    ],
)
def test_lists_of_detected_people_that_do_not_fit(repo_root, jhmdb, tmp_path, lists, error, message):
    (jhmdb / "low.csv").write_text("run/d_run_u_0,2,0,0,1,1,,0.4\n")
    with pytest.raises(error, match=message):
        build_task(
            config(repo_root, jhmdb, tmp_path, "MODEL.MODEL_NAME", "TwoStage", "JHMDB.TEST_PREDICT_BOX_LISTS", lists)
        )
