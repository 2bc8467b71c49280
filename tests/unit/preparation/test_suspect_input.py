"""What users hand in by mistake: each is understood, refused with value and rule, or told to look at."""

import json
import shlex

import numpy as np
import pytest

from slowfast.commands.data.convert_annotations import main
from slowfast.commands.data.new_dataset import main as new_dataset
from slowfast.video.writing.writer import write_video as write_large
from tests.unit.video.video_maker import write_video


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Films of 64 x 48 pixels: two seconds, four tenths of a second, and three hours at a frame in 20 seconds."""
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "garden.mp4", frames=20, fps=10)
    write_video(folder / "short.mp4", frames=4, fps=10)
    write_video(folder / "long.mp4", frames=540, fps=10, pts=[20 * 10 * n for n in range(540)])
    write_large(np.zeros((1, 240, 320, 3), np.uint8), folder / "big.mp4", 10)
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "clip.mp4").symlink_to(folder / "garden.mp4")
    return folder


@pytest.fixture
def convert(folder, tmp_path, capsys):
    """text of a spreadsheet -> (exit code, what is said, rows of train.csv as they are written)."""

    def run(text, *options, name="boxes.csv", source="spreadsheet"):
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        out = tmp_path / "out"
        line = ["--from", source, "--to", "ava", "--videos", str(folder), "--out", str(out), *options]
        code = main([*line, str(tmp_path / name)])
        said = capsys.readouterr()
        rows = (out / "train.csv").read_text().splitlines() if out.exists() else []
        return code, said.out + said.err, rows

    return run


HEAD = "video,time,x1,y1,x2,y2,action\n"
WALK = "garden.mp4,0.5,0.25,0.25,0.5,0.75,walk\n"
WALKS = ["garden,0000.500,0.250000,0.250000,0.500000,0.750000,1"]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + (HEAD + WALK).replace("\n", "\r\n"),
        (HEAD + WALK).replace(",", "\t"),
        (HEAD + WALK).replace(",", "\t").replace(".", ",").replace("garden,", "garden."),
        "sep=;\n" + (HEAD + WALK).replace(",", ";"),
        "sep=\t\n" + (HEAD + WALK).replace(",", "\t"),
        (HEAD + WALK).replace(",", ";").replace("0.", "0,"),
        HEAD + '"C:\\films\\garden.mp4","0,5","0,25","0,25","0,5","0,75","walk"\n',
        HEAD + WALK.replace("\n", ",,,\n"),
    ],
)
def test_spreadsheets_of_many_programs_are_the_same(convert, text):
    code, said, rows = convert(text)
    assert (code, rows) == (0, WALKS) and "look at this" not in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "boxes.csv: the first line must name the columns video, time (or frame)"),
        ("", "height); the file is empty"),
        (HEAD.replace("action", "time") + WALK, "boxes.csv: the first line names time twice; which column counts?"),
        (
            HEAD + "garden.mp4,0,5,0,25,0,25,0,5,0,75,walk\n",
            "boxes.csv:2: 12 cells under 7 columns: does a comma stand inside a",
        ),
        ("sep=;\n" + HEAD.replace(",", ";") + "garden.mp4;soon\n", "boxes.csv:3: column time: 'soon' is not seconds"),
        (
            HEAD + "garden.mp4,1,8,8,40,40,walk\n" + WALK,
            "boxes.csv:3: box (0.25, 0.25, 0.5, 0.75) looks like fractions of the frame, and line 2 has pixels",
        ),
        (
            HEAD + "garden.mp4,1,200,8,400,40,walk\n",
            "boxes.csv:2: box (200, 8, 400, 40) is outside the frame of 64 x 48 pixels",
        ),
        (
            HEAD + WALK.replace("0.5,", "-2,", 1),
            "1 of 1 key frames are before the start or beyond the end of their video, such as",
        ),
        (
            HEAD + WALK.replace("0.5,", "-0.2,", 1),
            "such as second -0.2 of 'garden', which lasts 2.000 s; times are seconds since",
        ),
        (
            HEAD + WALK.replace("0.5,", "2.6,", 1),
            "such as second 2.6 of 'garden', which lasts 2.000 s; times are seconds since",
        ),
        (HEAD + WALK.replace("0.5,", "500,", 1), "seconds since the start of the film; are these milliseconds?"),
        (HEAD + WALK.replace("0.5,", "19,", 1), "are these frame numbers? Call their column frame"),
        (HEAD + WALK.replace("garden", "short").replace("0.5,", "1,", 1), "second 1 of 'short', which lasts 0.400 s"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(convert, text, told):
    code, said, rows = convert(text)
    assert code == 1 and told in said and not rows


def test_a_folder_of_videos_that_is_not_there_is_an_error(tmp_path, capsys):
    line = ["--from", "spreadsheet", "--to", "ava", "--videos", str(tmp_path / "films"), "--out", str(tmp_path / "out")]
    assert main([*line, str(tmp_path / "a.csv")]) == 1
    assert "films: no such folder (--videos)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--every", "0"], "--every must be above 0"),
        (["--every", "nan"], "--every must be above 0"),
        (
            ["--every", "2"],
            "boxes.csv: none of 1 boxes is on a frame that is shown at 0, 2, 4, ... s (--every); it is for boxes on",
        ),
        (["--first-second", "-5"], "--first-second must be 0 or more"),
        (["--min-score", "30"], "--min-score must be from 0 to 1"),
        (["--test-video", "gone.mp4"], "the test videos ['gone'] have no annotation; there are garden"),
    ],
)
def test_options_out_of_range_are_named(convert, options, told):
    code, said, rows = convert(HEAD + WALK, *options)
    assert code == 1 and told in said and not rows


def test_avas_seconds_need_the_one_at_the_start_of_a_file(folder, tmp_path, capsys):
    (tmp_path / "classes.txt").write_text("walk\n")
    (tmp_path / "a.csv").write_text("garden,0901,0.25,0.25,0.5,0.75,1\n")
    line = ["--from", "ava", "--to", "coco", "--videos", str(folder), "--label-map", str(tmp_path / "classes.txt")]
    line += ["--out", str(tmp_path / "a.json"), str(tmp_path / "a.csv")]
    assert main(line) == 1
    assert "such as second 901 of 'garden', which lasts 2.000 s" in (said := capsys.readouterr().err)
    assert said.endswith("; the start of a file is second 0 (--first-second)\n")
    assert main([*line, "--first-second", "900"]) == 0


def test_the_commands_of_a_new_data_set_hold_for_a_folder_with_a_blank(tmp_path, capsys):
    assert new_dataset([str(tmp_path / "my set")]) == 0
    next_command = capsys.readouterr().out.partition("next: ")[2]
    assert shlex.split(next_command)[-1] == str(tmp_path / "my set" / "config.yaml")
    commands = [
        line for line in (tmp_path / "my set" / "README.md").read_text().splitlines() if line.startswith("    bmvit")
    ]
    assert str(tmp_path / "my set" / "videos") in shlex.split(commands[0].rstrip("\\"))


def test_a_test_video_may_be_named_as_its_file(convert, tmp_path):
    code, _, rows = convert(
        HEAD + WALK + WALK.replace("garden", "short").replace("0.5,", "0.1,", 1), "--test-video", "short.mp4"
    )
    assert (code, rows) == (0, WALKS)
    assert (tmp_path / "out" / "test.csv").read_text().startswith("short,0000.100,")


def test_a_workbook_is_not_a_csv(convert):
    code, said, _ = convert("PK", name="boxes.xlsx")
    assert code == 1 and "boxes.xlsx: a workbook; save the sheet as CSV UTF-8" in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "video,time,left,top,width,height,action\ngarden.mp4,1,16,12,60,40,walk\n",
            "1 of 1 boxes reach beyond the frame and were cut, furthest box (0.25, 0.25, 1.188, 1.083) of video 'garden', second 1",
        ),
        (HEAD + WALK + WALK.replace("walk", "Walk "), "the classes 'Walk' and 'walk' are learned as different ones"),
        (
            HEAD + WALK.replace("walk", "sit_down") + WALK.replace("walk", "sit down"),
            "the classes 'sit down' and 'sit_down' are learned as different ones",
        ),
        (
            "video,frame,x1,y1,x2,y2,action\ngarden.mp4,1,0,0,1,1,walk\n",
            "the smallest frame is 1, and frames were counted from 0; where the file counts from 1, say --first-frame 1",
        ),
        (
            HEAD + WALK + WALK.replace("garden", "gone"),
            "video 'gone' cannot be read, so its moments were not looked at: no such",
        ),
        (HEAD + WALK.replace("garden", "clip"), "; there is a/clip.mp4, b/clip.mp4: write its name with its folder"),
    ],
)
def test_what_looks_wrong_is_told_and_written(convert, text, told):
    code, said, rows = convert(text)
    assert code == 0 and rows and told in said[said.index("look at this: ") :]


def test_percent_in_place_of_pixels_are_told(convert):
    code, said, _ = convert(HEAD + "big.mp4,0,10,20,60,90,walk\n")
    assert code == 0 and "none reaches beyond 100 in films of 320 x 240; are they percent?" in said
    code, said, _ = convert(HEAD + "big.mp4,0,10,20,60,90,walk\nbig.mp4,0,10,20,60,190,walk\n")
    assert code == 0 and "are they percent" not in said


def test_very_short_and_very_long_films_are_as_any_other(convert):
    rows = "short.mp4,0,0,0,1,1,walk\nshort.mp4,0.4,0,0,1,1,walk\nlong.mp4,10790,0,0,1,1,walk\n"
    code, said, rows = convert(HEAD + rows)
    assert code == 0 and "look at this" not in said
    assert [row.split(",")[:2] for row in rows] == [["long", "10790"], ["short", "0000"], ["short", "0000.400"]]


def test_tools_times_beyond_the_end_are_refused_and_not_put_on_the_last_frame(convert):
    project = {
        "attribute": {"1": {"aname": "does", "options": {}}},
        "file": {"1": {"fid": "1", "fname": "garden.mp4", "type": 4}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": {"1_a": {"vid": "1", "z": [7.5], "xy": [2, 6, 4, 32, 24], "av": {"1": "walk"}}},
    }
    code, said, _ = convert(json.dumps(project), name="a.json", source="via")
    assert code == 1 and "second 7.5 is not in the video, which lasts 2.000 s" in said
    images = [{"id": 1, "video_id": 1, "time": 30}]
    coco = {"videos": [{"id": 1, "name": "garden"}], "images": images, "annotations": [], "categories": []}
    code, said, _ = convert(json.dumps(coco), source="coco")
    assert code == 1 and "second 30 is not in the video, which lasts 2.000 s" in said


CVAT = (
    "<annotations><meta><task><name>garden</name><original_size><width>640</width><height>480</height></original_size></task>"
    '</meta><track id="0" label="walk"><box frame="3" outside="0" xtl="160" ytl="120" xbr="320" ybr="360"/></track></annotations>'
)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("<name>garden", "<name>my task 7"), "a.xml: it calls its video 'my task 7': cannot read"),
        (
            ('xtl="160" ', ""),
            "video 'garden', second 0.3: box (nan, 0.25, 0.5, 0.75), in fractions of the frame, is inverted, has no",
        ),
        (('xtl="160"', 'xtl="400"'), "box (0.625, 0.25, 0.5, 0.75), in fractions of the frame, is inverted"),
        (
            ('xtl="160" ytl="120" xbr="320"', 'xtl="960" ytl="120" xbr="970"'),
            "is outside it; is it in pixels of another size?",
        ),
        (('label="walk"', 'label=""'), "a labelling tool in an attribute or label (--actions-from)"),
    ],
)
def test_boxes_of_a_tool_that_cannot_be_are_named(convert, change, told):
    assert convert(CVAT, name="a.xml", source="cvat")[::2] == (0, [WALKS[0].replace("500", "300", 1) + ",0"])
    code, said, _ = convert(CVAT.replace(*change), name="a.xml", source="cvat")
    assert code == 1 and told in said


def test_films_of_another_shape_and_fractions_in_place_of_pixels_are_told(convert):
    code, said, _ = convert(CVAT.replace("<height>480", "<height>360"), name="a.xml", source="cvat")
    assert (
        code == 0
        and "video 'garden' is 64 x 48 pixels, and boxes are of pictures of 640 x 360, of another shape" in said
    )
    fractions = CVAT.replace('xtl="160" ytl="120" xbr="320" ybr="360"', 'xtl="0.25" ytl="0.25" xbr="0.5" ybr="0.75"')
    code, said, _ = convert(fractions, name="a.xml", source="cvat")
    assert code == 0 and "all 1 boxes are thinner than a hundredth of the frame" in said


@pytest.mark.parametrize(
    ("source", "name", "text", "told"),
    [
        (
            "coco",
            "a.json",
            '{"images": [], "annotations": [], "categories": []}',
            "it has no videos; COCO of pictures has no",
        ),
        (
            "coco",
            "a.json",
            '{"sequences": [], "categories": []}',
            "it has no videos and no annotations; COCO of pictures has no",
        ),
        (
            "coco",
            "a.json",
            '{"videos": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}], "annotations": [], "categories": []}',
            "two of the videos have the id 1, so annotations of it are of either",
        ),
        (
            "via",
            "a.csv",
            "# CSV_HEADER = metadata_id",
            "a.csv: a CSV export is not read; save the project of VIA, which is JSON",
        ),
        (
            "label-studio",
            "a.json",
            '[{"data": {"video": "garden.mp4"}, "annotations": [{"result": [{"type": "rectanglelabels", "id": "1"}]}]}, '
            '{"data": {"video": "garden.mp4"}, "annotations": [{"result": [], "was_cancelled": true}]}]',
            "left out: a.json: 1 tasks without an annotation; left out: a.json: 1 results that are no rectangles in a video",
        ),
    ],
)
def test_files_of_another_kind_are_told(convert, tmp_path, source, name, text, told):
    code, said, _ = convert(text, name=name, source=source)
    assert code == 1 and told in said.replace(f"{tmp_path}/", "")
