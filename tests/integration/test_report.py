"""`tools/report.py` on a run's folder, and its page in a real browser: content, no console message, no request."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import escape
from pathlib import Path

import numpy as np
import pytest

from slowfast.config import load_cfg
from slowfast.evaluation.frames.conventions import FrameConvention, all_conventions, conventional_frame_map
from slowfast.evaluation.frames.frame_map import frame_map
from slowfast.evaluation.tubes.linking import LinkRules
from slowfast.evaluation.tubes.video_map import video_map
from slowfast.report.detection.run import write_report
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.annotations.tube import Tube
from slowfast.tasks.localization import Localization
from slowfast.tasks.tested_run import read_tested_run
from slowfast.utils.ava.tables import write_detections_csv

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
MOST_BYTES = 5_000_000


@pytest.fixture
def make_run(toy_config: str, overrides: list[str], tmp_path: Path) -> Callable[..., Path]:
    """A folder as a test leaves it: the annotations with noise as detections, no training."""

    def make(name: str, *, noise: float, convention: FrameConvention | None = None) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        cfg = load_cfg(toy_config, [*overrides, "OUTPUT_DIR", str(folder)])
        (folder / "config.yaml").write_text(cfg.dump())
        annotated = Localization(cfg).test_split.annotated
        truth = annotated.groundtruth
        truth = truth.rows(truth.label > 0)
        rng = np.random.default_rng(0)
        people, person = np.unique(truth.boxes, axis=0, return_inverse=True)
        moved = np.clip(people + rng.normal(0, noise, people.shape), 0, 1).astype(np.float32)
        score = rng.uniform(0.5, 1, len(truth)).astype(np.float32)
        found = BoxTable(truth.videos, truth.video, truth.timestamp, moved[person.ravel()], truth.label, score)
        write_detections_csv(found, folder / "detections.csv")
        ones = np.ones(len(truth), np.int32)
        actors = BoxTable(found.videos, found.video, found.timestamp, found.boxes, ones, score)
        write_detections_csv(actors, folder / "people.csv")
        scored = (annotated.groundtruth, found, annotated.eval_label_map)
        metrics = frame_map(*scored).report()
        if convention:  # as a test on a set annotated frame by frame leaves it
            metrics = conventional_frame_map(*scored, convention).report()
            metrics |= {"conventions": all_conventions(*scored), "video_mAP": _video_map(annotated.eval_label_map)}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        log = [{"kind": "train", "step": k, "loss": 3.0 - k} for k in range(3)]
        (folder / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in log))
        return folder

    return make


def _video_map(label_map: LabelMap) -> dict:
    boxes, frames = np.tile([0.1, 0.1, 0.5, 0.9], (20, 1)), np.arange(1, 21)
    truth = [Tube("v", i, frames, boxes) for i in label_map.ids]
    tubes = [Tube("v", i, frames, boxes * [1, 1, 1, 0.8], 0.5, np.full(20, 0.5)) for i in label_map.ids]
    return video_map(truth, tubes, label_map, videos=["v"], linking=str(LinkRules())).report()


@pytest.fixture
def browser(tmp_path: Path) -> Callable[..., tuple[str, list[str]]]:
    """Load a page in a headless browser -> (its DOM afterwards, its console messages)."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed (Debian: apt-get install chromium)")

    def load(page: Path) -> tuple[str, list[str]]:
        command = [
            *(found, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            *(
                "--no-first-run",
                "--hide-scrollbars",
                f"--user-data-dir={tmp_path / 'profile'}",
                "--window-size=1300,900",
            ),
            *("--enable-logging=stderr", "--v=0", "--dump-dom"),
            page.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return load


def test_the_page_in_a_browser_at_both_widths(make_run, run_main, browser, tmp_path):
    good, bad = make_run("good", noise=0.01), make_run("bad", noise=0.15)
    metrics = json.loads((good / "metrics.json").read_text())
    assert run_main("tools/report.py", str(good)).stdout.strip() == str(good / "report.html")
    run_main("tools/report.py", str(good), "--compare", str(bad), "--out", str(tmp_path / "pages/both.html"))
    assert (good / "report/errors.png").is_file() and (tmp_path / "pages/both/errors.png").is_file()

    for page, texts in (
        (good / "report.html", [f'id="map">{metrics["mAP"]:.3f}<', "Worst misses", "Best hits"]),
        (tmp_path / "pages/both.html", ["Where good is better", "mAP gained", f">{metrics['mAP']:.3f}<"]),
    ):
        assert page.stat().st_size < MOST_BYTES
        dom, console = browser(page)
        assert console == []
        for text in ["protocol <b>official</b>", "Finding people", "<svg viewBox=", *texts]:
            assert text in dom, text
        assert len(re.findall(r'<input type="checkbox"', dom)) >= 2
        dom, console = browser(framed(page, tmp_path / "framed.html", widths=(390, 1200)))
        assert console == []
        # nothing sticks out sideways, and a clip plays once it is clicked
        assert "<title>widths 390,1200; clip hidden none, clicked visible play</title>" in dom


def test_the_page_of_a_frame_annotated_set_in_a_browser(make_run, run_main, browser, tmp_path):
    """Under the run's own rules, so that no number differs from metrics.json, and nothing sticks out."""
    act = FrameConvention("annotated", "trapezoid", "remaining")
    run, other = (make_run(name, noise=noise, convention=act) for name, noise in (("one", 0.02), ("two", 0.1)))
    run_main("tools/report.py", str(run))
    run_main("tools/report.py", str(run), "--compare", str(other))
    assert (run / "report/video_map.png").is_file()
    for page in (run / "report.html", run / "report_against_two.html"):
        dom, console = browser(page)
        assert console == [] and "metrics.json says" not in dom
        for text in (str(act), "online linking (IoU &gt;= 0.2", "(this page)", 'id="tubes"', "video-mAP@0.5:0.95"):
            assert text in dom, text
        dom, console = browser(framed(page, tmp_path / "framed.html", widths=(390, 1200)))
        assert "<title>widths 390,1200; clip" in dom and console == []


def framed(page: Path, copy: Path, *, widths: tuple[int, ...]) -> Path:
    """The page in frames of these widths (a browser's own window cannot be as narrow as a phone), and in the title how
    wide its content is in each, and what the first clip does before and after a click."""
    content = escape(page.read_text(), quote=True)
    frames = "".join(f'<iframe style="width:{w}px;height:800px;border:0" srcdoc="{content}"></iframe>' for w in widths)
    script = """addEventListener("load", () => {
        const pages = [...document.querySelectorAll("iframe")].map((f) => f.contentDocument)
        const widths = pages.map((page) => page.documentElement.scrollWidth)
        const strip = pages[0].querySelector("label.clip .strip")
        const state = () => { const s = getComputedStyle(strip); return s.visibility + " " + s.animationName }
        const before = state()
        strip.closest("label").click()
        document.title = "widths " + widths + "; clip " + before + ", clicked " + state() })"""
    icon = '<link rel="icon" href="data:,">'
    copy.write_text(f'<!DOCTYPE html><meta charset="utf-8">{icon}<script>{script}</script>{frames}')
    return copy


def test_the_browser_reports_what_would_leave_the_page(make_run, run_main, browser):
    run = make_run("run", noise=0.02)
    run_main("tools/report.py", str(run))
    page = run / "report.html"
    whole = page.read_text()
    for addition in (
        '<img src="https://example.org/a.png">',
        '<p style="background:url(http://example.org/a.png)">a</p>',
    ):
        page.write_text(whole.replace("</main>", addition + "</main>"))
        _, console = browser(page)
        assert len(console) == 1 and "Content Security Policy" in console[0]


def test_a_missing_clip_is_said_on_the_page_and_a_missing_table_of_people_too(make_run, run_main, toy_data, tmp_path):
    run = make_run("run", noise=0.02)
    (run / "people.csv").unlink()
    (run / "log.jsonl").unlink()
    videos = tmp_path / "videos"
    shutil.copytree(toy_data / "videos", videos)
    for path in videos.iterdir():
        path.write_bytes(b"no video")
    run_main("tools/report.py", str(run), "AVA.VIDEO_DIR", str(videos), "DATA.CACHE_DIR", "")
    page = (run / "report.html").read_text()
    assert "The clip could not be read" in page
    assert "left no people.csv with p(actor)" in page and "there is no log.jsonl" in page


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda run: shutil.rmtree(run), "is no folder; give the OUTPUT_DIR"),
        (lambda run: (run / "detections.csv").unlink(), "has no detections.csv: it is not the OUTPUT_DIR"),
        (lambda run: (run / "metrics.json").write_text("{"), "metrics.json is not valid JSON"),
        (lambda run: (run / "metrics.json").write_text('{"top1": 1}'), "metrics.json lacks counters, instances"),
        (lambda run: (run / "log.jsonl").write_text("{"), "log.jsonl, line 1: not valid JSON"),
        (lambda run: (run / "config.yaml").write_text("TEST:\n  REPROT: True\n"), r"TEST\.REPORT"),
    ],
)
def test_a_folder_that_cannot_be_reported_says_why(make_run, break_it, message):
    run = make_run("run", noise=0.02)
    break_it(run)
    with pytest.raises((ValueError, OSError), match=message):
        write_report(read_tested_run(run))
    assert not (run / "report.html").exists()


def test_runs_that_cannot_be_compared_say_why(make_run, run_main):
    run, other = make_run("run", noise=0.02), make_run("other", noise=0.02)
    first = read_tested_run(run)
    with pytest.raises(ValueError, match="cannot be compared with itself; --compare takes another run"):
        write_report(first, compare=first)
    metrics = json.loads((other / "metrics.json").read_text())
    metrics["instances"]["stand"] += 1
    (other / "metrics.json").write_text(json.dumps(metrics))
    done = run_main("tools/report.py", str(run), "--compare", str(other), processes=1, expect=2)
    assert "different annotations cannot be compared" in done.stderr and "Traceback" not in done.stderr


def test_runs_of_one_name_are_told_apart_and_a_number_that_does_not_fit_is_noted(make_run):
    run, other = make_run("one", noise=0.02), make_run("two", noise=0.02)
    run, other = (old.rename(make_parent(old.parent / old.name[0]) / "run") for old in (run, other))
    metrics = json.loads((run / "metrics.json").read_text()) | {"mAP": 0.123}
    (run / "metrics.json").write_text(json.dumps(metrics))
    page = write_report(read_tested_run(run), compare=read_tested_run(other)).read_text()
    assert "o/run" in page and "t/run" in page
    assert "metrics.json says mAP 0.1230; on the annotations as they are now these detections have" in page


def make_parent(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_run_that_found_nobody_has_a_page_that_says_so(make_run, tmp_path):
    folder = make_run("nobody", noise=0.0)
    (folder / "detections.csv").write_text("")
    (folder / "people.csv").write_text("")
    run = read_tested_run(folder)
    metrics = frame_map(run.annotated.groundtruth, run.detections, run.annotated.eval_label_map).report()
    assert metrics["mAP"] == 0
    (folder / "metrics.json").write_text(json.dumps(metrics))
    page = write_report(read_tested_run(folder)).read_text()
    assert "no detection was scored: the mAP is 0 because nothing was detected" in page
