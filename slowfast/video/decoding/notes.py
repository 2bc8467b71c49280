"""What the log says of a file, once in a process, and not for every one of thousands of files alike."""

from slowfast.utils.logging import get_logger

FILES_A_KIND = 5  # files of which the same is said

_said: dict[str, set[str]] = {}


def note(kind: str, path: str, text: str) -> None:
    """Log a warning "PATH: TEXT", unless this kind was said of this file, or of FILES_A_KIND others."""
    files = _said.setdefault(kind, set())
    if path in files or len(files) > FILES_A_KIND:
        return
    files.add(path)
    if len(files) > FILES_A_KIND:
        text += " (more files like this are not named)"
    get_logger().warning(f"{path}: {text}")


def forget_notes() -> None:
    """Say everything again; for tests."""
    _said.clear()
