"""Prints a resolved config: every value, where it came from, and with --docs what it means.

bmvit print-config --cfg FILE [--docs] [--pyslowfast] [--json FILE] [--opts] [KEY VALUE ...]

--pyslowfast lists, too, every default that is another than PySlowFast's, and why.
"""

import json
import os
import sys
from collections.abc import Sequence

from slowfast.config.cli import config_parser, split_overrides
from slowfast.config.foreign.pyslowfast_defaults import differing_defaults
from slowfast.config.load import DEFAULT, SCHEMA, ConfigReport, load_cfg_with_sources
from slowfast.utils.files import write_text


def value_of(cfg: dict, name: str) -> object:
    """The value of a dotted key."""
    for part in name.split("."):
        cfg = cfg[part]
    return cfg


def describe(name: str, cfg: dict, source: str, *, docs: bool) -> list[str]:
    """The lines of one key; * marks a value that differs from the default."""
    key, value = SCHEMA[name], value_of(cfg, name)
    changed = value != key.default
    origin = "" if source == DEFAULT else f"   <- {source}"
    default = f"   (default {key.default!r})" if changed else ""
    lines = [f"{'*' if changed else ' '} {name}: {value!r}{default}{origin}"]
    if docs:
        lines += [f"      {key.doc}", f"      Allowed: {key.allowed}."]
    return lines


def report_text(cfg: dict, report: ConfigReport, *, docs: bool) -> str:
    """The whole print-out: what was set first, then what is at its default, then keys without effect."""
    given = [name for name in SCHEMA if report.sources[name] != DEFAULT]
    left = [name for name in SCHEMA if report.sources[name] == DEFAULT]
    lines = []
    parts = ((f"{len(given)} keys set (* differs from the default)", given), (f"{len(left)} at their defaults", left))
    for title, names in parts:
        lines.append(f"# {title}")
        for name in names:
            lines += describe(name, cfg, report.sources[name], docs=docs)
        lines.append("")
    if report.harmless:
        lines.append(f"# {len(report.harmless)} PySlowFast keys that change nothing here")
        lines += [f"  {name}: {why}" for name, why in report.harmless.items()]
    if report.differing:
        lines.append(
            f"# {len(report.differing)} PySlowFast keys whose value changes what PySlowFast computes, and nothing here"
        )
        lines += [f"  {name}: {why}" for name, why in report.differing.items()]
    lines += [f"# note: {note}" for note in report.notes]
    return "\n".join(lines).rstrip()


def pyslowfast_text(report: ConfigReport) -> str:
    """Every default that is another than PySlowFast's, and which of these keys the config sets itself."""
    rows = differing_defaults({name: key.default for name, key in SCHEMA.items()})
    left = [row for row in rows if report.sources[row[0]] == DEFAULT]
    given = [row for row in rows if report.sources[row[0]] != DEFAULT]
    lines = []
    for title, part in (("apply to this config", left), ("are set by this config", given)):
        lines.append(f"# {len(part)} defaults that are not PySlowFast's {title}")
        for name, ours, there, why in part:
            source = report.sources[name]
            lines.append(
                f"  {name}: {ours!r} here, {there} there: {why}" + (f"   <- {source}" if source != DEFAULT else "")
            )
        lines.append("")
    return "\n".join(lines).rstrip()


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    parser = config_parser("Print a resolved config and where each value came from.", prog=prog)
    parser.add_argument("--docs", action="store_true", help="print the meaning and allowed values of each key")
    parser.add_argument(
        "--pyslowfast", action="store_true", help="list every default that is not PySlowFast's, and why"
    )
    parser.add_argument("--json", metavar="FILE", help="write values, sources and accepted keys to FILE")
    try:
        options, overrides = split_overrides(
            argv, with_value=("--cfg", "--json"), flags=("-h", "--help", "--docs", "--pyslowfast")
        )
    except ValueError as error:
        parser.error(str(error))
    args = parser.parse_args(options)
    try:
        cfg, report = load_cfg_with_sources(args.cfg, overrides)
        if args.json:
            facts = {
                "config": cfg,
                "sources": report.sources,
                "changed": [name for name in SCHEMA if value_of(cfg, name) != SCHEMA[name].default],
                "accepted": report.accepted,
                "differing": report.differing,
                "notes": report.notes,
            }
            write_text(json.dumps(facts, indent=2) + "\n", args.json)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    try:
        text = report_text(cfg, report, docs=args.docs)
        print(f"{text}\n\n{pyslowfast_text(report)}" if args.pyslowfast else text, flush=True)
    except BrokenPipeError:  # the reader has seen enough (`| head`); Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
