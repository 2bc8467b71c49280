"""Which attributes of a labelling tool are actions: chosen when a file is read, told, and kept on the way back."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from slowfast.commands.data.convert_annotations import main
from slowfast.preparation.converters.annotations import Label, VideoTimes, annotations_of
from slowfast.preparation.converters.attributes import Attribute, Told, homes, merged
from slowfast.preparation.converters.formats.cvat import read_cvat
from slowfast.preparation.converters.formats.label_studio import read_label_studio
from slowfast.preparation.converters.formats.via import read_via
from slowfast.preparation.converters.table import FORMATS, Options
from tests.unit.video.video_maker import write_video


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "even.mp4", frames=20, fps=10)
    return folder


def box(frame, *, outside=0, **said):
    named = "".join(f'<attribute name="{name}">{value}</attribute>' for name, value in said.items())
    sides = 'xtl="0" ytl="0" xbr="32" ybr="24" z_order="0"'
    return f'<box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" {sides}>{named}</box>'


@pytest.fixture
def cvat(tmp_path):
    """A person who walks, then waves while hidden, with a number on the shirt; the task knows one attribute more."""
    boxes = [
        box(0, does="walk", hidden="false", shirt="7", waving="false"),
        box(1, does="walk", hidden="true", shirt="7", waving="true"),
        box(2, does="", hidden="true", shirt="7", waving="false"),
        box(3, outside=1, does="walk", hidden="true", shirt="7", waving="true"),
    ]
    declared = "<labels><label><name>person</name><attributes><attribute><name>mood</name></attribute></attributes></label></labels>"
    path = tmp_path / "a.xml"
    path.write_text(
        f"<annotations><meta><task><name>even</name>{declared}<original_size><width>64</width><height>48</height>"
        f'</original_size></task></meta><track id="0" label="person">{"".join(boxes)}</track></annotations>'
    )
    return path


@pytest.mark.parametrize(
    ("actions_from", "actions"),
    [
        ("auto", [("walk", "7"), ("walk", "hidden", "7", "waving"), ("hidden", "7")]),
        ("does", [("walk",), ("walk",), ()]),
        ("Waving,does", [("walk",), ("walk", "waving"), ()]),
        ("label", [("person",)] * 3),
        ("label,hidden", [("person",), ("person", "hidden"), ("person", "hidden")]),
    ],
)
def test_cvats_actions_are_those_of_the_attributes_that_were_chosen(folder, cvat, actions_from, actions):
    found = read_cvat(cvat, VideoTimes(folder), actions_from=actions_from)
    assert [a.actions for a in found.labels] == actions
    assert set(found.classes) == {one for some in actions for one in some}
    used = {one.name for one in found.attributes if one.used}
    assert {one.name for one in found.attributes} == {"mood", "does", "hidden", "shirt", "waving", "label"}
    names = {"auto": {"mood", "does", "hidden", "shirt", "waving"}}
    assert used == names.get(actions_from, set(actions_from.lower().split(",")))


def test_the_command_tells_what_became_a_class_and_how_often(folder, cvat, tmp_path, capsys):
    line = ["--from", "cvat", "--to", "ava", "--videos", str(folder), "--out", str(tmp_path / "out"), str(cvat)]
    assert main(line) == 0
    told = capsys.readouterr().out.splitlines()[1:]
    assert told == [
        "actions from attribute mood: 0 boxes (no value)",
        "actions from attribute does: 2 boxes (walk: 2)",
        "actions from attribute hidden: 2 boxes (hidden: 2)",
        "actions from attribute shirt: 3 boxes (7: 3)",
        "actions from attribute waving: 1 boxes (waving: 1)",
        "no actions from the label (person)",
        "--actions-from NAME[,NAME] chooses among attributes, label takes the label",
    ]
    assert main([*line, "--actions-from", "does"]) == 0
    told = capsys.readouterr().out
    assert "actions from attribute does: 2 boxes (walk: 2)\nno actions from attribute hidden (hidden)" in told
    assert "1 classes: walk" in told and "chooses among" not in told
    rows = (tmp_path / "out" / "train.csv").read_text().splitlines()
    assert [row.split(",")[1::5] for row in rows] == [["0000", "1"], ["0000.100", "1"], ["0000.200", ""]]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ["--from", "cvat", "--to", "ava", "--actions-from", "dose,hidden"],
            "a.xml: no box has an attribute 'dose' (--actions-from); there are mood, does, hidden, shirt, waving; label takes "
            "the labels (person)",
        ),
        (
            ["--from", "cvat", "--to", "ava", "--actions-from", "does,"],
            "--actions-from 'does,': a name between commas is",
        ),
        (
            ["--from", "spreadsheet", "--to", "ava", "--actions-from", "does"],
            "--actions-from does: boxes of spreadsheet and ava have no attributes; those of cvat, label-studio, via have",
        ),
        (
            ["--from", "cvat", "--to", "ava", "--actions-from", "mood"],
            "no box has an action, and training needs a class",
        ),
    ],
)
def test_a_choice_that_cannot_be_is_refused_with_what_there_is(folder, cvat, tmp_path, capsys, options, told):
    assert main([*options, "--videos", str(folder), "--out", str(tmp_path / "out"), str(cvat)]) == 1
    assert told in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_attributes_of_via_are_chosen_too_and_one_may_be_called_label(folder, tmp_path):
    """As a published project of cricket has them: phases and scores are attributes of the same box."""
    attributes = {
        "1": {"aname": "phase", "options": {"default": "Default"}},
        "2": {"aname": "Head_Score", "options": {"0": "1", "1": "2"}},
        "3": {"aname": "label", "options": {"0": "OffDrive", "1": "Cut"}},
        "4": {"aname": "Feet_Score", "options": {"0": "1", "1": "2"}},
        "5": {"aname": "track"},
    }
    said = {"1": "Buildup", "2": "1", "3": "1", "4": "1", "5": "anna"}
    project = {
        "attribute": attributes,
        "file": {"1": {"fid": "1", "fname": "even.mp4", "type": 4, "loc": 1, "src": ""}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": {
            "1_a": {"vid": "1", "flg": 0, "z": [0.52], "xy": [2, 6.4, 4.8, 32, 24], "av": said},
            "1_b": {"vid": "1", "flg": 0, "z": [0.1, 0.5], "xy": [], "av": {"1": "Buildup"}},
        },
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(project))
    videos = VideoTimes(folder)
    (label,) = read_via(path, videos).labels
    assert (label.actions, label.track) == (("Buildup", "2", "Cut"), "anna")  # "2" once, though two attributes say it
    (label,) = read_via(path, videos, actions_from="label,PHASE").labels
    assert (label.actions, label.track) == (("Buildup", "Cut"), "anna")
    (label,) = read_via(path, videos, actions_from="track").labels
    assert (label.actions, label.track) == (("anna",), "")


def test_via_2_and_pictures_are_told(folder, tmp_path, capsys):
    line = ["--from", "via", "--to", "ava", "--videos", str(folder), "--out", str(tmp_path / "out")]
    (tmp_path / "a.json").write_text(json.dumps({"_via_settings": {}, "_via_img_metadata": {}}))
    assert main([*line, str(tmp_path / "a.json")]) == 1
    assert "a project of VIA 2, which knows pictures only; label the videos with VIA 3" in capsys.readouterr().err
    project = {
        "attribute": {"1": {"aname": "does", "options": {"0": "sit"}}},
        "file": {"1": {"fid": "1", "fname": "even_000031.jpg", "type": 2, "loc": 1, "src": ""}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": {"1_a": {"vid": "1", "flg": 0, "z": [], "xy": [2, 6.4, 4.8, 32, 24], "av": {"1": "0"}}},
    }
    (tmp_path / "a.json").write_text(json.dumps(project))
    assert main([*line, str(tmp_path / "a.json")]) == 1
    assert "1 pictures, of which the project does not tell the moment" in capsys.readouterr().err


def test_choices_of_label_studio_are_chosen_by_the_name_of_their_tag(folder, tmp_path):
    sequence = [
        {"frame": 1, "time": 1 / 24, "enabled": False, "x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}
    ]
    value = {"sequence": sequence, "framesCount": 48, "duration": 2.0, "labels": ["person"]}
    result = [{"type": "videorectangle", "id": "r", "value": value}]
    for name, choices in (("does", ["walk", "wave"]), ("seen", ["half"])):
        result.append({"type": "choices", "id": "r", "from_name": name, "value": {"choices": choices}})
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"data": {"video": "even.mp4"}, "annotations": [{"result": result}]}]))
    videos = VideoTimes(folder)
    found = {
        how: read_label_studio(path, videos, actions_from=how).classes
        for how in ("auto", "does", "label", "seen,label")
    }
    assert found == {
        "auto": ("half", "walk", "wave"),
        "does": ("walk", "wave"),
        "label": ("person",),
        "seen,label": ("half", "person"),
    }


@pytest.fixture
def sample():
    """What a model found, as pre-labels: nothing says which attribute it would be."""
    labels = [
        Label("even", 0.0, (0.1, 0.2, 0.4, 0.8), ("walk",), "1"),
        Label("even", 0.1, (0.2, 0.2, 0.5, 0.8), ("run", "waving"), "1"),
        Label("even", 0.5, (0.5, 0.5, 0.75, 1.0), (), "2"),
    ]
    return annotations_of(labels)


@pytest.mark.parametrize("name", ["cvat", "label-studio", "via"])
@pytest.mark.parametrize("actions_from", ["auto", "attributes", "does", "Waving,does", "label"])
def test_what_is_written_is_read_back_by_the_same_choice(name, actions_from, sample, folder, tmp_path):
    videos, options, one = VideoTimes(folder), Options(actions_from=actions_from), FORMATS[name]
    one.write(sample, tmp_path / "a", videos, options)
    found = one.read(tmp_path / "a", videos, options)
    expected = {(a.time, a.actions) for a in sample.labels}
    if name == "cvat" and actions_from == "label":  # a track per action, and an idle actor has a label too
        expected = {(0.0, ("walk",)), (0.1, ("run",)), (0.1, ("waving",)), (0.5, ("actor",))}
    assert {(a.time, tuple(sorted(a.actions))) for a in found.labels} == expected


def test_attributes_are_written_under_the_names_that_were_chosen(sample, folder, tmp_path):
    videos, options = VideoTimes(folder), Options(actions_from="Waving,does")
    FORMATS["cvat"].write(sample, tmp_path / "a.xml", videos, options)
    boxes = ElementTree.parse(tmp_path / "a.xml").findall(".//box[@outside='0']")
    said = [{a.get("name"): a.text or "" for a in one.iter("attribute")} for one in boxes]
    assert said == [
        {"does": "walk", "waving": "false"},
        {"does": "run", "waving": "true"},
        {"does": "", "waving": "false"},
    ]
    FORMATS["via"].write(sample, tmp_path / "a.json", videos, options)
    attributes = json.loads((tmp_path / "a.json").read_text())["attribute"].values()
    assert [(a["aname"], sorted(a["options"].values())) for a in attributes] == [
        ("does", ["run", "walk"]),
        ("waving", ["waving"]),
        ("track", []),
    ]
    FORMATS["label-studio"].write(sample, tmp_path / "b.json", videos, Options(actions_from="does"))
    (task,) = json.loads((tmp_path / "b.json").read_text())
    result = task["annotations"][0]["result"]
    choices = [(r["from_name"], r["value"]["choices"]) for r in result if r["type"] == "choices"]
    assert choices == [("does", ["walk"]), ("does", ["run", "waving"])]
    assert [r["id"] for r in result] == ["1", "1", "1~2", "1~2", "2"]  # a choice is about the region of its id
    assert [a.track for a in read_label_studio(tmp_path / "b.json", videos).labels] == ["1", "1", "2"]
    assert [r["value"]["labels"] for r in result if r["type"] == "videorectangle"] == [["actor"], ["actor"], []]
    with pytest.raises(
        ValueError, match=r"run, walk, waving must be written into one attribute, and does, mood are several"
    ):
        FORMATS["via"].write(sample, tmp_path / "c.json", videos, Options(actions_from="does,mood"))


def test_classes_go_back_into_the_attribute_that_told_them(sample):
    there = (
        Attribute("does", True, ("walk", "run")),
        Attribute("hands", True, ("waving",)),
        Attribute("seen", False, ("walk",)),
    )
    assert homes(("run", "walk", "waving"), there, "does,hands") == {"run": "does", "walk": "does", "waving": "hands"}
    with pytest.raises(ValueError, match=r"--actions-from run: walk must be written .*each of these is a class itself"):
        homes(("run", "walk"), (), "run")
    assert merged([there, (replace(there[0], values=("sit",)),)])[0].values == ("walk", "run", "sit")
    told = Told("label")
    assert told.actions("label", ["walk"]) == ["walk"]  # no box has a label, so it is the attribute
