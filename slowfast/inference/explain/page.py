"""NAME_explain.html: for each person of a video the scores over time, the token that claimed it, and what that looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from slowfast.inference.explain.collector import Collector
from slowfast.inference.explain.pictures import key_picture, plain_picture, strip
from slowfast.inference.explain.scores_plot import Sighting, css_colour, likeliest_actions, scores_plot
from slowfast.inference.tracking.spans import link_people
from slowfast.inference.written.results import DetectionResult
from slowfast.report.page import LOADS_NOTHING
from slowfast.report.pictures import fitted, img
from slowfast.report.style import CSS
from slowfast.structures.outputs.explanation import Explanation, PersonExplanation
from slowfast.utils.files import write_text

MOST_PEOPLE, MOST_CARDS = 30, 4
CARD_WIDTH, STRIP_WIDTH, QUALITY = 480, 1400, 85

_STYLE = """
header p { max-width: 90ch; } h2 { margin: 40px 0 8px; } figure { margin: 0; } figure img { width: 100%; height: auto;
  display: block; border-radius: 8px; margin: 0 0 4px; }
figcaption { color: var(--muted); font-size: .86rem; padding: 4px 0 0; overflow-wrap: anywhere; }
.cards { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 210px), 1fr));
  margin: 14px 0; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0; }
.chips span { color: #16181d; border-radius: 5px; padding: 1px 9px; font-size: .86rem; overflow-wrap: anywhere; }
svg { width: 100%; max-width: 680px; display: block; } svg .field { fill: #1c1c22; } svg .grid { stroke: #3c4048; }
svg .least { stroke: #d8dade; stroke-dasharray: 5 5; } svg text { fill: #c3c8ce; font: 12px system-ui, sans-serif; }
.strips { display: grid; gap: 12px; } .strips img { max-width: 100%; }
"""


@dataclass(frozen=True)
class _Sight:
    """A person on a key frame whose pictures were kept."""

    moment: Explanation
    person: PersonExplanation


def write_explanation(result: DetectionResult, collected: Collector, path: str | Path, *, least: float) -> None:
    """Write the page about one video, whole or not at all. least: the score from which people and actions are told"""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(explanation_html(result, collected, least=least), path)


def explanation_html(result: DetectionResult, collected: Collector, *, least: float) -> str:
    name = Path(result.source).name
    people = _people(result, collected)
    shown = people[:MOST_PEOPLE]
    notes = []
    if len(people) > len(shown):
        notes.append(f"{len(people) - len(shown)} more people, seen on the fewest key frames, are not shown.")
    if collected.stride > 1:
        notes.append(f"Pictures are of one key frame in {collected.stride}; the scores are of all.")
    if not result.tracked and people:
        notes.append(
            "People are joined from one key frame to the next where their boxes overlap; --track follows them."
        )
    if not people:
        notes.append(f"Nobody was found with a score of at least {least:g} (--score).")
    told = "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
    body = "".join(_section(number, seen, sights, result, least) for number, seen, sights in shown)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{LOADS_NOTHING}">'
        f'<title>{escape(name)}: why</title><link rel="icon" href="data:,"><style>{CSS}{_STYLE}</style></head><body><main>'
        f"<header><h1>{escape(name)}: why</h1>{_legend(collected)}"
        f"{told}</header>{body}</main></body></html>\n"
    )


def _legend(collected: Collector) -> str:
    blocks = collected.kept[0].blocks if collected.kept else ()
    over = f" (blocks {blocks[0]} to {blocks[-1]})" if len(blocks) > 1 else f" (block {blocks[0]})" if blocks else ""
    return (
        "<p>Each person was claimed by one output token of the network: the small white square is its cell. Bright is where "
        f"that token takes from: attention rolled out over the last stage{over}, heads averaged, half of each block "
        "being attention and half the token itself. It tells what the token could use, not what decided.</p>"
    )


def _people(result: DetectionResult, collected: Collector) -> list[tuple[int, list[Sighting], list[_Sight]]]:
    """(number, where seen, where seen with pictures) of each person, those seen most often first."""
    seen: dict[int, list[Sighting]] = {}
    sights: dict[int, list[_Sight]] = {}
    kept = {explained.time: explained for explained in collected.kept}
    for moment, numbers in zip(collected.moments, link_people(collected.moments, every=result.every), strict=True):
        for index, (person, number) in enumerate(zip(moment.people, numbers, strict=True)):
            seen.setdefault(number, []).append((moment.time, person))
            if moment.time in kept:
                explained = kept[moment.time]
                sights.setdefault(number, []).append(_Sight(explained, explained.people[index]))
    order = sorted(seen, key=lambda number: (-len(seen[number]), number))
    return [(number, seen[number], sights.get(number, [])) for number in order]


def _section(
    number: int, seen: Sequence[Sighting], sights: Sequence[_Sight], result: DetectionResult, least: float
) -> str:
    names = likeliest_actions(seen)
    chips = "".join(f'<span style="background:{css_colour(name)}">{escape(name)}</span>' for name in names)
    plot = scores_plot(seen, names, seconds=result.seconds, every=result.every, least=least)
    dashed = f"<figcaption>scores at each key frame; dashed: told from {least:g} on</figcaption>" if least > 0 else ""
    chosen = (
        [sights[i] for i in np.unique(np.linspace(0, len(sights) - 1, MOST_CARDS).round().astype(int))]
        if sights
        else []
    )
    cards = "".join(_card(sight) for sight in chosen)
    times = "" if len(seen) == 1 else f" to {seen[-1][0]:g}"
    return (
        f"<section><h2>person {number}</h2><p>{len(seen)} key frames, second {seen[0][0]:g}{times}</p>"
        f'<figure>{plot}{dashed}</figure><div class="chips">{chips}</div><div class="cards">{cards}</div>'
        f"{_strips(chosen)}</section>"
    )


def _card(sight: _Sight) -> str:
    person, (row, column) = sight.person.person, sight.person.cell
    plain = fitted(plain_picture(sight.moment, [sight.person]), CARD_WIDTH)
    heat = fitted(key_picture(sight.moment, sight.person), CARD_WIDTH)
    best = f"; {person.actions[0].name} {person.actions[0].score:.2f}" if person.actions else ""
    text = f"second {sight.moment.time:g}: token {person.token}, row {row + 1}, column {column + 1}{best}"
    return (
        f"<figure>{img(plain, quality=QUALITY, alt='the person and its token')}"
        f"{img(heat, quality=QUALITY, alt='what the token took from')}<figcaption>{escape(text)}</figcaption></figure>"
    )


def _strips(sights: Sequence[_Sight]) -> str:
    """The clip around the key frame on which the person is likeliest, for both kinds of tokens."""
    if not sights:
        return ""
    best = max(sights, key=lambda sight: sight.person.person.score)
    shown = (
        (best.person.box_attention, "the token of the box: who is where"),
        (best.person.action_attention, "the tokens of the actions: who does what"),
    )
    figures = "".join(
        f"<figure>{img(fitted(strip(best.moment, heat), STRIP_WIDTH), quality=QUALITY, alt=what)}"
        f"<figcaption>the clip around second {best.moment.time:g} (white edge: the key frame), {what}</figcaption></figure>"
        for heat, what in shown
    )
    return f'<div class="strips">{figures}</div>'
