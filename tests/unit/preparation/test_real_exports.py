"""Files of the structure that labelling tools really export, as public samples and the tools' own sources show it."""

import json

import pytest

from slowfast.commands.data.convert_annotations import main
from slowfast.preparation.converters.annotations import VideoTimes
from slowfast.preparation.converters.formats.cvat import read_cvat
from slowfast.preparation.converters.formats.label_studio import read_label_studio
from tests.unit.video.video_maker import write_video


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two films of 20 frames, at 10 and at 5 a second."""
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "even.mp4", frames=20, fps=10)
    write_video(folder / "slow.mp4", frames=20, fps=5)
    return folder


@pytest.fixture
def videos(folder):
    return VideoTimes(folder)


LAST_FRAME = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><job><id>7</id><size>4</size><mode>interpolation</mode>
<start_frame>0</start_frame><stop_frame>18</stop_frame><frame_filter>step=6</frame_filter>
<original_size><width>64</width><height>48</height></original_size></job><source>even.mp4</source></meta>
<track id="0" label="person" source="manual">
 <box frame="18" keyframe="1" outside="0" occluded="0" xtl="16.00" ytl="12.00" xbr="48.00" ybr="36.00" rotation="90.00" z_order="0"/>
 <box frame="24" keyframe="1" outside="1" occluded="0" xtl="16.00" ytl="12.00" xbr="48.00" ybr="36.00" z_order="0"/>
</track>
<track id="1" label="hand" source="manual">
 <polygon frame="0" keyframe="1" outside="0" occluded="0" points="1.0,1.0;9.0,1.0;9.0,9.0" z_order="0"/>
</track></annotations>
"""


def test_cvats_shapes_end_after_the_last_frame_and_turned_boxes_are_put_upright(videos, tmp_path, folder, capsys):
    """A shape that is no track is written as one that ends a step later, which the video may not have. By hand: 32 x 24
    pixels turned about (32, 24) by a quarter are 24 x 32."""
    (tmp_path / "a.xml").write_text(LAST_FRAME)
    found = read_cvat(tmp_path / "a.xml", videos)
    (label,) = found.labels
    assert (label.time, label.actions) == (pytest.approx(1.8), ("person",))
    assert label.box == pytest.approx((20 / 64, 8 / 48, 44 / 64, 40 / 48))
    assert found.notes == (
        f"{tmp_path / 'a.xml'}: 1 tracks that are no boxes (polygons, points, masks, skeletons, ...)",
    )
    options = ["--from", "cvat", "--to", "coco", "--videos", str(folder), "--out", str(tmp_path / "a.json")]
    assert main([*options, str(tmp_path / "a.xml")]) == 0
    assert "left out: " in capsys.readouterr().out


PROJECT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><project><id>3</id><name>films</name><tasks>
<task><id>11</id><name>even</name><size>20</size><original_size><width>64</width><height>48</height></original_size></task>
<task><id>12</id><name>t</name><source>slow.mp4</source><size>20</size></task>
</tasks></project></meta>
<track id="0" label="sit" source="manual" task_id="12" subset="default">
 <box frame="5" keyframe="1" outside="0" occluded="0" xtl="0.0" ytl="0.0" xbr="32.0" ybr="24.0" z_order="0"/>
 <box frame="6" keyframe="1" outside="1" occluded="0" xtl="0.0" ytl="0.0" xbr="32.0" ybr="24.0" z_order="0"/></track>
<track id="1" label="run" source="manual" task_id="11" subset="default">
 <box frame="5" keyframe="1" outside="0" occluded="0" xtl="0.0" ytl="0.0" xbr="32.0" ybr="24.0" z_order="0"/>
 <box frame="6" keyframe="1" outside="1" occluded="0" xtl="0.0" ytl="0.0" xbr="32.0" ybr="24.0" z_order="0"/></track>
</annotations>
"""


def test_a_project_of_cvat_holds_several_videos(videos, tmp_path):
    (tmp_path / "a.xml").write_text(PROJECT)
    found = read_cvat(tmp_path / "a.xml", videos)
    assert [(a.video, a.time, a.actions) for a in found.labels] == [("even", 0.5, ("run",)), ("slow", 1, ("sit",))]
    (tmp_path / "a.xml").write_text(PROJECT.replace('task_id="11"', 'task_id="13"'))
    with pytest.raises(ValueError, match=r"a\.xml: a track of task '13', and the project has tasks 11, 12"):
        read_cvat(tmp_path / "a.xml", videos)


def region(sequence, **value):
    """What Label Studio's editor writes of a box, at its usual 24 frames a second whatever the video has."""
    entries = [
        {
            "frame": frame,
            "time": frame / 24,
            "enabled": False,
            "rotation": 0,
            "x": 10,
            "y": 20,
            "width": 30,
            "height": 40,
        }
        for frame in sequence
    ]
    return {"type": "videorectangle", "id": "r", "value": {"sequence": entries, **value}, "origin": "manual"}


def written(tmp_path, *result):
    task = {"id": 28, "data": {"video": "https://host/data/upload/8/1fd-even.mp4"}, "predictions": []}
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**task, "annotations": [{"result": list(result), "was_cancelled": False}]}))
    return path


@pytest.mark.parametrize("value", [{"framesCount": 48}, {"framesCount": 49, "duration": 2.001}, {}])
def test_label_studios_rate_is_that_of_its_interface(folder, tmp_path, value):
    """A film of 10 frames a second, shown at 24: frame 47 is second 46 / 24 = 1.917. As the count is rounded up, count by
    duration may be 49 / 2.001 = 24.49, at which it were second 1.878, the picture before."""
    (tmp_path / "1fd-even.mp4").symlink_to(folder / "even.mp4")
    path = written(tmp_path, region([44, 47], labels=["walk"], **value))
    found = read_label_studio(path, VideoTimes(tmp_path)).labels
    assert [(a.time, a.actions) for a in found] == [(1.7, ("walk",)), (1.9, ("walk",))]
    assert {a.video for a in found} == {"1fd-even"}


def test_choices_about_a_region_of_label_studio_are_its_actions(folder, tmp_path):
    (tmp_path / "1fd-even.mp4").symlink_to(folder / "even.mp4")
    choice = {"type": "choices", "id": "r", "from_name": "does", "value": {"choices": ["walk", "wave"]}}
    path = written(tmp_path, region([1], labels=["person"], framesCount=48, duration=2.0), choice)
    actions = {
        how: [a.actions for a in read_label_studio(path, VideoTimes(tmp_path), actions_from=how).labels]
        for how in ("auto", "attributes", "label")
    }
    assert actions == {"auto": [("walk", "wave")], "attributes": [("walk", "wave")], "label": [("person",)]}
