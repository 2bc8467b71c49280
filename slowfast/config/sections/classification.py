"""Keys of testing a classifier on Kinetics, SSv2 or Charades, under PySlowFast's names; they are part of DATA and TEST."""

from slowfast.config.keys import Key, at_least, not_empty, one_of

CLASSIFICATION_DATA = {
    "PATH_TO_DATA_DIR": Key(
        "data/kinetics",
        "Directory of the lists to classify. kinetics: test.csv with a line `PATH LABEL` per video; ssv2: "
        "something-something-v2-validation.json and something-something-v2-labels.json; charades: PySlowFast's frame "
        "list val.csv.",
        not_empty(),
    ),
    "PATH_PREFIX": Key(
        "", "Directory that the paths of the lists (charades: of the frames) start from. Empty: the working directory."
    ),
    "PATH_LABEL_SEPARATOR": Key(" ", "What stands between path and label in test.csv.", not_empty()),
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
    "NUM_SPATIAL_CROPS": Key(
        3,
        "Square crops of each clip: 1, the centre of a frame whose short side is 8/7 of the crop; 3, which cover the "
        "long side of a frame whose short side is the crop. PySlowFast's default.",
        one_of(1, 3),
    ),
    "SAVE_RESULTS_PATH": Key(
        "scores.npz",
        "File for every video's scores; tools/evaluate_scores.py recomputes the result from it. A relative path starts "
        "at OUTPUT_DIR. `--dump FILE` sets it, too.",
        not_empty(),
    ),
}
