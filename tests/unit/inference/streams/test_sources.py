"""Which videos are meant, what the files about them are called, and what of the model's classes is asked for."""

import pytest

from slowfast.inference.choose import Choice
from slowfast.inference.streams.sources import ENDINGS, find_videos, plan_jobs
from slowfast.inference.written.show import check_display
from slowfast.structures.outputs.moment import ActionClass, ActionScore, ClipClasses
from tests.unit.inference.results_by_hand import detections


@pytest.fixture
def folder(tmp_path):
    for name in ("b.mp4", "a.MP4", "notes.txt", "deep/c.avi", "deep/b.mkv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


def test_files_folders_and_patterns(folder):
    def found(*sources):
        return [path.relative_to(folder).as_posix() for path in find_videos([str(folder / s) for s in sources])]

    assert found("b.mp4") == ["b.mp4"] and found("notes.txt") == ["notes.txt"]  # a file is what the user says it is
    assert found("") == ["a.MP4", "b.mp4"] and found("deep") == ["deep/b.mkv", "deep/c.avi"]
    assert found("**/b.*") == ["b.mp4", "deep/b.mkv"]
    assert found("b.mp4", "") == ["b.mp4", "a.MP4"]  # each once


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        ("none.mp4", FileNotFoundError, r"none\.mp4: there is no such file or folder"),
        ("empty", ValueError, r"empty holds no video \(a file that ends in \.mp4 "),
        ("*.xyz", ValueError, r"no file is named like .*\*\.xyz"),
    ],
)
def test_what_is_not_there_is_said(folder, source, error, text):
    (folder / "empty").mkdir()
    with pytest.raises(error, match=text):
        find_videos([str(folder / source)])


def test_results_are_named_after_videos_and_never_twice_alike(folder):
    videos = find_videos([str(folder), str(folder / "deep")])
    names = [job.file(".csv").name for job in plan_jobs(videos, folder / "out")]
    assert names == ["a.csv", "b_mp4.csv", "b_mkv.csv", "c.csv"]
    (folder / "other").mkdir()
    (folder / "other/b.mp4").write_bytes(b"")
    names = [job.stem.name for job in plan_jobs([folder / "b.mp4", folder / "other/b.mp4"], folder / "out")]
    assert names == ["b_mp4", "b_mp4_2"]


def test_a_video_is_never_overwritten(folder):
    with pytest.raises(ValueError, match=r"b\.mp4 is the video itself, which would be overwritten; .*\(--out\)"):
        plan_jobs([folder / "b.mp4"], folder)


@pytest.mark.parametrize("ending", ENDINGS)
def test_nor_is_one_whose_name_ends_like_a_result(tmp_path, ending):
    name = f"b{ending}"
    (tmp_path / name).write_bytes(b"")
    (tmp_path / "b.mkv").write_bytes(b"")
    videos = [tmp_path / name, tmp_path / "b.mkv"] if "_" in ending else [tmp_path / name]
    with pytest.raises(ValueError, match=f"{name} is the video itself, which would be overwritten"):
        plan_jobs(videos, tmp_path)
    assert len(plan_jobs(videos, tmp_path / "out")) == len(videos)


def test_no_file_belongs_to_two_videos(tmp_path):
    videos = [tmp_path / name for name in ("a.avi", "a_plain.avi", "a_explain.avi", "b.avi", "b.mkv", "b_mkv.mp4")]
    jobs = plan_jobs(videos, tmp_path / "out")
    assert [job.stem.name for job in jobs] == ["a", "a_plain_2", "a_explain_2", "b_avi", "b_mkv", "b_mkv_2"]
    files = [job.file(ending) for job in jobs for ending in ENDINGS]
    assert len(set(files)) == len(files)


def test_where_results_cannot_go_is_said_and_nothing_made(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("hello")
    for out in ("notes.txt", "notes.txt/deep/er"):
        with pytest.raises(ValueError, match=r"--out .*: .*notes\.txt is a file, and results need a folder"):
            plan_jobs([tmp_path / "b.mp4"], tmp_path / out)
    plan_jobs([tmp_path / "b.mp4"], tmp_path / "new/deep")
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr("os.access", lambda path, mode: False)  # for root everything can be written
    with pytest.raises(ValueError, match=r"--out .*new: .* cannot be written to; give another folder"):
        plan_jobs([tmp_path / "b.mp4"], tmp_path / "new")


CLASSES = tuple(ActionClass(i, i + 1, name) for i, name in enumerate(["walk left", "walk right", "jump"]))


def test_choosing_by_name_and_score():
    choice = Choice.of(detections().classes, ["walk"], 0.6)
    chosen = [choice.of_moment(moment).people for moment in detections().moments]
    assert [[a.score for a in person.actions] for people in chosen for person in people] == [[], [0.75], []]
    assert Choice.of(CLASSES, None, 0.0).classes == CLASSES
    assert [c.name for c in Choice.of(CLASSES, ["jump", "walk left"], 0.0).classes] == ["walk left", "jump"]
    clip = ClipClasses(0.0, 1.0, tuple(ActionScore(c.name, c.id, 0.3) for c in CLASSES), 1)
    assert [a.name for a in Choice.of(CLASSES, None, 0.0).of_clip(clip, top=2).classes] == ["walk left", "walk right"]


def test_people_below_the_score_are_left_out():
    assert Choice.of(detections().classes, None, 0.95).of_moment(detections().moments[0]).people == ()


def test_unknown_names_are_met_with_near_ones():
    with pytest.raises(ValueError, match=r"--classes 'walk lefft': .* did you mean 'walk left' or 'walk right'\?"):
        Choice.of(CLASSES, ["jump", "walk lefft"], 0.0)
    with pytest.raises(ValueError, match=r"'zzz': the model has no such class; it knows walk left, walk right, jump"):
        Choice.of(CLASSES, ["zzz"], 0.0)
    with pytest.raises(ValueError, match="--score is a probability, from 0 to 1, got 30"):
        Choice.of(CLASSES, None, 30)


def test_show_says_what_is_missing(monkeypatch):
    with pytest.raises(ValueError, match="--no-video leaves none"):
        check_display(drawn=False)
    build = "  GUI:                           NONE\n"
    monkeypatch.setattr("cv2.getBuildInformation", lambda: build)
    with pytest.raises(ValueError, match="install opencv-python in its place, or leave --show out"):
        check_display(drawn=True)
    monkeypatch.setattr("cv2.getBuildInformation", lambda: build.replace("NONE", "QT5"))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(ValueError, match="--show needs a display, and DISPLAY is not set"):
        check_display(drawn=True)
    monkeypatch.setenv("DISPLAY", ":0")
    check_display(drawn=True)
