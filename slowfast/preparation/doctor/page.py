"""The doctor's part of a page about a data set."""

from html import escape
from typing import TYPE_CHECKING

from slowfast.preparation.doctor.doctor import IOU_BINS, Examination
from slowfast.report.svg import RUN_COLOURS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def iou_figure(examination: Examination) -> "Figure":
    """How near the nearest detection is to each annotated person."""
    with styled():
        figure = new_figure(height=2.6)
        axes = figure.subplots()
        width = float(IOU_BINS[1] - IOU_BINS[0])
        axes.bar(
            IOU_BINS[:-1] + width * 0.04,
            examination.measures.iou_histogram,
            width * 0.92,
            align="edge",
            color=RUN_COLOURS[0],
        )
        axes.axvline(0.5, color=RUN_COLOURS[1], linewidth=1.2)
        axes.grid(axis="x", visible=False)
        axes.set(title="Nearest detection of each person", xlabel="IoU (found from 0.5 on)", ylabel="people")
    return figure


def examination_html(examination: Examination, plot: str) -> str:
    """The likeliest cause, the others, and the numbers. plot: HTML of the figure."""
    lines = examination.text().split("\n")[1:]
    rows = [line.strip().split("  ", 1) for line in lines if line.startswith("  ")]
    cells = "".join(
        f'<tr><td>{escape(name)}</td><td class="name">{escape(value.strip())}</td></tr>' for name, value in rows
    )
    others = "".join(f"<li>{escape(cause)}</li>" for cause in examination.causes[1:])
    more = f"<p>Then:</p><ul>{others}</ul>" if others else ""
    return (
        f'<p class="note"><b>Likeliest cause</b>: {escape(examination.verdict)}.</p>{more}'
        f'<div class="pair">{plot}<div class="table"><table><tbody>{cells}</tbody></table></div></div>'
    )
