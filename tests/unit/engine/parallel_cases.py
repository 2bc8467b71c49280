"""Steps of a tiny detector under TRAIN.PARALLEL ddp and fsdp, with everything else that a run may turn on: as one process
takes them, or two that a test starts."""

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from slowfast.config import load_cfg
from slowfast.engine import run_state
from slowfast.engine.agreement import newest_for_all
from slowfast.engine.device.compiling import compile_in_place
from slowfast.engine.device.parallel import parallelised
from slowfast.engine.run_state import RunState
from slowfast.engine.train_one_epoch import EpochPlan
from slowfast.models.build import build_model
from slowfast.utils.processes import distributed
from slowfast.utils.processes.shards import copied, whole
from slowfast.utils.seed import seed_everything
from slowfast.weights.checkpoint import Checkpointer
from tests.forks import call_in_processes
from tests.unit.engine.one_step import batch_of, train

CPU = torch.device("cpu")
PEOPLE = (2, 1, 0, 3)  # of the four clips of a step
TINY = [
    *("MVIT.EMBED_DIM", "8", "MVIT.DEPTH", "2", "MVIT.POOL_Q_STRIDE", "[[0,1,1,1],[1,1,2,2]]", "MODEL.NUM_CLASSES", "3"),
    *("DATA.NUM_FRAMES", "4", "DATA.TRAIN_CROP_SIZE", "[16,16]", "DATA.TEST_CROP_SIZE", "[16,16]", "BMVIT.HEAD_HIDDEN", "12"),
    # AdamW makes whole steps of the rounding errors of gradients that should be zero.
    *("SOLVER.OPTIMIZING_METHOD", "sgd", "SOLVER.MOMENTUM", "0.9", "SOLVER.BASE_LR", "0.01"),
]  # fmt: skip
IN_FLOAT32 = ["TRAIN.GRAD_ACCUM_STEPS", "2", "SOLVER.EMA_DECAY", "0.9", "MODEL.ACT_CHECKPOINT", "True"]
OPTIONS = {
    "nothing": [],
    "bf16": ["MODEL.PRECISION", "bf16"],
    "accumulation, EMA, activation checkpointing": IN_FLOAT32,
    "all but compile": [*IN_FLOAT32, "MODEL.PRECISION", "bf16"],
    "compile": ["MODEL.COMPILE", "on"],
}
# Of one block: every parameter is gathered for each comparison, and so are its moments.
GOING_ON = [
    *("SOLVER.EMA_DECAY", "0.9", "TRAIN.GRAD_ACCUM_STEPS", "2"),
    *("MVIT.DEPTH", "1", "MVIT.POOL_Q_STRIDE", "[]", "MVIT.DIM_MUL", "[]", "MVIT.HEAD_MUL", "[]"),
]
RESUMED = (("fsdp", "parts"), ("ddp", "file"))  # what is loaded is compared for all four
STEPS = 2


def config(config_file: str, options: list[str]) -> Any:
    return load_cfg(config_file, [*TINY, *options])


def fresh(cfg: Any) -> RunState:
    seed_everything(distributed.rank())  # all begin with the weights of process 0, whatever they drew
    return RunState.fresh(cfg, CPU)


def take_steps(cfg: Any, state: RunState, *, clip_value: float = 0.0) -> dict[str, torch.Tensor]:
    """Two steps with this process's share of the clips; the gradient of the first, whole."""
    compile_in_place(cfg, state.model, CPU)
    model = parallelised(state.model, CPU, act_checkpoint=cfg.MODEL.ACT_CHECKPOINT)
    gradients: list[dict[str, torch.Tensor]] = []
    take = state.optimizer.step

    def step(*arguments: Any) -> None:
        named = state.model.named_parameters()
        gradients.append(whole({name: parameter.grad for name, parameter in named}))
        take(*arguments)

    state.optimizer.step = step
    plan = EpochPlan(0, STEPS, cfg.TRAIN.GRAD_ACCUM_STEPS, 0.0 if clip_value else 5.0, 0, clip_value)
    train(
        model,
        shares(cfg) * STEPS,
        state.optimizer,
        plan=plan,
        average=state.average,
        precision="float32" if cfg.MODEL.PRECISION == "auto" else cfg.MODEL.PRECISION,
    )
    return gradients[0]


def after_steps(cfg: Any, *, clip_value: float = 0.0) -> dict[str, Any]:
    """Gradient of the first step, state after two, and what would be tested then, all whole."""
    state = fresh(cfg)
    gradient = take_steps(cfg, state, clip_value=clip_value)
    return whole(state.state_dict()) | {"gradient": gradient, "tested": dict(state.model_to_test().state_dict())}


def shares(cfg: Any) -> list[Any]:
    """The micro-batches of a step that this process takes."""
    size, micro = distributed.world_size(), cfg.TRAIN.GRAD_ACCUM_STEPS
    each = len(PEOPLE) // (size * micro)
    first = [(number * size + distributed.rank()) * each for number in range(micro)]
    return [batch_of(PEOPLE[at : at + each], first=at) for at in first]


def go_on(folder: Path, config_file: str) -> None:
    """Two steps under fsdp, saved in parts and as one file; each is loaded under fsdp and ddp, for two more in RESUMED."""

    def keep(name: str, state: RunState) -> None:
        content = whole(state.state_dict(), here=distributed.is_main())
        if distributed.is_main():
            torch.save(content, folder / f"{name}.pt")

    cfgs = {
        parallel: config(config_file, [*GOING_ON, "TRAIN.PARALLEL", parallel, "SOLVER.OPTIMIZING_METHOD", "adamw"])
        for parallel in ("ddp", "fsdp")
    }
    state = fresh(cfgs["fsdp"])
    take_steps(cfgs["fsdp"], state)
    keep("saved", state)
    Checkpointer(folder / "parts", in_parts=True).save(1, copied(state.state_dict()))
    content = whole(state.state_dict(), here=distributed.is_main())
    if distributed.is_main():
        Checkpointer(folder / "file").save(1, content)
    distributed.barrier()
    take_steps(cfgs["fsdp"], state)
    keep("straight", state)
    for kind in ("parts", "file"):
        for parallel, cfg in cfgs.items():
            found = newest_for_all(Checkpointer(folder / kind))
            state = fresh(cfg)
            state.load_state_dict(found[1])
            keep(f"loaded {parallel} {kind}", state)
            if (parallel, kind) in RESUMED:
                take_steps(cfg, state)
                keep(f"resumed {parallel} {kind}", state)


class Counted(torch.nn.BatchNorm3d):
    """A batch norm whose module has a frozen one beside it, as a network of images has them."""

    def __init__(self) -> None:
        super().__init__(3)
        self.frozen = torch.nn.BatchNorm3d(3)

    def train(self, mode: bool = True) -> "Counted":
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.frozen(super().forward(x))


def statistics(cfg: Any) -> list[dict[str, torch.Tensor]]:
    """Of each process after two steps, with other clips on each: what batch norms have counted, in the model, in the weight
    average and in what would be tested."""

    def build(cfg: Any) -> torch.nn.Module:
        model = build_model(cfg)
        model.counted = Counted()
        model.register_forward_pre_hook(lambda module, inputs: (module.counted(inputs[0]), *inputs[1:]))
        return model

    before, run_state.build_model = run_state.build_model, build
    try:
        state = fresh(cfg)
    finally:
        run_state.build_model = before
    take_steps(cfg, state)
    models = {"model": state.model, "average": state.average.average, "tested": state.model_to_test()}
    own = {
        f"{which} {name}": buffer.clone()
        for which, model in models.items()
        for name, buffer in model.named_buffers()
        if "counted" in name
    }
    return distributed.gather_objects(own)


def cases_in_a_process(rank: int, folder: str, config_file: str, names: list[str]) -> None:
    """Every case under ddp and fsdp in process `rank` of 2, then `go_on`; process 0 saves what each came to."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    try:
        for parallel in ("ddp", "fsdp"):
            for name in names:
                found = after_steps(config(config_file, [*OPTIONS[name], "TRAIN.PARALLEL", parallel]))
                if rank == 0:
                    torch.save(found, Path(folder) / f"{parallel} {name}.pt")
            counted = statistics(config(config_file, [*GOING_ON, "TRAIN.PARALLEL", parallel]))
            if rank == 0:
                torch.save(counted, Path(folder) / f"{parallel} statistics.pt")
        go_on(Path(folder), config_file)
    finally:
        dist.destroy_process_group()


def spawn(folder: Path, config_file: str, names: list[str]) -> None:
    call_in_processes(cases_in_a_process, str(folder), config_file, names, processes=2)
