"""Frames keep their times, sound comes along, and a file is whole or absent."""

from fractions import Fraction

import av
import numpy as np
import pytest

from slowfast.video.writing.timed_writer import copied_sound, write_timed_video
from tests.unit.video.video_maker import decode_plainly, number_in, picture, write_video

TIMES = [0.0, 0.04, 0.5, 0.51, 2.0]


def add_sound(path, out, *, codec="aac", seconds=2.0, start=0.0):
    """The pictures of `path` with a tone of `codec` beside them, all `start` seconds later."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        pictures = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream(codec, rate=8000)
        sound.layout = "mono"
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                later = round(start / packet.time_base)
                packet.pts, packet.dts = packet.pts + later, packet.dts + later
                packet.stream = pictures
                target.mux(packet)
        samples = (np.sin(np.arange(int(8000 * seconds)) * 0.3) * 9000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.rate, frame.pts, frame.time_base = 8000, round(8000 * start), Fraction(1, 8000)
        resampler = av.AudioResampler(
            format=sound.format, layout="mono", rate=8000, frame_size=sound.frame_size or None
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(sound.encode(part))
        target.mux(sound.encode(None))
    return out


def test_times_are_kept_and_odd_sides_grow(tmp_path):
    frames = [(time, picture(i)[:47, :63]) for i, time in enumerate(TIMES)]
    assert write_timed_video(frames, tmp_path / "v.mp4", crf=10) == 5
    pictures, times, _, _ = decode_plainly(tmp_path / "v.mp4")
    np.testing.assert_allclose(times, TIMES, atol=1e-4)
    assert [number_in(p) for p in pictures] == [0, 1, 2, 3, 4] and pictures[0].shape == (48, 64, 3)


def test_a_frame_that_is_not_later_is_left_out(tmp_path):
    frames = [(0.0, picture(1)), (0.0, picture(2)), (1.0, picture(3))]
    assert write_timed_video(frames, tmp_path / "v.mp4", crf=10) == 2
    assert [number_in(p) for p in decode_plainly(tmp_path / "v.mp4")[0]] == [1, 3]


def test_sound_is_copied_as_it_is(tmp_path):
    source = add_sound(write_video(tmp_path / "silent.mp4", fps=10, frames=20), tmp_path / "sound.mp4")
    assert copied_sound(source) == "" and copied_sound(tmp_path / "silent.mp4") == ""
    write_timed_video(((i / 10, picture(i)) for i in range(20)), tmp_path / "v.mp4", sound_of=source)

    def packets(path):
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            return [(round(float(p.pts * p.time_base), 3), bytes(p)) for p in container.demux(stream) if p.size]

    expected = [packet for packet in packets(source) if packet[0] >= 0]
    assert packets(tmp_path / "v.mp4") == expected and len(expected) >= 10
    np.testing.assert_allclose(decode_plainly(tmp_path / "v.mp4")[1], np.arange(20) / 10, atol=1e-4)
    write_timed_video([(0.0, picture(1))], tmp_path / "quiet.mp4", sound_of=tmp_path / "silent.mp4")
    with av.open(str(tmp_path / "quiet.mp4")) as container:
        assert not container.streams.audio


def test_sound_keeps_step_where_the_file_does_not_start_at_zero(tmp_path):
    """Pictures and sound of a transport stream that start 2 s after its zero: second 0 of the video is there."""
    source = add_sound(write_video(tmp_path / "silent.mp4", fps=10, frames=20), tmp_path / "sound.ts", start=2.0)
    with av.open(str(source)) as container:
        assert container.start_time > 1_500_000
    write_timed_video(((i / 10, picture(i)) for i in range(20)), tmp_path / "v.mp4", sound_of=source)
    with av.open(str(tmp_path / "v.mp4")) as container:
        times = [float(p.pts * p.time_base) for p in container.demux(container.streams.audio[0]) if p.size]
    assert 0 <= times[0] < 0.2 and 1.7 < times[-1] < 2.2


def test_sound_that_mp4_does_not_hold_is_said(tmp_path):
    source = add_sound(write_video(tmp_path / "silent.avi", frames=9), tmp_path / "v.avi", codec="pcm_s16le")
    assert copied_sound(source) == "its sound is pcm_s16le, which an MP4 does not hold"
    write_timed_video([(0.0, picture(1))], tmp_path / "v.mp4", sound_of=source)
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert not container.streams.audio


def stopping():
    yield 0.0, picture(0)
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("frames", "error"),
    [([], ValueError), ([(0.0, picture(0)), (1.0, picture(0)[:40])], ValueError), (stopping(), KeyboardInterrupt)],
)
def test_a_failure_leaves_nothing(tmp_path, frames, error):
    with pytest.raises(error):
        write_timed_video(frames, tmp_path / "v.mp4")
    assert list(tmp_path.iterdir()) == []
