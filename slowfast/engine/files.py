"""Small files of a run, written whole or not at all."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.utils.distributed import is_main


def write_text_atomically(text: str, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def save_config(cfg: CfgNode) -> None:
    """Write the resolved configuration to OUTPUT_DIR/config.yaml, on the main process.

    Called once a run has all it needs, so that a command that cannot run leaves the file of an earlier run alone.
    """
    if is_main():
        write_text_atomically(cfg.dump(), Path(cfg.OUTPUT_DIR) / "config.yaml")
