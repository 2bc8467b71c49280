"""Train and test a model, here or under torchrun.

bmvit train --cfg configs/AVA/BMViT_S.yaml [--dry-run] [KEY VALUE ...]
"""

import os
import sys
from collections.abc import Sequence
from functools import partial

from slowfast.config.cli import parse_with_switches
from slowfast.config.load import load_cfg_with_sources
from slowfast.engine.device.launch import USER_ERRORS, launch
from slowfast.engine.device.requests import STOPPED_EXIT_CODE, StoppedError
from slowfast.engine.dry_run import dry_run
from slowfast.engine.run import run

_DRY = "--dry-run"


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    path, overrides, switches = parse_with_switches(
        argv,
        __doc__.splitlines()[0],
        prog=prog,
        file_options={"--dump": "TEST.SAVE_RESULTS_PATH"},
        switches={_DRY: "build everything, try each kind of work, tell time and memory; leave nothing in OUTPUT_DIR"},
    )
    kept = ""
    work = dry_run if _DRY in switches else partial(run, config_file=path, overrides=tuple(overrides))
    try:
        cfg, report = load_cfg_with_sources(path, overrides)
        if os.environ.get("RANK", "0") == "0":
            print("".join(f"{line}\n" for line in report.lines()), end="", flush=True)
        if cfg.TRAIN.ENABLE:
            kept = "; checkpoints written so far are whole, and the same command goes on from the newest"
        launch(work, cfg)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except StoppedError as stopped:
        print(f"stopped: {stopped}", file=sys.stderr)
        return STOPPED_EXIT_CODE
    except KeyboardInterrupt:
        print(f"interrupted{kept}", file=sys.stderr)
        return 130
    return 0
