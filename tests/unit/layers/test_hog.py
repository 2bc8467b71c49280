"""HOG against loops over pixels, against scikit-image, and by properties."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.layers.hog import hog

GOLDEN = Path(__file__).resolve().parents[2] / "golden/hog/skimage.npz"


def by_definition(image: np.ndarray) -> np.ndarray:
    """(H, W) -> (9, H / 8, W / 8), pixel by pixel in float64."""
    height, width = image.shape

    def pixel(y: int, x: int) -> float:
        """With the edges reflected: -1 is 1, H is H - 2."""
        y = -y if y < 0 else 2 * (height - 1) - y if y >= height else y
        x = -x if x < 0 else 2 * (width - 1) - x if x >= width else x
        return float(image[y, x])

    cells = np.zeros((9, height // 8, width // 8))
    for y in range(height):
        for x in range(width):
            across = sum(w * (pixel(y + d, x - 1) - pixel(y + d, x + 1)) for d, w in ((-1, 1), (0, 2), (1, 1)))
            down = sum(w * (pixel(y - 1, x + d) - pixel(y + 1, x + d)) for d, w in ((-1, 1), (0, 2), (1, 1)))
            degrees = math.degrees(math.atan2(across, down)) % 180
            cells[int(degrees // 20) % 9, y // 8, x // 8] += math.hypot(across, down)
    norm = np.sqrt((cells**2).sum(axis=0))
    return cells / np.maximum(norm, 1e-12)


def test_it_is_what_loops_over_pixels_give():
    images = np.random.default_rng(1).normal(size=(2, 3, 24, 16))
    found = hog(torch.from_numpy(images))
    assert found.shape == (2, 3, 9, 3, 2) and found.dtype == torch.float32
    wanted = np.array([[by_definition(channel) for channel in image] for image in images.astype(np.float32)])
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


def test_it_is_scikit_images_where_both_mean_the_same():
    with np.load(GOLDEN) as golden:
        image, wanted = torch.from_numpy(golden["image"]), golden["hog"]
    found = hog(image.expand(1, 3, -1, -1))[0]
    for channel in found.numpy():
        np.testing.assert_allclose(channel[:, 1:-1, 1:-1], wanted[:, 1:-1, 1:-1], atol=1e-5)
    assert (wanted[:, 1:-1, 1:-1] > 0.05).sum() > 60  # the case is not a trivial one


@pytest.mark.parametrize(
    ("dy", "dx", "number"),
    [(1, 0, 0), (-1, 0, 0), (0, 1, 4), (0, -1, 4), (1, 1, 2), (-1, -1, 2), (1, -1, 6), (-1, 1, 6)],
)
def test_a_ramp_is_one_bin_whichever_way_it_rises(dy, dx, number):
    """Down the image is 0 degrees, along it 90, and 20 degrees are a bin; black to white is white to black."""
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    cell = hog((dy * y + dx * x)[None, None] / 7)[0, 0, :, 1, 1]
    assert torch.equal(cell, torch.eye(9)[number])


def test_a_flat_area_has_none_and_brightness_and_contrast_do_not_count():
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(hog(3 * image - 1), hog(image), atol=1e-5, rtol=0)
    image[..., :16] = (37 / 255 - 0.45) / 0.225
    found = hog(image)
    assert not found[..., 0].any() and torch.isfinite(found).all()
    torch.testing.assert_close(found[..., 1:].norm(dim=2), torch.ones(1, 3, 4, 3))


def test_half_precision_changes_nothing_and_no_gradient_flows():
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = hog(image)
    assert found.dtype == torch.float32 and not found.requires_grad
    assert torch.equal(found, hog(image))


def test_cells_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"16 x 20 pixels has no whole cells of 8 .*DATA\.TRAIN_CROP_SIZE"):
        hog(torch.zeros(1, 3, 16, 20))
