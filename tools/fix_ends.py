"""Give text files one newline at the end and no spaces at the ends of lines: python tools/fix_ends.py FILE ...

Exit code 1 when a file was changed, as pre-commit expects of a hook that mends.
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from slowfast.utils.files import write_bytes


def mended(content: bytes) -> bytes:
    """The same bytes with clean ends; line ends of Windows stay as they are, and an empty file stays empty."""
    content = re.sub(rb"[ \t]+(?=\r?\n|\Z)", b"", content)
    last = b"\r\n" if content.count(b"\r\n") > content.count(b"\n") / 2 else b"\n"
    body = content.rstrip(b"\r\n")
    return body + last if body else b""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="FILE", type=Path)
    changed = 0
    for path in parser.parse_args(argv).files:
        content = path.read_bytes()
        if mended(content) != content:
            mode = path.stat().st_mode
            write_bytes(mended(content), path)
            path.chmod(mode)
            print(f"mended {path}")
            changed = 1
    return changed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
