"""Images as videos of one frame: what Pillow makes of every kind, and files that are broken."""

import pickle

import numpy as np
import pytest
from PIL import Image

from slowfast.video.pictures.images import ImageFiles
from slowfast.video.source import ClipReadError

FIRST = np.array([0])
RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def read(folder, image: Image.Image, name: str = "a/b.png", **options) -> np.ndarray:
    (folder / "a").mkdir(exist_ok=True)
    image.save(folder / name, **options)
    return ImageFiles(folder).read_positions(name, FIRST)


def test_an_rgb_image_is_one_frame(tmp_path):
    frames = read(tmp_path, Image.fromarray(RGB))
    assert frames.dtype == np.uint8 and np.array_equal(frames, RGB[None])
    length = ImageFiles(tmp_path).length("a/b.png")
    assert (len(length), length.times.tolist(), length.fps) == (1, [0.0], 1.0)


def test_every_other_kind_becomes_rgb(tmp_path):
    grey = RGB[..., 0]
    assert np.array_equal(read(tmp_path, Image.fromarray(grey))[0], np.repeat(grey[..., None], 3, axis=2))
    palette = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    assert read(tmp_path, palette)[0].tolist() == [[[10, 20, 30], [200, 100, 50]], [[200, 100, 50], [10, 20, 30]]]
    alpha = np.dstack([RGB, np.zeros((4, 6), np.uint8)])
    assert np.array_equal(read(tmp_path, Image.fromarray(alpha))[0], RGB)  # alpha is dropped, not blended
    cmyk = Image.new("CMYK", (2, 2), (255, 0, 0, 0))
    assert read(tmp_path, cmyk, "a/c.tif")[0, 0, 0].tolist() == [0, 255, 255]
    deep = np.array([[0, 200, 256, 65535]], np.uint16)
    assert read(tmp_path, Image.fromarray(deep))[0, 0, :, 0].tolist() == [0, 200, 255, 255]


def test_a_jpeg_of_the_wrong_name_and_an_orientation_that_is_not_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    frames = read(tmp_path, Image.fromarray(RGB), "a/b.JPEG", format="PNG", exif=exif)
    assert np.array_equal(frames, RGB[None])


def test_large_images_are_shrunk_and_small_ones_are_not(tmp_path):
    flat = np.repeat(np.repeat(RGB, 10, axis=0), 10, axis=1)  # 40 x 60: means of 10 x 10 are the pixels of RGB
    read(tmp_path, Image.fromarray(flat))
    files = ImageFiles(tmp_path)
    assert np.array_equal(files.read_positions("a/b.png", FIRST, short_side=4)[0], RGB)
    assert files.read_positions("a/b.png", FIRST, short_side=100).shape == (1, 40, 60, 3)


def test_broken_files_are_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for extension in ("jpg", "png"):
        Image.fromarray(noise).save(tmp_path / f"whole.{extension}")
        data = (tmp_path / f"whole.{extension}").read_bytes()
        (tmp_path / f"cut.{extension}").write_bytes(data[: len(data) // 2])
        files = ImageFiles(tmp_path)
        assert len(files.length(f"cut.{extension}")) == 1  # the header is whole
        with pytest.raises(ClipReadError, match=rf"cannot read .*cut\.{extension}: .*(truncated|broken)"):
            files.read_positions(f"cut.{extension}", FIRST)
    large = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)  # too much for one chunk
    Image.fromarray(large).save(tmp_path / "chunk.png")
    data = bytearray((tmp_path / "chunk.png").read_bytes())
    second = data.index(b"IDAT", data.index(b"IDAT") + 4)
    data[second : second + 4] = b"\0\0\0\0"
    (tmp_path / "chunk.png").write_bytes(data)
    with pytest.raises(ClipReadError, match=r"chunk\.png: broken PNG file"):  # a SyntaxError in Pillow
        ImageFiles(tmp_path).read_positions("chunk.png", FIRST)
    (tmp_path / "film.jpg").write_bytes(b"\0\0\0\x18ftypmp42")
    (tmp_path / "empty.jpg").touch()
    for name in ("film.jpg", "empty.jpg"):
        for call in (ImageFiles(tmp_path).length, lambda n: ImageFiles(tmp_path).read_positions(n, FIRST)):
            with pytest.raises(ClipReadError, match=rf"{name}: not an image that Pillow can read"):
                call(name)
    with pytest.raises(ClipReadError, match=r"none\.jpg: no such file; is .* the folder of the images\?"):
        ImageFiles(tmp_path).length("none.jpg")


def test_too_many_pixels_are_refused(tmp_path, monkeypatch):
    read(tmp_path, Image.fromarray(RGB))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ClipReadError, match=r"exceeds limit"):
        ImageFiles(tmp_path).length("a/b.png")


def test_only_position_zero_and_workers_can_have_it(tmp_path):
    read(tmp_path, Image.fromarray(RGB))
    for positions in ([1], [0, 1], []):
        with pytest.raises(ValueError, match="an image has one frame, at position 0"):
            ImageFiles(tmp_path).read_positions("a/b.png", np.array(positions))
    assert pickle.loads(pickle.dumps(ImageFiles(tmp_path))).read_positions("a/b.png", FIRST).shape == (1, 4, 6, 3)
