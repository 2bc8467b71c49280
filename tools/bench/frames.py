"""A detector whose image network sees each frame once: what keeping the features of frames saves."""

from collections.abc import Callable

import torch
from bench.timing import interleaved, print_timings
from fvcore.common.config import CfgNode
from torch import Tensor

from slowfast.models.backbone import sees_frames
from slowfast.models.build import build_model, input_size

# Of the largest value: rounding of float32 through some forty layers.
_AGREEMENT = 1e-3


def frames(cfg: CfgNode, *, clips: int, repeats: int, device: torch.device) -> None:
    """Print the image network as it is against folded, and a key frame from clips against one from kept features."""
    torch.manual_seed(0)
    model = build_model(cfg).to(device).eval()
    backbone = model.get_submodule("backbone")
    if not sees_frames(backbone):
        raise SystemExit(f"benchmark.py frames is for backbones that see single frames, not for {cfg.MODEL.BACKBONE}")
    times, height, width = input_size(cfg)
    pixels = torch.randn(clips, 3, times, height, width, device=device)
    of_frames, folded = backbone.frame_features, backbone.folded_frames()
    one = pixels[:1, :, 0]
    with torch.no_grad():
        features = torch.stack([of_frames(pixels[:, :, t]) for t in range(times)], dim=2)
        _same("folded", folded(one), of_frames(one))
        _same("from features", model(features).boxes, model(pixels).boxes)

    def several() -> list[Tensor]:
        return [of_frames(one) for _ in range(times)]

    cases: dict[str, Callable[[], object]] = {
        "frames": several,
        "frames, folded": lambda: [folded(one) for _ in range(times)],
        "clips": lambda: model(pixels),
        "one frame, the rest kept": lambda: (folded(pixels[:, :, -1]), model(features)),
    }
    with torch.no_grad():
        timings = interleaved(cases, repeats=repeats, device=device)
    print_timings({name: timings[name] for name in list(cases)[:2]}, baseline="frames", clips=times)
    print_timings({name: timings[name] for name in list(cases)[2:]}, baseline="clips", clips=clips)


def _same(what: str, ours: Tensor, theirs: Tensor) -> None:
    worst = float((ours - theirs).abs().max() / theirs.abs().max())
    if not worst < _AGREEMENT:
        raise SystemExit(f"{what}: other numbers, {worst:.1e} of the largest")
    print(f"{what}: largest difference {worst:.1e} of the largest value")
