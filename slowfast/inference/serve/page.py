"""The page as HTML: where a video is dropped, the list of results, and the frame of the player. It loads nothing else."""

import base64
import hashlib
import json
from dataclasses import dataclass
from html import escape

from slowfast.inference.serve.limits import KINDS, Limits
from slowfast.inference.serve.page_style import CSS, SCRIPT
from slowfast.report.style import CSS as REPORT_CSS

_SCRIPT_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
PAGE_POLICY = (
    "default-src 'none'; connect-src 'self'; frame-src 'self'; img-src data:; style-src 'unsafe-inline'; "
    f"script-src 'sha256-{_SCRIPT_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
EVERY_CHOICES = (0.25, 0.5, 1.0, 2.0)  # seconds
_CLASSES_SHOWN = 12


@dataclass(frozen=True)
class Shown:
    """What the page says of the model.

    weights: the name of its file; detects: it finds people; classes: names of what they do; every: seconds between key
    frames where nothing else is wished
    """

    weights: str
    detects: bool
    classes: tuple[str, ...]
    every: float


def page_html(shown: Shown, limits: Limits) -> str:
    """The page as text; names of files and classes are text in it."""
    minutes = limits.keep_seconds / 60
    kept = "an hour" if minutes == 60 else f"{minutes:g} minutes"
    data = json.dumps({"most": limits.most_bytes, "large": limits.too_large()}).replace("<", "\\u003c")
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>Who does what?</title><link rel="icon" href="data:,"><style>{REPORT_CSS}{CSS}</style></head><body><main>'
        f"<header><h1>{'Who does what?' if shown.detects else 'What does it show?'}</h1>"
        f'<p class="what">{escape(shown.weights)} knows {_classes(shown.classes)}</p></header>'
        '<label id="drop"><input type="file" accept="video/*,.mkv,.avi,.flv,.ts" aria-label="a video">'
        "<strong>Drop a video here, or click to choose one</strong>"
        f"<span>{KINDS}; at most {limits.most_bytes / 1e6:g} MB and {limits.most_seconds / 60:g} minutes</span></label>"
        f'<div class="wishes">{_wishes(shown)}</div>'
        '<p id="error" class="note" role="alert" hidden></p>'
        '<section id="watch" hidden><iframe title="the player"></iframe></section>'
        '<section><h2>Results</h2><ul id="jobs" aria-live="polite"></ul>'
        '<p id="nothing">Nothing yet.</p></section>'
        "<footer>A video is stored under a random name on the machine where this page runs, and used for nothing else. It and "
        f"its results are removed {kept} after it was done, or when the page ends. Whoever can open this page sees all "
        f"results. Videos are worked on one at a time; {limits.waiting} may wait.</footer></main>"
        f'<script type="application/json" id="data">{data}</script><script>{SCRIPT}</script></body></html>\n'
    )


def _classes(names: tuple[str, ...]) -> str:
    shown = ", ".join(escape(name) for name in names[:_CLASSES_SHOWN])
    more = len(names) - _CLASSES_SHOWN
    return f"{shown} and {more} more." if more > 0 else f"{shown}."


def _wishes(shown: Shown) -> str:
    if not shown.detects:
        return ""
    choices = "".join(
        f'<option value="{value:g}"{" selected" if value == shown.every else ""}>every {value:g} s</option>'
        for value in sorted({*EVERY_CHOICES, shown.every})
    )
    return (
        f'<label>look for people <select id="every">{choices}</select></label>'
        '<label><input type="checkbox" id="track"> number people</label>'
    )
