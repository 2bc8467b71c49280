"""Write a trained detector or classifier for other programs: torch.export, ONNX, or safetensors with a config.json.

bmvit export --weights best.pyth --format onnx
bmvit export --weights best.pyth --format onnx --int8 --out small.onnx
bmvit export --weights best.pyth --format onnx --by-frame
bmvit export --weights best.pyth --format safetensors --out my-model
bmvit export --weights best.pyth --format safetensors --half --card about.md --metrics runs/mine/metrics.json

What is written is compared with the network of the checkpoint, with 1 and 3 clips. Exit code 0 on success, 1 when an input
is wrong or the numbers differ; nothing is overwritten, and nothing half-written is left. docs/PREDICT.md tells what is in
the files.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from slowfast.engine.device.launch import USER_ERRORS
from slowfast.inference.build import load_model
from slowfast.inference.export.hub import CardText
from slowfast.inference.export.onnx_file import DEFAULT_OPSET
from slowfast.inference.export.write import AGREEMENT, FORMATS, check_out, default_out, write_export


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, metavar="FILE", help="checkpoint of a detector or a classifier")
    parser.add_argument("--format", required=True, metavar="NAME", help=", ".join(FORMATS))
    parser.add_argument(
        "--out", metavar="FILE", help="what to write (default beside the checkpoint; safetensors: a folder, or a file)"
    )
    parser.add_argument("--cfg", metavar="FILE", help="its configuration, where the checkpoint does not hold it")
    parser.add_argument("--labels", metavar="FILE", help="its class names (.pbtxt, JSON or text), where it holds none")
    parser.add_argument("--opset", type=int, default=DEFAULT_OPSET, help=f"of ONNX (default {DEFAULT_OPSET})")
    parser.add_argument("--int8", action="store_true", help="ONNX with 8-bit weights: smaller, and less exact")
    parser.add_argument(
        "--by-frame",
        action="store_true",
        help="two ONNX files, of single frames and of clips: a frame of a stream goes through its network once",
    )
    parser.add_argument("--half", action="store_true", help="safetensors with float16 numbers: half the size")
    parser.add_argument(
        "--card", metavar="FILE", help="safetensors: Markdown about data and licences, for its README.md"
    )
    parser.add_argument("--metrics", metavar="FILE", help="metrics.json of a test of these weights, for the card")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    options = build_parser(prog).parse_args(argv)
    try:
        if options.format not in FORMATS:
            raise ValueError(f"--format {options.format} is none; choose from {', '.join(FORMATS)}")
        out = Path(options.out) if options.out else default_out(Path(options.weights), options.format)
        if options.metrics and not options.card:
            raise ValueError("--metrics is for the card: give its text by --card")
        card = CardText.read(options.card, options.metrics) if options.card else None
        check_out(out, options.format, card=card is not None, by_frame=options.by_frame)
        loaded = load_model(options.weights, cfg=options.cfg, labels=options.labels, device="cpu")
        done = write_export(
            loaded,
            options.format,
            out,
            opset=options.opset,
            int8=options.int8,
            half=options.half,
            card=card,
            by_frame=options.by_frame,
        )
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for batch, worst in done.worst.items():
        print(
            f"checked with a batch of {batch}: largest difference from the checkpoint {worst:.1e} (allowed {AGREEMENT:g})"
        )
    for note in done.notes:
        print(note)
    for file in done.files:
        size = file.stat().st_size
        print(f"wrote {file} ({size / 1e6:.1f} MB)" if size > 1e5 else f"wrote {file} ({size / 1e3:.1f} kB)")
    return 0
