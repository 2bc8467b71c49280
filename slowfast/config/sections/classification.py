"""Keys of classifiers and their data, under PySlowFast's names and with its meaning; they are part of DATA and TEST."""

from slowfast.config.keys import (
    FLOAT,
    INT,
    Key,
    Rule,
    above_to,
    all_of,
    at_least,
    between,
    distinct,
    every,
    list_of,
    not_empty,
    one_of,
)

_ASCENDING = Rule("must be [smallest, largest]", lambda pair: pair == sorted(pair))

CLASSIFICATION_DATA = {
    "PATH_TO_DATA_DIR": Key(
        "data/kinetics",
        "Directory of what is classified. kinetics: train.csv, val.csv and test.csv with a line `PATH LABEL` per video; "
        "ssv2: something-something-v2-train.json, -validation.json and -labels.json (the names may lack their beginning), "
        "and PySlowFast's frame lists train.csv and val.csv where frames are extracted; charades: these frame lists; "
        "imagenet: train, val and test with a folder of images per class; folder: a folder of videos per class.",
        not_empty(),
    ),
    "PATH_PREFIX": Key(
        "",
        "Directory that the paths of the lists (ssv2 and charades: of the videos or frames) start from. Empty: the working "
        "directory. imagenet and folder do not need it. Of videos it may be a URL, or shards; see AVA.VIDEO_DIR.",
    ),
    "PATH_LABEL_SEPARATOR": Key(" ", "What stands between path and label in the lists of kinetics.", not_empty()),
    "LABEL_FILE": Key(
        "",
        "File of the class names of kinetics or charades: a JSON {name: index}, a JSON list, a CSV `id,name`, lines `INDEX "
        "NAME`, or a name per line. With it the lists of kinetics may name classes instead of numbering them. Empty: "
        "classes are numbers.",
    ),
    "HELD_OUT": Key(
        0.2,
        "folder: the part of each class that is held out for validation and testing where there are no folders train and "
        "val or test. A hash of its path says on which side a video is. Our default.",
        between(0.01, 0.9),
    ),
    "TRAIN_JITTER_SCALES": Key(
        [256, 320],
        "Shortest and longest short side in pixels of a classifier's training frames before a square is cut out. With "
        "TRAIN_JITTER_SCALES_RELATIVE the first is the short side that frames are decoded to. PySlowFast's default.",
        all_of(every(at_least(1)), _ASCENDING),
        kind=list_of(INT, 2),
    ),
    "TRAIN_JITTER_SCALES_RELATIVE": Key(
        [],
        "Smallest and largest area of a random crop, as a fraction of the frame's, which is then resized to "
        "TRAIN_CROP_SIZE. Empty: a square is cut out as TRAIN_JITTER_SCALES says.",
        all_of(every(above_to(0, 1)), _ASCENDING),
        kind=list_of(FLOAT, 0, 2),
    ),
    "TRAIN_JITTER_ASPECT_RELATIVE": Key(
        [],
        "Smallest and largest width / height of that random crop. Empty: 3/4 to 4/3.",
        all_of(every(above_to(0, 100)), _ASCENDING),
        kind=list_of(FLOAT, 0, 2),
    ),
    "TRAIN_JITTER_FPS": Key(
        0.0,
        "Frames per second, at most, that are randomly added to TARGET_FPS for a classifier's training clip.",
        at_least(0),
    ),
    "INV_UNIFORM_SAMPLE": Key(
        False, "With TRAIN_JITTER_SCALES: the inverse of the short side is uniform instead of the short side itself."
    ),
    "USE_OFFSET_SAMPLING": Key(
        False,
        "Clips of a test start from the first moment to the last at which one fits, and one clip is in the middle; False: "
        "n clips start at i/n of that, so none reaches the end. Published Kinetics files set True. PySlowFast's default.",
    ),
    "REVERSE_INPUT_CHANNEL": Key(
        False,
        "Exchange R and B of a classifier's clips, after normalisation. Video files and images are R, G, B without it; "
        "ssv2 and charades are B, G, R, as PySlowFast reads their frames, and published files set True.",
    ),
    "IN_VAL_CROP_RATIO": Key(
        0.875,
        "imagenet: a test image's short side is TEST_CROP_SIZE over this before the centre is cut out. 0: the whole image "
        "is squashed to TEST_CROP_SIZE. PySlowFast's default.",
        at_least(0),
    ),
    "MULTI_LABEL": Key(False, "A video may have many labels, `PATH 3,17`, or none; scored by mAP instead of accuracy."),
    "ENSEMBLE_METHOD": Key(
        "sum",
        "How the views of a video are taken together. sum: mean probability; max: highest probability; logits: mean "
        "of the raw outputs.",
        one_of("sum", "max", "logits"),
    ),
}

CLASSIFICATION_TEST = {
    "NUM_ENSEMBLE_VIEWS": Key(
        10,
        "Clips of a video that are classified, evenly spread. PySlowFast's default. ssv2: 1, of the whole video.",
        at_least(1),
    ),
    "NUM_TEMPORAL_CLIPS": Key(
        [],
        "Several numbers for NUM_ENSEMBLE_VIEWS, each a test of its own; the last one is the result. Empty: that key.",
        all_of(every(at_least(1)), distinct()),
        kind=list_of(INT),
    ),
    "VIEW_SAMPLING": Key(
        "pyslowfast",
        "Whose rule says which frames and crops the views of a test are (docs/EVALUATION.md lists the differences).",
        one_of("pyslowfast", "mmaction2"),
    ),
    "NUM_SPATIAL_CROPS": Key(
        3,
        "Square crops of each clip: 1, the centre of a frame whose short side is TRAIN_JITTER_SCALES[0] (ssv2, charades "
        "and mmaction2's rule: TEST_CROP_SIZE); 3, which cover the long side of a frame whose short side is "
        "TEST_CROP_SIZE. PySlowFast's default. imagenet: 1.",
        one_of(1, 3),
    ),
    "SAVE_RESULTS_PATH": Key(
        "scores.npz",
        "File for every video's scores; tools/evaluate_scores.py recomputes the result from it. Its ending is the format: "
        ".npz, or .json as mmaction2's DumpResults without its pickle. A relative path starts at OUTPUT_DIR. `--dump FILE` "
        "sets it, too.",
        Rule(
            "must end in .npz, or in .json for a list as mmaction2's DumpResults",
            lambda path: path.lower().endswith((".npz", ".json")),
        ),
    ),
}
