"""What a data set is: one split with its annotations or labels, its pixels and its clock. Builders return one of these."""

from dataclasses import dataclass
from pathlib import Path

from slowfast.datasets.annotations.annotated_set import AnnotatedSet
from slowfast.datasets.clips.key_frame_clips import FrameClock, SecondClock
from slowfast.structures.labelled_videos import LabelledVideos
from slowfast.video.frames import FrameFolders
from slowfast.video.reader import VideoFiles
from slowfast.video.source import PixelSource


@dataclass(frozen=True)
class KeyFrameSplit:
    """People on key frames: what detectors are trained and tested on.

    annotated:      key frames, ground truth, classes, exclusions; tubes where people have them
    pixels, clock:  where frames come from, and what a timestamp means there
    proposals:      files of detected people for the two-stage model; empty: it is given the annotated ones
    frame_by_frame: every frame may be a key frame: scored in a convention of TUBES, not by AVA's protocol
    no_video_map:   why tubes cannot be scored; "" where they can
    """

    annotated: AnnotatedSet
    pixels: PixelSource
    clock: SecondClock | FrameClock
    proposals: tuple[Path, ...] = ()
    frame_by_frame: bool = False
    no_video_map: str = ""


@dataclass(frozen=True)
class VideoSplit:
    """Labelled videos: what classifiers are tested on.

    pixels:      files, or folders of extracted frames
    whole_video: a clip is spread over its whole video (SSv2)
    """

    videos: LabelledVideos
    pixels: VideoFiles | FrameFolders
    whole_video: bool = False


Split = KeyFrameSplit | VideoSplit
