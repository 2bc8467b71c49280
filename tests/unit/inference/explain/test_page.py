"""The page that explains: whole, self-contained, safe whatever names are, and its plot by hand."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from slowfast.inference.explain.page import explanation_html, write_explanation
from slowfast.inference.explain.scores_plot import likeliest_actions, scores_plot
from slowfast.structures.outputs.explanation import Explanation, PersonExplanation
from tests.unit.inference.results_by_hand import NASTY, detections, person
from tests.unit.inference.written.test_player import Page


def collected(result, *, stride: int = 1, every_other: bool = False):
    """What a Collector holds of a result."""
    kept = []
    for moment in result.moments[:: 2 if every_other else 1]:
        heat = np.full((2, 4, 4), 1 / 32, np.float32)
        people = tuple(PersonExplanation(p, (1, 2), (0.5, 0.25, 0.75, 0.5), heat, heat) for p in moment.people)
        pictures = np.zeros((2, 48, 64, 3), np.uint8)
        kept.append(Explanation(moment.time, pictures, 1, (0.0, 0.0, 1.0, 1.0), people, (14, 15)))
    return SimpleNamespace(moments=list(result.moments), kept=kept, stride=stride)


@pytest.mark.parametrize("track", [False, True])
def test_the_page_is_whole_and_names_are_text(track, tmp_path):
    result = detections(track=track)
    write_explanation(result, collected(result), tmp_path / "deep/page.html", least=0.3)
    text = (tmp_path / "deep/page.html").read_text(encoding="utf-8")
    page = Page(re.sub(r"<(path|rect|circle)([^>]*)/>", r"<\1\2></\1>", text).replace("<img", "<link"))
    assert page.all("script") == page.all("b") == [] and page.text("h1") == ["a <b>.mp4: why"]
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r'"data:image[^"]*"', "", text))
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none'") and "script-src" not in policy
    assert page.text("h2") == ["person 1", "person 2"] and "(blocks 14 to 15)" in text
    assert NASTY in page.text("span") and "token None, row 2, column 3; walk 0.75" in " ".join(page.text("figcaption"))
    assert ("--track follows them" in text) is not track


def test_what_is_left_out_is_said():
    result = detections()
    text = explanation_html(result, collected(result, stride=2, every_other=True), least=0.3)
    assert "Pictures are of one key frame in 2; the scores are of all." in text
    assert text.count("<section>") == 2 and "second 0 to 0.5" in text
    nobody = replace(result, moments=())
    assert "Nobody was found with a score of at least 0.3" in explanation_html(nobody, collected(nobody), least=0.3)


def test_the_plot_by_hand():
    seen = [(0.0, person(0, 1.0, 0.25)), (0.5, person(0, 0.5)), (1.5, person(0, 0.0, 0.5))]
    assert likeliest_actions(seen) == ["walk", NASTY]
    svg = scores_plot(seen, ["walk"], seconds=2.0, every=0.5, least=0.3)
    # The field is 434 x 116 pixels from (34, 10): 0, half a second and one and a half seconds; a gap after the second.
    assert 'd="M34.0 10.0L142.5 68.0M359.5 126.0"' in svg
    assert svg.count("<circle") == 3 and 'class="least"' in svg
    assert 'class="least"' not in scores_plot(seen, ["walk"], seconds=2.0, every=0.5, least=0.0)
