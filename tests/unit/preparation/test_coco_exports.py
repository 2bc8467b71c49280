"""COCO-style files of videos, each of the structure of a published one: CocoVID, MOT, TAO, YouTube-VIS, ByteTrack."""

import json
from fractions import Fraction

import pytest

from slowfast.commands.data.convert_annotations import main
from slowfast.preparation.converters.annotations import VideoTimes
from slowfast.preparation.converters.formats.coco import read_coco
from tests.unit.video.video_maker import write_video

# Milliseconds at which the 20 frames of `uneven` are shown: a pause after the 5th, then twice as fast.
UNEVEN = [0, 100, 200, 300, 400, *range(1000, 1750, 50)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Films of 64 x 48 pixels; "walks/one" lies in a folder of its own, and is asked for without an extension."""
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "uneven.mp4", frames=20, fps=20, pts=UNEVEN, time_base=Fraction(1, 1000), b_frames=0)
    (folder / "train" / "walks").mkdir(parents=True)
    write_video(folder / "train" / "walks" / "v_one.mp4", frames=20, fps=10)
    return folder


def read(folder, tmp_path, content, **options):
    (tmp_path / "a.json").write_text(json.dumps(content))
    return read_coco(tmp_path / "a.json", VideoTimes(folder), **options)


def cocovid(*, numbers=(0, 4, 5), names=None, key="frame_id", video="uneven", size=(128, 96)):
    """As MMTracking's converters write it: three images, a person in the first and last, a crowd in the second."""
    images = [
        {
            "id": 7 + i,
            "video_id": 1,
            key: n,
            "file_name": f"{video}/img/{n + 1:06d}.jpg",
            "width": size[0],
            "height": size[1],
        }
        for i, n in enumerate(numbers)
    ]
    for image, name in zip(images, names or [], strict=False):
        image["file_name"] = name
    box = {"category_id": 3, "bbox": [32.0, 24.0, 64.0, 48.0], "area": 3072.0, "visibility": 1.0}
    annotations = [
        {**box, "id": 1, "image_id": 7, "instance_id": 0, "mot_conf": 1.0, "iscrowd": False},
        {**box, "id": 2, "image_id": 8, "instance_id": 1, "mot_conf": 1.0, "iscrowd": True},
        {**box, "id": 3, "image_id": 9, "instance_id": 0, "occluded": True, "iscrowd": False},
    ]
    return {
        "categories": [{"id": 3, "name": "walk"}, {"id": 9, "name": "wave"}],
        "videos": [{"id": 1, "name": video, "fps": 30, "width": size[0], "height": size[1]}],
        "images": images,
        "annotations": annotations,
        "num_instances": 2,
    }


@pytest.mark.parametrize("key", ["frame_id", "frame_index"])
def test_a_number_of_a_frame_is_its_second_in_the_video(folder, tmp_path, key):
    """Frame 5 of the uneven film is second 1, not 5 / 20 or 5 / fps; boxes are in pixels of the images, twice the film's."""
    found = read(folder, tmp_path, cocovid(key=key))
    assert [(a.time, a.actions, a.track) for a in found.labels] == [(0, ("walk",), "0"), (1, ("walk",), "0")]
    assert found.labels[0].box == (0.25, 0.25, 0.75, 0.75)
    assert found.notes == (f"{tmp_path / 'a.json'}: 1 regions of crowds, or to be ignored",)
    assert found.empty == () and found.remarks == ()  # a crowd is not nobody
    assert found.classes == ("walk", "wave")


def test_where_both_are_told_taos_frame_index_counts_and_frame_id_is_the_place_in_the_list(folder, tmp_path):
    """TAO annotates every 30th frame or so: frame_id 0, 1 are its frames 3, 13; the names count from 1."""
    content = cocovid(numbers=(0, 1, 2), video="train/walks/v_one")
    for image, index in zip(content["images"], (3, 13, 19), strict=True):
        image |= {"frame_index": index, "file_name": f"train/walks/v_one/frame{index + 1:04d}.jpg"}
    found = read(folder, tmp_path, content)
    assert [(a.video, a.time) for a in found.labels] == [("train/walks/v_one", 0.3), ("train/walks/v_one", 1.9)]
    first, _, third = content["annotations"]
    first["category_id"] = 95
    with pytest.raises(
        ValueError, match=r"a\.json: annotation 1 has category_id 95, which is not among the categories \(3, 9\)"
    ):
        read(folder, tmp_path, content)
    first["category_id"], third["image_id"] = 3, 90
    with pytest.raises(ValueError, match=r"annotation 3 has image_id 90, which is not among the images \(7, 8, 9\)"):
        read(folder, tmp_path, content)


def test_names_that_count_in_other_steps_than_frame_id_must_be_explained(folder, tmp_path):
    """MMTracking's YouTube-VIS: frame_id 0, 1, 2 of images 00000, 00005, 00010."""
    content = cocovid(numbers=(0, 1, 2), names=["uneven/00000.jpg", "uneven/00005.jpg", "uneven/00010.jpg"])
    told = r"video 'uneven': frame_id counts 0, 1, 2, and the names of the images uneven/00000.jpg, .*--frames-from frame_id where"
    with pytest.raises(ValueError, match=told):
        read(folder, tmp_path, content)
    assert [a.time for a in read(folder, tmp_path, content, frames_from="frame_id").labels] == [0, 0.2]
    assert [a.time for a in read(folder, tmp_path, content, frames_from="file_name").labels] == [0, 1.25]


def test_youtube_vis_lists_boxes_per_video(folder, tmp_path):
    names = [f"uneven/{n:05d}.jpg" for n in (0, 5, 10)]
    boxes = [None, [16, 12, 32, 24], None]
    content = {
        "videos": [
            {"id": 4, "width": 64, "height": 48, "length": 3, "file_names": names, "coco_url": "", "license": 1}
        ],
        "categories": [{"supercategory": "object", "id": 1, "name": "walk"}],
        "annotations": [
            {
                "id": 12,
                "video_id": 4,
                "category_id": 1,
                "bboxes": boxes,
                "areas": [None, 768, None],
                "iscrowd": 0,
                "length": 1,
            }
        ],
    }
    with pytest.raises(ValueError, match=r"frame_id counts 0, 1, 2, and the names of the images uneven/00000.jpg"):
        read(folder, tmp_path, content)
    found = read(folder, tmp_path, content, frames_from="file_name")
    assert [(a.time, a.track, a.box) for a in found.labels] == [(1, "12", (0.25, 0.25, 0.75, 0.75))]
    assert found.empty == (("uneven", 0), ("uneven", 1.25))  # listed, and nobody is there
    content["annotations"][0]["bboxes"] = boxes[:2]
    with pytest.raises(ValueError, match=r"annotation 12 has 2 bboxes, and its video 3 file_names"):
        read(folder, tmp_path, content, frames_from="frame_id")


def test_files_that_count_from_one_are_met(folder, tmp_path):
    """ByteTrack's lists have frame_id from 1. On a film that is long enough nothing contradicts it, so it is said."""
    content = cocovid(numbers=(1, 5, 6))
    found = read(folder, tmp_path, content)
    assert [a.time for a in found.labels] == [0.1, 1.05]
    assert "the smallest frame_id is 1, and frames were counted from 0" in found.remarks[0]
    found = read(folder, tmp_path, content, first_frame=1)
    assert [a.time for a in found.labels] == [0, 1] and found.remarks == ()
    with pytest.raises(
        ValueError, match=r"image uneven/img/000021.jpg: the video has frames 0 to 19, and frame 20 .*--first-frame"
    ):
        read(folder, tmp_path, cocovid(numbers=(1, 5, 20)))


def test_images_without_a_number_and_films_of_another_shape_are_told(folder, tmp_path):
    content = cocovid()
    for image in content["images"]:
        del image["frame_id"]
    with pytest.raises(
        ValueError, match=r"images without time, frame_index and frame_id, such as uneven/img/000001.jpg"
    ):
        read(folder, tmp_path, content)
    assert [a.time for a in read(folder, tmp_path, content, frames_from="file_name", first_frame=1).labels] == [0, 1]
    found = read(folder, tmp_path, cocovid(size=(128, 128)))
    assert (
        "video 'uneven' is 64 x 48 pixels, and boxes are of pictures of 128 x 128, of another shape" in found.remarks[0]
    )


def test_the_command_says_what_to_look_at(folder, tmp_path, capsys):
    (tmp_path / "a.json").write_text(json.dumps(cocovid(numbers=(1, 5, 6))))
    line = ["--from", "coco", "--to", "spreadsheet", "--videos", str(folder), "--out", str(tmp_path / "a.csv")]
    assert main([*line, str(tmp_path / "a.json")]) == 0
    out = capsys.readouterr().out
    assert "look at this: " in out and "say --first-frame 1" in out and "left out: " in out
    assert main([*line, "--first-frame", "1", str(tmp_path / "a.json")]) == 0
    assert "look at this" not in capsys.readouterr().out
