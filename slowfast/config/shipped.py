"""The YAML files that come with the package: `configs/` in a clone, inside the package where it is installed."""

from pathlib import Path

FOLDER = "configs"


def shipped_configs() -> Path:
    """The folder of the configs that came with this code."""
    package = Path(__file__).resolve().parents[1]
    inside = package / FOLDER
    return inside if inside.is_dir() else package.parent / FOLDER


def find_config(path: Path) -> Path:
    """`path`, or the shipped file of that name where the working directory has none and it starts with configs/."""
    if path.is_absolute() or path.parts[:1] != (FOLDER,) or path.exists():
        return path
    shipped = shipped_configs().joinpath(*path.parts[1:])
    return shipped if shipped.is_file() else path


def where_configs_are_sought(path: Path) -> str:
    """For the error about a missing file: where else it was looked for, or why nowhere else."""
    if path.is_absolute():
        return ""
    if path.parts[:1] == (FOLDER,):
        return f", and {shipped_configs()} has none either"
    return f"; only a path that starts with {FOLDER}/ is also looked for in the package"
