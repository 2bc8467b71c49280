"""Every reader, given a damaged file, tells what it read or raises an error of ours that names the file."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from slowfast.config.load import load_cfg
from slowfast.video.pictures.frames import FrameFolders
from slowfast.video.pictures.images import ImageFiles
from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipReadError
from slowfast.video.stored.cache import CachedVideos
from slowfast.weights.seal import DamagedFileError
from tests.faults.readers.damage import damaged
from tests.faults.readers.files import CASES, Case
from tests.rules.sources import ROOT
from tests.unit.video.video_maker import write_video

# The same examples in every run. `deadline` is the milliseconds of one: a reader that hangs fails.
BOUNDED = settings(
    max_examples=12,
    derandomize=True,
    deadline=5000,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

CONFIG = ROOT / "configs/Toy/BMViT_toy.yaml"
FOLDERS: dict[str, Path] = {}  # made once for all examples of a test


def _picture() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(48 * 64 * 3, dtype=np.uint32).reshape(48, 64, 3).astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


def _video() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_video(Path(folder) / "a.mp4", frames=10).read_bytes()


PICTURE, VIDEO = _picture(), _video()


def placed(case: Case, folder: Path, content: bytes) -> Path:
    for name, other in case.beside:
        (folder / name).write_bytes(other)
    path = folder / case.name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", CASES)
def test_whole_files_are_read(name, tmp_path):
    assert CASES[name].read(placed(CASES[name], tmp_path, CASES[name].good)) is not None


@pytest.mark.parametrize("name", CASES)
def test_damaged_files_are_read_or_named(name, tmp_path):
    case = CASES[name]

    @BOUNDED
    @given(damaged(case.good))
    def read(content: bytes) -> None:
        path = placed(case, tmp_path, content)
        try:
            case.read(path)
        except DamagedFileError:  # its caller names the file
            return
        except (ValueError, OSError) as error:
            assert type(error) in (ValueError, FileNotFoundError), type(error)
            # Keys that contradict one another are told by their names.
            assert str(tmp_path) in str(error) or str(error).startswith("this config cannot run"), error

    read()


OVERRIDES = st.lists(
    st.sampled_from(["{", "}", "[", "]", "(", ")", ":", ",", "1", "a", "-", "0x", "e9", '"', "'", "*", "!!"]),
    max_size=9,
)


@settings(BOUNDED, max_examples=12)
@given(
    OVERRIDES.map("".join) | st.text(max_size=8), st.sampled_from(["RNG_SEED", "DATA.TRAIN_CROP_SIZE", "AVA.CLASSES"])
)
def test_overrides_are_taken_or_named(text, key):
    try:
        load_cfg(CONFIG, [key, text])
    except ValueError as error:
        assert str(error).startswith("this config cannot run"), error


@pytest.mark.parametrize(
    "text", ["{[]:1}", "{{}:1}", "[" * 3000, "9" * 5000, "0x" + "f" * 5000, "[*a]", "(" * 300, "2**9"]
)
def test_overrides_that_once_escaped(text):
    with pytest.raises(ValueError, match=r"RNG_SEED .*must be"):
        load_cfg(CONFIG, ["RNG_SEED", text])


def test_seeds_end_where_those_of_torch_do():
    assert load_cfg(CONFIG, ["RNG_SEED", str(2**63 - 1)]).RNG_SEED == 2**63 - 1
    with pytest.raises(
        ValueError, match=r"RNG_SEED \(9223372036854775808\) must be at most 9223372036854775807, a number of 63"
    ):
        load_cfg(CONFIG, ["RNG_SEED", str(2**63)])


@settings(BOUNDED, max_examples=20)
@given(damaged(PICTURE))
def test_damaged_pictures_are_clips_that_cannot_be_read(tmp_path_factory, content):
    folder = FOLDERS.setdefault("pictures", tmp_path_factory.mktemp("pictures"))
    (folder / "a").mkdir(exist_ok=True)
    (folder / "a/a_000001.jpg").write_bytes(content)
    for read in (
        lambda: FrameFolders(folder, fps=25, pattern="{video}_{frame:06d}.jpg").read_positions("a", np.array([0])),
        lambda: ImageFiles(folder).read_positions("a/a_000001.jpg", np.array([0])),
    ):
        try:
            assert read().dtype == np.uint8
        except ClipReadError as error:
            assert str(folder) in str(error)


def test_a_size_beyond_what_opencv_allows_is_a_clip_that_cannot_be_read(tmp_path):
    """OpenCV throws for it instead of giving nothing."""
    place = PICTURE.index(b"\xff\xc0") + 5
    huge = PICTURE[:place] + b"\xff\xff\xff\xff" + PICTURE[place + 4 :]
    (tmp_path / "a").mkdir()
    (tmp_path / "a/a_000001.jpg").write_bytes(huge)
    with pytest.raises(ClipReadError, match=r"a_000001\.jpg: .*(CV_IO_MAX_IMAGE_PIXELS|OpenCV)"):
        FrameFolders(tmp_path, fps=25).read_positions("a", np.array([0]))


@settings(BOUNDED, max_examples=12)
@given(damaged(VIDEO))
def test_damaged_videos_are_clips_that_cannot_be_read(tmp_path_factory, content):
    path = FOLDERS.setdefault("videos", tmp_path_factory.mktemp("videos")) / "a.mp4"
    path.write_bytes(content)
    try:
        assert VideoFiles(path.parent, threads=1).read("a", np.array([0.1, 0.2]), center=0).frames.dtype == np.uint8
    except ClipReadError as error:
        assert str(path) in str(error)


@settings(BOUNDED, max_examples=10)
@given(st.data())
def test_a_damaged_entry_of_the_cache_is_made_anew(tmp_path_factory, data):
    if "cache" not in FOLDERS:
        FOLDERS["cache"] = tmp_path_factory.mktemp("cache")
        (FOLDERS["cache"] / "a.mp4").write_bytes(VIDEO)
    folder = FOLDERS["cache"]
    videos = VideoFiles(folder, threads=1)
    good = CachedVideos(videos, folder / "kept").read("a", np.array([0.1, 0.2]), center=0)
    (described,) = (folder / "kept").glob("*.json")
    described.write_bytes(data.draw(damaged(described.read_bytes())))
    again = CachedVideos(videos, folder / "kept")
    read = again.read("a", np.array([0.1, 0.2]), center=0)
    assert np.array_equal(read.frames, good.frames) or again.rebuilt == 0  # times that are still times are believed
    described.unlink()
