"""Keys of testing: which checkpoint, which detections are written, under which protocol they are scored."""

from slowfast.config.keys import Key, Section, at_least, between, not_empty, one_of
from slowfast.config.sections.classification import CLASSIFICATION_TEST
from slowfast.config.sections.train import DATASET_DOC

TEST = Section(
    "TEST",
    "Testing",
    {
        "ENABLE": Key(True, "Test, at the end of training or of the given checkpoint."),
        "DATASET": Key("ava", "Data to test on. " + DATASET_DOC, not_empty()),
        "BATCH_SIZE": Key(16, "Clips of one forward pass, over all processes.", at_least(1)),
        "CHECKPOINT_FILE_PATH": Key("", "Checkpoint to test. Empty: the model that this run has trained."),
        "ACTOR_THRESHOLD": Key(
            0.05,
            "Tokens whose p(actor) is at least this become detections. Our default.",
            between(0, 1),
        ),
        "NMS_IOU": Key(
            0.0,
            "IoU above which the weaker of two people is dropped. 0: no suppression, as set prediction should not need "
            "it. Our default.",
            between(0, 1),
        ),
        "MAX_PEOPLE": Key(0, "Most people kept per key frame, by p(actor). 0: no limit.", at_least(0)),
        "PROTOCOL": Key(
            "official",
            "AVA scoring. official: at most 50 rows a key frame, as ActivityNet's script; uncapped: all rows. jhmdb "
            "and ucf24 are scored as TUBES says.",
            one_of("official", "uncapped"),
        ),
        "KEY_FRAMES": Key(
            "all_included",
            "Key frames that are scored. all_included: all that are not excluded, empty ones too; gt_only: those with "
            "a person, as some published code does, which gives higher numbers.",
            one_of("all_included", "gt_only"),
        ),
        "FRAME_ORDER": Key(
            "forward",
            "Order of a test clip's frames: forward; reversed; frozen (the key frame repeated, or the middle "
            "frame of a clip of a labelled video). The last two are "
            "controls that show what the model learnt from time.",
            one_of("forward", "reversed", "frozen"),
        ),
        "REPORT": Key(
            True,
            "Write report.html, one page that shows where detections or classes are right and wrong, and its plots as PNG "
            "in report/. tools/report.py writes it later.",
        ),
        **CLASSIFICATION_TEST,
    },
)
