"""The configuration that a run leaves behind."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.utils.distributed import is_main
from slowfast.utils.files import write_text


def save_config(cfg: CfgNode) -> None:
    """Write the resolved configuration to OUTPUT_DIR/config.yaml, on the main process.

    Called once a run has all it needs, so that a command that cannot run leaves the file of an earlier run alone.
    """
    if is_main():
        write_text(cfg.dump(), Path(cfg.OUTPUT_DIR) / "config.yaml")
