"""Precision and recall are computed in evaluation/average_precision.py and its tied_scores.py, and nowhere else."""

import ast
import re
from collections.abc import Iterator

from tests.rules.sources import ROOT, name_of, python_files, tree_of

HOME = "slowfast/evaluation/average_precision.py"
TIES = "slowfast/evaluation/tied_scores.py"  # its formulas where scores tie
HITS = re.compile(r"hit|true_positive|(^|_)tp($|_)", re.IGNORECASE)
SHARES = re.compile(r"precision|recall", re.IGNORECASE)
DIVISIONS = {"divide", "true_divide"}
SUMS = {"cumsum", "accumulate", "trapezoid", "trapz"}


def names_in(node: ast.AST) -> set[str]:
    """Every variable and attribute of an expression; not the functions it calls."""
    called = {id(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and id(part) not in called:
            found.add(part.id)
        elif isinstance(part, ast.Attribute) and id(part) not in called:
            found.add(part.attr)
    return found


def mention(node: ast.AST, words: re.Pattern) -> bool:
    return any(words.search(name) for name in names_in(node))


def own_precision(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, what it does) of every expression that divides or adds up hits, or makes a precision of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            left = node.left if isinstance(node, ast.BinOp) else node.target
            if mention(left, HITS):
                yield node.lineno, "divides hits"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            arguments = [*node.args[:1], node.func.value]
            if node.func.attr in DIVISIONS and mention(arguments[0], HITS):
                yield node.lineno, "divides hits"
            elif node.func.attr in SUMS and any(mention(argument, HITS) for argument in arguments):
                yield node.lineno, "adds up hits"
            elif node.func.attr == "mean" and any(mention(argument, HITS) for argument in arguments):
                yield node.lineno, "takes the mean of hits"
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
            named = any(mention(target, SHARES) for target in node.targets)
            if named and isinstance(node.value.op, ast.Div):
                yield node.lineno, "makes a precision or a recall"


def test_precision_and_recall_are_computed_in_one_place():
    files = [path for path in python_files("slowfast/evaluation") if name_of(path) not in (HOME, TIES)]
    assert len(files) >= 20
    bad = [f"{name_of(path)}:{line} {what}" for path in files for line, what in own_precision(tree_of(path))]
    assert not bad, f"use {HOME} instead:\n" + "\n".join(bad)


def test_a_precision_of_its_own_would_be_found():
    source = """
precision = np.cumsum(hit)[last] / (last + 1)
share = matches.row_hit.sum() / len(rows)
recall = found / people
value = np.divide(num_hits, total, out=zeros, where=total > 0)
area = (hits / detections).mean()
grown = m.row_hit.cumsum()
level = row_hit.mean()
right = hits.sum() > total / 2
"""
    lines = {line for line, _ in own_precision(ast.parse(source))}
    assert lines == set(range(2, 9))
    assert len({line for line, _ in own_precision(tree_of(ROOT / HOME))}) >= 3
