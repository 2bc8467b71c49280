"""The page about a data set: what is wrong in it, what it holds, and what it looks like."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from slowfast.preparation.faults import KINDS, Faults
from slowfast.preparation.validation.check import Validation
from slowfast.preparation.validation.facts import SplitFacts
from slowfast.preparation.validation.samples import SampleFrame, sample_frames
from slowfast.report.page import Section, figures_as_svg, page_html, plots
from slowfast.report.pictures import img

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LISTED = 12  # faults of a kind
QUALITY = 82
_LABELS = {
    "classes": "samples of each class in each split",
    "sizes": "histogram of the sizes of people",
    "crowd": "histogram of the number of people on a key frame",
}


def page_samples(validation: Validation) -> list[SampleFrame]:
    """Annotated key frames of every split whose videos there are."""
    maps = {split.name: split.label_map for split in validation.splits}
    return [
        frame
        for check in validation.checks
        for label_map in [maps.get(check.name)]
        if label_map is not None
        for frame in sample_frames(check, label_map)
    ]


def page_of(
    validation: Validation,
    figures: Mapping[str, "Figure"],
    samples: Sequence[SampleFrame],
    *,
    first: Sequence[Section] = (),
) -> str:
    """The HTML from what was found. first: sections before all others."""
    svg = figures_as_svg({name: figures[name] for name in _LABELS if name in figures}, _LABELS)
    sections = [*first, Section("faults", "What was found", faults_html(validation.faults))]
    if "classes" in svg:
        sections.append(Section("classes", "Classes", plots(svg, "classes")))
    if "sizes" in svg:
        sections.append(Section("people", "People", plots(svg, "sizes", "crowd")))
    if samples:
        sections.append(Section("samples", "Annotated key frames", samples_html(samples)))
    return page_html([validation.title], head_html(validation), sections)


def head_html(validation: Validation) -> str:
    """The verdict in large letters, and what each split holds."""
    errors = validation.faults.total("error")
    verdict = "Ready" if not errors else f"{errors:,} error{'s' if errors != 1 else ''}"
    told = "Training would not stumble over this data." if not errors else "Training would stumble over this data."
    tiles = "".join(_tiles(facts) for facts in validation.facts)
    return (
        f'<div class="hero"><span class="big">{verdict}</span><span class="what">{told}<br>'
        f"{escape(validation.faults.summary())}</span></div>{tiles}"
    )


def _tiles(facts: SplitFacts) -> str:
    cells = {"videos": facts.videos}
    if len(facts.crowd):
        cells |= {"key frames": facts.samples, "people": len(facts.sides)}
    cells["classes with samples"] = sum(1 for count in facts.classes.values() if count)
    inner = "".join(f"<div><dt>{facts.name}: {name}</dt><dd>{count:,}</dd></div>" for name, count in cells.items())
    return f'<dl class="tiles" style="margin-top:12px">{inner}</dl>'


def faults_html(faults: Faults) -> str:
    """A table a kind, errors first."""
    if not faults.kinds:
        return "<p>No fault was found.</p>"
    parts = []
    for kind in faults.kinds:
        rows = "".join(
            f'<tr><td class="name" style="white-space:nowrap">{escape(_place(fault.file, fault.line))}</td>'
            f'<td class="name">{escape(fault.reason)}</td></tr>'
            for fault in faults.of(kind)[:LISTED]
        )
        more = faults.count(kind) - sum(fault.count for fault in faults.of(kind)[:LISTED])
        rest = f'<tr><td class="name muted" colspan="2">and {more:,} more like these</td></tr>' if more > 0 else ""
        colour = {"error": "down", "warning": "run1", "note": "muted"}[KINDS[kind].severity]
        parts.append(
            f'<h4 style="margin-top:22px"><span class="{colour}">{KINDS[kind].severity}</span> · '
            f"{escape(KINDS[kind].title)} ({faults.count(kind):,})</h4>"
            f'<div class="table"><table><tbody>{rows}{rest}</tbody></table></div>'
        )
    return "".join(parts)


def _place(file: str, line: int) -> str:
    name = file.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{name}:{line}" if line else name


def samples_html(samples: Sequence[SampleFrame]) -> str:
    """Cards with a picture each."""
    cards = []
    for sample in samples:
        if sample.picture is None:
            picture = f'<p class="note">The key frame could not be read: {escape(sample.problem)}</p>'
        else:
            picture = img(sample.picture, quality=QUALITY, alt=sample.title, kind="still")
        cards.append(f'<article class="card"><h4>{escape(sample.title)}</h4><figure>{picture}</figure></article>')
    return f'<div class="gallery">{"".join(cards)}</div>'
