"""slowfast.structures.annotations.label_map: official files, gaps in the ids, and what is wrong in a broken file."""

import numpy as np
import pytest

from slowfast.structures.annotations.label_map import LabelMap, read_label_map, write_label_map


@pytest.mark.parametrize(
    "text",
    [
        'item {\n  name: "bend/bow (at the waist)"\n  id: 1\n}\nitem {\n  name: "swim"\n  id: 13\n}\n',
        "label {\r\n  name: 'bend/bow (at the waist)'\r\n  label_id: 1\r\n  label_type: PERSON_MOVEMENT\r\n}\r\n"
        'label { label_id: 13 name: "swim" }',
        'item{id:1 name:"bend/bow (at the waist)"} item{name: "swim", id: 13}',
    ],
    ids=["evaluator format", "annotator format", "one line"],
)
def test_both_official_formats(tmp_path, text):
    path = tmp_path / "map.pbtxt"
    path.write_bytes(text.encode())
    assert read_label_map(path) == LabelMap((1, 13), ("bend/bow (at the waist)", "swim"))


def test_ids_become_indices_with_gaps_and_back():
    label_map = LabelMap((1, 13, 4), ("a", "b", "c"))
    assert label_map.num_classes == 3
    indices = label_map.to_index(np.array([[13, 1], [4, 5], [-1, 99]]))
    assert indices.tolist() == [[1, 0], [2, -1], [-1, -1]]
    assert label_map.to_index(np.array([], dtype=np.int64)).shape == (0,)


def test_a_subset_keeps_the_order_asked_for():
    label_map = LabelMap((1, 13, 4), ("a", "b", "c"))
    assert label_map.subset([4, 1]) == LabelMap((4, 1), ("c", "a"))
    with pytest.raises(ValueError, match=r"class ids \[7\] are not in the label map; it has \[1, 13, 4\]"):
        label_map.subset([1, 7])


@pytest.mark.parametrize("name", ["walk", 'say "hi"', "back\\slash", "a {brace} b", "id: 7", "l'été"])
def test_written_maps_are_read_back_unchanged(tmp_path, name):
    label_map = LabelMap((3, 8), (name, "other"))
    write_label_map(label_map, tmp_path / "map.pbtxt")
    assert read_label_map(tmp_path / "map.pbtxt") == label_map


@pytest.mark.parametrize(
    ("ids", "names", "message"),
    [
        ((1, 2), ("a",), "one name per id, got 2 ids and 1 names"),
        ((), (), "at least one class"),
        ((1, 2, 1), ("a", "b", "c"), r"repeats class ids \[1\]"),
        ((0, 1), ("a", "b"), "class ids start at 1, got 0"),
    ],
)
def test_maps_that_cannot_be(ids, names, message):
    with pytest.raises(ValueError, match=message):
        LabelMap(ids, names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "map.pbtxt: no `item { name id }` or `label { name label_id }` block found"),
        ('item { name: "a" id: 1 } item { name: "b" }', "map.pbtxt: line 1: entry 2 needs both a name and an id"),
        ("item { id: 1 }", "map.pbtxt: line 1: entry 1 needs both a name and an id, found 'id: 1'"),
        ('item { name: "a" id: 1 } item { name: "b" id: 1 }', "map.pbtxt: label map repeats class ids [1]"),
    ],
)
def test_broken_files_are_named(tmp_path, text, message):
    (tmp_path / "map.pbtxt").write_text(text)
    with pytest.raises(ValueError) as error:
        read_label_map(tmp_path / "map.pbtxt")
    assert message in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.pbtxt"):
        read_label_map(tmp_path / "nowhere.pbtxt")


LEFT_RIGHT = LabelMap((1, 2, 5), ("walk left", "walk right", "jump"), ((1, 2),))


BLOCKS = """
item { name: "walk left" id: 1 swap: "walk right" }
item { name: "walk right" id: 2 }
item { name: "jump" id: 5 }
"""
ENTRIES = """[{"id": 1, "name": "walk left", "swap": "walk right"},
 {"id": 2, "name": "walk right", "swap": "walk left"}, {"id": 5, "name": "jump"}]"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.pbtxt", BLOCKS),
        ("a.json", ENTRIES),
        ("a.json", f'{{"categories": {ENTRIES}}}'),
        ("a.csv", "id,name,swap\n1,walk left,walk right\n2,walk right,\n5,jump\n"),
        ("a.txt", "1 walk left\n2: walk right\n5, jump\n\nwalk left <-> walk right\n"),
    ],
)
def test_every_format_holds_the_same_classes_and_pairs(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_label_map(tmp_path / name) == LEFT_RIGHT
    write_label_map(LEFT_RIGHT, tmp_path / "again.pbtxt")
    assert read_label_map(tmp_path / "again.pbtxt") == LEFT_RIGHT


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('["stand", "sit"]', (1, 2)),
        ('{"stand": 4, "sit": 2}', (4, 2)),
        ("stand\nsit\n", (1, 2)),
        ("id,name\n7,stand\n9,sit\n", (7, 9)),
    ],
)
def test_formats_without_pairs(tmp_path, text, ids):
    (tmp_path / "map.txt").write_text(text)
    assert read_label_map(tmp_path / "map.txt") == LabelMap(ids, ("stand", "sit"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"stand": 0, "sit": 1}', "class ids start at 1, got 0"),
        ('{"stand": "first"}', "each class needs a name and an id, a whole number from 1; found id 'first'"),
        ('{"stand": 1,', "starts as JSON does and is none"),
        ("[1, 2]", "a list of names, or a list of"),
        ("id,name\n1,a,b\n", "line 2: expected id,name"),
        ("stand\nsit <-> stand\n", "'sit' <-> ...: there is no class of this name"),
        ("stand\nstand <-> run\n", "'run' is no class of the label map"),
        ("a\nb\nc\na <-> b\nb <-> c\n", "each class can be exchanged with one other"),
        ("", "no class found; a label map may be a .pbtxt"),
        ("v,0902,0.1,0.1,0.5,0.5,12\nv,0903\n", "its lines are rows of a table, such as 'v,0902,0.1"),
    ],
)
def test_what_is_wrong_in_other_formats_is_named(tmp_path, text, message):
    (tmp_path / "map.txt").write_text(text)
    with pytest.raises(ValueError) as error:
        read_label_map(tmp_path / "map.txt")
    assert str(error.value).startswith(str(tmp_path / "map.txt")) and message in str(error.value)


def test_a_subset_by_name_keeps_the_pairs_that_are_whole():
    assert LEFT_RIGHT.ids_of(["jump", 2, "walk left"]) == (5, 2, 1)
    assert LEFT_RIGHT.subset([2, 1]).swaps == ((1, 2),) and LEFT_RIGHT.subset([1, 5]).swaps == ()
    assert LEFT_RIGHT.parted_by((1, 5)) == [("walk left", "walk right")] and LEFT_RIGHT.parted_by((1, 2)) == []
    assert LEFT_RIGHT.parted_by((5, 2)) == [("walk right", "walk left")]
    with pytest.raises(ValueError, match="'fly' is no class of the label map; it has walk left, walk right, jump"):
        LEFT_RIGHT.ids_of(["fly"])
    with pytest.raises(ValueError, match="'a' is the name of 2 classes: give the id"):
        LabelMap((1, 2), ("a", "a")).ids_of(["a"])


def read_text_as(tmp_path, text: str, name: str = "map.pbtxt") -> LabelMap:
    (tmp_path / name).write_text(text)
    return read_label_map(tmp_path / name)


@pytest.mark.parametrize("name", ["map.pbtxt", "map.txt"])
def test_what_is_commented_out_is_not_read(tmp_path, name):
    text = '# item { name: "old" id: 3 }\nitem {  # first\n  name: "a # no comment"\n  # id: 2\n  id: 1\n}\n#item{id: 4'
    assert read_text_as(tmp_path, text, name) == LabelMap((1,), ("a # no comment",))


def test_blocks_in_blocks_and_fields_of_others_are_passed_over(tmp_path):
    text = 'item { name: "a"; id: 1, display_name: "A } {"; keypoints { id: 9 label: "x" } keypoints: { id: 8 } }'
    assert read_text_as(tmp_path, text + " other { item { id: 7 } }") == LabelMap((1,), ("a",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('item { name: "a" id: 1e3 }', "line 1: the id of entry 1 is 1e3, expected a whole number from 1"),
        ('item { name: "a" id: 1.5 }', "line 1: the id of entry 1 is 1.5"),
        ('item { name: "a" id: -1 }', "line 1: the id of entry 1 is -1"),
        ('item { name: "a" id: "1" }', 'line 1: the id of entry 1 is "1"'),
        ('item { name: "a"\n id: 1', "line 1: the block that begins here is not closed"),
        ('\nitem { name: "a\n id: 1 }', "line 2: a quote that begins here is not closed: '\"a"),
        ('item { name: "a" name: "b" id: 1 }', "line 1: name is there twice in a block"),
        ("item { name: a id: 1 }", "line 1: expected text in quotes, found a"),
        ("item { name id: 1 }", "line 1: expected a value after 'name', found 'id'"),
        ('name: "a" id: 1', "line 1: expected `item {` or `label {`, found 'name'"),
        ('item "a" { id: 1 }', "line 1: expected `item {` or `label {`, found 'item'"),
        ('item { name: "a" id: 4000000000 }', "class ids go up to 2147483647, got 4000000000"),
    ],
)
def test_what_is_wrong_in_blocks_is_named_with_its_line(tmp_path, text, message):
    with pytest.raises(ValueError) as error:
        read_text_as(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'map.pbtxt'}: {message}")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ['item {"a"' * 20000, 'item { name: "' * 20000, "item {" * 50000, 'item { name: "' + '"a' * 20000]
)
def test_unclosed_braces_take_no_time(tmp_path, text):
    """Each of these took a regular expression exponential time; 50 letters of it were minutes."""
    with pytest.raises(ValueError, match=r"map\.pbtxt: line 1: "):
        read_text_as(tmp_path, text)


def test_large_ids_take_no_memory():
    label_map = LabelMap((2**31 - 1, 3), ("a", "b"))
    assert label_map.to_index(np.array([3, 2**31 - 1, 4, -5])).tolist() == [1, 0, -1, -1]
