"""An SEI that asks for another orientation is found in the coded frame, wherever it stands."""

import gc

import av
import numpy as np
import pytest

from slowfast.video.decoding.turning_sei import TurningSEI
from slowfast.video.reader import read_all, read_times
from tests.unit.video import hostile_files as made
from tests.unit.video.doors import check_every_door, forget

AVCC = bytes([1, 100, 0, 30, 0xFF])  # lengths of 4 bytes
VFLIP = bytes([6, 47, 3, 0b00100000, 0, 0b00010100, 0x80])  # an SEI of H.264: display orientation, vertical flip


@pytest.fixture(autouse=True)
def _nothing_known():
    forget()
    yield
    forget()


def with_lengths(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def with_start_codes(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


@pytest.mark.parametrize(("pack", "header"), [(with_lengths, AVCC), (with_start_codes, None)])
@pytest.mark.parametrize(
    ("units", "found"),
    [
        ([b"\x41slice of 47: \x2f"], False),
        ([b"\x09\xf0", b"\x06\x2f\x03abc", b"\x41slice"], True),
        ([b"\x06\x01\x01\x00", b"\x06\x2f\x03abc", b"\x41slice"], True),
        ([b"\x06\x05\x03abc", b"\x41slice"], False),
        ([b"\x41slice", b"\x06\x2f\x03abc"], False),  # what follows a slice belongs to no frame before it
        ([], False),
    ],
)
def test_units_of_h264(pack, header, units, found):
    assert TurningSEI("h264", header).is_in(av.Packet(pack(*units))) is found
    assert not TurningSEI("mpeg4", header).is_in(av.Packet(pack(*units)))


def test_units_of_hevc():
    packet = av.Packet(with_start_codes(b"\x46\x01\x50", b"\x4e\x01\x2f\x03abc", b"\x02\x01slice"))
    assert TurningSEI("hevc", None).is_in(packet)
    assert not TurningSEI("hevc", None).is_in(av.Packet(with_start_codes(b"\x02\x01slice \x2f")))


@pytest.mark.parametrize("data", [b"\0", b"\0\0\1", b"\0\0\0\1", b"\xff" * 7, with_lengths(VFLIP)[:6], b"\0" * 40])
def test_broken_units_are_no_error(data):
    for header in (AVCC, None, b"", b"\1"):
        TurningSEI("h264", header).is_in(av.Packet(data))


def inserted(source, target, place: int, unit: bytes):
    """The packets of an H.264 file, one of them with a unit before its own."""
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in container.demux(stream) if packet.size):
            data = bytes(packet)
            new = av.Packet(with_lengths(unit) + data if number == place else data)
            new.pts, new.dts, new.time_base, new.stream = packet.pts, packet.dts, packet.time_base, copy
            new.is_keyframe, new.duration = packet.is_keyframe, packet.duration
            out.mux(new)
    return target


def test_a_mirroring_that_begins_between_key_frames_is_followed(tmp_path):
    """It is the one orientation that PyAV's `rotation` does not tell from none."""
    plain = made.write_scenes(tmp_path / "plain.mp4", range(12), gop=6, b_frames=0, options={"crf": "1"})
    stored = read_all(plain)[0]
    path = inserted(plain, tmp_path / "v.mp4", 8, VFLIP)
    check_every_door(path, tmp_path, np.concatenate([stored[:8], stored[8:, ::-1]]))


def test_frames_are_free_without_the_collector(tmp_path):
    """Their memory goes back to the decoder at once; otherwise a worker grows by what Python has not yet collected."""
    path = made.write_scenes(tmp_path / "v.mp4", range(40), gop=40)

    gc.collect()
    gc.disable()
    try:
        read_times(path, np.arange(30) / made.FPS, center=0)
        assert all(frame.width == 2 for frame in gc.get_objects() if type(frame) is av.VideoFrame)  # stamps alone
    finally:
        gc.enable()
