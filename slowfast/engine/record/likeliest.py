"""Why so many clips cannot be read, as likely as their reasons tell: one sentence for the error that ends a run."""

from collections.abc import Sequence

# What readers say (slowfast/video), and what is behind it when most clips say so.
_CAUSES = (
    (
        ("the last frame is shown until", "the first frame is shown at", "decodes to frames", "it has frames"),
        "Most moments lie outside of their videos: are times in seconds, and is AVA.FIRST_SECOND the second at which the files "
        "start? `bmvit validate-data` tells which",
    ),
    (("no such file",), "Most files are not there: is it the folder of the videos, and is its disk there?"),
    (
        ("no video of a format", "the data is damaged", "cut off"),
        "Most files are damaged or no videos: were they copied whole? `bmvit validate-data --decode` names all of them",
    ),
)
_UNKNOWN = "Are the videos where they were?"


def likeliest_cause(reasons: Sequence[str]) -> str:
    """reasons: of the clips that could not be read. The cause that more than half of them have in common."""
    for texts, cause in _CAUSES:
        if sum(any(text in reason for text in texts) for reason in reasons) > len(reasons) / 2:
            return cause
    return _UNKNOWN
