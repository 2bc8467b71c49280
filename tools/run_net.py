"""Train and test a model: `python tools/run_net.py --cfg configs/AVA/BMViT_S.yaml [KEY VALUE ...]` (also under torchrun)."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.config.cli import parse_command_line
from slowfast.config.load import load_cfg_with_sources
from slowfast.engine.launch import USER_ERRORS, launch
from slowfast.engine.run import run


def main() -> int:
    path, overrides = parse_command_line(sys.argv[1:], __doc__, file_options={"--dump": "TEST.SAVE_RESULTS_PATH"})
    try:
        cfg, report = load_cfg_with_sources(path, overrides)
        if os.environ.get("RANK", "0") == "0":
            print("".join(f"{line}\n" for line in report.lines()), end="", flush=True)
        launch(run, cfg)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "interrupted; checkpoints written so far are whole, and the same command goes on from the newest",
            file=sys.stderr,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
