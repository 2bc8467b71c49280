"""The configuration that a run leaves behind."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.utils.files import write_text
from slowfast.utils.logging import get_logger
from slowfast.utils.processes.distributed import is_main

CONFIG, TEST_CONFIG = "config.yaml", "test_config.yaml"


def make_folder(folder: Path, key: str = "OUTPUT_DIR") -> None:
    """Make `folder` with what is above it. Raises OSError that names it, what stands in the way, and the key."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        in_the_way = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        reason = f"{in_the_way} is a file" if in_the_way.is_file() else error.strerror
        raise type(error)(f"{folder} cannot be made a folder: {reason} ({key})") from error  # no "[Errno 17]" before it


def save_config(cfg: CfgNode, *, trains: bool = True) -> None:
    """Write the resolved configuration to OUTPUT_DIR/config.yaml, on the main process.

    trains: False for a run that only tests: in the folder of a training, which its checkpoints tell, it writes
            test_config.yaml beside the config.yaml of the training, and says so
    Called once a run has all it needs, so that a command that cannot run leaves the file of an earlier run alone.
    """
    if not is_main():
        return
    from slowfast.weights.checkpoint import Checkpointer  # with torch, which who lists runs does not need

    folder = Path(cfg.OUTPUT_DIR)
    path = folder / CONFIG
    if not trains and path.is_file() and Checkpointer(folder / "checkpoints").saved():
        get_logger().info("%s stays that of the training; the configuration of this test is %s", path, TEST_CONFIG)
        path = folder / TEST_CONFIG
    write_text(cfg.dump(), path)
