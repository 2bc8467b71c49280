"""slowfast.utils.logging: one JSON object a line, and no line twice."""

import json

import pytest

from slowfast.utils import logging as project_logging
from slowfast.utils.logging import LOGGER_NAME, JsonLog, get_logger, setup_logging


@pytest.fixture(autouse=True)
def _fresh_logger():
    yield
    logger = project_logging.logging.getLogger(LOGGER_NAME)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


def test_records_are_appended_one_a_line(tmp_path):
    path = tmp_path / "log.jsonl"
    JsonLog(path).write("train", step=1, lr={"heads": 0.1}, loss=float("nan"))
    JsonLog(path).write("eval", mAP=0.5)
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["kind"], first["step"], first["lr"], first["loss"]) == ("train", 1, {"heads": 0.1}, None)
    assert (second["kind"], second["mAP"]) == ("eval", 0.5) and second["time"] >= first["time"]


def test_messages_go_to_the_console_and_the_file_once(tmp_path, capsys):
    setup_logging(tmp_path)
    setup_logging(tmp_path)  # a second call must not double the lines
    get_logger().info("mAP %.2f", 0.5)
    assert capsys.readouterr().out.count("mAP 0.50") == 1
    lines = (tmp_path / "stdout.log").read_text().splitlines()
    assert len(lines) == 1 and lines[0].endswith("] mAP 0.50")


def test_other_processes_stay_silent(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(project_logging, "is_main", lambda: False)
    setup_logging(tmp_path)
    get_logger().info("hello")
    get_logger().warning("hello")
    JsonLog(tmp_path / "log.jsonl").write("train", step=1)
    assert capsys.readouterr().out == "" and list(tmp_path.iterdir()) == []
    get_logger().error("this process is lost")
    assert "this process is lost" in capsys.readouterr().out


def test_without_a_folder_there_is_the_console_only(capsys):
    setup_logging()
    get_logger().info("hello")
    assert "hello" in capsys.readouterr().out
