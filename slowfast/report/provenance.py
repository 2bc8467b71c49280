"""What a run was made with, in the foot of a report, and the keys in which two runs differ."""

from collections.abc import Mapping
from html import escape
from typing import Any

from fvcore.common.config import CfgNode

from slowfast.config.differences import differences, flat
from slowfast.config.keys import show

_SHORT = 12  # digits of a commit or a hash
# Where results lie and what is printed: two runs always differ in the first, and none changes a number.
_SAYS_NOTHING = {"OUTPUT_DIR", "LOG_PERIOD", "CHANGED_ON_PURPOSE", "TENSORBOARD.ENABLE"}


def made_with(name: str, metrics: Mapping[str, Any]) -> str:
    """A sentence with data set, date, precision, versions, commit, hashes and command, or that they were not recorded."""
    run = metrics.get("run")
    if not run:
        return (
            f"<p><b>{escape(name)}</b>: data set, date, versions, commit and weights were not recorded in its "
            "metrics.json; config.yaml beside it is what was run.</p>"
        )
    versions = ", ".join(f"{what} {version}" for what, version in run["versions"].items() if version)
    weights = run["weights"]
    parts = [
        f"data set {run.get('dataset') or 'not recorded'}",
        f"tested {run.get('date') or 'at a time that was not recorded'}",
        f"{run['precision']} on {run['device']}",
        versions,
        f"commit {_short(run['commit'])}" if run["commit"] else "no commit known",
        f"config.yaml {run['config_sha256'][:_SHORT]}",
        f"weights {weights['state_sha256'][:_SHORT]}" + (f" of {weights['file']}" if weights["file"] else ""),
        " ".join(["command:", "--cfg", str(run["command"]["config"]), *map(str, run["command"]["overrides"])]),
    ]
    return f"<p><b>{escape(name)}</b>: {escape('; '.join(parts))}.</p>"


def differing_keys(names: tuple[str, str], configs: tuple[CfgNode, CfgNode]) -> str:
    """A table of the keys that two runs have otherwise, or a sentence that there is none."""
    found = [one for one in differences(flat(configs[0]), flat(configs[1])) if one.key not in _SAYS_NOTHING]
    if not found:
        return "<p>The configurations of the two runs are the same.</p>"
    rows = "".join(
        f"<tr><td>{escape(one.key)}</td><td>{escape(show(one.now))}</td><td>{escape(show(one.was))}</td></tr>"
        for one in found
    )
    heads = "".join(f'<th class="run{i}">{escape(name)}</th>' for i, name in enumerate(names))
    return f'<table class="keys"><tr><th>Keys that differ</th>{heads}</tr>{rows}</table>'


def _short(commit: str) -> str:
    return commit[:_SHORT] + ("-dirty" if commit.endswith("-dirty") else "")
