"""A person's action scores over time, as SVG: one line for each action, in its colour."""

from collections.abc import Sequence
from html import escape

from slowfast.structures.outputs.moment import Person
from slowfast.visualization.draw import action_colour

Sighting = tuple[float, Person]  # second of a key frame, and the person there

WIDTH, HEIGHT = 480, 150
LEFT, RIGHT, TOP, BOTTOM = 34, 12, 10, 24  # pixels around the field
MOST_ACTIONS = 5


def likeliest_actions(seen: Sequence[Sighting]) -> list[str]:
    """The names that are ever the likeliest, highest score first; at most MOST_ACTIONS."""
    best: dict[str, float] = {}
    for _, person in seen:
        for action in person.actions:
            best[action.name] = max(best.get(action.name, 0.0), action.score)
    return sorted(best, key=lambda name: -best[name])[:MOST_ACTIONS]


def scores_plot(seen: Sequence[Sighting], names: Sequence[str], *, seconds: float, every: float, least: float) -> str:
    """An <svg> of the scores of `names`.

    seen: in order of time; seconds: of the video, the width of the plot; every: seconds between key frames, beyond which
    a line is broken; least: the score from which an action is told, drawn as a dashed line
    """
    lines = "".join(_line(seen, name, seconds, every) for name in names)
    label = "scores from 0 to 1 over the seconds of the video: " + ", ".join(names)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label, quote=True)}">'
        f'<rect x="0" y="0" width="{WIDTH}" height="{HEIGHT}" rx="8" class="field"/>'
        f"{_axes(seconds, least)}{lines}</svg>"
    )


def css_colour(name: str) -> str:
    """Of an action, as it is drawn on frames."""
    return "#{:02x}{:02x}{:02x}".format(*action_colour(name))


def _x(time: float, seconds: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * time / max(seconds, 1e-9)


def _y(score: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - score)


def _axes(seconds: float, least: float) -> str:
    parts = []
    for score in (0.0, 0.5, 1.0):
        y = _y(score)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{score:g}</text>')
    if least > 0:
        parts.append(f'<path d="M{LEFT} {_y(least):.1f}H{WIDTH - RIGHT}" class="least"/>')
    for time in _ticks(seconds):
        parts.append(f'<text x="{_x(time, seconds):.1f}" y="{HEIGHT - 7}" text-anchor="middle">{time:g}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 7}" text-anchor="end">s</text>')
    return "".join(parts)


def _ticks(seconds: float) -> list[float]:
    """Round seconds, at most eight, none under the unit at the right end."""
    step = next((s for s in (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600) if seconds / s <= 8), 3600)
    count = int(seconds / step) + 1
    return [number * step for number in range(count) if number * step <= 0.96 * seconds]


def _line(seen: Sequence[Sighting], name: str, seconds: float, every: float) -> str:
    """Dots joined by a line, with a gap where a key frame has not seen the person."""
    path, dots, last = "", "", None
    for time, person in seen:
        score = next((action.score for action in person.actions if action.name == name), 0.0)
        x, y = _x(time, seconds), _y(score)
        joined = last is not None and time - last <= 1.5 * every
        path += f"{'L' if joined else 'M'}{x:.1f} {y:.1f}"
        dots += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{css_colour(name)}"/>'
        last = time
    return f'<path d="{path}" fill="none" stroke="{css_colour(name)}" stroke-width="2.2"/>{dots}'
