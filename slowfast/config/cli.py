"""The command line that every tool with a config shares: `--cfg FILE KEY VALUE ...`, with or without `--opts`."""

import argparse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

_EPILOG = """\
Overrides come after --cfg FILE, with or without --opts before them:
  --cfg FILE KEY VALUE KEY VALUE ...
  --cfg FILE --opts KEY VALUE KEY VALUE ...
for example   SOLVER.BASE_LR 1e-4 DATA.TRAIN_CROP_SIZE "[256, 320]"
tools/print_config.py --cfg FILE --docs tells what every key means.
"""


def config_parser(description: str, *, prog: str | None = None) -> argparse.ArgumentParser:
    """A parser that has --cfg and explains overrides; the caller may add options of its own."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="%(prog)s --cfg FILE [options] [--opts] [KEY VALUE ...]",
    )
    parser.add_argument("--cfg", metavar="FILE", required=True, help="YAML file to read")
    return parser


def split_overrides(
    argv: Sequence[str],
    *,
    with_value: Collection[str] = ("--cfg",),
    flags: Collection[str] = ("-h", "--help"),
) -> tuple[list[str], list[str]]:
    """Splits a command line into options for argparse and the KEY VALUE list.

    Where a key may stand, a token that starts with "-" is an option; the token after a key is its value,
    whatever it looks like, so that -1 is one. ValueError when one of the options named here follows a key instead of a
    value. A last key without a value is left in the list, whose reader names it.
    """
    options: list[str] = []
    overrides: list[str] = []
    tokens = list(argv)
    while tokens:
        token = tokens.pop(0)
        if token == "--opts":
            continue
        if token.startswith("-"):
            options.append(token)
            if token in with_value and tokens:
                options.append(tokens.pop(0))
            continue
        if "=" in token:
            key, value = token.split("=", 1)
            raise ValueError(f"write {key} {value} as two words, not {token}")
        overrides.append(token)
        if tokens:
            value = tokens.pop(0)
            if value in (*with_value, *flags, "--opts"):
                raise ValueError(f"{token} lacks a value; {value} follows it")
            overrides.append(value)
    return options, overrides


def parse_command_line(
    argv: Sequence[str],
    description: str,
    *,
    prog: str | None = None,
    file_options: Mapping[str, str] | None = None,
) -> tuple[str, list[str]]:
    """Returns (path of the YAML file, KEY VALUE list); see `parse_with_switches`."""
    path, overrides, _ = parse_with_switches(argv, description, prog=prog, file_options=file_options)
    return path, overrides


def parse_with_switches(
    argv: Sequence[str],
    description: str,
    *,
    prog: str | None = None,
    file_options: Mapping[str, str] | None = None,
    switches: Mapping[str, str] | None = None,
) -> tuple[str, list[str], set[str]]:
    """Returns (path of the YAML file, KEY VALUE list, the switches that were given). argv: without the program's name.

    file_options: {"--dump": KEY}, options that set a key to a file of the working directory, wherever KEY starts from
    switches:     {"--dry-run": help}, options without a value
    Exits with a message and status 2 when the line cannot be read, with the help text and status 0 for --help.
    """
    parser = config_parser(description, prog=prog)
    file_options = file_options or {}
    for option, key in file_options.items():
        parser.add_argument(option, metavar="FILE", dest=key, help=f"sets {key}")
    for switch, what in (switches or {}).items():
        parser.add_argument(switch, action="store_true", dest=switch, help=what)
    try:
        flags = ("-h", "--help", *(switches or ()))
        options, overrides = split_overrides(argv, with_value=("--cfg", *file_options), flags=flags)
    except ValueError as error:
        parser.error(str(error))
    parsed = parser.parse_args(options)
    for key in file_options.values():
        if getattr(parsed, key) is not None:
            overrides += [key, str(Path(getattr(parsed, key)).absolute())]
    return parsed.cfg, overrides, {switch for switch in switches or () if getattr(parsed, switch)}
