"""Label maps of blocks, `item { name: "..." id: N }`: a reader that passes over the text once.

It is the text format of protocol buffers, as far as label maps use it: `#` begins a comment, fields are NAME: VALUE with
or without `,` or `;` behind them, blocks may stand in blocks (keypoints of other projects), which are passed over.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

BLOCKS = ("item", "label")
# What a text begins with that is blocks, whatever its file is called.
BEGINS_BLOCKS = re.compile(r"(?:\s|#[^\n]*\n)*(?:item|label)\s*\{")
# No two alternatives begin alike, so that nothing is looked at twice.
_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<mark>[{}:])|(?P<space>[\s,;]+|\#[^\n]*)|(?P<word>[^\s,;{}:"'\#]+)"""
)
_ESCAPE = re.compile(r"\\(.)")
_NEEDED = ("name", "id")


class _Token(NamedTuple):
    """kind: "text", "mark", "word" or "end"."""

    kind: str
    value: str
    place: int


def read_blocks(text: str) -> list[tuple[int, str, str]]:
    """(id, name, class it is swapped with or "") of each block; empty where there is none.

    Raises ValueError that names line and value: an end before a block is closed, an entry without a name or an id, an id
    that is no whole number, a field that is there twice.
    """
    try:
        return list(_entries(text, _tokens(text)))
    except _BlockError as error:
        line = text.count("\n", 0, error.place) + 1
        raise ValueError(f"line {line}: {error}") from None


class _BlockError(ValueError):
    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _BlockError(f"a quote that begins here is not closed: {text[place : place + 40]!r}", place)
        if match.lastgroup and match.lastgroup != "space":
            yield _Token(match.lastgroup, match[0], place)
        place = match.end()
    yield _Token("end", "", len(text))


def _entries(text: str, tokens: Iterator[_Token]) -> Iterator[tuple[int, str, str]]:
    number = 0
    for token in tokens:
        if token.kind == "end":
            return
        opening = _after_colon(tokens)[0]
        if token.kind != "word" or opening.value != "{":
            raise _BlockError(f"expected `item {{` or `label {{`, found {token.value[:40]!r}", token.place)
        if token.value not in BLOCKS:
            _skip_block(tokens, opening)
            continue
        number += 1
        fields = _fields(tokens, opening)
        yield _entry(text, number, fields, opening)


def _after_colon(tokens: Iterator[_Token]) -> tuple[_Token, bool]:
    """The next token, and whether a colon stood before it."""
    token = next(tokens)
    return (next(tokens), True) if token.value == ":" and token.kind == "mark" else (token, False)


def _fields(tokens: Iterator[_Token], opening: _Token) -> dict[str, _Token]:
    """The fields of a block up to its end, which is under the name "}"."""
    fields: dict[str, _Token] = {}
    for token in tokens:
        if token.kind == "mark" and token.value == "}":
            return fields | {"}": token}
        if token.kind == "end":
            raise _BlockError("the block that begins here is not closed", opening.place)
        if token.kind != "word":
            raise _BlockError(f"expected NAME: VALUE, found {token.value[:40]!r}", token.place)
        value, colon = _after_colon(tokens)
        if value.kind == "mark" and value.value == "{":
            _skip_block(tokens, value)
            continue
        if not colon or value.kind not in ("text", "word"):
            raise _BlockError(f"expected a value after {token.value[:40]!r}, found {value.value[:40]!r}", token.place)
        name = "id" if token.value == "label_id" else token.value
        if name in fields and name in (*_NEEDED, "swap"):
            raise _BlockError(f"{token.value} is there twice in a block", token.place)
        fields[name] = value
    return fields


def _skip_block(tokens: Iterator[_Token], opening: _Token) -> None:
    depth = 1
    for token in tokens:
        if token.kind == "end":
            raise _BlockError("the block that begins here is not closed", opening.place)
        if token.kind == "mark":
            depth += {"{": 1, "}": -1}.get(token.value, 0)
        if not depth:
            return


def _entry(text: str, number: int, fields: dict[str, _Token], opening: _Token) -> tuple[int, str, str]:
    if any(name not in fields for name in _NEEDED):
        found = text[opening.place + 1 : fields["}"].place].strip()[:100]
        raise _BlockError(f"entry {number} needs both a name and an id, found {found!r}", opening.place)
    given = fields["id"]
    if given.kind != "word" or not (given.value.isascii() and given.value.isdigit()):
        raise _BlockError(
            f"the id of entry {number} is {given.value[:40]}, expected a whole number from 1", given.place
        )
    texts = [fields[name] for name in ("name", "swap") if name in fields]
    for token in texts:
        if token.kind != "text":
            raise _BlockError(f"expected text in quotes, found {token.value[:40]}", token.place)
    name, *swap = (_ESCAPE.sub(r"\1", token.value[1:-1]) for token in texts)
    return int(given.value), name, swap[0] if swap else ""
