"""Lists the networks that can be made by name, or tells what is known of one.

bmvit models [NAME ...] [--json FILE]

As a library: slowfast.create_model("mvitv2_s"), slowfast.list_models("mvitv2_*").
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from slowfast.hub.models import ModelCard, list_models, model_card
from slowfast.utils.files import write_text


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks to tell everything about")
    parser.add_argument("--json", metavar="FILE", help="write the cards here as well")
    return parser


def main(argv: Sequence[str], *, prog: str | None = None) -> int:
    options = build_parser(prog).parse_args(argv)
    try:
        cards = [model_card(name) for name in options.names or list_models()]
        if options.json:
            write_text(json.dumps([asdict(card) for card in cards], indent=1) + "\n", options.json)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n\n".join(map(whole, cards)) if options.names else overview(cards))
    return 0


def overview(cards: Sequence[ModelCard]) -> str:
    """A line a network."""
    width = max(len(card.name) for card in cards)
    return "\n".join(f"{card.name:<{width}}  {card.what}" for card in cards)


def whole(card: ModelCard) -> str:
    """Everything about one."""
    return "\n".join([card.name, f"  {card.config}", *(f"  {line}" for line in card.lines)])
