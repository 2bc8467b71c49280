"""Turns a checkpoint of any project we know into this project's format, fitted to the model of a config.

bmvit convert-weights --cfg FILE --weights IN --out OUT.pyth [--opts] [KEY VALUE ...]

OUT may end in .pyth (this project's checkpoint) or .safetensors. The table says what became of every parameter.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file

from slowfast.config import load_cfg
from slowfast.config.cli import config_parser, split_overrides
from slowfast.models import build_model
from slowfast.utils.files import whole_file
from slowfast.weights.checkpoint import write_atomically
from slowfast.weights.file import read_weight_file
from slowfast.weights.load import load_weights

SUFFIXES = (".pyth", ".safetensors")


def convert(config: str, overrides: Sequence[str], weights: Path, out: Path) -> str:
    """Load `weights` into the model of `config` and write it to `out`; returns the table of the load.

    Raises ValueError or OSError, and then writes nothing.
    """
    if out.suffix not in SUFFIXES:
        raise ValueError(f"--out {out} must end in {' or '.join(SUFFIXES)}")
    if out.exists():
        raise ValueError(f"--out {out} exists already; choose another name")
    cfg = load_cfg(config, overrides)
    model = build_model(cfg)
    entry, grid = cfg.MODEL.CHECKPOINT_ENTRY, cfg.MODEL.CHECKPOINT_GRID
    report = load_weights(model, weights, head_reinit=cfg.MODEL.HEAD_REINIT, prefer=entry, grid=grid)
    source = read_weight_file(weights, prefer=entry)
    # Classes go along only while the classifier is still the file's.
    known = not report.started
    names, ids = (list(source.class_names), list(source.class_ids)) if known else ([], [])
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".safetensors":
        metadata = {"cfg": cfg.dump(), "class_names": json.dumps(names), "class_ids": json.dumps(ids)}
        with whole_file(out, failures=(OSError, SafetensorError)) as temporary:
            save_file(state, temporary, metadata=metadata)
    else:
        write_atomically(
            {"model_state": state, "epoch": 0, "cfg": cfg.dump(), "class_names": names, "class_ids": ids}, out
        )
    return str(report)


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = config_parser("Convert a checkpoint to this project's format.", prog=prog)
    parser.add_argument("--weights", metavar="IN", required=True, help="checkpoint to read")
    parser.add_argument("--out", metavar="OUT", required=True, help="file to write, .pyth or .safetensors")
    try:
        options, overrides = split_overrides(argv, with_value=("--cfg", "--weights", "--out"))
    except ValueError as error:
        parser.error(str(error))
    args = parser.parse_args(options)
    try:
        table = convert(args.cfg, overrides, Path(args.weights), Path(args.out))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table)
    print(f"wrote {args.out}")
    return 0
