"""The page of `bmvit serve` and the player in a real chromium: a video is dropped, worked on, watched, clicked through."""

import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from slowfast.inference import ActionDetector
from slowfast.inference.predict import Options
from slowfast.inference.serve.limits import Limits
from slowfast.inference.written.results import DetectionResult
from slowfast.models.build import build_model
from slowfast.report.page import page_html
from slowfast.structures.outputs.moment import ActionClass, ActionScore, Moment, Person
from slowfast.video.writing.writer import write_video

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="the browser is steered by playwright; it is in the test extra"
)
uvicorn = pytest.importorskip("uvicorn", reason="the page needs uvicorn: pip install '.[serve]'")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTHS = (1200, 400)


@pytest.fixture(scope="module")
def browser() -> Iterator["sync_api.Browser"]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        # A container's user is often root, whom chromium refuses to put into its sandbox.
        made = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def opened(browser) -> Iterator[Callable[..., "sync_api.Page"]]:
    """Pages of a width; whatever they print or throw fails the test at its end."""
    pages, printed = [], []

    def open_page(width: int) -> "sync_api.Page":
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(20_000)
        page.on("console", lambda message: printed.append(message.text))
        page.on("pageerror", lambda error: printed.append(str(error)))
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    # A refused video is an answer of 4xx, which chromium prints; and it has advice for whoever looks at many pixels.
    expected = ("server responded with a status of 415", "willReadFrequently")
    assert [text for text in printed if not any(known in text for known in expected)] == []


def sideways(page) -> bool:
    """Something sticks out beside the window."""
    return page.evaluate("document.documentElement.scrollWidth > innerWidth")


# Where boxes are drawn, from the left to the right of the canvas in [0, 1].
DRAWN = """() => { const c = document.querySelector("canvas");
    const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    let left = c.width, right = -1;
    for (let i = 3; i < d.length; i += 4) if (d[i] > 200) {
        const x = ((i - 3) / 4) % c.width; left = Math.min(left, x); right = Math.max(right, x); }
    return [left / c.width, right / c.width]; }"""
SHOWN = "() => { const v = document.querySelector('video'); return v.readyState >= 2 && !v.seeking; }"


def seek(page, second: float) -> None:
    page.evaluate("second => jump(second)", second)
    page.wait_for_function(SHOWN)
    page.wait_for_timeout(50)


def test_boxes_move_with_the_video_and_a_click_on_a_lane_jumps(opened, tmp_path):
    """One person walks from the left to the middle, who is seen on the key frames at 0, 1 and 2 s."""
    write_video(np.zeros((60, 96, 128, 3), np.uint8), tmp_path / "walk.mp4", fps=20)
    walk, wave = ActionClass(0, 1, "walk"), ActionClass(1, 2, "wave")

    def moment(time: float, x: float, action: ActionClass) -> Moment:
        box = (x, 0.5, x + 0.25, 0.9)
        return Moment(time, (96, 128), (Person(box, box, 0.9, (ActionScore(action.name, action.id, 0.8),), 1),))

    moments = (moment(0.0, 0.0, walk), moment(1.0, 0.25, walk), moment(2.0, 0.5, wave))
    result = DetectionResult(str(tmp_path / "walk.mp4"), moments, (walk, wave), 1.0, 3.0, (), True, 0.05)
    result.to_html(tmp_path / "walk.html")
    page = opened(WIDTHS[1])
    page.goto((tmp_path / "walk.html").as_uri())
    page.wait_for_function(SHOWN)
    page.uncheck("#names")  # their letters are as wide as they are
    for second, x in ((0.0, 0.0), (0.5, 0.125), (1.0, 0.25), (2.0, 0.5)):
        seek(page, second)
        assert page.evaluate(DRAWN) == pytest.approx([x, x + 0.25], abs=0.02), second
    seek(page, 2.9)
    assert page.evaluate(DRAWN)[1] < 0  # nobody is told so far from the last key frame
    page.check("#names")
    assert page.locator(".lane > span").all_text_contents() == ["person 1: walk", "person 1: wave"]
    page.locator(".track button").nth(1).click()
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(2.0)
    track = page.locator(".track").first
    track.click(position={"x": track.bounding_box()["width"] * 0.9, "y": 4})
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(2.7, abs=0.05)
    assert page.locator("output").text_content().endswith("of 3.00 s") and not sideways(page)
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    seek(page, 1.0)
    # The picture is as high as 70 % of the window, and bars are beside it.
    box = page.locator("video").bounding_box()
    share = box["height"] * 128 / 96 / box["width"]
    assert share < 1 and not sideways(page)
    assert page.evaluate(DRAWN) == pytest.approx([(1 - share) / 2 + x * share for x in (0.25, 0.5)], abs=0.02)


@contextmanager
def serving(detector: ActionDetector, limits: Limits) -> Iterator[str]:
    """The page in a thread, and its address."""
    from slowfast.inference.serve import run

    said: queue.Queue[str] = queue.Queue()
    servers: list = []

    class Stoppable(uvicorn.Server):
        def __init__(self, config) -> None:
            super().__init__(config)
            servers.append(self)

    with pytest.MonkeyPatch.context() as patch, run.take_port("127.0.0.1", 0) as listening:
        patch.setattr(run.uvicorn, "Server", Stoppable)
        wanted = {"options": Options(every=0.5, score=0.0), "limits": limits, "say": said.put}
        thread = threading.Thread(target=run.serve, args=(detector, listening), kwargs=wanted, daemon=True)
        thread.start()
        try:
            yield said.get(timeout=20).split()[2]
        finally:
            servers[0].should_exit = True
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture
def detector(toy_config: str, overrides: list[str], tmp_path: Path) -> ActionDetector:
    """At random weights."""
    torch.manual_seed(0)
    cfg = load_cfg(toy_config, [*overrides, "MODEL.NUM_CLASSES", "2"])
    names = {"class_names": ["wave", "sit <b>"], "class_ids": [1, 2]}
    torch.save({"model_state": build_model(cfg).state_dict(), "cfg": cfg.dump(), **names}, tmp_path / "best.pyth")
    return ActionDetector.from_checkpoint(tmp_path / "best.pyth", device="cpu")


def test_a_video_is_dropped_worked_on_and_watched(opened, detector, toy_data, tmp_path):
    video = toy_data / "videos/toy_0007.mp4"
    (tmp_path / "text.mp4").write_text("no video" * 1000)
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:600])
    (tmp_path / "large.mp4").write_bytes(bytes(1_000_001))
    write_video(np.zeros((78, 32, 32, 3), np.uint8), tmp_path / "long <i>.mp4", fps=6)
    with serving(detector, Limits(most_bytes=1_000_000, most_seconds=12)) as address:
        page = opened(WIDTHS[0])
        page.goto(address)
        assert "best.pyth knows wave, sit <b>." in page.locator(".what").text_content()
        page.check("#track")
        page.set_input_files("input[type=file]", video)
        page.wait_for_selector(".job.done")
        assert "people on 8 key frames of 4.0 s; removed in 60 min" in page.locator(".job.done p").text_content()
        player = page.frame_locator("iframe")
        assert player.locator("h1").text_content() == "toy_0007.mp4"
        frame = next(frame for frame in page.frames if frame.url.endswith("/player"))
        frame.wait_for_function(SHOWN)
        frame.evaluate("jump(3.5)")  # the video is sought by ranges
        frame.wait_for_function("() => document.querySelector('video').currentTime > 3.4")

        for name, text in (
            ("text.mp4", "text.mp4: this is no video of a kind that is known here (MP4, MOV, WebM"),
            ("large.mp4", "large.mp4: the video is larger than the 1 MB that this page takes (--most-mb)"),
        ):
            page.set_input_files("input[type=file]", tmp_path / name)
            page.wait_for_function("text => document.getElementById('error').textContent.startsWith(text)", arg=text)
        for name, text in (
            ("cut.mp4", "the video could not be read: "),
            ("long <i>.mp4", "the video lasts 0.2 minutes, which is longer than the 0.2 minutes that this page"),
        ):
            page.set_input_files("input[type=file]", tmp_path / name)
            row = page.locator(".job.failed").filter(has_text=name)
            row.wait_for()
            assert row.locator("p").text_content().startswith(text) and str(tmp_path) not in row.text_content()
        assert page.locator("i").count() == 0
        narrow = opened(WIDTHS[1])
        narrow.goto(address)
        narrow.wait_for_selector(".job.done")  # results of before are listed
        assert not sideways(page) and not sideways(narrow)
        narrow.get_by_role("button", name="Remove toy_0007.mp4").click()
        narrow.wait_for_selector(".job.done", state="detached")
        assert narrow.locator(".job").count() == 2


def test_a_report_about_files_with_long_names_stays_within_a_phone(opened):
    path = "a/" + "very_long_name_" * 12 + "/config.yaml"
    what = f"data set <b>{path}</b>"
    head = f'<div class="hero"><div class="big">0.5</div><div class="what">{what}</div></div><p class="what">{what}</p>'
    page = opened(WIDTHS[1])
    page.set_content(page_html(["run"], head, []))
    assert not sideways(page) and page.locator("b").count() == 2
