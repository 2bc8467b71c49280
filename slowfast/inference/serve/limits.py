"""What the page takes: how large, how long, how many, for how long; and what the beginning of a video file looks like."""

from dataclasses import dataclass

HEAD_BYTES = 512  # from which the kind of a file is told
KINDS = "MP4, MOV, WebM, MKV, AVI, MPEG, FLV, WMV"


@dataclass(frozen=True)
class Limits:
    """most_bytes: of a video; most_seconds: of it; waiting: videos that are received or wait for their turn;
    kept: results at most, the oldest go first; keep_seconds: for which videos and results are kept"""

    most_bytes: int = 500 * 1000 * 1000
    most_seconds: float = 600.0
    waiting: int = 5
    kept: int = 20
    keep_seconds: float = 3600.0

    def __post_init__(self) -> None:
        if self.most_bytes < 1 or not self.most_seconds > 0:
            raise ValueError(
                f"--most-mb and --most-minutes must be above 0, got {self.most_bytes / 1e6:g} and {self.most_seconds / 60:g}"
            )
        if self.waiting < 1 or self.kept < 1 or not self.keep_seconds > 0:
            raise ValueError("a page takes at least one video, and keeps at least one result for some time")

    def too_large(self, size: int | None = None) -> str:
        """size: bytes, where they are known"""
        told = "the video is" if size is None else f"the video has {size / 1e6:.1f} MB, which is"
        return f"{told} larger than the {self.most_bytes / 1e6:g} MB that this page takes (--most-mb)"

    def too_long(self, seconds: float | None = None) -> str:
        told = "the video is" if seconds is None else f"the video lasts {seconds / 60:.1f} minutes, which is"
        return f"{told} longer than the {self.most_seconds / 60:g} minutes that this page takes (--most-minutes)"


def ending_of(head: bytes) -> str | None:
    """What the name of a file that begins so should end in; None where it is no video of a known kind.

    Told from its content alone: names lie, and what is no video (a playlist that names other files) is not opened.
    """
    if head[4:8] == b"ftyp":
        return ".mov" if head[8:12] == b"qt  " else ".mp4"
    if head[4:8] in (b"moov", b"mdat", b"free", b"wide", b"skip"):
        return ".mov"
    if head[:4] == b"\x1aE\xdf\xa3":
        return ".webm" if b"webm" in head[:64] else ".mkv"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return ".avi"
    if head[:3] == b"FLV":
        return ".flv"
    if head[:4] == b"0&\xb2u":
        return ".wmv"
    if head[:4] in (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3"):
        return ".mpg"
    if head[:1] == b"G" and head[188:189] == b"G":
        return ".ts"
    return None
