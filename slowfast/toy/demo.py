"""The demo: a toy data set, a small BMViT, and the question whether it looks at time. `make demo` runs it."""

import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from fvcore.common.config import CfgNode

from slowfast.config import load_cfg
from slowfast.engine.run import build_inputs, run
from slowfast.engine.test import evaluate
from slowfast.evaluation.frames.result import DetectionResult
from slowfast.inference.detector import ActionDetector
from slowfast.inference.predict import Options, check_options, predict
from slowfast.inference.streams.sources import Job
from slowfast.models.build import build_model
from slowfast.report.detection.clips import ReportGallery
from slowfast.structures.outputs.predictions import Detections
from slowfast.tasks.localization import Localization
from slowfast.toy.data_set import APPEARANCE_ACTIONS, MOTION_ACTIONS, make_toy_ava
from slowfast.utils.files import write_text
from slowfast.utils.logging import LOGGER_NAME
from slowfast.visualization.draw import contact_sheet, detection_video
from slowfast.visualization.plots import plot_training_curve
from slowfast.weights.checkpoint import Checkpointer, load_weights

CPU = torch.device("cpu")
CLIPS_DRAWN = 12
REAL_NAME = "weights/BMViT_lite_JHMDB"  # in a clone
REAL_WEIGHTS = Path(__file__).resolve().parents[2] / REAL_NAME
REAL_EVERY = 0.5  # seconds
PREDICTED_EVERY = 0.25  # seconds; people of the toy data set walk fast
VIDEOS, SEED = 160, 7  # 560 key frames to train on, 80 held out, with about as many people walking left as right


class Demo:
    """Each step reuses what an earlier call left in `out`, and picks up where it was interrupted."""

    def __init__(self, config: str | Path, overrides: list[str], out: Path) -> None:
        self.config, self.overrides, self.out = config, overrides, out
        self.cfg = load_cfg(config, overrides)
        self.table: dict[str, dict[str, float | None]] = {}

    def variant(self, *overrides: str) -> CfgNode:
        """The demo's configuration with other keys changed."""
        return load_cfg(self.config, [*self.overrides, *overrides])

    def make_data(self) -> None:
        print(make_toy_ava(self.out / "data", videos=VIDEOS, seed=SEED), flush=True)

    def train_and_test(self) -> None:
        run(self.cfg, CPU)
        plot_training_curve(self.out / "log.jsonl", self.out / "curve.png")

    def ask_whether_it_uses_time(self, weights: Path | None = None) -> None:
        """Test forwards, backwards and frozen; beside them the AP of knowing where people are but not what they do.

        weights: a checkpoint; None takes the newest of the demo's run.
        """
        logging.getLogger(LOGGER_NAME).setLevel(logging.WARNING)
        self.model = build_model(self.cfg)
        load_weights(self.model, weights or Checkpointer(self.out / "checkpoints").saved()[-1])
        for order in ("forward", "reversed", "frozen"):
            self.table[order] = self._test(self.variant("TEST.FRAME_ORDER", order)).summary()
        self.table["forward, NMS 0.5"] = self._test(self.variant("TEST.NMS_IOU", "0.5")).summary()
        self.table["chance"] = self._test(self.cfg, see=action_blind).summary()
        write_text(json.dumps(self.table, indent=2) + "\n", self.out / "time_controls.json")

    def _test(self, cfg: CfgNode, see: Callable[[Detections], Detections] = lambda found: found) -> DetectionResult:
        task = Localization(cfg)
        postprocess = task.postprocess()
        tested = evaluate(
            self.model,
            task.test_loader(),
            task.evaluator(),
            inputs=build_inputs(task, CPU),
            postprocess=lambda predictions, metas: see(postprocess(predictions, metas)),
            what=f"testing, frames {cfg.TEST.FRAME_ORDER}",
        )
        assert isinstance(tested.result, DetectionResult)
        return tested.result

    def draw(self) -> None:
        """A video and a sheet of held-out clips with what was found on them."""
        split = Localization(self.cfg).test_split
        gallery, detections = ReportGallery(self.cfg, split), self._test(self.cfg).detections
        key_frames = split.annotated.key_frames
        shown = np.linspace(0, len(key_frames) - 1, CLIPS_DRAWN).round().astype(int)
        drawn = [
            gallery.drawn(key_frames.video_name(k), int(key_frames.timestamp[k]), detections, every_frame=True)
            for k in shown
        ]
        detection_video(drawn, self.out / "detections.mp4", fps=self.cfg.DATA.TARGET_FPS / self.cfg.DATA.SAMPLING_RATE)
        contact_sheet(drawn[1:7], self.out / "detections.png")

    def predict_a_video(self) -> None:
        """A held-out video, the one with the most people, as anyone would predict it: from the checkpoint alone."""
        key_frames = Localization(self.cfg).test_split.annotated.key_frames
        people: Counter[str] = Counter()
        for k in range(len(key_frames)):
            people[key_frames.video_name(k)] += len(key_frames.people(k)[0])
        video = Path(self.cfg.AVA.VIDEO_DIR) / f"{people.most_common(1)[0][0]}.mp4"
        detector = ActionDetector.from_checkpoint(self.out / "checkpoints/best.pyth", device=CPU)
        options = check_options(detector, Options(every=PREDICTED_EVERY, track=True, explain=True))
        outcome = predict(detector, Job(video, self.out / "player"), options)
        print(f"{video}: {outcome}", flush=True)

    def predict_a_real_video(self, video: Path, weights: Path = REAL_WEIGHTS) -> None:
        """A video of real people, by the detector that comes with the code: `real.html`, the player, beside the report."""
        detector = ActionDetector.from_checkpoint(weights, device=CPU)
        options = check_options(detector, Options(every=REAL_EVERY, track=True))
        print(f"{video}: {predict(detector, Job(video, self.out / 'real'), options)}", flush=True)

    def print_results(self, seconds: float) -> None:
        """The mAP, the table of the time controls, and where everything is."""
        columns = list(self.table)
        print(
            f"\nheld-out frame-mAP@0.5: {self.table['forward']['mAP']:.3f} without NMS ({seconds / 60:.1f} minutes in all)\n"
        )
        print(f"{'AP@0.5':<14}" + "".join(f"{name:>18}" for name in columns))
        for group in (
            ("mAP", "person_AP"),
            tuple(f"AP/{a}" for a in MOTION_ACTIONS),
            tuple(f"AP/{a}" for a in APPEARANCE_ACTIONS),
        ):
            for name in group:
                values = (self.table[column].get(name) for column in columns)
                print(
                    f"{name.removeprefix('AP/'):<14}"
                    + "".join(f"{'n/a' if v is None else format(v, '.3f'):>18}" for v in values)
                )
            print()
        print("chance: the same boxes, each with one score for all actions\n")
        for name, what in _LEFT_BEHIND.items():
            print(f"  {self.out / name}  {what}")
        if (self.out / "real.html").is_file():
            print(f"  {self.out / 'real.html'}  your video with its people and what they do: open it in a browser")
        else:
            print(f"\nReal people: python tools/predict.py --weights {REAL_NAME} --track YOUR_VIDEO")


_LEFT_BEHIND = {
    "detections.mp4": "held-out clips with boxes, actions and scores",
    "detections.png": "six of them as a picture",
    "report.html": "one page with everything: open it in a browser",
    "player.html": "a held-out video with its people, tracks and actions: open it in a browser",
    "player_explain.html": "which token claimed each of them, and what it looked at",
    "curve.png": "loss and mAP",
    "metrics.json": "the result and its protocol",
    "detections.csv": "every detection, official AVA format",
    "time_controls.json": "the table above",
    "player.jsonl": "what was predicted, one JSON object a line; player.csv and player.mp4 are beside it",
    "log.jsonl": "one JSON object a line",
    "config.yaml": "the configuration as it was run",
    "checkpoints": "weights",
}


def action_blind(found: Detections) -> Detections:
    """The same people, each with one score for all actions: what is left when a model knows where people are only."""
    return replace(found, scores=found.actor[:, None].expand_as(found.scores))
