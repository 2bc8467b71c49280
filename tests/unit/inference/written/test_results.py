"""What is written of a result: lines that follow the schema, AVA's CSV, tables."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from slowfast.inference.written.records import SCHEMA
from slowfast.utils.ava.tables import read_detections_csv
from tests.unit.inference.json_schema import problems
from tests.unit.inference.results_by_hand import NASTY, classification, detections


@pytest.fixture
def schema(repo_root: Path) -> dict:
    return json.loads((repo_root / "docs/predictions.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("result", [detections(), detections(track=True), classification()])
def test_lines_follow_the_schema(result, schema, tmp_path):
    result.to_jsonl(tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    assert [problems(line, schema, schema) for line in lines] == [[]] * len(lines)
    if importlib.util.find_spec("jsonschema"):
        import jsonschema

        for line in lines:
            jsonschema.validate(line, schema)
    assert lines[0]["type"] == "video" and lines[0]["schema"] == SCHEMA and lines[-1]["type"] == "end"
    result.to_json(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == lines


def test_the_schema_refuses_what_is_wrong(schema):
    good = next(line for line in detections().lines() if line["type"] == "moment" and line["people"])
    for change in ({"time": -1}, {"time": "1"}, {"more": 1}, {"people": None}, {"width": True}, {"type": "clip"}):
        assert problems({**good, **change}, schema, schema)
    broken = json.loads(json.dumps(good))
    broken["people"][0]["box"][2] = 1.01
    assert problems(broken, schema, schema)
    del broken["people"][0]["box"]
    assert problems(broken, schema, schema)


def test_the_schema_and_the_code_have_one_version(schema):
    assert schema["$defs"]["video"]["properties"]["schema"]["const"] == SCHEMA and SCHEMA in schema["title"]


def test_lines_by_hand():
    kinds = [line["type"] for line in detections(track=True).lines()]
    assert kinds == ["video", "moment", "moment", "moment", "skipped", "action", "action", "action", "end"]
    moment = list(detections().lines())[1]
    assert moment["people"][0] == {
        "box": [0.125, 0.25, 0.375, 0.75],
        "box_pixels": [8.0, 12.0, 24.0, 36.0],
        "score": 0.9,
        "track": None,
        "actions": [{"id": 1, "name": "walk", "score": 0.5}, {"id": 7, "name": NASTY, "score": 0.25}],
    }


def test_the_csv_is_in_avas_format_with_fractions_of_a_second(tmp_path):
    detections("clips/a.mp4").to_csv(tmp_path / "a.csv")
    table = read_detections_csv(tmp_path / "a.csv")
    assert table.videos == ("a",) and table.timestamp.tolist() == [0, 0, 0.5, 0.5]
    assert table.label.tolist()[:2] == [1, 7] and ",0000.500," in (tmp_path / "a.csv").read_text()
    np.testing.assert_array_equal(table.scores[:2], [0.5, 0.25])
    np.testing.assert_array_equal(table.boxes[:2], [[0.125, 0.25, 0.375, 0.75]] * 2)


def test_nobody_makes_an_empty_csv(tmp_path):
    result = detections()
    nobody = type(result)(result.source, result.moments[2:], result.classes, 1.0, 2.0)
    nobody.to_csv(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == ""
    assert len(nobody.to_dataframe()) == 0 and list(nobody.to_dataframe().columns)[:3] == ["time", "track", "x1"]


def test_tables():
    frame = detections(track=True).to_dataframe()
    assert frame["time"].tolist() == [0.0, 0.0, 0.5, 0.5] and frame["track"].tolist() == [1, 1, 1, 2]
    assert frame["action"].tolist() == ["walk", NASTY, "walk", "walk"] and frame["score"].tolist() == [
        0.5,
        0.25,
        0.75,
        0.5,
    ]
    frame = classification().to_dataframe()
    assert frame.iloc[0].tolist() == ["b", 0.0, 1.0, 1, "walk", 0.75] and len(frame) == 3
