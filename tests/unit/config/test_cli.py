"""slowfast.config.cli: both forms of the shared command line, and values that look like options."""

import pytest

from slowfast.config.cli import parse_command_line, split_overrides

DESCRIPTION = "Train and test."


@pytest.mark.parametrize(
    "line",
    ["--cfg a.yaml", "--cfg=a.yaml", "--cfg a.yaml --opts"],
)
def test_no_overrides(line):
    assert parse_command_line(line.split(), DESCRIPTION) == ("a.yaml", [])


@pytest.mark.parametrize(
    "argv",
    [
        ["--cfg", "a.yaml", "SOLVER.BASE_LR", "-1", "DATA.MEAN", "[1,2]", "OUTPUT_DIR", "-x"],
        ["--cfg", "a.yaml", "--opts", "SOLVER.BASE_LR", "-1", "DATA.MEAN", "[1,2]", "OUTPUT_DIR", "-x"],
        ["--cfg", "a.yaml", "SOLVER.BASE_LR", "-1", "--opts", "DATA.MEAN", "[1,2]", "OUTPUT_DIR", "-x"],
        ["SOLVER.BASE_LR", "-1", "DATA.MEAN", "[1,2]", "OUTPUT_DIR", "-x", "--cfg", "a.yaml"],
    ],
)
def test_both_forms_with_values_that_start_with_a_dash(argv):
    expected = ["SOLVER.BASE_LR", "-1", "DATA.MEAN", "[1,2]", "OUTPUT_DIR", "-x"]
    assert parse_command_line(argv, DESCRIPTION) == ("a.yaml", expected)


def test_a_last_key_without_a_value_is_left_for_the_loader_to_name():
    assert parse_command_line(["--cfg", "a.yaml", "NUM_GPUS"], DESCRIPTION) == ("a.yaml", ["NUM_GPUS"])


def test_an_empty_value_is_a_value():
    argv = ["--cfg", "a.yaml", "DATA.CACHE_DIR", "", "NUM_GPUS", "1"]
    assert parse_command_line(argv, DESCRIPTION)[1] == ["DATA.CACHE_DIR", "", "NUM_GPUS", "1"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "the following arguments are required: --cfg"),
        ("NUM_GPUS 1", "the following arguments are required: --cfg"),
        ("--cfg", "argument --cfg: expected one argument"),
        ("--cfg a.yaml --optz NUM_GPUS 1", "unrecognized arguments: --optz"),
        ("--cfg a.yaml --cf b.yaml", "unrecognized arguments: --cf"),
        ("--cfg a.yaml NUM_GPUS=1", "write NUM_GPUS 1 as two words, not NUM_GPUS=1"),
        ("NUM_GPUS --cfg a.yaml", "NUM_GPUS lacks a value; --cfg follows it"),
    ],
)
def test_a_line_that_cannot_be_read_exits_with_2(line, message, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_command_line(line.split(), DESCRIPTION)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("line", ["--help", "-h", "--cfg a.yaml --help"])
def test_help_shows_both_forms_and_exits_with_0(line, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_command_line(line.split(), DESCRIPTION)
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "--cfg FILE KEY VALUE KEY VALUE ..." in text
    assert "--cfg FILE --opts KEY VALUE KEY VALUE ..." in text
    assert DESCRIPTION in text


def test_split_with_options_of_a_tool():
    argv = ["--cfg", "a", "--json", "out.json", "NUM_GPUS", "1", "--docs"]
    options, overrides = split_overrides(argv, with_value=("--cfg", "--json"), flags=("--docs",))
    assert options == ["--cfg", "a", "--json", "out.json", "--docs"]
    assert overrides == ["NUM_GPUS", "1"]
