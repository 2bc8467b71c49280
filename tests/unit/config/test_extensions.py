"""slowfast.config.extensions: a module of one's own that is missing, and one that is there and fails."""

import pytest

from slowfast.config import get_cfg
from slowfast.config.extensions import import_extensions


@pytest.fixture
def fails(tmp_path, monkeypatch):
    """(name, text) -> the message about the module with that text."""
    monkeypatch.syspath_prepend(tmp_path)

    def message(name: str, text: str | None = None, *, module: str | None = None) -> str:
        if text is not None:
            path = tmp_path / f"{name.replace('.', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        cfg = get_cfg()
        cfg.MODEL.IMPORTS = [module or name]
        with pytest.raises(ValueError, match=r"MODEL\.IMPORTS: ") as error:
            import_extensions(cfg)
        return str(error.value)

    return message


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        ("import os\nimport a_missing_package\n", "ModuleNotFoundError: No module named 'a_missing_package'", 2),
        ("x = 1\ny = x + undefined\n", "NameError: name 'undefined' is not defined", 2),
        ("def f(:\n    pass\n", "SyntaxError: ", 1),
        ("import json\n\njson.loads('{')\n", "JSONDecodeError: ", 3),
        ("from slowfast.models.build import not_there\n", "ImportError: cannot import name 'not_there'", 1),
    ],
)
def test_a_module_that_fails_is_told_with_its_own_error_and_line(fails, tmp_path, text, told, line):
    name = f"broken_blocks_{line}_{len(text)}"
    message = fails(name, text)
    assert f"{name!r} was found and fails itself: {told}" in message and "PYTHONPATH" not in message
    assert f"({tmp_path / name}.py, line {line})\n    {text.splitlines()[line - 1].strip()}" in message


@pytest.mark.parametrize("name", ["no_such_file", "no_such_package.module"])
def test_a_module_that_is_not_there_is_sought_on_the_path(fails, name):
    message = fails(name)
    assert f"cannot import {name!r} (No module named 'no_such_" in message and message.endswith("on PYTHONPATH?")


def test_a_module_that_a_package_lacks_is_not_there(fails):
    assert "is its folder on PYTHONPATH?" in fails("my_package.__init__", "", module="my_package.lacking")
