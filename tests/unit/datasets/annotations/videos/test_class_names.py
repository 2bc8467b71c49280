"""Files of class names in every form, by hand, and the real ones."""

import pytest

from slowfast.datasets.annotations.videos.class_names import read_class_names

THREE = ("run", "sit down", "wave, twice")


@pytest.mark.parametrize(
    "text",
    [
        '{"sit down": 1, "run": 0, "\\"wave, twice\\"": 2}',
        '{"sit down": "1", "run": "0", "wave, twice": "2"}',
        '["run", "sit down", "wave, twice"]',
        'id,name\n0,run\n2,"wave, twice"\n1,sit down\n',
        "ID, Name\r\n0,run\r\n1,sit down\r\n2,'wave, twice'\r\n".replace("'", '"'),
        "run\nsit down\n\nwave, twice\n",
        "0 run\n2 wave, twice\n1 sit down\n",
        "\ufeff0\trun\n1\tsit down\n2\twave, twice",
    ],
)
def test_every_form_gives_the_same_names(tmp_path, text):
    (tmp_path / "names").write_text(text, encoding="utf-8")
    assert read_class_names(tmp_path / "names") == THREE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"names: 0 class names, and a classifier needs at least 2 \(DATA\.LABEL_FILE\)"),
        ("run\n", "1 class names"),
        ("run\nsit\nrun\n", "class 2 is called 'run', as another one"),
        ('["a", ""]', "class 1 is called '', nothing"),
        ('["1", "0"]', "class 0 is called '1', which reads as the index of another class"),
        ('{"a": 0, "b": 2}', "2 classes need indices 0 to 1, and 1 is not there; the largest is 2"),
        ('{"a": 1, "b": 1}', "'a' and 'b' both have index 1"),
        ('{"a": "x", "b": 1}', "the index of 'a' is 'x', expected a number from 0"),
        ("1 run\n2 sit\n", "2 classes need indices 0 to 1, and 0 is not there"),
        ("id,name\n0,run\n1,sit,down\n", r"names:3: expected id,name .* found \['1', 'sit', 'down'\]"),
        ('{"a": 0', "starts as JSON does and is none"),
        ("[1, 2]", r"expected {name: index} or a list of names, found \[1, 2\]"),
    ],
)
def test_errors(tmp_path, text, message):
    (tmp_path / "names").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_class_names(tmp_path / "names")


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none: no such file \(DATA\.LABEL_FILE\)"):
        read_class_names(tmp_path / "none")


def test_real_files(shared_dir):
    labels = shared_dir / "data" / "labels"
    official = read_class_names(labels / "kinetics_classnames.json")
    assert len(official) == 400 and official[290] == "sharpening knives" and official[88] == "deadlifting"
    numbered = read_class_names(labels / "Kinetics-400_label_list.txt")
    assert tuple(name.replace(" ", "_") for name in official) == numbered
    assert read_class_names(labels / "something-something-v2-labels.json")[5] == "Closing something"
