"""docs/LEDGER.md: every entry has its question and its gate beside its result, in order, and dates do not go back."""

import datetime
import re

import pytest

from tests.rules.sources import ROOT

BEFORE = ("Date", "Question", "Expected", "Gate", "Run")
AFTER = ("Result", "Verdict")


def entries(text: str) -> list[tuple[int, str, dict[str, str], list[str]]]:
    """(number, title, field -> text, fields in their order) of every entry."""
    found = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        number, _, title = heading.partition(". ")
        fields = re.findall(r"^- (\w+): (.*?)(?=^- \w+: |\Z)", body, flags=re.MULTILINE | re.DOTALL)
        found.append(
            (int(number), title, {name: words.strip() for name, words in fields}, [name for name, _ in fields])
        )
    return found


def faults(text: str) -> list[str]:
    bad, latest = [], datetime.date.min
    for position, (number, title, fields, order) in enumerate(entries(text), start=1):
        if number != position:
            bad.append(f"entry {number} stands in place {position}")
        wanted = [*BEFORE, *AFTER] if set(AFTER) & set(order) else list(BEFORE)
        if order != wanted:
            bad.append(f"entry {number} has the fields {order}, not {wanted}")
        if not title or not all(fields.values()):
            bad.append(f"entry {number} has an empty title or field")
        date = datetime.date.fromisoformat(fields.get("Date", "0001-01-01"))
        if date < latest:
            bad.append(f"entry {number} is older than the one before it")
        latest = date
        if "Verdict" in fields and not fields["Verdict"].startswith(
            ("kept", "dropped", "undecided", "reached", "missed")
        ):
            bad.append(f"entry {number}: a verdict begins with kept, dropped, undecided, reached or missed")
        if "Result" in fields and not re.search(r"\d", fields["Result"]):
            bad.append(f"entry {number}: a result has a number")
        if not re.search(r"\bseed", fields.get("Run", "")):
            bad.append(f"entry {number} does not tell its seed")
    return bad


def test_the_form_of_the_ledger():
    text = (ROOT / "docs/LEDGER.md").read_text(encoding="utf-8")
    assert len(entries(text)) >= 2
    assert faults(text) == []


GOOD = """# L

## 1. One

- Date: 2026-01-02
- Question: is it?
- Expected: 0.3
- Gate: 0.2
- Run: tool, seed 1
- Result: 0.25
- Verdict: kept
"""


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("## 1.", "## 2."), "entry 2 stands in place 1"),
        (("- Gate: 0.2\n", ""), "has the fields"),
        (("- Result: 0.25\n", ""), "has the fields"),
        (("0.25", "fine"), "a result has a number"),
        (("Verdict: kept", "Verdict: good"), "a verdict begins with"),
        ((", seed 1", ""), "does not tell its seed"),
        (("Question: is it?\n", "Question: \n"), "empty"),
    ],
)
def test_a_fault_is_found(change, fault):
    assert faults(GOOD) == []
    assert any(fault in found for found in faults(GOOD.replace(*change)))
    older = GOOD + GOOD.replace("# L\n\n", "\n").replace("## 1.", "## 2.").replace("2026-01-02", "2026-01-01")
    assert faults(older) == ["entry 2 is older than the one before it"]


def test_an_entry_may_still_wait_for_its_result():
    assert faults(GOOD.replace("- Result: 0.25\n", "").replace("- Verdict: kept\n", "")) == []
