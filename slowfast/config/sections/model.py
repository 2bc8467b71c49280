"""Keys common to all models: which one, how many classes, how it is trained in memory."""

from slowfast.config.keys import INT, STR, Key, Section, at_least, every, from_to_below, list_of, not_empty, one_of

MODEL = Section(
    "MODEL",
    "The model",
    {
        "MODEL_NAME": Key(
            "BMViT",
            "Name in the model registry: BMViT finds people; TwoStage tells what given people do; MViT classifies "
            "clips; MaskMViT learns from clips without labels (MASK); or one of yours. PySlowFast's MViT with "
            "DETECTION.ENABLE True is TwoStage.",
            not_empty(),
        ),
        "BACKBONE": Key(
            "MViT",
            "Name in the backbone registry: MViT, ViT, FrameCNNMViT (small, for real time: FRAME_CNN), or one of yours.",
            not_empty(),
        ),
        "IMPORTS": Key(
            [],
            "Python modules to import at start: files of yours that register a model, a backbone, a criterion, a data set "
            "or a task.",
            kind=list_of(STR),
        ),
        "NUM_CLASSES": Key(
            0,
            "Classes the model predicts. 0, or left out: as many as the label map of the data has (AVA: 80, of which "
            "60 are evaluated); where no data is read, the usual number of the data set.",
            at_least(0),
        ),
        "PRECISION": Key(
            "auto",
            "In which type the model computes, in training and in testing. auto: bf16 on a GPU that has it (compute "
            "capability 8.0), else float32. float32: on such a GPU matrix products and convolutions of a run are in TF32. "
            "bf16, fp16: autocast to it; matching, losses and boxes stay in float32, and fp16 scales the loss. PySlowFast's "
            "TRAIN.MIXED_PRECISION True means bf16 here, False float32.",
            one_of("auto", "float32", "bf16", "fp16"),
        ),
        "LOSS_FUNC": Key(
            "",
            "Loss of a classifier. cross_entropy: of labels; soft_cross_entropy: of labels or soft targets, as MIXUP makes "
            "them; bce_logit: one yes or no per class, for DATA.MULTI_LABEL (PySlowFast's bce is this). multi_mse: the squared "
            "error of MODEL_NAME MaskMViT, which has no other. Empty: what the data needs.",
            one_of("", "cross_entropy", "soft_cross_entropy", "bce_logit", "bce", "multi_mse"),
        ),
        "DROPOUT_RATE": Key(
            0.0,
            "Dropout before the classification layer. Our default; PySlowFast's is 0.5.",
            from_to_below(0, 1),
        ),
        "FREEZE": Key(
            [],
            "Beginnings of the names of parameters that are not trained, such as backbone.frames. for the image network of "
            "FrameCNNMViT. Empty: all are trained.",
            kind=list_of(STR),
        ),
        "ACT_CHECKPOINT": Key(False, "Recompute activations in the backward pass: less memory, more time."),
        "COMPILE": Key(
            "auto",
            "torch.compile of the model (of the backbone where boxes are given), for one size of clip. "
            "on; off; auto: on a GPU, where all that torch.compile needs is installed and all clips have one "
            "size. The log says at start what was chosen and why. The first batches are computed without it, too; where "
            "they differ the run goes on as written, with a warning (on: ends with an error).",
            one_of("auto", "on", "off"),
        ),
        "KERNELS": Key(
            "measured",
            "Ways to compute a layer that a kind of device does faster (docs/PERFORMANCE.md). measured: where they were "
            "measured, and PyTorch's own elsewhere; all: also where they never ran; plain: the definitions only, slow "
            "and large, to find out whether a kernel is to blame. The log says at start what is on.",
            one_of("measured", "all", "plain"),
        ),
        "DEPTHWISE": Key(
            "auto",
            "Depthwise convolutions on a GPU, outside MODEL.KERNELS plain. auto: our Triton kernels, compared with float64 "
            "before the first step; where they are wrong, or fail, PyTorch's on all processes, with a warning. triton: then "
            "the run ends with an error instead. torch: PyTorch's. On a CPU they are PyTorch's.",
            one_of("auto", "triton", "torch"),
        ),
        "HEAD_REINIT": Key(
            False,
            "True: a checkpoint with another number of classes loads, its classifier replaced by a new one. "
            "False: that is an error.",
        ),
        "CHECKPOINT_ENTRY": Key(
            "average",
            "Which of several sets of weights in a checkpoint is loaded. average: the running average where there is one; "
            "raw: the weights themselves; or the name of an entry of the file. The log says which was taken.",
            not_empty(),
        ),
        "CHECKPOINT_GRID": Key(
            [],
            "Token grid [t, h, w] of the absolute positions in a checkpoint, where neither the file's own config nor their "
            "number tells. Empty: it is told.",
            every(at_least(1)),
            list_of(INT, 0, 3),
        ),
    },
)
