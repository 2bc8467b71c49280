"""URLs of folders, with secrets that stay in the environment and out of every message."""

import os
import re

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters at least: C:// is a drive
_NAME = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_IN_QUERY = re.compile(r"([?&][^=&\s'\"]*=)[^&\s'\"]+")
_USER = re.compile(r"(://)[^/@\s'\"]+@")


def is_url(root: object) -> bool:
    """Whether a folder is named as s3://..., https://... and not as a path of this machine."""
    return _SCHEME.match(str(root)) is not None


class Address:
    """The URL of a folder. `$NAME` and `${NAME}` in it stand for variables of the environment, such as a token.

    url: as the config has it; `shown` is the same, and is what messages name
    """

    def __init__(self, url: str) -> None:
        self.shown = url

    @property
    def protocol(self) -> str:
        """ "s3"."""
        return self.shown.partition("://")[0].lower()

    def of(self, name: str) -> str:
        """The URL of a file below the folder, to be shown; what comes behind a "?" stays the end of it."""
        folder, mark, query = self.shown.partition("?")
        return f"{folder.rstrip('/')}/{name}{mark}{query}" if name else self.shown

    def real(self, name: str = "") -> str:
        """The same with the variables filled in, for the store alone. Raises ValueError where one is not set."""
        return _NAME.sub(lambda found: self._value(found[1] or found[2]), self.of(name))

    def _value(self, variable: str) -> str:
        if variable not in os.environ:
            raise ValueError(f"{self.shown}: the environment has no variable {variable}, which this URL asks for")
        return os.environ[variable]

    def scrubbed(self, text: str) -> str:
        """What a library says, without the values of variables, passwords, and whatever stands in queries."""
        for found in _NAME.finditer(self.shown):
            value = os.environ.get(found[1] or found[2])
            text = text.replace(value, found[0]) if value else text
        return _IN_QUERY.sub(r"\1...", _USER.sub(r"\1...@", text))
