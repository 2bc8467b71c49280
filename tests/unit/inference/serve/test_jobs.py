"""Jobs: one at a time, a queue of bounded length, removed after a while, and an error stays with its job."""

import threading
import time

import pytest

from slowfast.inference.serve.jobs import Jobs, QueueFullError, Wish, clean_name
from slowfast.inference.serve.limits import Limits
from slowfast.video.source import ClipReadError


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def page(tmp_path):
    """(make jobs from a work function and limits, their clock); all are closed at the end."""
    clock, made = Clock(), []

    def make(work, **limits) -> Jobs:
        made.append(Jobs(tmp_path, work, Limits(**limits), clock=clock))
        return made[-1]

    yield make, clock
    for jobs in made:
        jobs.close()


def add(jobs: Jobs, name: str = "a.mp4"):
    job = jobs.reserve(name, Wish())
    video = job.folder / "video.mp4"
    video.write_bytes(b"x")
    jobs.submit(job, video)
    return job


def wait_for(condition) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_one_at_a_time_in_order_and_only_so_many_wait(page):
    gate, order, at_once = threading.Event(), [], []

    def work(job, watch):
        at_once.append(job.name)
        watch(0.5)
        assert gate.wait(5)
        order.append(at_once.pop())
        assert not at_once
        return "3 people"

    jobs = page[0](work, waiting=2)
    first = add(jobs, "first")
    wait_for(lambda: first.state == "working")
    add(jobs, "second")
    third = add(jobs, "third")
    with pytest.raises(QueueFullError, match="2 videos wait already; try again when one of them is done"):
        jobs.reserve("fourth", Wish())
    told = {job["name"]: job for job in jobs.told()}
    assert list(told) == ["third", "second", "first"]
    assert (told["first"]["share"], told["second"]["before"], told["third"]["before"]) == (0.5, 0, 1)
    gate.set()
    wait_for(lambda: third.state == "done")
    assert order == ["first", "second", "third"] and third.message == "3 people"


def test_errors_are_the_jobs_and_the_page_goes_on(page, capsys):
    errors = {
        "broken": ClipReadError("secret/video.mp4", None, "Invalid data found"),
        "long": ValueError("the video lasts 3 minutes"),
        "bug": RuntimeError("ours"),
    }

    def work(job, watch):
        if job.name in errors:
            raise errors[job.name]
        return "fine"

    jobs = page[0](work)
    made = [add(jobs, name) for name in [*errors, "good"]]
    wait_for(lambda: made[-1].state == "done")
    assert [job.message for job in made] == [
        "the video could not be read: Invalid data found",
        "the video lasts 3 minutes",
        "an error of the program, told on the terminal where it runs",
        "fine",
    ]
    assert "RuntimeError: ours" in capsys.readouterr().err


def test_all_of_a_job_is_removed_after_an_hour(page):
    make, clock = page
    jobs = make(lambda job, watch: "done", kept=2)
    first = add(jobs)
    wait_for(lambda: first.state == "done")
    assert jobs.told()[0]["minutes_left"] == 60 and first.folder.is_dir()
    clock.now += 3599
    assert jobs.find(first.id) is first
    clock.now += 1
    assert jobs.find(first.id) is None and not first.folder.exists()
    many = [add(jobs) for _ in range(4)]  # and the oldest of too many
    wait_for(lambda: many[-1].state == "done")
    assert {job["id"] for job in jobs.told()} == {job.id for job in many[2:]} and not many[0].folder.exists()


def test_a_job_that_is_removed_while_it_is_worked_on_stops_and_leaves_nothing(page):
    gate = threading.Event()

    def work(job, watch):
        if job.name == "next":
            return "done"
        assert gate.wait(5)
        (job.folder).mkdir(exist_ok=True)  # as a writer may that was on its way
        watch(0.9)
        raise AssertionError("it goes on")

    jobs = page[0](work)
    job = add(jobs)
    wait_for(lambda: job.state == "working")
    assert jobs.remove(job.id) and not jobs.remove(job.id) and not jobs.remove("../..")
    gate.set()
    after = add(jobs, "next")
    wait_for(lambda: after.state == "done")
    assert not job.folder.exists()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a.mp4", "a.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\films\\b.avi", "b.avi"),
        ("a\x00b\n\u202ec.mp4", "abc.mp4"),
        ("", "video"),
        ("/", "video"),
        ("x" * 200 + ".mp4", "x" * 67 + "...xxxxxx.mp4"),
    ],
)
def test_names_are_only_shown(given, shown):
    assert clean_name(given) == shown
