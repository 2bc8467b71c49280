"""The parts of a report as HTML: numbers, tables and the text around the plots."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isfinite

import numpy as np

from slowfast.report.numbers import heads, number, pair
from slowfast.structures.outputs.diagnosis import ClassCurve, Diagnosis

_CAP = {"official": "the 50 best rows of a key frame", "uncapped": "all rows"}
_SET = {"all_included": "all key frames, empty ones too", "gt_only": "only key frames with people"}


def protocol_text(metrics: Mapping) -> str:
    """What a mAP was measured on, in a sentence."""
    classes = f"{metrics['num_classes_scored']} of {metrics['num_classes']} classes have ground truth"
    map_name, count = f"frame-mAP@{metrics['iou_threshold']:g}", f"{metrics['num_key_frames']:,}"
    if metrics.get("convention"):
        return f"{map_name}, convention <b>{escape(metrics['convention'])}</b>: {count} frames, {classes}"
    return (
        f"{map_name}, protocol <b>{escape(metrics['protocol'])}</b> ({_CAP.get(metrics['protocol'], 'as named')}), "
        f"key frames <b>{escape(metrics['key_frames'])}</b> ({_SET.get(metrics['key_frames'], 'as named')}): "
        f"{count} key frames, {classes}"
    )


def hero(metrics: Mapping, diagnosis: Diagnosis) -> str:
    """The number, and what it was measured on."""
    tiles = {
        "person AP": number(metrics.get("person_AP")),
        "people annotated": f"{diagnosis.actor.people:,}",
        "boxes found": f"{diagnosis.actor.boxes:,}",
        "actions annotated": f"{sum(metrics['instances'].values()):,}",
        "detections scored": f"{sum(metrics['detections'].values()):,}",
    }
    if metrics["protocol"] == "official":
        tiles["dropped by the cap"] = f"{metrics['counters']['detections_dropped_cap']:,}"
    if metrics.get("clips_per_second"):
        tiles["clips a second"] = f"{metrics['clips_per_second']:.1f}"
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles.items())
    return (
        f'<div class="hero"><div class="big" id="map">{number(metrics["mAP"])}</div>'
        f'<div class="what">{protocol_text(metrics)}{_frame_order(metrics)}</div></div><dl class="tiles">{cells}</dl>'
    )


def _frame_order(metrics: Mapping) -> str:
    order = metrics.get("frame_order", "forward")
    return "" if order == "forward" else f"; frames <b>{escape(order)}</b>"


def comparison(names: Sequence[str], metrics: Sequence[Mapping], diagnoses: Sequence[Diagnosis]) -> str:
    """Two runs: their numbers, what these were measured on, and the difference."""
    big = "".join(
        f'<div><div class="big run{i}">{number(m["mAP"])}</div><div class="run{i}">{escape(name)}</div></div>'
        for i, (name, m) in enumerate(zip(names, metrics, strict=True))
    )
    texts = [protocol_text(m) + _frame_order(m) for m in metrics]
    if texts[0] == texts[1]:
        told = f'<p class="what">Both: {texts[0]}</p>'
    else:
        told = "".join(f'<p class="what"><b class="run{i}">{escape(names[i])}</b>: {texts[i]}</p>' for i in (0, 1))
    rows = [
        ("mAP", [m["mAP"] for m in metrics]),
        ("person AP", [m.get("person_AP") for m in metrics]),
        *((key.replace("_", "-"), [m["video_mAP"][key] for m in metrics]) for key in _video_keys(metrics)),
        *((f"mAP, {part.name}", [_part(d, part.name) for d in diagnoses]) for part in diagnoses[0].by_size),
    ]
    body = "".join(f"<tr><td>{escape(name)}</td>{pair(values)}</tr>" for name, values in rows)
    table = f"<table><thead><tr><th></th>{heads(names)}<th>change</th></tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="hero two">{big}</div>{told}<div class="table">{table}</div>'


def _video_keys(metrics: Sequence[Mapping]) -> list[str]:
    """The video-mAPs that all runs have."""
    return [
        key
        for key in metrics[0].get("video_mAP") or ()
        if all(key in (m.get("video_mAP") or ()) for m in metrics) and key.startswith("video_mAP@")
    ]


def _part(diagnosis: Diagnosis, name: str) -> float | None:
    return next((part.mean_ap for part in diagnosis.by_size if part.name == name), None)


def error_table(names: Sequence[str], diagnoses: Sequence[Diagnosis]) -> str:
    """Counts of each kind of error beside its cost; two runs without the shares."""
    one = len(names) == 1
    columns = (
        "<th>how often</th><th>share</th><th>mAP gained</th>" if one else "<th>how often</th><th>mAP gained</th>" * 2
    )
    runs = "" if one else f"<tr><th></th>{heads(names, columns=2)}</tr>"
    rows = []
    for cost in diagnoses[0].errors:
        others = [next(c for c in d.errors if c.kind == cost.kind) for d in diagnoses]
        share = f"<td>{100 * cost.share:.1f} %</td>" if one else ""
        cells = "".join(f"<td>{c.count:,}</td>{share}<td>{c.gain:+.3f}</td>" for c in others)
        rows.append(f"<tr><td>{cost.kind}</td>{cells}</tr>")
    head = f"<thead>{runs}<tr><th>error</th>{columns}</tr></thead>"
    return f'<div class="table"><table id="costs">{head}<tbody>{"".join(rows)}</tbody></table></div>'


def class_table(diagnoses: Sequence[Diagnosis]) -> str:
    """A row per class, the most frequent first: AP as a bar and a number, and its precision-recall curve."""
    order = sorted(range(len(diagnoses[0].classes)), key=lambda k: -diagnoses[0].classes[k].instances)
    rows = "".join(_class_row([d.classes[k] for d in diagnoses]) for k in order)
    two = '<th class="run0">AP, first</th><th class="run1">AP, second</th><th>change</th>'
    values = "<th>AP</th>" if len(diagnoses) == 1 else two
    counts = '<th>action</th><th>boxes</th><th class="wide">detections</th><th class="bar"></th>'
    head = f"<tr>{counts}{values}<th>precision / recall</th></tr>"
    return f'<div class="table"><table id="classes"><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _class_row(curves: Sequence[ClassCurve]) -> str:
    first = curves[0]
    bars = "".join(f'<span style="width:{100 * (c.ap if isfinite(c.ap) else 0):.1f}%"></span>' for c in curves)
    values = pair([c.ap for c in curves]) if len(curves) > 1 else f"<td>{number(first.ap)}</td>"
    paths = "".join(
        f'<path class="{"second" if i else "first"}" d="{_path(c.recall, c.precision)}"/>' for i, c in enumerate(curves)
    )
    curve = (
        f'<svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label="precision-recall curve of '
        f'{escape(first.name, quote=True)}"><rect width="100" height="40"/>{paths}</svg>'
    )
    detections = " / ".join(f"{c.detections:,}" for c in curves)
    return (
        f'<tr><td>{escape(first.name)}</td><td>{first.instances:,}</td><td class="wide">{detections}</td>'
        f'<td class="bar">{bars}</td>{values}<td class="curve">{curve}</td></tr>'
    )


def _path(recall: np.ndarray, precision: np.ndarray) -> str:
    """The curve in a box of 100 by 40; empty when nothing was found."""
    if not len(recall):
        return "M0 40"
    x, y = 100 * recall, 40 - 38 * precision
    steps = "".join(f"V{b:.1f}H{a:.1f}" for a, b in zip(x, y, strict=True))
    return f"M0 {y[0]:.1f}{steps}V40"


def most_confused(diagnosis: Diagnosis, *, shown: int = 6) -> str:
    """The commonest mistakes in words."""
    counts = diagnosis.confusion.counts.copy()
    total = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    names = diagnosis.confusion.names
    pairs = sorted(zip(*np.nonzero(counts), strict=True), key=lambda ij: -counts[ij])[:shown]
    items = "".join(
        f"<li><b>{escape(names[i])}</b> taken for <b>{escape(names[j])}</b>: {counts[i, j]} of {total[i]}</li>"
        for i, j in pairs
    )
    return f"<ul>{items}</ul>" if items else "<p>No action is taken for another.</p>"
