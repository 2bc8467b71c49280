"""Every format there and back, on a video of uneven frame times: the moments are the video's, not a counter's."""

import json
import pickle
import shutil
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from slowfast.commands.data.convert_annotations import main
from slowfast.datasets.annotations.people.tubes import read_tubes
from slowfast.preparation.converters.annotations import (
    KeyBox,
    Label,
    Timing,
    VideoTimes,
    annotations_of,
    every,
    filled,
)
from slowfast.preparation.converters.formats.cvat import read_cvat
from slowfast.preparation.converters.formats.label_studio import read_label_studio
from slowfast.preparation.converters.formats.spreadsheet import read_spreadsheet
from slowfast.preparation.converters.formats.tubes import box_of_mask, jhmdb_from_masks, jhmdb_from_pickle, write_jhmdb
from slowfast.preparation.converters.formats.via import read_via
from slowfast.preparation.converters.table import FORMATS, Options, convert
from slowfast.structures.annotations.label_map import read_label_map, write_label_map
from slowfast.utils.ava.tables import read_groundtruth_csv
from slowfast.video.decoding.open_video import shrink
from slowfast.video.reader import read_all, read_times
from slowfast.video.source import ClipReadError
from tests.unit.video.video_maker import HEIGHT, WIDTH, write_video

# Milliseconds at which the 20 frames of `uneven` are shown: a pause after the 5th, then twice as fast.
UNEVEN = [0, 100, 200, 300, 400, *range(1000, 1750, 50)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "uneven.mp4", frames=20, fps=20, pts=UNEVEN, time_base=Fraction(1, 1000), b_frames=0)
    write_video(folder / "even.mp4", frames=20, fps=10)
    return folder


@pytest.fixture
def videos(folder):
    return VideoTimes(folder)


def test_times_are_those_of_the_file(videos):
    timing = videos.of("uneven")
    assert timing.times.tolist() == pytest.approx([ms / 1000 for ms in UNEVEN]) and timing.size == (HEIGHT, WIDTH)
    assert [timing.frame_at(t) for t in (0.0, 0.399, 0.4, 0.7, 0.9996, 1.0, 9.0)] == [0, 3, 4, 4, 5, 5, 19]
    assert timing.second_of(5) == pytest.approx(1.0)
    with pytest.raises(IndexError, match="the video has frames 0 to 19, and frame 20 is asked for"):
        timing.second_of(20)


@pytest.mark.parametrize("name", ["torchcodec_var_fps_video", "pyscenedetect_delayed_start"])
def test_a_frames_second_is_when_the_reader_of_training_shows_it(shared_dir, name):
    folder = shared_dir / "data" / "videos" / "robustness"
    timing = VideoTimes(folder).of(name)
    frames, _ = read_all(folder / f"{name}.mp4", short_side=32)
    chosen = [0, len(timing.times) // 3, len(timing.times) - 2]
    for k in chosen:
        shown = read_times(folder / f"{name}.mp4", np.array([timing.second_of(k)]), center=0).frames[0]
        assert np.array_equal(shrink(shown, 32), frames[k]) and timing.frame_at(timing.second_of(k)) == k


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("uneven", "uneven"),
        ("uneven.mp4", "uneven"),
        ("/data/upload/3/uneven.mp4?token=5", "uneven"),
        ("/data/local-files/?d=films/uneven.mp4", "uneven"),
        ("C:\\films\\uneven.mp4", "uneven"),
        ("away.mp4", "away"),
    ],
)
def test_names_of_tools_are_names_of_files(videos, told, name):
    assert videos.name(told) == name


def test_names_with_dots_folders_and_other_spellings_are_found(folder, tmp_path):
    """Names without extension, in a folder of their own, and as macOS spells an umlaut; which of two files is meant."""
    (tmp_path / "day.1").mkdir()
    for name in ("day.1/my.film.2.mp4", "Ga\u0308rten 2.MP4", "twice.mp4", "twice.mkv", "odd.3gp"):
        shutil.copy(folder / "even.mp4", tmp_path / name)
    videos = VideoTimes(tmp_path)
    told = ("day.1/my.film.2", "/x/day.1/my.film.2.mp4", "G\u00e4rten 2.mp4", "twice.mkv", "odd.3gp", "gone.film")
    assert [videos.name(name) for name in told] == [
        *("day.1/my.film.2", "day.1/my.film.2", "Ga\u0308rten 2", "twice.mkv", "odd.3gp", "gone.film"),
    ]
    assert all(len(videos.of(videos.name(name)).times) == 20 for name in told[:-1])
    with pytest.raises(ClipReadError, match=r"several files have this name: twice.mp4, twice.mkv"):
        videos.of("twice")
    with pytest.raises(
        ClipReadError, match=r"; there is day.1/my.film.2.mp4: write its name with its folder, and as the"
    ):
        videos.of("My.Film.2")


def boxes_at(*numbers):
    return [(0.1 + n / 50, 0.2, 0.4 + n / 50, 0.8) for n in numbers]


@pytest.fixture
def sample():
    """Two tracks with actions that change, an actor with two actions at once, on frames of both videos."""
    frames = [0.0, 0.4, 1.0, 1.35]
    labels = [
        Label("uneven", time, box, ("walk",) if time < 1 else ("wave",), "1")
        for time, box in zip(frames, boxes_at(0, 1, 2, 3), strict=True)
    ]
    labels += [Label("uneven", 0.4, (0.5, 0.5, 0.75, 1.0), ("walk", "wave"), "2")]
    labels += [Label("even", 0.5, (0.0, 0.25, 0.5, 1.0), ("sit",), "1")]
    return annotations_of(labels)


def same(found, expected, *, tracks=True):
    """Equal up to rounding in a file; tracks are equal up to their names."""
    assert [(a.video, a.time) for a in found.labels] == [(a.video, a.time) for a in expected.labels]
    ours, theirs = (sorted(each.labels, key=lambda a: (a.video, a.time, a.box)) for each in (found, expected))
    assert [a.actions for a in ours] == [a.actions for a in theirs]
    assert np.allclose([a.box for a in ours], [a.box for a in theirs], atol=1e-5)
    if tracks:
        pairs = {(a.video, a.track, b.track) for a, b in zip(ours, theirs, strict=True)}
        assert len(pairs) == len({pair[:2] for pair in pairs}) == len({(pair[0], pair[2]) for pair in pairs})
    assert set(found.classes) == set(expected.classes)


@pytest.mark.parametrize("name", [name for name, one in FORMATS.items() if one.write])
def test_a_round_trip_changes_nothing(name, sample, videos, tmp_path):
    one, out = FORMATS[name], tmp_path / "written"
    if name == "tubes":  # a tube has one action: an actor who does two things is two tubes
        sample = annotations_of([replace(label, actions=(a,)) for label in sample.labels for a in label.actions])
    test_part = ("even",) if name == "tubes" else ()
    options = Options(label_map=tmp_path / "written" / "classes.pbtxt", test_videos=test_part)
    if one.per_video:
        files = []
        for video in sample.videos:
            files.append(tmp_path / f"{video}.xml")
            one.write(sample.of_videos([video]), files[-1], videos, options)
    else:
        one.write(sample, out, videos, options)
        files = [out / "train.csv"] if one.writes_folder else [out]
    labels = [label for file in files for label in one.read(file, videos, options).labels]
    found = annotations_of(labels)
    if name in ("label-studio", "tubes"):  # labels hold for a region: a track whose action changes is two of them
        same(found, sample, tracks=False)
    else:
        same(found, sample, tracks=name != "ava")  # AVA's person ids are not read


def test_empty_key_frames_and_idle_actors_survive_where_the_format_has_them(videos, tmp_path):
    given = annotations_of([Label("even", 0.5, (0.1, 0.1, 0.5, 0.5))], ["sit"], [("even", 1.0)])
    for name in ("spreadsheet", "ava", "coco"):
        out = tmp_path / name
        options = Options(label_map=out / "classes.pbtxt")
        FORMATS[name].write(given, out, videos, options)
        found = FORMATS[name].read(out / "train.csv" if name == "ava" else out, videos, options)
        assert found.empty == (("even", 1),) and [a.actions for a in found.labels] == [()], name


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><name>t</name><original_size><width>64</width><height>48</height></original_size></task>
<source>uneven.mp4</source></meta>
<track id="0" label="person">
 <box frame="3" keyframe="1" outside="0" occluded="0" xtl="0" ytl="0" xbr="32" ybr="24" z_order="0">
  <attribute name="action">walk</attribute><attribute name="waving">false</attribute></box>
 <box frame="5" keyframe="1" outside="0" occluded="0" xtl="32" ytl="0" xbr="64" ybr="24" z_order="0">
  <attribute name="action">run, jump</attribute><attribute name="waving">true</attribute></box>
 <box frame="6" keyframe="1" outside="1" occluded="0" xtl="32" ytl="0" xbr="64" ybr="24" z_order="0">
  <attribute name="action">run</attribute></box>
</track></annotations>
"""


def test_cvat_interpolates_through_time_and_not_through_frame_numbers(videos, tmp_path):
    """Frame 4 is in the middle by number; by time, 0.4 s between 0.3 and 1.0, it is a seventh of the way."""
    (tmp_path / "a.xml").write_text(CVAT)
    found = read_cvat(tmp_path / "a.xml", videos)
    assert [(a.time, a.actions) for a in found.labels] == [
        (0.3, ("walk",)),
        (0.4, ("walk",)),
        (1, ("run", "jump", "waving")),
    ]
    assert found.labels[1].box[0] == pytest.approx(0.5 / 7)
    assert {a.actions for a in read_cvat(tmp_path / "a.xml", videos, actions_from="label").labels} == {("person",)}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('frame="6"', 'frame="60"'), "a.xml: track 0: the video has frames 0 to 19, and frame 60"),
        (("annotations>", "boxes>"), "expected <annotations> of CVAT for video 1.1, found <boxes>"),
        (("</track>", ""), "not an XML file"),
        (('encoding="utf-8"?>', 'encoding="utf-8"?><!DOCTYPE a [<!ENTITY b "c">]>'), "entities is not read"),
    ],
)
def test_what_is_wrong_in_an_xml_is_named(videos, tmp_path, change, told):
    (tmp_path / "a.xml").write_text(CVAT.replace(*change))
    with pytest.raises(ValueError, match=told):
        read_cvat(tmp_path / "a.xml", videos)


def test_label_studio_counts_at_a_steady_rate_what_the_player_showed(videos, tmp_path):
    """20 frames in 1.75 s: its frame 12 is second 0.9625, when the fifth picture (0.4 s) is on screen, not the twelfth."""
    sequence = [{"frame": 12, "enabled": False, "x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}]
    value = {"framesCount": 20, "duration": 1.75, "sequence": sequence, "labels": ["walk"]}
    task = {
        "data": {"video": "/data/upload/1/uneven.mp4"},
        "annotations": [{"result": [{"type": "videorectangle", "id": "r", "value": value}]}],
    }
    (tmp_path / "a.json").write_text(json.dumps([task]))
    (label,) = read_label_studio(tmp_path / "a.json", videos).labels
    assert (label.time, label.actions) == (0.4, ("walk",)) and label.box == pytest.approx((0.1, 0.2, 0.4, 0.6))
    (tmp_path / "a.json").write_text(json.dumps([{"annotations": []}]))
    with pytest.raises(ValueError, match=r"a\.json: not an export of video rectangles: KeyError"):
        read_label_studio(tmp_path / "a.json", videos)


def test_via_has_moments_already(videos, tmp_path):
    project = {
        "attribute": {"1": {"aname": "ACTION", "options": {"0": "walk", "1": "wave"}}, "2": {"aname": "track"}},
        "file": {"1": {"fid": "1", "fname": "uneven.mp4"}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": {
            "1_a": {"vid": "1", "z": [0.7], "xy": [2, 6.4, 4.8, 32, 24], "av": {"1": "0,1", "2": "anna"}},
            "1_b": {"vid": "1", "z": [0.1, 0.5], "xy": [], "av": {"1": "0"}},
            "1_c": {"vid": "1", "z": [1.0], "xy": [8, 32, 12, 16, 24, 48, 18, 20, 36], "av": {"1": "_DEFAULT"}},
            "1_d": {"vid": "1", "z": [1.0], "xy": [3, 32, 12, 5], "av": {"1": "0"}},
        },
    }
    (tmp_path / "a.json").write_text(json.dumps(project))
    found = read_via(tmp_path / "a.json", videos)
    label, sides = found.labels
    # The points that a rectangle's sides go through; and nothing was said of what it does.
    assert (sides.time, sides.actions, sides.box) == (1, (), pytest.approx((0.25, 0.25, 0.75, 0.75)))
    assert found.notes == (
        f"{tmp_path / 'a.json'}: 1 shapes that are no rectangle at one moment",
        f"{tmp_path / 'a.json'}: 1 segments of time, which have no box",
    )
    assert (label.time, label.actions, label.track) == (0.4, ("walk", "wave"), "anna")
    assert label.box == pytest.approx((0.1, 0.1, 0.6, 0.6))


@pytest.mark.parametrize(
    ("text", "time", "box"),
    [
        ("video,frame,left,top,width,height,action\nuneven.mp4,5,6.4,4.8,32,24,walk\n", 1, (0.1, 0.1, 0.6, 0.6)),
        (
            "Video;Time;xmin;ymin;xmax;ymax;Class\nuneven;1,0;0,1;0,1;0,6;0,6;walk\n",
            1,
            (0.1, 0.1, 0.6, 0.6),
        ),
        ("video,second,x1,y1,x2,y2,label,person\nuneven,0.25,0.1,0.1,0.6,0.6,walk,7\n", 0.25, (0.1, 0.1, 0.6, 0.6)),
    ],
)
def test_spreadsheets_are_understood_by_their_columns(videos, tmp_path, text, time, box):
    (tmp_path / "a.csv").write_text(text)
    (label,) = read_spreadsheet(tmp_path / "a.csv", videos).labels
    assert (label.video, label.time, label.actions) == ("uneven", time, ("walk",)) and label.box == pytest.approx(box)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("film,time,x1,y1,x2,y2\n", "the first line must name the columns video, time"),
        (
            "video,time,x1,y1,x2,y2\nuneven,soon,0,0,1,1\n",
            "a.csv:2: column time: 'soon' is not seconds since the start",
        ),
        ("video,time,x1,y1,x2,y2\nuneven,nan,0,0,1,1\n", "a.csv:2: column time: 'nan' is not seconds"),
        ("video,time,x1,y1,x2,y2\nuneven,1,0,0,wide,1\n", "a.csv:2: column x2: 'wide' is not a number"),
        ("video,frame,x1,y1,x2,y2\nuneven,1.5,0,0,1,1\n", "a.csv:2: column frame: '1.5' is not a whole number"),
        ("video,frame,x1,y1,x2,y2\ngone,7,0,0,1,1\n", r"a.csv:2: cannot read .*gone: no such file"),
        ("video,time,x1,y1,x2,y2\ngone,7,0,0,10,10\n", r"a.csv:2: cannot read .*gone: no such file"),
        (
            "video,frame,x1,y1,x2,y2\nuneven,77,0,0,1,1\n",
            r"a.csv:2: column frame: the video has frames 0 to 19, .*\(--first-frame\)",
        ),
        (
            "video,time,x1,y1,x2,y2\nuneven,1,0.5,0,0.1,1\n",
            r"a.csv:2: box \(0.5, 0, 0.1, 1\) is inverted or has no area; do the columns x1, y1",
        ),
    ],
)
def test_what_is_wrong_in_a_spreadsheet_is_named_with_its_line(videos, tmp_path, text, told):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=told):
        read_spreadsheet(tmp_path / "a.csv", videos)


def test_a_spreadsheet_without_actions_names_the_column_that_it_lacks(folder, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("video,time,x1,y1,x2,y2,activity\neven,1,0,0,0.5,0.5,walk\n")
    line = ["--from", "spreadsheet", "--to", "ava", "--videos", str(folder), "--out", str(tmp_path / "out")]
    assert main([*line, str(tmp_path / "a.csv")]) == 1
    assert "a spreadsheet names it in a column action, label or class" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_key_frames_are_chosen_by_time(videos):
    labels = filled("uneven", "1", [KeyBox(0.0, (0, 0, 0.5, 0.5)), KeyBox(1.7, (0, 0, 1, 1))], videos.of("uneven"))
    assert len(labels) == 20
    kept = every(annotations_of(labels), 0.5, videos)
    assert [a.time for a in kept.labels] == [0, 0.4, 1, 1.5]  # at 0.5 the frame of 0.4 is on screen


def test_a_track_that_leaves_and_comes_back_has_a_gap():
    timing = Timing(np.arange(10) / 10, (10, 10))
    keys = [KeyBox(0.0, (0, 0, 0.5, 0.5)), KeyBox(0.2, (0, 0, 0.5, 0.5), False), KeyBox(0.7, (0, 0, 0.5, 0.5))]
    assert [round(a.time, 1) for a in filled("v", "1", keys, timing)] == [0.0, 0.1, 0.7]


def test_detections_become_pre_labels_of_a_tool(videos, folder, tmp_path, capsys):
    (tmp_path / "classes.txt").write_text("walk\nwave\n")
    rows = ["uneven,0001,0.1,0.1,0.5,0.5,1,0.9", "uneven,0001,0.1,0.1,0.5,0.5,2,0.05", "uneven,0000.400,0,0,1,1,2,0.4"]
    (tmp_path / "detections.csv").write_text("\n".join(rows) + "\n")
    arguments = ["--from", "ava", "--to", "label-studio", "--videos", str(folder), "--out", str(tmp_path / "pre.json")]
    assert main([*arguments, "--label-map", str(tmp_path / "classes.txt"), str(tmp_path / "detections.csv")]) == 0
    (task,) = json.loads((tmp_path / "pre.json").read_text())
    assert sorted(region["score"] for region in task["predictions"][0]["result"]) == [0.4, 0.9]
    assert "2 boxes on 2 key frames of 1 videos, 2 classes: walk, wave" in capsys.readouterr().out
    assert main([*arguments, str(tmp_path / "detections.csv")]) == 1
    assert "give their label map (--label-map)" in capsys.readouterr().err


def test_pairs_that_were_written_by_hand_outlive_another_conversion(folder, tmp_path, capsys):
    """Who follows docs/OWN_DATA.md writes a swap into classes.pbtxt, then labels more and converts again."""
    sheet, out = tmp_path / "boxes.csv", tmp_path / "annotations"
    head = "video,time,x1,y1,x2,y2,action\n"
    sheet.write_text(f"{head}even,0.5,0.1,0.1,0.5,0.5,walk left\neven,0.7,0.1,0.1,0.5,0.5,walk right\n")
    line = ["--from", "spreadsheet", "--to", "ava", "--videos", str(folder), "--out", str(out), str(sheet)]
    assert main(line) == 0 and "mirrored clips exchange" not in capsys.readouterr().out
    write_label_map(replace(read_label_map(out / "classes.pbtxt"), swaps=((1, 2),)), out / "classes.pbtxt")
    sheet.write_text(sheet.read_text() + "even,0.9,0.1,0.1,0.5,0.5,jump\n")
    assert main(line) == 0
    assert "mirrored clips exchange walk left <-> walk right" in capsys.readouterr().out
    found = read_label_map(out / "classes.pbtxt")
    assert found.names == ("jump", "walk left", "walk right") and found.swaps == ((2, 3),)
    sheet.write_text(f"{head}even,0.5,0.1,0.1,0.5,0.5,walk left\n")  # a class that is gone takes its pair along
    assert main(line) == 0 and read_label_map(out / "classes.pbtxt").swaps == ()


def test_several_files_become_one_data_set_with_a_test_part(sample, videos, tmp_path):
    for video in sample.videos:
        FORMATS["cvat"].write(sample.of_videos([video]), tmp_path / f"{video}.xml", videos, Options())
    files = [tmp_path / f"{video}.xml" for video in sample.videos]
    convert(files, "cvat", "ava", tmp_path / "out", videos, options=Options(test_videos=("even",)))
    assert read_groundtruth_csv(tmp_path / "out" / "test.csv").videos == ("even",)
    train = read_groundtruth_csv(tmp_path / "out" / "train.csv")
    assert train.videos == ("uneven",) and sorted(set(train.timestamp.tolist())) == [0, 0.4, 1, 1.35]
    with pytest.raises(ValueError, match=r"the test videos \['gone'\] have no annotation"):
        convert(files, "cvat", "ava", tmp_path / "out", videos, options=Options(test_videos=("gone",)))


def test_tubes_stand_at_the_times_of_their_frames_and_what_is_beyond_is_told(folder, tmp_path, capsys):
    tube = np.array([[5, 6.4, 4.8, 31, 23], [6, 6.4, 4.8, 31, 23], [21, 6.4, 4.8, 31, 23]])
    content = {
        "labels": ["run"],
        "gttubes": {"uneven": {0: [tube]}, "even": {0: [tube[:1]]}},
        "nframes": {"uneven": 21, "even": 20},
        "resolution": {"uneven": (HEIGHT, WIDTH), "even": (HEIGHT, WIDTH)},
        "train_videos": [["uneven"]],
        "test_videos": [["even"]],
    }
    (tmp_path / "gt.pkl").write_bytes(pickle.dumps(content))
    arguments = ["--from", "tubes", "--to", "spreadsheet", "--videos", str(folder), "--out", str(tmp_path / "a.csv")]
    assert main([*arguments, str(tmp_path / "gt.pkl")]) == 0
    assert "gt.pkl: 1 boxes are on frames beyond the ends of 1 videos: 1 of uneven" in capsys.readouterr().out
    rows = [line.split(",")[:3] for line in (tmp_path / "a.csv").read_text().splitlines()[1:]]
    assert rows == [["even", "0.4", "0.100000"], ["uneven", "0.4", "0.100000"], ["uneven", "1", "0.100000"]]


def test_tubes_are_written_with_a_test_part_and_read_as_training_reads_them(sample, videos, tmp_path):
    path = tmp_path / "gt.pkl"
    FORMATS["tubes"].write(sample, path, videos, Options(test_videos=("even",)))
    train, test = (read_tubes(path, subset=subset) for subset in ("train", "test"))
    assert (train.videos, train.num_frames, test.videos) == (("uneven",), (20,), ("even",))
    assert [(tube.label, tube.frames.tolist()) for tube in train.tubes] == [
        (2, [1, 5]),
        (2, [5]),
        (3, [5]),
        (3, [6, 13]),
    ]
    (sit,) = test.tubes
    assert sit.boxes == pytest.approx(np.array([[0.0, 0.25, 0.5, 1.0]])) and test.label_map.names == (
        "sit",
        "walk",
        "wave",
    )
    twice = [Label("even", 0.5, box, ("sit",)) for box in boxes_at(0, 5)]
    with pytest.raises(
        ValueError, match=r"video 'even', second 0.5: two boxes of 'sit' without a track; tubes need one"
    ):
        FORMATS["tubes"].write(annotations_of([*twice, *sample.labels]), path, videos, Options(test_videos=("even",)))
    for part in ((), ("even", "uneven")):
        with pytest.raises(ValueError, match="name some of even, uneven with --test-video, not none and not all"):
            FORMATS["tubes"].write(sample, path, videos, Options(test_videos=part))
    with pytest.raises(ValueError, match=r"the test videos \['away'\] have no annotation"):
        FORMATS["tubes"].write(sample, path, videos, Options(test_videos=("away",)))


def test_puppet_masks_become_the_csvs_that_training_reads(tmp_path):
    io = pytest.importorskip("scipy.io")
    mask = np.zeros((12, 16, 3), dtype=np.uint8)
    mask[2:5, 4:9, 0] = 1
    mask[0:12, 0:16, 2] = 1
    assert box_of_mask(mask[:, :, 0]) == (4, 2, 8, 4) and box_of_mask(mask[:, :, 1]) is None
    (tmp_path / "masks" / "run" / "a b").mkdir(parents=True)
    (tmp_path / "splits").mkdir()
    io.savemat(str(tmp_path / "masks" / "run" / "a b" / "puppet_mask.mat"), {"part_mask": mask})
    for number, part in ((1, "1"), (2, "2"), (3, "1")):
        (tmp_path / "splits" / f"run_test_split{number}.txt").write_text(f"a b.avi {part}\n")
    (video,) = jhmdb_from_masks(tmp_path / "masks", tmp_path / "splits")
    assert (video.name, video.frames, video.size, video.parts) == ("run/a b", 3, (12, 16), ("train", "test", "train"))
    assert video.boxes == {1: (4, 2, 8, 4), 3: (0, 0, 15, 11)}
    write_jhmdb([video], tmp_path / "out")
    assert (tmp_path / "out" / "jhmdb21_videos.csv").read_text().splitlines()[1] == "run/a b,3,12,16,train,test,train"


def test_the_real_jhmdb_pickle_gives_the_annotations_that_training_reads(shared_dir, tmp_path):
    from slowfast.datasets.annotations.people.jhmdb import read_jhmdb

    root = shared_dir / "data" / "jhmdb"
    write_jhmdb(jhmdb_from_pickle(root / "JHMDB-GT.pkl.gz"), tmp_path)
    for subset in ("train", "test"):
        ours, theirs = (read_jhmdb(folder, split=2, subset=subset) for folder in (tmp_path, root))
        assert ours[1] == theirs[1] and ours[0].videos == theirs[0].videos
        for name in ("video", "timestamp", "boxes", "actions"):
            assert np.array_equal(getattr(ours[0], name), getattr(theirs[0], name)), name
