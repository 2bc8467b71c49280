"""The player page: whole, self-contained, and safe whatever files and classes are called."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from slowfast.inference.tracking.spans import BetweenKeyFrames
from slowfast.inference.written import player
from slowfast.inference.written.player import player_html, plays_in_browsers, video_address, write_player
from slowfast.inference.written.player_style import SCRIPT
from slowfast.visualization.draw import action_colour
from tests.unit.inference.results_by_hand import NASTY, classification, detections
from tests.unit.video.video_maker import write_video

VOID = {"meta", "link", "input"}


class Page(HTMLParser):
    """Elements with their attributes, and the text of those that hold text; every element must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def data_of(page: Page) -> dict:
    return json.loads(page.text("script")[0])


@pytest.mark.parametrize("result", [detections(), detections(track=True), classification()])
def test_the_page_is_whole_and_names_are_text(result):
    page = Page(player_html(result, "some%20video.mp4"))
    assert [script.get("type") for script in page.all("script")] == ["application/json", None]
    assert len(page.all("video")) == len(page.all("canvas")) == 1 and page.all("b") == []
    assert page.text("h1") == [result.source.rsplit("/", 1)[-1]]
    assert data_of(page)["classes"] == ["walk", NASTY]
    # The colours of the drawn video.
    expected = ["#{:02x}{:02x}{:02x}".format(*action_colour(name)) for name in ("walk", NASTY)]
    assert data_of(page)["colours"] == expected and expected[0] != expected[1]
    assert page.text("script")[1] == SCRIPT
    assert page.all("video")[0]["src"] == "some%20video.mp4"


def test_it_loads_nothing_and_runs_one_script_only():
    text = player_html(detections(), "v.mp4")
    assert not re.search(r"(https?:)?//[a-z]", text)
    policy = next(meta["content"] for meta in Page(text).all("meta") if meta.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1] and "connect-src" not in policy
    assert "innerHTML" not in SCRIPT and "eval(" not in SCRIPT and "insertAdjacent" not in SCRIPT


def test_people_are_linked_and_lanes_are_by_hand():
    data = data_of(Page(player_html(detections(), "")))
    assert [[p["k"] for p in moment["p"]] for moment in data["moments"]] == [[1], [1, 2], []]
    assert data["moments"][0]["p"][0] == {
        "b": [0.125, 0.25, 0.375, 0.75],
        "k": 1,
        "n": None,
        "a": [[0, 0.5], [1, 0.25]],
    }
    # Each key frame stands for the half second after it; successive ones are joined.
    assert data["lanes"] == [
        {"name": "walk", "action": "walk", "person": 0, "spans": [[0.0, 1.0, 0.75]]},
        {"name": NASTY, "action": NASTY, "person": 0, "spans": [[0.0, 0.5, 0.25]]},
    ]
    tracked = data_of(Page(player_html(detections(track=True), "")))
    assert [(lane["name"], lane["spans"]) for lane in tracked["lanes"]] == [
        ("person 1: walk", [[0.0, 0.5, 0.75]]),
        (f"person 1: {NASTY}", [[0.0, 0.25, 0.25]]),
        ("person 2: walk", [[0.5, 0.75, 0.5]]),
    ]
    clips = data_of(Page(player_html(classification(), "")))
    assert clips["clips"] == [{"t": 0.0, "a": [[0, 0.75], [1, 0.25]]}, {"t": 1.0, "a": [[0, 0.5]]}]
    assert clips["lanes"][0]["spans"] == [[0.0, 1.5, 0.75]]


def test_what_is_left_out_is_said(monkeypatch):
    monkeypatch.setattr(player, "MOST_LANES", 1)
    notes = Page(player_html(detections(), "")).text("p")
    assert "No people are told at second 1.5: it is damaged" in notes
    assert "1 more lanes, of the shortest actions, are not shown." in notes
    assert [lane["name"] for lane in data_of(Page(player_html(detections(), "")))["lanes"]] == ["walk"]


def test_a_small_video_is_inside_a_big_one_beside(tmp_path, monkeypatch):
    video = write_video(tmp_path / "my clip#1.mp4", frames=5)
    (tmp_path / "out").mkdir()
    inside = video_address(video, tmp_path / "out")
    assert base64.b64decode(inside.removeprefix("data:video/mp4;base64,")) == video.read_bytes()
    monkeypatch.setattr(player, "EMBEDDED_BYTES", 10)
    assert video_address(video, tmp_path / "out") == "../my%20clip%231.mp4"
    assert video_address(None, tmp_path) == ""
    write_player(detections(video), tmp_path / "out/page.html", video=video)
    page = Page((tmp_path / "out/page.html").read_text(encoding="utf-8"))
    assert page.all("video")[0]["src"] == "../my%20clip%231.mp4"


def test_which_videos_browsers_play(tmp_path):
    assert plays_in_browsers(write_video(tmp_path / "a.mp4", frames=3))
    assert not plays_in_browsers(write_video(tmp_path / "a.mkv", frames=3))
    assert not plays_in_browsers(write_video(tmp_path / "b.mp4", frames=3, codec="mpeg4", b_frames=0))


# As much of a browser as the script touches: elements that note what they are given, a pen that draws nothing.
BROWSER = """
const made = [];
function element(tag) {
  const self = { tag, style: {}, children: [], listeners: {}, checked: true, currentTime: 0, paused: true, hidden: true };
  self.append = (...more) => self.children.push(...more);
  self.addEventListener = (name, call) => { self.listeners[name] = call; };
  self.setAttribute = (name, value) => { self[name] = value; };
  self.getAttribute = name => self[name];
  self.getBoundingClientRect = () => ({ left: 0, width: 640, height: 480 });
  self.getContext = () => new Proxy({}, { get: () => () => ({ width: 10 }), set: () => true });
  made.push(self);
  return self;
}
const byId = {}, byQuery = {};
const document = {
  getElementById: id => byId[id] ||= element(id),
  querySelector: query => byQuery[query] ||= element(query),
  createElement: element,
};
const window = { devicePixelRatio: 2, addEventListener() {} };
byId.data = { textContent: require("fs").readFileSync(0, "utf8") };
byQuery.video = element("video");
byQuery.video.src = "v.mp4";
"""
ASK = """
const lanesMade = byQuery[".lanes"].children;
const button = lanesMade[0].children[1].children[0];
button.listeners.click({ stopPropagation() {} });
const asked = [0, 0.1, 0.3, 0.5, 0.6, 0.74, 0.76, 1.0, 1.9].map(t => peopleAt(t).map(one => [one.b, one.found]));
console.log(JSON.stringify({ asked, lanes: lanesMade.length, jumped: byQuery.video.currentTime, start: button.style.left,
  told: byQuery.output.textContent, missing: byId.missing.hidden }));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the script of the page")
@pytest.mark.parametrize("track", [False, True])
def test_the_script_runs_and_draws_what_the_drawn_video_draws(track):
    result = detections(track=track)
    data = Page(player_html(result, "")).text("script")[0]
    done = subprocess.run(
        ["node", "-e", BROWSER + SCRIPT.replace('"use strict";', "") + ASK], input=data, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["lanes"], told["jumped"], told["start"], told["missing"]) == (3 if track else 2, 0, "0%", True)
    assert told["told"] == "0.00 s of 2.00 s"
    between = BetweenKeyFrames(result.moments, every=result.every, tolerance=0.02 + 1e-6)
    for time, people in zip([0, 0.1, 0.3, 0.5, 0.6, 0.74, 0.76, 1.0, 1.9], told["asked"], strict=True):
        expected = sorted((one.box, not one.interpolated) for one in between.at(time))
        assert len(people) == len(expected)
        for (box, found), (wanted, solid) in zip(sorted(people), expected, strict=True):
            assert box == pytest.approx(wanted) and found is solid
