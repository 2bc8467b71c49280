"""Why nothing of a data set can be read: the cause that most errors have in common, and what to do about it."""

from collections.abc import Sequence

# What messages of the readers (and of FFmpeg, OpenCV and the system) hold, and what it most likely means.
CAUSES = (
    (
        ("no such file", "no such folder", "No such file or directory"),
        "the files are not where they are looked for. Was the folder moved or renamed, is its disk mounted, is the "
        "folder's key right (*.VIDEO_DIR, AVA.FRAME_DIR, DATA.PATH_PREFIX, DATA.PATH_TO_DATA_DIR)?",
    ),
    (("Permission denied",), "this user may not read the files (ls -l FILE)"),
    (
        ("Input/output error", "Stale file handle", "Transport endpoint", "timed out"),
        "the disk, or the network to it, does not answer",
    ),
    (
        (
            "the last frame is shown until",
            "the first frame is shown at",
            "it has frames",
            "the video decodes to frames",
        ),
        "the key frames lie outside of the videos, so the clock is off: AVA.FIRST_SECOND (the timestamp at the start of "
        "a file), or DATA.TARGET_FPS and AVA.FIRST_FRAME with extracted frames. `bmvit validate-data` says which fits",
    ),
    (
        ("unknown codec", "Decoder not found", "not currently supported"),
        "this build of PyAV has no decoder for the videos. Re-encode them (`bmvit prepare-data`)",
    ),
    (
        ("(0 bytes)", "cut off", "no video of a format", "no video stream", "not a picture", "not an image"),
        "the files are not videos (or pictures), or they were not copied whole. Compare their sizes with the originals'",
    ),
    (
        ("damaged", "could not be decoded", "not one frame", "holds no pictures", "Invalid data"),
        "the files are damaged inside. Copy them again, and play one of them",
    ),
    (
        (
            "no file in it is named like",
            "is missing (",
            "the frame lists do not hold",
            "the frame lists have no such id",
        ),
        "the frames are named or numbered in another way: AVA.FRAME_PATTERN, or the frame lists",
    ),
)


def likeliest_cause(reasons: Sequence[str]) -> str:
    """ "likeliest reason (12 of 16): the files are ..."; "" where no cause is known. reasons: messages of ClipReadErrors."""
    counts = [0] * len(CAUSES)
    for reason in reasons:
        for number, (signs, _) in enumerate(CAUSES):
            if any(sign in reason for sign in signs):
                counts[number] += 1
                break
    most = max(counts)
    if not most:
        return ""
    return f"likeliest reason ({most} of {len(reasons)}): {CAUSES[counts.index(most)][1]}"
