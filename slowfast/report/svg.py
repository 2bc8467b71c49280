"""Matplotlib figures for a web page: inline SVG that takes its colours from the page, right in light and dark.

A figure is drawn once, in the colours below; as PNG it keeps them, in the page each becomes a CSS variable.
"""

import base64
import io
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from slowfast.utils.missing import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#22262b", "#6a717a", "#dfe2e5", "#fefefe"
RUN_COLOURS = ("#0072b2", "#d55e00")  # Okabe and Ito: told apart with any colour vision
PART_COLOURS = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#9a8c00", "#7b61a8")
_VARIABLES = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    PAPER: "var(--card)",
    **{colour: f"var(--run{i})" for i, colour in enumerate(RUN_COLOURS)},
}
# Any: matplotlib's own type of such a dict lists its 300 keys one by one.
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
}


@contextmanager
def _needs_matplotlib() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingPackageError(
            "a report needs matplotlib: pip install matplotlib (TEST.REPORT False makes none)"
        ) from error


def new_figure(width: float = 4.7, height: float = 2.9) -> "Figure":
    """An empty figure, in inches, in the style of the report. Raises MissingPackageError."""
    with _needs_matplotlib():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def styled() -> AbstractContextManager[None]:
    """A context in which figures of the report are drawn and written."""
    with _needs_matplotlib():
        from matplotlib import rc_context

    return rc_context(_STYLE)


def to_png(figure: "Figure", *, dpi: int = 150) -> bytes:
    with styled():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def to_svg(figure: "Figure", *, name: str, label: str) -> str:
    """An <svg> element. name: distinct on the page, keeps its ids apart; label: read aloud instead of the picture."""
    with _needs_matplotlib():
        from matplotlib import rc_context

    buffer = io.StringIO()
    with styled(), rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    view_box = re.findall(r'viewBox="([^"]*)"', text)[0]
    opening = f'<svg viewBox="{view_box}" role="img" aria-label="{escape(label, quote=True)}">'
    text = opening + text[text.index(">") + 1 :]
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", text)
    text = re.sub(r'\b(id="|xlink:href="#|href="#|url\(#)', rf"\g<1>{name}-", text).replace("xlink:href", "href")
    for colour, variable in _VARIABLES.items():
        text = re.sub(colour, variable, text, flags=re.IGNORECASE)
    return re.sub(r"\n\s*", "\n", text).strip()


def data_uri(content: bytes, *, kind: str) -> str:
    """Content inside the page; kind such as "image/jpeg"."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
