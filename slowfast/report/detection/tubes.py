"""The part of a report on sets annotated frame by frame: frame-mAP in every convention, and video-mAP of tubes."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from slowfast.report.numbers import difference, heads, number
from slowfast.report.svg import RUN_COLOURS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PREFIX = "video_mAP@"
NO_TUBES = (
    "There is no video-mAP: the model was shown annotated frames only (TUBES.FRAMES annotated), which tell when an "
    "action begins and ends."
)


def has_tubes(metrics: Mapping) -> bool:
    """Whether these are numbers of a set annotated frame by frame."""
    return "conventions" in metrics


def tubes_section(names: Sequence[str], metrics: Sequence[Mapping], plot: str) -> str:
    """Everything on tubes of one run, or of two; plot: the figure of `video_map_figure`, "" where there is none."""
    return f"{_video_part(names, metrics, plot)}{_conventions(names, metrics)}"


def _video_part(names: Sequence[str], metrics: Sequence[Mapping], plot: str) -> str:
    scored = [m["video_mAP"] for m in metrics if m.get("video_mAP")]
    without = [name for name, m in zip(names, metrics, strict=True) if not m.get("video_mAP")]
    if without:
        return f"<p>{escape(', '.join(without))}: {NO_TUBES}</p>" if len(names) > 1 else f"<p>{NO_TUBES}</p>"
    texts = [_protocol(one) for one in scored]
    if len(set(texts)) == 1:
        told = f"<p>{_WHAT} {texts[0]}</p>"
    else:
        told = f"<p>{_WHAT}</p>" + "".join(f"<p><b>{escape(n)}</b>: {t}</p>" for n, t in zip(names, texts, strict=True))
    return f'{told}<div class="pair"><div>{_overall(names, scored)}{plot}</div>{_class_table(names, scored)}</div>'


def _protocol(video: Mapping) -> str:
    return (
        f"AP by <b>{escape(video['ap_rule'])}</b>; {escape(video['linking'])}; {video['num_videos']:,} videos, "
        f"{video['num_classes_scored']} of {video['num_classes']} classes have annotated tubes."
    )


def _overall(names: Sequence[str], scored: Sequence[Mapping]) -> str:
    keys = [key for key in scored[0] if key.startswith(PREFIX)]
    rows = []
    for key in keys:
        values = [one[key] for one in scored]
        change = difference(*values) if len(values) > 1 else ""
        cells = "".join(f"<td><b>{number(value)}</b></td>" for value in values)
        rows.append(f"<tr><td>video-mAP@{key.removeprefix(PREFIX)}</td>{cells}{change}</tr>")
    head = f"<tr><th></th>{heads(names)}<th>change</th></tr>" if len(names) > 1 else ""
    return f'<div class="table"><table id="video"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def _class_table(names: Sequence[str], scored: Sequence[Mapping]) -> str:
    """One run: AP at every overlap; two: AP at 0.5 and its difference."""
    first = scored[0]
    order = sorted(first["instances"], key=lambda name: (-(first["AP"]["0.5"][name] or 0), name))
    if len(scored) == 1:
        shown = list(first["AP"])
        wide = {"0.2": ' class="wide"', "0.75": ' class="wide"'}
        head = "".join(f"<th{wide.get(t, '')}>@{t}</th>" for t in shown)
        head = f'<th>action</th><th>tubes</th><th class="wide">found</th>{head}'
    else:
        head = f"<th>action, AP@0.5</th><th>tubes</th>{heads(names)}<th>change</th>"
    rows = []
    for name in order:
        cells = f"<td>{escape(name)}</td><td>{first['instances'][name]:,}</td>"
        if len(scored) == 1:
            cells += f'<td class="wide">{first["detections"][name]:,}</td>'
            cells += "".join(f"<td{wide.get(t, '')}>{number(first['AP'][t][name])}</td>" for t in shown)
        else:
            values = [one["AP"]["0.5"][name] for one in scored]
            cells += "".join(f"<td>{number(value)}</td>" for value in values) + difference(*values)
        rows.append(f"<tr>{cells}</tr>")
    body = "".join(rows)
    return f'<div class="table"><table id="tubes"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _conventions(names: Sequence[str], metrics: Sequence[Mapping]) -> str:
    used = dict.fromkeys(m["convention"] for m in metrics)
    rows = []
    for convention in dict.fromkeys([*used, *(name for m in metrics for name in m["conventions"])]):
        values = [
            m["conventions"].get(convention, m["mAP"] if m["convention"] == convention else None) for m in metrics
        ]
        text = f"<b>{escape(convention)}</b> (this page)" if convention in used else escape(convention)
        cells = "".join(f"<td>{number(value)}</td>" for value in values)
        rows.append(f"<tr><td>{text}</td>{cells}{difference(*values) if len(values) > 1 else ''}</tr>")
    head = heads(names) + "<th>change</th>" if len(names) > 1 else "<th>frame-mAP@0.5</th>"
    return (
        "<p>The same detections in the conventions of the field. Numbers are comparable only within one row.</p>"
        f'<div class="table"><table id="conventions"><thead><tr><th>convention</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def video_map_figure(runs: Sequence[tuple[str, Mapping]]) -> "Figure":
    """Video-mAP at each overlap; runs: (name, metrics["video_mAP"])."""
    keys = [key for key in runs[0][1] if key.startswith(PREFIX)]
    with styled():
        figure = new_figure(height=2.4)
        axes = figure.subplots()
        width = 0.62 / len(runs)
        for i, (name, video) in enumerate(runs):
            at = np.arange(len(keys)) + (i - (len(runs) - 1) / 2) * width
            axes.bar(at, [video[key] for key in keys], width * 0.92, color=RUN_COLOURS[i], label=name)
            for x, key in zip(at, keys, strict=True):
                value = video[key]
                axes.annotate(f"{value:.2f}", (x, value), xytext=(0, 3), textcoords="offset points", ha="center")
        axes.set_xticks(range(len(keys)), [f"@{key.removeprefix(PREFIX)}" for key in keys])
        axes.tick_params(axis="x", length=0)
        axes.grid(axis="x", visible=False)
        axes.set_ylim(0, 1.1)
        axes.set_yticks(np.linspace(0, 1, 6))
        axes.set(title="Video-mAP by the overlap of tubes")
        if len(runs) > 1:
            axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


_WHAT = (
    "Boxes linked to tubes through each video; a tube is right when its overlap in space and time with an annotated "
    "one reaches the threshold."
)
