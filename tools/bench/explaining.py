"""What `predict --explain` costs: the forward pass of a detector with the weights of its last stage, against without."""

import torch
from bench.detector import Setup
from bench.timing import Timing, interleaved, print_timings

from slowfast.inference.explain.explainer import Explainer
from slowfast.inference.streams.clip_stream import StreamedClip
from slowfast.models.build import build_model, input_size
from slowfast.structures.outputs.moment import Moment, Person

PLAIN, EXPLAINED = "forward", "forward, explained"


def main(setup: Setup, *, repeats: int) -> dict[str, Timing]:
    """Print both, and the factor; `setup.people` people of each clip are explained. The outputs are compared first."""
    cfg, device = setup.cfg, torch.device(setup.device)
    torch.manual_seed(0)
    model = build_model(cfg).to(device).eval()
    clips = torch.randn(setup.clips, 3, *input_size(cfg), device=device)
    pixels = torch.zeros(clips.shape[1:], dtype=torch.uint8)
    box = (0.1, 0.1, 0.4, 0.8)
    people = tuple(Person(box, box, 0.9, (), token=number) for number in range(setup.people))
    moment, clip = Moment(0.0, (1, 1), people), StreamedClip(0.0, (1, 1), pixels, (0.0, 0.0, 1.0, 1.0), 0)

    @torch.no_grad()
    def plain() -> torch.Tensor:
        return model(clips).action_logits

    @torch.no_grad()
    def explained() -> torch.Tensor:
        with Explainer(model) as explainer:
            logits = model(clips).action_logits
            for row in range(setup.clips):
                explainer(clip, row, moment)
        return logits

    if not torch.equal(plain(), explained()):
        raise RuntimeError("explaining a detector changed what it tells")
    timings = interleaved({PLAIN: plain, EXPLAINED: explained}, repeats=repeats, device=device)
    print_timings(timings, baseline=PLAIN, clips=setup.clips)
    factor = timings[EXPLAINED].cpu_median / timings[PLAIN].cpu_median
    print(
        f"--explain: {factor:.2f} times the CPU time of the forward pass, for {setup.people} people a clip; pictures not in it"
    )
    return timings
