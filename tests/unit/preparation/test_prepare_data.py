"""bmvit prepare-data: what is made, what is kept, what a kill leaves, and what a training says of files that changed."""

import json
import os
import subprocess
from fractions import Fraction

import cv2
import numpy as np
import pytest

from slowfast.commands.data.prepare_data import main
from slowfast.config.load import load_cfg
from slowfast.datasets.build import read_split
from slowfast.preparation.movies import all_movies
from slowfast.preparation.movies.one_movie import Wanted
from slowfast.preparation.validation.check import validate_config
from slowfast.utils.files import whole_folder, write_loose
from slowfast.video.decoding import frame_index
from slowfast.video.decoding.open_video import OpenVideo
from slowfast.video.reader import read_all, read_times
from slowfast.video.stored.manifest import check_manifest, check_starts, read_record
from tests.unit.preparation.small_set import make_set, write_config
from tests.unit.video.video_maker import number_in, write_video


@pytest.fixture(scope="module")
def movies(tmp_path_factory):
    """Six seconds at 10 frames a second, in a folder; one of uneven times; one that is no movie."""
    folder = tmp_path_factory.mktemp("movies")
    (folder / "b").mkdir()
    write_video(folder / "a.mkv", frames=60, fps=10, gop=60)
    pts = [0, 100, 200, 300, 900, 950, 1000, 1050]
    write_video(folder / "b" / "uneven.mp4", frames=8, pts=pts, time_base=Fraction(1, 1000), b_frames=0)
    (folder / "broken.mp4").write_bytes(b"no movie")
    return folder


def key_frames(path):
    with OpenVideo(path) as video:
        return [round(second, 3) for second, frame in video.frames() if frame.key_frame]


def test_movies_are_cut_and_encoded_with_a_short_gop_and_their_own_times(movies, tmp_path, capsys):
    out = [str(movies), "--out", str(tmp_path / "out"), "--workers", "0", "--short-side", "24", "--gop", "5"]
    assert main([*out, "--json", str(tmp_path / "rows.json")]) == 1  # for the one that is no movie
    told = capsys.readouterr().out
    assert "3 movies: 2 prepared, 0 were ready, 1 failed\n  broken: " in told
    rows = {row["video"]: row for row in json.loads((tmp_path / "rows.json").read_text())}
    assert rows["broken"]["outcome"] == "failed" and rows["broken"]["reason"] and rows["a"]["frames"] == 60
    frames, times = read_all(tmp_path / "out" / "b" / "uneven.mp4")
    assert frames.shape[1:3] == (24, 32) and times.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.9, 0.95, 1.0, 1.05])
    assert max(np.diff(key_frames(tmp_path / "out" / "a.mp4"))) <= 0.5
    record = read_record(tmp_path / "out", "b/uneven")
    assert (record.frames, record.height, record.width, record.codec) == (8, 24, 32, "h264") and len(
        record.sha256
    ) == 64
    assert record.done == {"mode": "encode", "short_side": 24, "gop": 5, "crf": 18, "window": None}
    assert not list((tmp_path / "out").rglob("*.tmp")) and not (tmp_path / "out" / "broken.mp4").exists()


def test_a_window_starts_with_the_picture_on_screen_then(movies, tmp_path):
    wanted = Wanted(short_side=0, window=(2.0, 4.0))
    report = all_movies.prepare_all({"a": movies / "a.mkv"}, tmp_path, wanted)
    assert not report.failed, str(report)
    frames, times = read_all(tmp_path / "a.mp4")
    assert [number_in(frame) for frame in frames] == list(range(20, 41)) and times[0] == 0
    assert read_record(tmp_path, "a").starts_at == 2.0
    between = all_movies.prepare_all(
        {"u": movies / "b" / "uneven.mp4"}, tmp_path, Wanted(short_side=0, window=(0.5, 1.0))
    )
    assert not between.failed
    frames, times = read_all(tmp_path / "u.mp4")
    assert [number_in(frame) for frame in frames] == [3, 4, 5, 6] and times.tolist() == pytest.approx(
        [0, 0.4, 0.45, 0.5]
    )


def test_a_movie_that_ends_before_the_window_fails_and_leaves_no_file(movies, tmp_path):
    report = all_movies.prepare_all({"a": movies / "a.mkv"}, tmp_path, Wanted(window=(900, 1800)))
    assert "the movie ends at second 5.9, within the window or before it" in report.failed[0].reason
    assert [path.name for path in tmp_path.iterdir()] == []


def test_frames_are_those_on_screen_at_a_steady_rate(movies, tmp_path):
    wanted = Wanted(mode="frames", short_side=0, fps=10, quality=100)
    all_movies.prepare_all({"b/uneven": movies / "b" / "uneven.mp4"}, tmp_path, wanted)
    files = sorted((tmp_path / "b" / "uneven").iterdir())
    assert [file.name for file in files] == [f"uneven_{n:06d}.jpg" for n in range(1, 12)]
    shown = [number_in(cv2.imread(str(file))[..., ::-1]) for file in files]
    assert shown == [0, 1, 2, 3, 3, 3, 3, 3, 3, 4, 6]
    assert read_record(tmp_path, "b/uneven").frames == 11


def test_what_is_ready_is_kept_and_what_changed_is_made_again(movies, tmp_path):
    source = tmp_path / "a.mkv"
    source.write_bytes((movies / "a.mkv").read_bytes())
    out, wanted = tmp_path / "out", Wanted(short_side=24)

    def outcome(wanted=wanted):
        (row,) = all_movies.prepare_all({"a": source}, out, wanted).rows
        return row.outcome

    assert [outcome(), outcome(), outcome(Wanted(short_side=32)), outcome(Wanted(short_side=32))] == [
        "made",
        "kept",
    ] * 2
    os.utime(source, (1, 1))
    assert outcome(Wanted(short_side=32)) == "made"
    with open(out / "a.mp4", "ab") as file:
        file.write(b"more")
    assert outcome(Wanted(short_side=32)) == "made"


def test_a_kill_in_the_middle_leaves_nothing_under_a_final_name(movies, tmp_path, monkeypatch):
    real = all_movies.prepare_movie

    def killed(*arguments):
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(all_movies, "prepare_movie", killed)
    with pytest.raises(KeyboardInterrupt):
        all_movies.prepare_all({"a": movies / "a.mkv"}, tmp_path, Wanted(short_side=24))
    assert read_record(tmp_path, "a") is None  # no record: it is made again
    monkeypatch.undo()
    (row,) = all_movies.prepare_all({"a": movies / "a.mkv"}, tmp_path, Wanted(short_side=24)).rows
    assert row.outcome == "made"
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "frames") as filling:
        write_loose(b"1", filling / "1.jpg")
        raise KeyboardInterrupt
    assert sorted(path.name for path in tmp_path.iterdir()) == [".manifest", "a.mp4"]


def test_what_killed_runs_left_is_removed_and_what_another_writes_is_not(movies, tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = {name: tmp_path / f".{name}.{dead.pid}-0123abcd.tmp" for name in ("a.mp4", "b", "fresh.mp4")}
    left["b"].mkdir()
    write_loose(b"1", left["b"] / "b_000001.jpg")
    for name in ("a.mp4", "fresh.mp4"):
        write_loose(b"half", left[name])
    ours = tmp_path / f".c.mp4.{os.getpid()}-0123abcd.tmp"
    mine = tmp_path / ".notes.tmp"
    for path in (ours, mine):
        write_loose(b"half", path)
    for path in (left["a.mp4"], left["b"], ours, mine):
        os.utime(path, (1, 1))
    all_movies.prepare_all({}, tmp_path, Wanted())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([ours.name, mine.name, left["fresh.mp4"].name])


def test_an_index_finds_damage_where_it_is_asked_to_look(tmp_path, capsys):
    path = write_video(tmp_path / "a.mp4", frames=60, fps=10)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    path.write_bytes(bytes(data))
    line = [str(tmp_path), "--mode", "index", "--workers", "0"]
    assert main(line) == 0 and "1 prepared" in capsys.readouterr().out
    assert main([*line, "--decode"]) == 1
    assert "a: the data is damaged after this (second" in capsys.readouterr().out
    assert read_record(tmp_path, "a").done == {"mode": "index", "window": None}


def test_the_index_of_a_file_out_of_order_is_made_once_for_all_processes(shared_dir, tmp_path, monkeypatch):
    """In place of a new process the index that this one keeps is forgotten."""
    folder = tmp_path / "videos" / "sub"
    folder.mkdir(parents=True)
    path = folder / "v.avi"
    path.write_bytes((shared_dir / "data/videos/people/mmaction2_test.avi").read_bytes())
    times = np.array([5.0, 4.9, 5.1])
    expected = read_times(path, times, center=0).frames
    frame_index._indices.clear()
    assert main([str(tmp_path / "videos"), "--mode", "index", "--workers", "0"]) == 0
    frame_index._indices.clear()
    built = []
    real = frame_index._build
    monkeypatch.setattr(frame_index, "_build", lambda path, threads: built.append(path) or real(path, threads))
    np.testing.assert_array_equal(read_times(path, times, center=0).frames, expected)
    assert not built
    kept = tmp_path / "videos" / ".manifest" / "sub" / "v.avi.npz"
    whole = kept.read_bytes()
    for spoilt in (whole[: len(whole) // 2], None):
        frame_index._indices.clear()
        built.clear()
        if spoilt is None:  # the file is another one now
            kept.write_bytes(whole)
            os.utime(path, (1, 1))
        else:
            kept.write_bytes(spoilt)
        np.testing.assert_array_equal(read_times(path, times, center=0).frames, expected)
        assert built == [path]


def test_what_is_left_is_told_by_size_and_without_what_is_ready(movies, tmp_path, monkeypatch):
    sources = {"a": tmp_path / "a.mkv", "b": tmp_path / "b.mkv", "c": tmp_path / "c.mkv"}
    for name, megabytes in (("a", 5), ("b", 1), ("c", 1)):
        data = (movies / "a.mkv").read_bytes()
        sources[name].write_bytes(data + bytes(megabytes * 1_000_000 - len(data)))
    asked, told = [], []

    class Bar:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def update(self, megabytes):
            told.append(megabytes)

    monkeypatch.setattr(all_movies, "progress", lambda *, what, total, unit: asked.append((total, unit)) or Bar())
    only = {"b": sources["b"]}
    assert [row.outcome for row in all_movies.prepare_all(only, tmp_path / "out", Wanted(short_side=24)).rows] == [
        "made"
    ]
    outcomes = [row.outcome for row in all_movies.prepare_all(sources, tmp_path / "out", Wanted(short_side=24)).rows]
    assert outcomes == ["made", "kept", "made"] and asked == [(1, "MB"), (6, "MB")] and told == [1, 5, 1]


def test_a_folder_that_is_not_ours_is_not_touched(movies, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine.jpg").write_text("mine")
    report = all_movies.prepare_all({"a": movies / "a.mkv"}, tmp_path, Wanted(mode="frames"))
    assert "was not made by this: move it away" in report.failed[0].reason and (tmp_path / "a" / "mine.jpg").exists()


def test_damage_is_refused_and_not_encoded_away(tmp_path):
    path = write_video(tmp_path / "a.mp4", frames=60, fps=10)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    path.write_bytes(bytes(data))
    report = all_movies.prepare_all({"a": path}, tmp_path / "out", Wanted())
    assert report.failed and not (tmp_path / "out" / "a.mp4").exists()


def test_a_training_notices_changed_files_and_another_start(tmp_path, repo_root):
    folder = make_set(tmp_path)
    config = write_config(folder, repo_root)
    assert main([str(folder / "videos"), "--mode", "index", "--workers", "0"]) == 0
    cfg = load_cfg(config, [])
    assert "2 of 2 videos are as they were prepared" in read_split(cfg, "train").annotated.notes[-1]
    with open(folder / "videos" / "a.mp4", "ab") as file:
        file.write(b"12345")
    with pytest.raises(ValueError, match=r"a\.mp4 has \d+ bytes, and had \d+ when it was finished: prepare them again"):
        read_split(cfg, "train")
    (fault,) = validate_config(cfg).faults.of("changed video")
    assert fault.severity == "error" and "a.mp4 has" in fault.reason
    assert check_manifest(tmp_path, ["a"]) == ()


def test_a_training_says_where_files_were_copied_without_their_times(movies, tmp_path):
    """They are read as before; it is only slower."""
    all_movies.prepare_all({"a": movies / "a.mkv"}, tmp_path, Wanted(short_side=24))
    plain = f"{tmp_path}: 1 of 1 videos are as they were prepared"
    assert check_manifest(tmp_path, ["a"]) == (plain,)
    os.utime(tmp_path / "a.mp4", ns=(1, 1))
    assert check_manifest(tmp_path, ["a"]) == (
        f"{plain}; 1 were written again since they were looked at (copied without their times?), so frames that no clip "
        "shows are decoded too: cp -p and rsync -t keep the times",
    )


def test_a_cut_set_needs_its_first_second(movies, tmp_path):
    all_movies.prepare_all({"a": movies / "a.mkv"}, tmp_path, Wanted(short_side=24, window=(2, 4)))
    check_starts(tmp_path, ["a.mp4", "b"], 2)
    assert check_manifest(tmp_path, ["a.mp4", "b"]) == (
        f"{tmp_path}: 1 of 2 videos are as they were prepared; 1 have no record",
    )
    with pytest.raises(ValueError, match=r"were cut to start at second 2 .* AVA.FIRST_SECOND is 0; set it to 2"):
        check_starts(tmp_path, ["a"], 0)


def test_several_processes_and_a_missing_movie(movies, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("a\ngone\n")
    arguments = [str(movies), "--out", str(tmp_path / "out"), "--workers", "1", "--names", str(tmp_path / "names.txt")]
    assert main([*arguments, "--short-side", "24"]) == 1
    assert "2 movies: 1 prepared, 0 were ready, 1 failed\n  gone: no such movie" in capsys.readouterr().out


def test_names_may_have_blanks_folders_and_extensions(tmp_path, capsys):
    for name in ("in the park/a clip", "b"):
        path = tmp_path / "movies" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, frames=4)
    names = tmp_path / "names.txt"
    names.write_text("in the park/a clip.MP4\n\nin the park/gone\n")
    line = [str(tmp_path / "movies"), "--out", str(tmp_path / "out"), "--workers", "0", "--names", str(names)]
    assert main([*line, "--short-side", "24"]) == 1
    told = capsys.readouterr().out
    assert "2 movies: 1 prepared, 0 were ready, 1 failed\n  in the park/gone: no such movie" in told
    assert (tmp_path / "out" / "in the park" / "a clip.mp4").is_file() and not (tmp_path / "out" / "b.mp4").exists()
    names.write_text("\n")
    assert main(line) == 1 and "no name of a video in it (--names)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--gop", "0"], "gop is 0; it must be 1 or more"),
        (["--crf", "99"], "crf is 99; it must be from 0 to 51"),
        (["--window", "5", "2"], "window is (5.0, 2.0); it must be first second, later last second"),
        (["--mode", "index", "--window", "1", "2"], "it cuts no window"),
    ],
)
def test_wrong_options_are_named(movies, tmp_path, capsys, options, told):
    assert main([str(movies), "--out", str(tmp_path / "out"), "--workers", "0", *options]) == 1
    assert told in capsys.readouterr().err


def test_films_that_were_not_made_by_this_are_never_overwritten(movies, tmp_path, capsys):
    """Where the folder of the movies is given as --out, a whole film would be replaced by a small one of a part of it."""
    mine = tmp_path / "b" / "uneven.mp4"
    mine.parent.mkdir()
    mine.write_bytes((movies / "b" / "uneven.mp4").read_bytes())
    whole = mine.read_bytes()
    line = ["--out", str(tmp_path), "--workers", "0", "--short-side", "24"]
    assert main([str(tmp_path), *line]) == 1
    assert "uneven.mp4: this movie would be overwritten by what is made of it" in capsys.readouterr().err
    assert main([str(movies), *line]) == 1  # another film of that name, in a folder that was never prepared
    assert f"uneven.mp4 is there, and {tmp_path} was not made by this; give another" in capsys.readouterr().err
    assert mine.read_bytes() == whole and not (tmp_path / "a.mp4").exists()


def test_two_movies_of_one_name_are_refused(tmp_path):
    for suffix in ("mp4", "mkv"):
        (tmp_path / f"a.{suffix}").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"have one name, a: rename one$"):
        all_movies.movies_below([tmp_path])
    for folder in ("x", "y"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        (tmp_path / "set" / folder / "a.mp4").write_bytes(b"x")
    with pytest.raises(
        ValueError, match="a: rename one, or give the folder above both, from which names are then told"
    ):
        all_movies.movies_below([tmp_path / "set" / "x", tmp_path / "set" / "y"])
    assert [*all_movies.movies_below([tmp_path / "set"])] == ["x/a", "y/a"]
    with pytest.raises(FileNotFoundError):
        all_movies.movies_below([tmp_path / "none"])


def test_videos_are_packed_into_shards(movies, tmp_path, capsys):
    out = [str(movies), "--out", str(tmp_path / "shards"), "--mode", "shards"]
    assert main([*out, "--shard-gb", "1e-6"]) == 0
    told = capsys.readouterr().out
    assert "3 videos in 3 shards: 3 written, 0 were ready" in told
    assert (
        f"as a folder of videos (AVA.VIDEO_DIR, DATA.PATH_PREFIX, ...): {tmp_path}/shards/shard-{{000000..000002}}.tar"
        in told
    )
    assert (
        main([*out, "--shard-gb", "0"]) == 1
        and "a shard has a size, got 0 bytes (--shard-gb)" in capsys.readouterr().err
    )
    (tmp_path / "names").write_text("a\nnobody\n")
    assert main([*out, "--names", str(tmp_path / "names")]) == 1
    assert "no such movie: nobody; nothing was packed" in capsys.readouterr().err
    assert len(list((tmp_path / "shards").glob("*.tar"))) == 3
