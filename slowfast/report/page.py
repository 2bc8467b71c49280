"""What every report shares: the HTML page around its sections, its plots as PNG and in TensorBoard, names of runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from slowfast.report.style import CSS
from slowfast.report.svg import to_png, to_svg
from slowfast.utils.files import write_bytes, write_text
from slowfast.visualization.tensorboard import TensorBoardLog

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Said to the browser, which then refuses and reports whatever would leave the page.
LOADS_NOTHING = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Section:
    """A part of a page under a heading. key: its anchor, distinct on the page; content: HTML."""

    key: str
    heading: str
    content: str


def page_html(names: Sequence[str], head: str, sections: Sequence[Section], *, foot: str = "") -> str:
    """The page about one run, or about two; names: of the runs; head, foot: HTML below the names, and at the end."""
    title = " and ".join(names)
    links = "".join(f'<a href="#{section.key}">{escape(section.heading)}</a>' for section in sections)
    body = "".join(
        f'<section id="{section.key}"><h2>{escape(section.heading)}</h2>{section.content}</section>'
        for section in sections
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{LOADS_NOTHING}">'
        f'<title>{escape(title)}: report</title><link rel="icon" href="data:,"><style>{CSS}</style></head><body><main>'
        f"<header><h1>{_against(names)}</h1>{head}<nav>{links}</nav></header>{body}"
        f"<footer>{foot}This page is complete: it loads nothing. Its plots are beside it in the folder of its name.</footer>"
        "</main></body></html>\n"
    )


def _against(names: Sequence[str]) -> str:
    return " against ".join(f'<span class="run{i}">{escape(name)}</span>' for i, name in enumerate(names))


def notes_html(notes: Iterable[tuple[str, str]], *, named: bool) -> str:
    """What a reader must know about the numbers. notes: (run, note); named: say which run a note is about."""
    return "".join(f'<p class="note">{escape(f"{run}: {note}" if named else note)}</p>' for run, note in notes)


def plots(svg: Mapping[str, str], *names: str) -> str:
    """Those of the named plots that there are, side by side where there is room."""
    shown = "".join(f'<figure class="plot">{svg[name]}</figure>' for name in names if name in svg)
    return f'<div class="plots">{shown}</div>'


def beside(left: str, right: str) -> str:
    """Two blocks side by side, one below the other where the screen is narrow."""
    return f'<div class="pair">{left}{right}</div>'


def figures_as_svg(figures: Mapping[str, "Figure"], labels: Mapping[str, str]) -> dict[str, str]:
    """{name: <svg>}; labels: what is read aloud instead of a figure."""
    return {
        name: to_svg(figure, name=name.replace("_", ""), label=labels.get(name, name))
        for name, figure in figures.items()
    }


def write_figures(figures: Mapping[str, "Figure"], folder: Path) -> None:
    """Every figure as NAME.png in `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        write_bytes(to_png(figure), folder / f"{name}.png")


def write_page(page: str, figures: Mapping[str, "Figure"], out: Path) -> None:
    """The page at `out`, and its figures in the folder beside it that has its name."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, out)
    write_figures(figures, out.with_suffix(""))


def figures_to_tensorboard(figures: Mapping[str, "Figure"], folder: Path, log: Sequence[Mapping]) -> None:
    """The figures of the run in `folder` at its last epoch; log: the records of its log.jsonl."""
    epochs = [record["epoch"] for record in log if "epoch" in record]
    TensorBoardLog(folder / "tensorboard").write_figures("report", max(epochs, default=0), dict(figures))


def run_names(folders: Sequence[Path]) -> list[str]:
    """Folder names; with their parents where they are the same. Raises ValueError for one run twice."""
    folders = [folder.resolve() for folder in folders]
    if len(folders) == 2 and folders[0] == folders[1]:
        raise ValueError(f"{folders[0]} cannot be compared with itself; --compare takes another run")
    same = len({folder.name for folder in folders}) < len(folders)
    return [f"{folder.parent.name}/{folder.name}" if same else folder.name for folder in folders]


def page_path(folder: Path, names: Sequence[str]) -> Path:
    """Where the page of a run goes unless it is told: report.html, or report_against_NAME.html, in its folder."""
    return folder / ("report.html" if len(names) == 1 else f"report_against_{names[1].replace('/', '_')}.html")
