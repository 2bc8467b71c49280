"""Which of the video streams of a file is the video."""

from __future__ import annotations

from slowfast.video.pyav import av

# Pictures beside a video: the cover of a film, thumbnails of its chapters, a still.
_NO_VIDEO = ("attached_pic", "timed_thumbnails", "still_image")


def choose_stream(container: av.container.InputContainer) -> tuple[av.VideoStream | None, str]:
    """The stream that is read, and what the log should say of it ("" where there was no choice).

    Covers do not count; thumbnails and stills do not where there is anything else. Among the others: those that the
    file marks as its default, then the one of most pixels, then the first. None, and why, where there is no video.
    """
    streams = list(container.streams.video)
    moving = [stream for stream in streams if not any(_is(stream, name) for name in _NO_VIDEO)]
    moving = moving or [stream for stream in streams if not _is(stream, "attached_pic")]
    if not moving:
        return None, "it holds no video stream, only a cover picture" if streams else "it holds no video stream"
    if len(moving) == 1 and moving[0] is streams[0]:
        return moving[0], ""
    chosen = max(moving, key=lambda s: (_is(s, "default"), (s.width or 0) * (s.height or 0), -s.index))
    others = ", ".join(_told(stream) for stream in streams if stream is not chosen)
    return chosen, f"of {len(streams)} video streams {_told(chosen)} is read, not {others}"


def _is(stream: av.VideoStream, disposition: str) -> bool:
    return bool(stream.disposition & type(stream.disposition)[disposition])


def _told(stream: av.VideoStream) -> str:
    """ "stream 3 (h264, 640x480, default)"."""
    marks = [name for name in ("default", *_NO_VIDEO) if _is(stream, name)]
    codec = stream.codec_context.name if stream.codec_context else "unknown codec"
    return f"stream {stream.index} ({', '.join([codec, f'{stream.width}x{stream.height}', *marks])})"
