"""The page's addresses with a stand-in for the work: what is taken, what is refused, and by which text."""

import time

import pytest

pytest.importorskip("starlette", reason="the page needs starlette: pip install '.[serve]'")
pytest.importorskip("httpx", reason="starlette's test client needs httpx; it is in the test extra")
from starlette.testclient import TestClient

from slowfast.inference.serve.app import build_app
from slowfast.inference.serve.guard import is_known_host, refusal
from slowfast.inference.serve.jobs import Jobs
from slowfast.inference.serve.limits import Limits
from slowfast.inference.serve.page import Shown, page_html
from tests.unit.inference.results_by_hand import NASTY

VIDEO = b"\x00\x00\x00\x20ftypisom" + bytes(2000)
SEND = {"X-File-Name": "a%20b.mp4"}


def work(job, watch):
    """Leaves a result at once; a video named "wait" is waited for."""
    while job.name == "wait":
        watch(0.5)
        time.sleep(0.005)
    for name, text in (("player.html", "<p>player"), ("result.jsonl", "{}\n"), ("result.csv", "a,b\n")):
        (job.folder / name).write_text(text)
    return "2 people"


@pytest.fixture
def jobs(tmp_path):
    made = Jobs(tmp_path, work, Limits(most_bytes=10_000, waiting=2))
    yield made
    made.close()


@pytest.fixture
def client(jobs) -> TestClient:
    return TestClient(build_app(jobs, Shown("best.pyth", True, ("walk", NASTY), 1.0)), base_url="http://127.0.0.1:8000")


def done(client: TestClient, key: str) -> dict:
    for _ in range(1000):
        (job,) = [job for job in client.get("/jobs").json()["jobs"] if job["id"] == key]
        if job["state"] in ("done", "failed"):
            return job
        time.sleep(0.005)
    raise AssertionError(job)


def test_a_video_is_sent_and_its_results_are_fetched_and_removed(client, tmp_path):
    sent = client.post("/jobs?every=0.5&track=1", content=VIDEO, headers=SEND)
    assert sent.status_code == 201
    key = sent.json()["id"]
    job = done(client, key)
    assert (job["name"], job["state"], job["message"]) == ("a b.mp4", "done", "2 people")
    (folder,) = tmp_path.iterdir()
    assert len(folder.name) == 32 and (folder / "video.mp4").read_bytes() == VIDEO
    player = client.get(f"/results/{key}/player")
    assert player.text == "<p>player" and player.headers["content-type"].startswith("text/html")
    table = client.get(f"/results/{key}/table")
    assert table.headers["content-disposition"] == "attachment; filename*=utf-8''a%20b.csv" and "sandbox" in str(
        table.headers
    )
    part = client.get(f"/results/{key}/video", headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, b"ftyp", "video/mp4")
    for answer in (player, table, part, client.get("/")):
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
    assert client.delete(f"/jobs/{key}").status_code == 204 and list(tmp_path.iterdir()) == []
    assert client.get(f"/results/{key}/player").status_code == 404 and client.delete(f"/jobs/{key}").status_code == 404


@pytest.mark.parametrize(
    ("content", "headers", "query", "status", "text"),
    [
        (
            VIDEO + bytes(9000),
            SEND,
            "",
            413,
            "the video has 0.0 MB, which is larger than the 0.01 MB that this page takes",
        ),
        (b"<html>", SEND, "", 415, "this is no video of a kind that is known here (MP4, MOV, WebM"),
        (b"#EXTM3U\n" + bytes(600), SEND, "", 415, "this is no video of a kind that is known here"),
        (b"", SEND, "", 415, "this is no video"),
        (VIDEO, {}, "", 400, "the name of the file is missing (header X-File-Name)"),
        (VIDEO, SEND, "?every=0.001", 400, "every is one of 0.25, 0.5, 1, 2 seconds"),
        (VIDEO, {**SEND, "Origin": "http://evil.example"}, "", 403, "a page of another site may not ask for this"),
        (VIDEO, {**SEND, "Origin": "null"}, "", 403, "a page of another site may not ask for this"),
        (VIDEO, {**SEND, "Sec-Fetch-Site": "cross-site"}, "", 403, "a page of another site may not"),
        (VIDEO, {**SEND, "Host": "evil.example"}, "", 421, "this page does not answer to the name 'evil.example'; st"),
    ],
)
def test_what_is_refused_says_why_and_leaves_nothing(client, tmp_path, content, headers, query, status, text):
    answer = client.post(f"/jobs{query}", content=content, headers=headers)
    assert answer.status_code == status and answer.json()["error"].startswith(text)
    assert list(tmp_path.iterdir()) == [] and client.get("/jobs").json() == {"jobs": []}


def test_a_body_is_counted_while_it_comes(client, tmp_path):
    """It does not say how long it is, and would never end."""
    came = 0

    def endless():
        nonlocal came
        while came < 1000:
            came += 1
            yield VIDEO

    answer = client.post("/jobs", content=endless(), headers=SEND)
    assert answer.status_code == 413 and "larger than the 0.01 MB" in answer.json()["error"]
    assert list(tmp_path.iterdir()) == []


def test_too_many_wait(client):
    keys = [client.post("/jobs", content=VIDEO, headers={"X-File-Name": "wait"}).json()["id"]]
    while client.get("/jobs").json()["jobs"][-1]["state"] != "working":
        time.sleep(0.005)
    keys += [client.post("/jobs", content=VIDEO, headers=SEND).json()["id"] for _ in range(2)]
    full = client.post("/jobs", content=VIDEO, headers=SEND)
    assert full.status_code == 503 and full.json()["error"].startswith("2 videos wait already")
    assert client.get(f"/results/{keys[1]}/player").status_code == 404  # not done yet
    assert [client.delete(f"/jobs/{key}").status_code for key in keys] == [204] * 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/jobs", 405),
        ("POST", "/", 405),
        ("DELETE", "/results/a/player", 405),
        ("GET", "/results/../../etc/passwd", 404),
        ("GET", "/results/%2e%2e/%2e%2e%2fetc%2fpasswd", 404),
        ("GET", "/results/a/..%2fvideo.mp4", 404),
        ("DELETE", "/jobs/..", 405),
        ("GET", "/docs", 404),
    ],
)
def test_wrong_methods_and_paths(client, method, path, status):
    assert client.request(method, path).status_code == status


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8000", True),
        ("localhost:8000", True),
        ("[::1]:8000", True),
        ("10.0.0.3", True),
        ("gpu1.lan:8000", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:80", False),
        ("", False),
        ("[::1", False),
    ],
)
def test_names_that_only_this_machine_can_have(host, known):
    assert is_known_host(host, ["GPU1.lan"]) is known


def test_reading_is_for_every_page_of_the_browser_writing_is_not():
    ours = {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    assert refusal("POST", ours) is None and refusal("DELETE", {"host": "localhost"}) is None
    assert refusal("POST", {**ours, "origin": "http://127.0.0.1:9000"}) is not None


def test_the_page_holds_names_as_text_and_loads_nothing():
    text = page_html(Shown('<b>"x".pyth', True, (NASTY,) * 20, 0.1), Limits())
    assert "<b>" not in text and "</script><b" not in text and "and 8 more." in text
    assert "http://" not in text and "https://" not in text and "//cdn" not in text
    assert '<option value="0.1" selected>every 0.1 s</option>' in text and "removed an hour after it was done" in text
