"""Prints what the configured models cost, beside the published figures.

bmvit model-table [CONFIG.yaml ...] [--markdown] [--json FILE]

Without a file: all of configs/. Everything is counted on the meta device, so no weight is made and no GPU is needed.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from slowfast.config import load_cfg
from slowfast.config.shipped import shipped_configs
from slowfast.engine.record.summary import model_summary
from slowfast.utils.files import write_text


@dataclass(frozen=True)
class Published:
    """As printed. parameters: millions; gmacs: 10^9 multiply-adds of one clip, without the heads of a detector."""

    gmacs: float | None
    parameters: float | None


# MViTv2 zoo of PySlowFast, the MaskFeat zoo, facebookresearch/mvit, and the tables of the MViT and MViTv2 papers. The
# zoo prints 217.6 M for MViTv2-L; its published file holds 213.4 M. BMViT's cost is derived, not printed.
PUBLISHED = {
    "Kinetics/MVITv2_S_16x4": Published(64, 34.5),
    "Kinetics/MVITv2_B_32x3": Published(225, 51.2),
    "Kinetics/MVITv2_L_40x3_test": Published(2828, 217.6),
    "Kinetics/MVITv2_S_16x4_MaskFeat_FT": Published(71, 36.5),
    "Kinetics/MVIT_B_16x4_CONV": Published(70.5, 36.6),
    "Kinetics/MVIT_B_32x3_CONV": Published(170, 36.6),
    "Kinetics/MVIT_B_64x3_CONV": Published(455, 36.6),
    "Kinetics/MVIT_B_24_32x3_CONV": Published(236, 52.9),
    "SSv2/MVITv2_S_16x4": Published(None, 34.4),
    "SSv2/MVITv2_B_32x3": Published(None, 51.1),
    "SSv2/MVITv2_L_40x3": Published(None, 213.1),
    "ImageNet/MVITv2_T": Published(4.7, 24),
    "ImageNet/MVITv2_S": Published(7.0, 35),
    "ImageNet/MVITv2_B": Published(10.2, 52),
    "ImageNet/MVIT_B_16_CONV": Published(None, 37.0),
    "AVA/BMViT_S": Published(110, None),
    "AVA/MVITv2_S_16x4_RoI": Published(64.5, 34.3),
}


@dataclass(frozen=True)
class Row:
    """One config. gmacs, parameters: of the backbone plus a classifier, or of the backbone alone for a BMViT."""

    config: str
    input_size: str
    token_grid: str
    channels: int
    parameters: float
    gmacs: float
    head_parameters: float
    head_gmacs: float
    published_parameters: float | None
    published_gmacs: float | None

    @property
    def gmacs_off(self) -> float | None:
        """Relative difference from the published cost."""
        return None if self.published_gmacs is None else self.gmacs / self.published_gmacs - 1


def make_row(path: Path) -> Row:
    """Count the model of a YAML file."""
    cfg = load_cfg(path)
    summary = model_summary(cfg)
    name = f"{path.parent.name}/{path.stem}"
    published = PUBLISHED.get(name, Published(None, None))
    backbone, heads = summary.parts["backbone"], summary.parts["heads"]
    # A classifier's one layer is part of every published figure; the heads of a detector are not.
    own_heads = cfg.MODEL.MODEL_NAME == "BMViT"
    return Row(
        config=name,
        input_size="x".join(map(str, summary.input_size)),
        token_grid="x".join(map(str, summary.token_grid)),
        channels=summary.channels,
        parameters=(backbone.parameters if own_heads else summary.parameters) / 1e6,
        gmacs=backbone.gmacs if own_heads else summary.gmacs,
        head_parameters=heads.parameters / 1e6 if own_heads else 0.0,
        head_gmacs=heads.gmacs if own_heads else 0.0,
        published_parameters=published.parameters,
        published_gmacs=published.gmacs,
    )


HEADER = ("config", "input", "tokens", "M params", "published", "GMACs", "published", "off", "heads")


def cells(row: Row) -> tuple[str, ...]:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:g}"

    heads = f"+ {row.head_parameters:.1f} M, {row.head_gmacs:.1f} G" if row.head_parameters else ""
    off = "" if row.gmacs_off is None else f"{row.gmacs_off:+.1%}"
    return (
        row.config,
        row.input_size,
        f"{row.token_grid}x{row.channels}",
        f"{row.parameters:.2f}",
        number(row.published_parameters),
        f"{row.gmacs:.2f}",
        number(row.published_gmacs),
        off,
        heads,
    )


def text_table(rows: Sequence[Row], *, markdown: bool) -> str:
    lines = [HEADER, *(cells(row) for row in rows)]
    if markdown:
        lines.insert(1, ("---",) * len(HEADER))
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog=prog, description="Parameters, multiply-adds and token grid of the configured models."
    )
    parser.add_argument("configs", nargs="*", metavar="CONFIG.yaml", help="default: all of configs/")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/MODEL_ZOO.md carries it")
    parser.add_argument("--json", metavar="FILE", help="write the rows to FILE")
    args = parser.parse_args(argv)
    paths = [Path(path) for path in args.configs] or sorted(shipped_configs().glob("*/*.yaml"))
    try:
        rows = [make_row(path) for path in paths]
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(text_table(rows, markdown=args.markdown))
    if args.json:
        text = json.dumps([asdict(row) | {"gmacs_off": row.gmacs_off} for row in rows], indent=2)
        write_text(text + "\n", args.json)
    return 0
