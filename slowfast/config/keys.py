"""Key and Section: how one configuration key is declared, and the kinds and rules its values are held to."""

import ast
import math
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

_NONE_WORDS = ("None", "null", "~")
# A list of rows has as many brackets as rows; MVIT.DIM_MUL and the like have a few dozen.
MOST_BRACKETS, _LONGEST = 500, 100_000
MAX_INT = 2**63 - 1  # numpy and torch have no larger ones
_SHOWN_BITS = 10_000  # Python refuses to write longer numbers out


class PlainText(str):
    """Text typed without quotes (in a YAML file or on a command line), so it may still mean a number or a list.

    YAML reads `1e-6` and `(3, 7, 7)` as text; PySlowFast's published files rely on their being a number and a list.
    Quoted text stays an ordinary `str` and is never read as anything else.
    """


@dataclass(frozen=True)
class Kind:
    """A type of value. text: "a number", for messages; convert: value -> the stored value, or ValueError."""

    text: str
    convert: Callable[[Any], Any]


@dataclass(frozen=True)
class Rule:
    """A condition on a converted value. text completes "KEY (value) ...": "must be at least 0".

    choices: the values that are allowed, where the rule lists them
    """

    text: str
    holds: Callable[[Any], bool]
    choices: tuple[str | int, ...] = ()


@dataclass(frozen=True)
class Key:
    """One configuration key.

    default: what it is when nobody sets it
    doc:     meaning, unit, and where the default comes from
    rule:    which values of its kind are allowed (None: all)
    kind:    type of the value; taken from the default when that is a bool, int, float or str
    null_means: the value that an explicit null or None stands for, where PySlowFast writes None for "off"; of a text that
             may be empty, "" where nothing else is said, as `CHECKPOINT_FILE_PATH:` with nothing behind it
    """

    default: Any
    doc: str
    rule: Rule | None = None
    kind: Kind = None  # type: ignore[assignment]  # made in __post_init__ where it is left out
    null_means: Any = None

    def __post_init__(self) -> None:
        if self.kind is None:
            object.__setattr__(self, "kind", _KIND_OF[type(self.default)])
        if self.null_means is None and self.kind is STR and self.broken_rule("") is None:
            object.__setattr__(self, "null_means", "")
        assert self.convert(self.default) == self.default, self
        assert self.broken_rule(self.default) is None, self

    def convert(self, value: Any) -> Any:
        """Returns the value as it is stored; ValueError when it is of another kind."""
        if self.null_means is not None and (value is None or (is_plain(value) and value in _NONE_WORDS)):
            value = self.null_means
        return self.kind.convert(value)

    def broken_rule(self, value: Any) -> str | None:
        """Returns the text of the rule that a converted value breaks, None when it is allowed."""
        if isinstance(value, int) and abs(value) > MAX_INT:
            return f"must be at most {MAX_INT}, a number of 63 bits"
        return None if self.rule is None or self.rule.holds(value) else self.rule.text

    @property
    def allowed(self) -> str:
        """What a user may write: "a number; must be at least 0"."""
        return self.kind.text if self.rule is None else f"{self.kind.text}; {self.rule.text}"


@dataclass(frozen=True)
class Section:
    """A named group of keys. name: "TRAIN", or "" for the keys at the top of the tree."""

    name: str
    doc: str
    keys: dict[str, Key]

    def dotted(self) -> dict[str, Key]:
        """{"TRAIN.BATCH_SIZE": Key}"""
        return {f"{self.name}.{name}" if self.name else name: key for name, key in self.keys.items()}


def is_plain(value: Any) -> bool:
    return isinstance(value, PlainText)


def decode(value: Any) -> Any:
    """Unquoted text as the number, bool, None, list or tuple it spells; anything else as it is."""
    if not is_plain(value):
        return value
    if value in _NONE_WORDS:
        return None
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    if value.startswith("["):
        return _decode_flow_list(value)
    if not _is_flat(value):
        return value
    try:
        return ast.literal_eval(value)
    except (
        Exception
    ):  # ValueError, SyntaxError, MemoryError, a TypeError for `{[]: 1}`: it spells nothing else, so it is text
        return value


def _is_flat(text: str) -> bool:
    """Not nested deeper than any value of a key is: the parsers of Python and YAML take minutes, or the stack, for more."""
    return sum(map(text.count, "[({")) <= MOST_BRACKETS and len(text) <= _LONGEST


def _decode_flow_list(text: PlainText) -> Any:
    """A YAML list on a command line, `[train.csv, "1", [2, 3]]`; the text itself when it is not one."""
    if not _is_flat(text):
        return text
    try:
        return plain_from_node(yaml.compose(text, Loader=yaml.SafeLoader))
    except Exception:  # YAMLError, RecursionError, ValueError for a date that is none
        return text


def plain_from_node(node: yaml.Node) -> Any:
    """A YAML node as plain Python (safe tags only), its unquoted text as PlainText. yaml.YAMLError on any other tag."""
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [plain_from_node(item) for item in node.value]
    value = yaml.constructor.SafeConstructor().construct_document(node)
    return PlainText(value) if isinstance(value, str) and node.style is None else value


class _Repr(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        return super().repr_int(x, level) if x.bit_length() <= _SHOWN_BITS else f"a number of {x.bit_length()} bits"


def show(value: Any) -> str:
    """A value for a message, shortened when it is long."""
    short = _Repr()
    short.maxlist = short.maxtuple = 20
    short.maxstring = short.maxother = 120
    return short.repr(str(value) if isinstance(value, str) else value)


# ----------------------------------------------------------------------------------------------------- kinds


def _to_bool(value: Any) -> bool:
    value = decode(value)
    if not isinstance(value, bool):
        raise ValueError
    return value


def _to_int(value: Any) -> int:
    value = decode(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    return value


def _to_float(value: Any) -> float:
    value = decode(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError
    return number


def _to_str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    if is_plain(value) and value.startswith(("'", '"')):  # quoted once more than the shell needs, as yacs has it
        spelt = decode(value)
        value = spelt if isinstance(spelt, str) else value
    return str(value)


BOOL = Kind("True or False", _to_bool)
INT = Kind("a whole number", _to_int)
FLOAT = Kind("a finite number", _to_float)
STR = Kind("text", _to_str)
_KIND_OF = {bool: BOOL, int: INT, float: FLOAT, str: STR}


def list_of(kind: Kind, *lengths: int) -> Kind:
    """A list whose items are of one kind, of any length or of one of `lengths`. Tuples become lists."""

    def convert(value: Any) -> list:
        value = decode(value)
        if not isinstance(value, list | tuple) or (lengths and len(value) not in lengths):
            raise ValueError
        return [kind.convert(item) for item in value]

    count = " or ".join("no" if n == 0 else str(n) for n in lengths)
    items = {"a whole number": "whole numbers", "a finite number": "numbers", "text": "texts"}.get(kind.text, kind.text)
    return Kind(f"a list of {count + ' ' if count else ''}{items}", convert)


def rows_of(*columns: tuple[str, Kind]) -> Kind:
    """A list of rows, each a list with one item per column: [[block, multiplier], ...]."""

    def convert_row(value: Any) -> list:
        value = decode(value)
        if not isinstance(value, list | tuple) or len(value) != len(columns):
            raise ValueError
        return [kind.convert(item) for (_, kind), item in zip(columns, value, strict=True)]

    row = Kind("rows [" + ", ".join(name for name, _ in columns) + "]", convert_row)
    return list_of(row)


def either(first: Kind, second: Kind) -> Kind:
    """A value of the first kind, or else of the second."""

    def convert(value: Any) -> Any:
        try:
            return first.convert(value)
        except ValueError:
            return second.convert(value)

    return Kind(f"{first.text} or {second.text}", convert)


# ----------------------------------------------------------------------------------------------------- rules


def at_least(low: float) -> Rule:
    return Rule(f"must be at least {low}", lambda value: value >= low)


def above(low: float) -> Rule:
    return Rule(f"must be above {low}", lambda value: value > low)


def between(low: float, high: float) -> Rule:
    return Rule(f"must be in [{low}, {high}]", lambda value: low <= value <= high)


def from_to_below(low: float, high: float) -> Rule:
    return Rule(f"must be in [{low}, {high})", lambda value: low <= value < high)


def above_to(low: float, high: float) -> Rule:
    return Rule(f"must be in ({low}, {high}]", lambda value: low < value <= high)


def one_of(*choices: str | int) -> Rule:
    return Rule("must be " + " or ".join(str(one) or "''" for one in choices), lambda value: value in choices, choices)


def not_empty() -> Rule:
    return Rule("must not be empty", lambda value: len(value) > 0)


def every(rule: Rule) -> Rule:
    """Holds when every item of a list keeps `rule`; a single number is held to the same rule."""

    def holds(value: Any) -> bool:
        return all(rule.holds(item) for item in (value if isinstance(value, list) else [value]))

    return Rule(f"{rule.text} in every item", holds)


def all_of(*rules: Rule) -> Rule:
    return Rule(" and ".join(rule.text for rule in rules), lambda value: all(rule.holds(value) for rule in rules))


def distinct() -> Rule:
    return Rule("must not name an item twice", lambda value: len(set(value)) == len(value))
