"""Which keys may be URLs, and that none of them holds a secret: a run writes its config down in several places."""

import re
from collections.abc import Iterable

from fvcore.common.config import CfgNode

# Folders of videos, which `slowfast/video/open_videos.py` opens.
OF_VIDEOS = ("AVA.VIDEO_DIR", "JHMDB.VIDEO_DIR", "UCF24.VIDEO_DIR", "DATA.PATH_PREFIX")
OF_THIS_MACHINE = (
    *("AVA.ANNOTATION_DIR", "AVA.FRAME_DIR", "AVA.FRAME_LIST_DIR", "JHMDB.ANNOTATION_DIR", "UCF24.ANNOTATION_FILE"),
    *("DATA.PATH_TO_DATA_DIR", "DATA.LABEL_FILE", "DATA.CACHE_DIR", "DATA.FEATURE_CACHE", "DATA.REMOTE_CACHE_DIR"),
    "OUTPUT_DIR",
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_PASSWORD = re.compile(r"://[^/@]*:(?!\$)[^/@]+@")
_TOKEN = re.compile(r"[?&][^=&]*(sig|token|secret|key|password|credential|auth)[^=&]*=(?!\$)[^&]", re.IGNORECASE)


def problems_of_urls(cfg: CfgNode) -> Iterable[str]:
    """A line for every URL where a path is needed, and for every one with a secret in it, which is not repeated."""
    for key in OF_THIS_MACHINE:
        value = _value(cfg, key)
        if _URL.match(value):
            yield f"{key} ({_before_query(value)}) must be a path of this machine: only {', '.join(OF_VIDEOS)} may be URLs"
    for key in OF_VIDEOS:
        value = _value(cfg, key)
        if _URL.match(value) and (_PASSWORD.search(value) or _TOKEN.search(value)):
            yield (
                f"{key} is a URL with a password or a token in it, which the run would write to its log: put it into a "
                "variable of the environment, and $NAME in its place"
            )


def _value(cfg: CfgNode, key: str) -> str:
    section, _, name = key.partition(".")
    return str(cfg[section][name] if name else cfg[section])


def _before_query(url: str) -> str:
    return re.sub(r"(://)[^/@]*@", r"\1...@", url.partition("?")[0])
