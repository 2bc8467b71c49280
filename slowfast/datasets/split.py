"""What a data set is: one split with its annotations or labels, its pixels and its clock. Builders return one of these."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slowfast.datasets.annotations.people.annotated_set import AnnotatedSet
from slowfast.datasets.clips.key_frame_clips import FrameClock, SecondClock
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.video.source import PixelSource, VideoSource

Sampling = Literal["time", "segments", "image"]
SAMPLINGS = ("time", "segments", "image")


@dataclass(frozen=True)
class Proposals:
    """Boxes of a person detector for the two-stage model.

    files:     in PySlowFast's layout; none: it is given the annotated people
    min_score: boxes below it are left out
    section:   of the config whose keys name them (TRAIN_PREDICT_BOX_LISTS, TEST_PREDICT_BOX_LISTS, DETECTION_SCORE_THRESH);
               "" where the set has none
    """

    files: tuple[Path, ...] = ()
    min_score: float = 0.0
    section: str = ""


@dataclass(frozen=True)
class KeyFrameSplit:
    """People on key frames: what detectors are trained and tested on.

    annotated:      key frames, ground truth, classes, exclusions; tubes where people have them
    pixels, clock:  where frames come from, and what a timestamp means there
    proposals:      detected people for the two-stage model
    frame_by_frame: every frame may be a key frame: scored in a convention of TUBES, not by AVA's protocol
    no_video_map:   why tubes cannot be scored; "" where they can
    """

    annotated: AnnotatedSet
    pixels: PixelSource
    clock: SecondClock | FrameClock
    proposals: Proposals = Proposals()
    frame_by_frame: bool = False
    no_video_map: str = ""


@dataclass(frozen=True)
class VideoSplit:
    """Labelled videos: what classifiers are trained and tested on.

    pixels:   files, folders of extracted frames, or images
    sampling: "time", a clip of SAMPLING_RATE; "segments", a clip is spread over its whole video (SSv2); "image", one frame
    bgr:      PySlowFast reads these files as B, G, R: DATA.MEAN, STD and REVERSE_INPUT_CHANNEL mean that order
    notes:    lines for the log: what was read and what was left out
    """

    videos: LabelledVideos
    pixels: VideoSource
    sampling: Sampling = "time"
    bgr: bool = False
    notes: tuple[str, ...] = ()


Split = KeyFrameSplit | VideoSplit
