"""Keys of the clip: how many frames, which size, which augmentation, and how they are loaded."""

from slowfast.config.keys import (
    FLOAT,
    INT,
    Key,
    Rule,
    Section,
    above,
    above_to,
    all_of,
    at_least,
    between,
    either,
    every,
    list_of,
    one_of,
)
from slowfast.config.sections.classification import CLASSIFICATION_DATA

_SIZE = either(INT, list_of(INT, 2))
_ASCENDING = Rule("must be [smallest, largest]", lambda pair: pair[0] <= pair[1])


def height_width(size: int | list[int]) -> tuple[int, int]:
    """The (height, width) in pixels that a crop size stands for; one number is a square."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


DATA = Section(
    "DATA",
    "The clip that the network sees",
    {
        "NUM_FRAMES": Key(16, "Frames of a clip. 16 is BMViT's main model (paper).", at_least(1)),
        "SAMPLING_RATE": Key(
            4,
            "Frames of the source from one clip frame to the next, counted at TARGET_FPS or at the data set's own frame "
            "rate. 4 is BMViT's main model (paper): 16 x 4 frames are 2.1 s at 30 fps.",
            at_least(1),
        ),
        "TARGET_FPS": Key(
            30.0,
            "Frames per second by which SAMPLING_RATE counts in a video file, whatever its own rate. Sets annotated "
            "frame by frame count their own frames. PySlowFast's default.",
            above(0),
        ),
        "TRAIN_CROP_SIZE": Key(
            256,
            "Input size in training, in pixels: one number for a square, or [height, width]. 256 is BMViT's main model "
            "(paper).",
            every(at_least(1)),
            kind=_SIZE,
        ),
        "TEST_CROP_SIZE": Key(
            256,
            "Input size in testing, in pixels: one number for a square, or [height, width].",
            every(at_least(1)),
            kind=_SIZE,
        ),
        "RESIZE": Key(
            "stretch",
            "How a frame gets to the input size. stretch: the whole frame fills it, the aspect ratio changes. "
            "keep_aspect: the short side gets the size, the long side the nearest multiple of 32, by the aspect that a "
            "player shows (pixels of a video need not be square). Our default; the paper ablates 'fixed aspect ratio' "
            "and what it means there is not known to us.",
            one_of("stretch", "keep_aspect"),
        ),
        "MULTI_SCALE": Key(
            [],
            "Square training sizes in pixels, one of which is drawn for each clip instead of TRAIN_CROP_SIZE; smaller "
            "clips of a batch are padded. Empty: off.",
            every(at_least(1)),
            kind=list_of(INT),
        ),
        "MEAN": Key([0.45, 0.45, 0.45], "Mean of R, G, B in [0, 1], subtracted. PySlowFast's.", kind=list_of(FLOAT, 3)),
        "STD": Key(
            [0.225, 0.225, 0.225],
            "Standard deviation of R, G, B in [0, 1], divided by. PySlowFast's.",
            every(above(0)),
            kind=list_of(FLOAT, 3),
        ),
        "RANDOM_FLIP": Key(True, "Mirror half of the training clips left to right, boxes with them. Our default."),
        "FLIP_SWAPS": Key(
            [],
            "Pairs of action ids that a mirrored clip exchanges, such as walking left and walking right.",
            kind=list_of(list_of(INT, 2)),
        ),
        "COLOR_JITTER": Key(
            0.4,
            "Strength of random brightness, contrast and saturation in training: each is scaled by a factor in "
            "[1 - s, 1 + s]. 0 is off. Our default.",
            between(0, 1),
        ),
        "CROP": Key(
            "box_safe",
            "Random crop in training. none; box_safe: never cuts a person's box; detr: any crop, boxes are clipped and "
            "people below MIN_VISIBLE dropped with their labels. Our default, after TubeR and STMixer.",
            one_of("none", "box_safe", "detr"),
        ),
        "CROP_SCALE": Key(
            [0.6, 1.0],
            "Smallest and largest side of the random crop, as a fraction of the frame's side. Our default.",
            all_of(every(above_to(0, 1)), _ASCENDING),
            kind=list_of(FLOAT, 2),
        ),
        "MIN_VISIBLE": Key(
            0.25,
            "Fraction of a box's area that a crop must leave for the person to stay a target. Our default.",
            between(0, 1),
        ),
        "STRICT": Key(
            False,
            "True: a clip that cannot be read stops the run. False: it is named, counted and left out.",
        ),
        "MAX_UNREADABLE": Key(
            0.5,
            "Share of the clips of an epoch, or of a test, that may be left out because they cannot be read; with more, or "
            "with 20 steps in a row without any clip, the run ends and its checkpoints stay. Our default.",
            between(0, 1),
        ),
        "NAMES_MAY_LEAVE": Key(
            False,
            "Whether the names in annotations and frame lists may lead out of the folder of the videos, as absolute paths and "
            "such as climb with ../. False: they are an error. Lists of paths without PATH_PREFIX are taken as they are.",
        ),
        "PROBE_SECONDS": Key(
            20.0,
            "Seconds that a run may take at its start to open video files and name those that cannot be opened (headers "
            "only, no pictures). What is not reached in that time, in a fixed random order, is said. 0: off.",
            at_least(0),
        ),
        "CACHE_DIR": Key("", "Directory of decoded clips, kept between epochs and runs. Empty: decode every time."),
        "CACHE_SHORT_SIDE": Key(0, "Short side in pixels of the frames in CACHE_DIR. 0: as decoded.", at_least(0)),
        "REMOTE_CACHE_DIR": Key(
            "",
            "Directory on a disk of this machine for the videos, or shards, of folders that are URLs (s3://, gs://, "
            "https://, ...): each file is fetched whole and read from there. Processes and runs may share it.",
        ),
        "REMOTE_CACHE_GB": Key(
            100.0,
            "10^9 bytes that all files in REMOTE_CACHE_DIR may take; the least recently used ones make room for others.",
            above(0),
        ),
        "REMOTE_TRIES": Key(
            4,
            "Tries of each request to a store, after waits of 1, 2, 4, ... seconds; then the clip cannot be read.",
            at_least(1),
        ),
        "REMOTE_TIMEOUT": Key(
            60.0,
            "Seconds without an answer of a store, or without the next 8 MB of a file, after which a try is given up.",
            above(0),
        ),
        "SHOTS": Key(
            0,
            "Training videos of each class, drawn by RNG_SEED, for sets of people on key frames. A class with fewer is an "
            "error. 0: all videos.",
            at_least(0),
        ),
        "FEATURE_CACHE": Key(
            "",
            "Directory of the features that the frozen image network of FrameCNNMViT makes of frames, kept between epochs and "
            "runs. Empty: they are made anew for every clip. Needs FEATURE_VIEWS.",
        ),
        "FEATURE_VIEWS": Key(
            0,
            "With how many fixed views of each video a network trains whose image network is frozen (MODEL.FREEZE): the plain "
            "one, and others cropped, mirrored and coloured as DATA says, drawn once. Features are made once a view. 0: every "
            "clip is augmented anew, and nothing is kept.",
            at_least(0),
        ),
        **CLASSIFICATION_DATA,
    },
)

DATA_LOADER = Section(
    "DATA_LOADER",
    "Loading",
    {
        "NUM_WORKERS": Key(
            8, "Loader processes of each training process. 0: load in the training process.", at_least(0)
        ),
        "TIMEOUT": Key(
            900.0,
            "Seconds that a batch of the loader processes may be waited for; then the run ends and names what each of them "
            "reads. 0: wait for ever.",
            at_least(0),
        ),
        "PIN_MEMORY": Key(True, "Page-locked host memory, for faster copies to a GPU. Without a GPU it has no effect."),
    },
)
