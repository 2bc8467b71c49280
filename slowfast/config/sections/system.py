"""Keys of the process: devices, seed, where results go, TensorBoard."""

from slowfast.config.keys import STR, Key, Section, at_least, list_of, not_empty, one_of

TOP = Section(
    "",
    "The run as a whole",
    {
        "NUM_GPUS": Key(
            1,
            "Processes to start, one GPU each. 0 runs on the CPU in this process; N > 1 spawns N processes. Under "
            "torchrun the launcher decides and this key is not used to spawn.",
            at_least(0),
        ),
        "NUM_SHARDS": Key(
            1,
            "Machines that the learning rates of the file are for, read with SOLVER.BASE_LR_SCALE_NUM_SHARDS. It starts "
            "none: torchrun does. TRAIN.BATCH_SIZE stays the batch of all machines, where PySlowFast's is that of one.",
            at_least(1),
        ),
        "OUTPUT_DIR": Key(
            "runs/bmvit",
            "Directory of everything a run writes: config.yaml, log.jsonl, checkpoints/, detections.csv, metrics.json. "
            "A relative path starts at the working directory.",
            not_empty(),
        ),
        "RNG_SEED": Key(0, "Seed of every random number generator (Python, NumPy, torch) of the run.", at_least(0)),
        "LOG_PERIOD": Key(
            10,
            "Optimiser steps between two records of log.jsonl and, where no progress bar is drawn, two lines of what is "
            "printed.",
            at_least(1),
        ),
        "NUM_THREADS": Key(
            0,
            "Threads with which a process computes on the CPU. 0: as many as it has cores (those it may use, within the "
            "CPU quota of its container, shared by the run's processes on the machine), or OMP_NUM_THREADS where that is "
            "set. The log says at start how many and why.",
            at_least(0),
        ),
        "CHANGED_ON_PURPOSE": Key(
            [],
            "Keys that may have another value than the run that is continued, or the checkpoint that is tested, was "
            "trained with, such as [SOLVER.MAX_EPOCH, SOLVER.BASE_LR]. Any other key that changes results is refused.",
            kind=list_of(STR),
        ),
        "COLLECTIVE_TIMEOUT": Key(
            1800.0,
            "Seconds that the processes of a run wait for one another; then the run ends and names the one that did not come, and "
            "at which step it is. After 60 seconds (a quarter of this, where that is less) it is said in the log.",
            at_least(1),
        ),
        "DIST_BACKEND": Key(
            "auto",
            "Communication between processes. auto: nccl where each process has a GPU, gloo otherwise.",
            one_of("auto", "nccl", "gloo"),
        ),
    },
)

TENSORBOARD = Section(
    "TENSORBOARD",
    "TensorBoard",
    {"ENABLE": Key(True, "Write losses, learning rates and metrics as TensorBoard events below OUTPUT_DIR.")},
)
