"""Keys of AVA-format data (AVA itself, the toy set, your own): pixels, annotation files, clock of the movies."""

from slowfast.config.keys import (
    INT,
    STR,
    Key,
    Rule,
    Section,
    all_of,
    at_least,
    between,
    distinct,
    either,
    every,
    list_of,
    not_empty,
    one_of,
)

AVA = Section(
    "AVA",
    "AVA-format data",
    {
        "PIXELS": Key(
            "video",
            "Where frames come from. video: files of VIDEO_DIR, no extraction. frames: folders of images in FRAME_DIR, "
            "as PySlowFast prepares them.",
            one_of("video", "frames"),
        ),
        "VIDEO_DIR": Key(
            "data/ava/videos",
            "Directory of video files named VIDEO.*, read when PIXELS is video: a path, a URL (DATA.REMOTE_CACHE_DIR), or "
            "shards of them (.../shard-{000000..000041}.tar).",
        ),
        "FRAME_DIR": Key("data/ava/frames", "Directory with a folder of images per video, read when PIXELS is frames."),
        "FRAME_LIST_DIR": Key("data/ava/frame_lists", "Directory of the files in TRAIN_LISTS and TEST_LISTS."),
        "ANNOTATION_DIR": Key("data/ava/annotations", "Directory of the CSV and label map files named below."),
        "TRAIN_LISTS": Key(
            [],
            "PySlowFast frame list files for training. Empty: images are named as FRAME_PATTERN says.",
            kind=list_of(STR),
        ),
        "TEST_LISTS": Key([], "PySlowFast frame list files for testing. Empty: as TRAIN_LISTS.", kind=list_of(STR)),
        "FRAME_PATTERN": Key(
            "{video}_{frame:06d}.jpg",
            "File name of a frame in the folder of its video, JPEG or PNG, where no frame lists are given: {video} is "
            "the name of the folder, {frame} the number, such as frame-{frame:05d}.png.",
            not_empty(),
        ),
        "FIRST_FRAME": Key(
            -1,
            "Number of the frame at time 0 (the annotations' FIRST_SECOND), in file names or frame lists. -1: 0 or 1, "
            "whichever the frames of the set start from; another start is an error.",
            at_least(-1),
        ),
        "TRAIN_GT_BOX_LISTS": Key(
            ["ava_train_v2.2.csv"],
            "CSV files of people and actions for training (video, second, x1, y1, x2, y2, action id, person id). Seconds may have "
            "a fraction.",
            kind=list_of(STR),
        ),
        "TRAIN_EXCLUSION_FILE": Key(
            "ava_train_excluded_timestamps_v2.2.csv",
            "CSV of key frames (video, second) left out of training. Empty: none.",
        ),
        "GROUNDTRUTH_FILE": Key(
            "ava_val_v2.2.csv",
            "CSV of people and actions of the test split. Rows VIDEO,SECOND alone: detections are left, and no mAP.",
            not_empty(),
        ),
        "EXCLUSION_FILE": Key(
            "ava_val_excluded_timestamps_v2.2.csv",
            "CSV of key frames (video, second) left out of testing. Empty: none.",
        ),
        "LABEL_MAP_FILE": Key(
            "ava_action_list_v2.2_for_activitynet_2019.pbtxt",
            "Label map of the classes that are evaluated: the official 60. docs/DATASETS.md has the formats.",
            not_empty(),
        ),
        "TRAIN_LABEL_MAP_FILE": Key(
            "ava_action_list_v2.2.pbtxt",
            "Label map of the classes the model predicts and is trained on: all 80. Our default.",
            not_empty(),
        ),
        "CLASSES": Key(
            [],
            "Classes to train and evaluate on, a subset of the label maps: ids, or names as they stand there. Empty: all.",
            all_of(
                Rule("must be ids from 1, or names", lambda items: all(i != "" and i != 0 for i in items)), distinct()
            ),
            kind=list_of(either(INT, STR)),
        ),
        "FIRST_SECOND": Key(
            900,
            "The annotations' second that is time 0 of a video file; AVA's clips start at minute 15.",
            at_least(0),
        ),
        "VALID_SECONDS": Key(
            [902, 1798],
            "First and last second that may be a key frame (AVA: 902 to 1798). Empty: any second.",
            all_of(
                every(at_least(0)),
                Rule("must be [first, last]", lambda pair: pair == sorted(pair)),
            ),
            kind=list_of(INT, 0, 2),
        ),
        "TRAIN_PREDICT_BOX_LISTS": Key(
            [],
            "CSV files of detected people that the two-stage model trains on beside the annotated ones (video, second, "
            "x1, y1, x2, y2, action id, score); an empty or -1 action is a person who does none. PySlowFast's layouts.",
            kind=list_of(STR),
        ),
        "TEST_PREDICT_BOX_LISTS": Key(
            [], "CSV files of detected people that the two-stage model tests.", kind=list_of(STR)
        ),
        "DETECTION_SCORE_THRESH": Key(
            0.9, "Detected people scoring less are left out of both lists. PySlowFast's default.", between(0, 1)
        ),
        "IGNORE_MISSING_VIDEOS": Key(
            False,
            "True: videos without a file, or without frames, are counted, printed and left out (some of AVA's have gone). "
            "False: an error.",
        ),
    },
)
