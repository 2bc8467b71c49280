"""bmvit validate-data on people on key frames: each fault is planted, and found with its file, line and reason."""

import json
import shutil
import zipfile

import pytest

from slowfast.commands.data.validate_data import main
from slowfast.config.load import load_cfg
from slowfast.preparation.converters.annotations import VideoTimes
from slowfast.preparation.converters.formats.ava import read_ava_csv, write_ava_csv
from slowfast.preparation.validation.check import validate_config, validate_files
from slowfast.structures.annotations.label_map import read_label_map
from tests.unit.preparation.small_set import TEST, TRAIN, make_set, write_config
from tests.unit.video.video_maker import write_video


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return make_set(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def own(clean, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(clean, tmp_path / "own")


def found(folder, *, decode=False, **options):
    """{kind: [(file name, line, reason)]} of errors and warnings, and of notes that are asked for."""
    annotations = folder / "annotations"
    validation = validate_files(
        [annotations / "train.csv"],
        test=[annotations / "test.csv"],
        label_map=annotations / "classes.pbtxt",
        videos=folder / "videos",
        fps=10.0,
        decode=decode,
        **options,
    )
    faults = validation.faults
    return {
        kind: [(fault.file.rsplit("/", 1)[-1], fault.line, fault.reason) for fault in faults.of(kind)]
        for kind in faults.kinds
    }, validation


def test_a_clean_set_has_no_fault(clean):
    kinds, validation = found(clean, decode=True)
    assert set(kinds) == {"format"} and validation.exit_code == 0
    assert [reason for _, _, reason in kinds["format"]] == [
        "timestamps are not padded with zeros",
        "timestamps have fractions of a second",
        "timestamps are not padded with zeros",
    ]
    assert [str(facts) for facts in validation.facts] == [
        "train: 4 key frames of 2 videos, 4 people, 3 of 3 classes",
        "test: 3 key frames of 1 videos, 3 people, 3 of 3 classes",
    ]
    assert validation.facts[0].classes == {"stand": 1, "walk": 2, "wave": 2}


def spoil(folder, line, row, name="train"):
    path = folder / "annotations" / f"{name}.csv"
    rows = path.read_text().splitlines()
    rows[line - 1 : line] = [row]
    path.write_text("\n".join(rows) + "\n")


@pytest.mark.parametrize(
    ("row", "kind", "reason"),
    [
        ("a,2,0.2,0.1,0.6,0.9,5,0", "unknown class", "class id 5 is not one of the label map's 3 (ids 1 to 7): 1 row"),
        ("a,2,0.6,0.1,0.2,0.9,3,0", "box inverted", "is inverted: x2 must be >= x1"),
        ("a,2,20,10,60,90,3,0", "box outside", "reaches outside [0, 1] by more than 0.001"),
        ("a,2,0.2,0.1,0.2,0.9,3,0", "no area", "box (0.2, 0.1, 0.2, 0.9) is empty or inverted"),
        ("a,2,0.2,0.1,0.205,0.9,3,0", "sliver", "a side of 0.0050 of the frame"),
        ("a,1,0.1,0.1,0.5,0.9,7,0", "doubled row", "the same box and class as line 2 (train)"),
        ("a,7,0.2,0.1,0.6,0.9,3,0", "beyond the video", "a has a key frame at 7, and it lasts 4.000 s from second 0"),
        ("a,4,0.2,0.1,0.6,0.9,3,0", "beyond the video", "at 4.000 s: the last frame is shown until second 4.000"),
        ("a,two,0.2,0.1,0.6,0.9,3,0", "time", "timestamp 'two' is not a number"),
        ("a,2,0.2,0.1,0.6,0.9", "row", "expected 2, 7 or 8 columns"),
        ("d,2,0.2,0.1,0.6,0.9,3,0", "missing video", "no such file, with none of the extensions"),
    ],
)
def test_a_planted_row_is_named_with_its_line(own, row, kind, reason):
    spoil(own, 3, row)
    kinds, validation = found(own)
    assert [(file, line) for file, line, _ in kinds[kind]] == [("train.csv", 3)] and reason in kinds[kind][0][2]
    assert validation.exit_code == int(kind not in ("sliver", "doubled row"))
    assert "train.csv:3: " in validation.text()


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_cells_between_other_signs_than_commas_are_told(own, sign, name):
    path = own / "annotations" / "train.csv"
    path.write_text(path.read_text().replace(",", sign))
    (_, line, reason), *_ = found(own)[0]["row"]
    assert line == 1 and reason.endswith(f"found 1; its cells stand between {name}, and commas are wanted")


@pytest.mark.parametrize("name", ["films\\c", "C", "c.avi"])
def test_a_missing_video_that_is_called_otherwise_is_pointed_at(own, name):
    (own / "videos" / "day 1").mkdir()
    shutil.move(own / "videos" / "c.mp4", own / "videos" / "day 1" / "c.mp4")
    path = own / "annotations" / "test.csv"
    path.write_text(path.read_text().replace("c,", f"{name},"))
    ((_, line, reason),) = found(own)[0]["missing video"]
    assert line == 1 and ("; there is day 1/c.mp4: write its name with its folder" in reason) == (name != "c.avi")


def test_two_classes_of_one_name_are_told(own):
    path = own / "annotations" / "classes.pbtxt"
    path.write_text(path.read_text().replace("wave", "walk"))
    reasons = [reason for _, _, reason in found(own)[0]["doubled name"]]
    assert reasons == [
        f"{split}: 2 classes of the label map are called 'walk': which is which?" for split in ("train", "test")
    ]


def test_all_faults_are_collected_and_not_only_the_first(own):
    for line, row in enumerate(["a,1,9,9,9,9,1", "a,1,x,0,1,1,1", "a,1,0,0,1,1,44"], start=1):
        spoil(own, line, row)
    kinds, _ = found(own)
    assert [(kind, kinds[kind][0][1]) for kind in ("box outside", "row", "unknown class")] == [
        ("box outside", 1),
        ("row", 2),
        ("unknown class", 3),
    ]


def test_videos_of_both_splits_unlabelled_ones_and_classes_without_samples(own):
    spoil(own, 1, "a,1,0.1,0.1,0.5,0.9,3,0", name="test")
    write_video(own / "videos" / "spare.mp4", frames=4)
    kinds, validation = found(own)
    assert "1 videos are in train and in test" in kinds["shared video"][0][2]
    assert kinds["video without labels"] == [("videos", 0, "1 videos are not annotated: spare.mp4")]
    assert kinds["class without samples"] == [("", 0, "test: 1 (stand): they have no AP and do not enter the mAP")]
    assert validation.exit_code == 0


def test_broken_videos_are_named_and_a_damaged_end_shows_when_all_is_decoded(own):
    (own / "videos" / "a.mp4").write_bytes(b"no video")
    kinds, _ = found(own)
    ((file, line, reason),) = kinds["broken video"]
    assert (file, line) == ("train.csv", 1) and "a.mp4" in reason


@pytest.mark.parametrize(("first", "told"), [(900, "AVA.FIRST_SECOND 900"), (31, "AVA.FIRST_SECOND 32")])
def test_a_clock_off_by_one_constant_is_named_and_not_every_row(own, first, told):
    for name, rows in (("train", TRAIN), ("test", TEST)):
        moved = [
            ",".join([row.split(",")[0], f"{float(row.split(',')[1]) + first:g}", *row.split(",")[2:]]) for row in rows
        ]
        (own / "annotations" / f"{name}.csv").write_text("".join(f"{row}\n" for row in moved))
    kinds, validation = found(own)
    ((_, _, reason),) = kinds["first second"]
    assert told in reason and "7 of 7 key frames are outside" in reason and "beyond the video" not in kinds
    assert validation.exit_code == 1
    assert "first second" not in found(own, first_second=first)[0]


def test_frame_numbers_in_place_of_seconds_are_named(own):
    (own / "annotations" / "train.csv").write_text("a,10,0.1,0.1,0.5,0.9,1\nb,35,0.1,0.1,0.5,0.9,3\n")
    (own / "annotations" / "test.csv").write_text("c,38,0.1,0.1,0.5,0.9,7\nc,5,0.1,0.1,0.5,0.9,7\n")
    kinds, _ = found(own)
    assert "look like frame numbers (up to 38)" in kinds["first second"][0][2]


def test_minutes_in_place_of_seconds_put_key_frames_onto_one_picture(own):
    rows = [f"a,{second / 60:.4f},0.1,0.1,0.5,0.9,{label}" for second, label in ((0.5, 1), (1, 3), (1.5, 7), (2, 1))]
    (own / "annotations" / "train.csv").write_text("".join(f"{row}\n" for row in rows))
    ((_, _, reason),) = found(own)[0]["crowded"]
    assert "3 of 5 key frames are less than half a frame before the next one" in reason and "in minutes" in reason
    rows = [f"a,{second},0.1,0.1,0.5,0.9,1" for second in (0.5, 0.6, 0.7)]  # every frame of ten a second
    (own / "annotations" / "train.csv").write_text("".join(f"{row}\n" for row in rows))
    assert "crowded" not in found(own)[0]


def test_a_config_is_checked_as_a_run_would_read_it(own, repo_root):
    config = write_config(own, repo_root, VALID_SECONDS=[1, 2], CLASSES=[1, 3])
    validation = validate_config(load_cfg(config, []))
    faults = validation.faults
    assert not faults.any_error, faults.text()
    assert "class id 7" in faults.of("ignored class")[0].reason
    assert sum(fault.count for fault in faults.of("outside the seconds")) == 2  # b at 2.5, c at 3
    validation = validate_config(load_cfg(config, ["AVA.VALID_SECONDS", "[902, 1798]"]))
    assert "AVA.VALID_SECONDS [] (any second)" in validation.faults.of("seconds that count")[0].reason
    (own / "annotations" / "test.csv").unlink()
    faults = validate_config(load_cfg(config, [])).faults
    assert "AVA.GROUNDTRUTH_FILE in AVA.ANNOTATION_DIR" in faults.of("missing file")[0].reason


def test_a_test_without_annotations_is_said_to_have_no_map(own):
    (own / "annotations" / "test.csv").write_text("c,1\nc,2.5\n")
    validation = validate_files([own / "annotations" / "train.csv"], test=[own / "annotations" / "test.csv"],
        label_map=own / "annotations" / "classes.pbtxt")  # fmt: skip
    (note,) = validation.faults.of("not annotated")
    assert "test: no row has a class, so there is no mAP: a run leaves its detections" in note.reason
    assert not validation.faults.of("class without samples") and validation.exit_code == 0


def test_left_and_right_need_a_swap_where_clips_are_mirrored(own, repo_root):
    labels = own / "annotations" / "classes.pbtxt"
    config = write_config(own, repo_root)
    plain = 'item { name: "turn Left" id: 1 }\nitem { name: "turn right" id: 3 }\nitem { name: "left" id: 7 }\n'

    def told(*keys: str) -> list[str]:
        return [str(fault) for fault in validate_config(load_cfg(config, list(keys))).faults.of("mirrored class")]

    labels.write_text(plain)
    (fault,) = told()
    assert "'turn Left' and 'turn right': half of the training clips are mirrored, and keep their label" in fault
    assert validate_config(load_cfg(config, [])).exit_code == 0
    assert not told("DATA.RANDOM_FLIP", "False") and not told("DATA.FLIP_SWAPS", "[[1, 3]]")
    labels.write_text(plain.replace("id: 3", 'id: 3 swap: "turn Left"'))
    assert not told()
    (fault,) = told("AVA.CLASSES", "[turn Left, left]")
    assert "a mirrored clip of 'turn Left' shows 'turn right', which is not among AVA.CLASSES" in fault
    assert not told("AVA.CLASSES", "[turn Left, left]", "DATA.RANDOM_FLIP", "False")


def test_boxes_of_a_person_detector_are_read_too(own, repo_root):
    (own / "annotations" / "found.csv").write_text("c,1,0.1,0.1,0.5,0.9,,0.9\nc,2,10,10,50,90,,0.9\n")
    config = write_config(own, repo_root, TEST_PREDICT_BOX_LISTS=["found.csv", "gone.csv"])
    faults = validate_config(load_cfg(config, [])).faults
    assert "line 2: box [10.0, 10.0, 50.0, 90.0] is in pixels" in faults.of("refused")[0].reason
    assert "AVA.TEST_PREDICT_BOX_LISTS" in faults.of("missing file")[0].reason


def test_the_command_writes_json_and_a_page_and_its_code_tells(own, repo_root, tmp_path, capsys):
    config = write_config(own, repo_root)
    out = [*("--json", str(tmp_path / "data.json")), *("--html", str(tmp_path / "data.html"))]
    assert main(["--cfg", str(config), "--decode", *out]) == 0
    assert "ava: 3 notes" in capsys.readouterr().out
    page = (tmp_path / "data.html").read_text()
    assert page.count('<img class="still"') == 7 and "Ready" in page and "Samples of each class" in page
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"classes.png", "sizes.png", "crowd.png"}
    spoil(own, 3, "a,2,0.2,0.1,0.6,0.9,5,0")
    assert main(["--cfg", str(config), *out[:2]]) == 1
    report = json.loads((tmp_path / "data.json").read_text())
    assert not report["ok"] and report["findings"][0]["kind"] == "unknown class"
    assert report["findings"][0]["faults"][0]["line"] == 3
    assert main(["--cfg", str(config), "--json", str(tmp_path / "no" / "data.json")]) == 2


def test_options_that_do_not_go_together(capsys):
    for argv, told in (
        ([], "give --cfg FILE, or --annotations"),
        (["--annotations", "a.csv"], "--annotations needs --label-map"),
        (["--annotations", "a.csv", "--label-map", "l", "AVA.CLASSES", "[1]"], "AVA.CLASSES is no option"),
    ):
        with pytest.raises(SystemExit):
            main(argv)
        assert told in capsys.readouterr().err


def test_real_ava_annotations_have_their_known_traps_and_nothing_else(shared_dir):
    ava = shared_dir / "data" / "ava"
    validation = validate_files(
        [ava / "gt" / "ava_train_v2.2_29videos.csv.gz"],
        test=[ava / "gt" / "ava_val_v2.1_pose14_64videos.csv.gz"],
        label_map=ava / "official_v2.2" / "ava_action_list_v2.2.pbtxt",
        exclusions=ava / "official_v2.2" / "ava_val_excluded_timestamps_v2.2.csv",
    )
    faults = validation.faults
    assert set(faults.kinds) == {"class without samples", "exclusion", "format"} and validation.exit_code == 0
    assert sorted(fault.reason for fault in faults.of("format")) == [
        "line ends are CRLF",
        "there is no person id (7 columns)",
        "timestamps are not padded with zeros",
    ]
    gone = [fault.reason for fault in faults.of("class without samples")]
    assert len(gone) == 2 and "and 61 more" in gone[1]  # only the classes 1 to 14 are in it
    assert [len(facts.classes) for facts in validation.facts] == [80, 80]
    assert (validation.facts[0].videos, validation.facts[1].videos) == (29, 64)


def test_a_real_set_of_a_user_in_pyslowfast_layout_has_six_rows_of_class_0_and_one_name_twice(shared_dir, tmp_path):
    with zipfile.ZipFile(shared_dir / "data/ava/custom/pyslowfast_layout_escape_room.zip") as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "annotations"
    train, test, labels = (folder / name for name in ("ava_train_v2.2.csv", "ava_val_v2.2.csv", "actions_list.txt"))
    validation = validate_files([train], test=[test], label_map=labels)
    faults = validation.faults
    assert set(faults.kinds) == {"row", "doubled name", "class without samples", "format"} and validation.exit_code == 1
    assert "2 classes of the label map are called 'face to face'" in faults.of("doubled name")[0].reason
    assert [len(facts.classes) for facts in validation.facts] == [33, 33]
    assert [fault.line for fault in faults.of("row")][:5] == [15, 17, 18, 20, 22] and faults.count("row") == 6
    assert all("label '0' is not a class id" in fault.reason for fault in faults.of("row"))
    found = read_ava_csv(test, VideoTimes(tmp_path), label_map=labels)
    classes = read_label_map(labels)
    write_ava_csv(found, tmp_path / "again.csv", classes=classes)
    again = read_ava_csv(tmp_path / "again.csv", VideoTimes(tmp_path), label_map=labels)
    assert again == found and len(found.labels) == 24 and found.classes == classes.names
