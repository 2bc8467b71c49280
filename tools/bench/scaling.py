"""Memory, communication and data of a training step on 1 to 512 GPUs: plain arithmetic, and how far off it is where
something was measured. docs/SCALING.md says what the numbers mean; all but those of `CHECKS` are predictions.

A network is counted in units: a unit is one channel of one token at the output of one block. What a step keeps for the
backward pass is proportional to them, work to its multiply-adds, launches to its blocks.
"""

import math
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.distributed as dist

MIB, GIB = 2**20, 2**30
GPUS = (1, 8, 64, 512)


@dataclass(frozen=True)
class Network:
    """parameters: millions, with the heads; gmacs: 10^9 multiply-adds of a clip, with the heads (tools/model_table.py)

    clip:   (frames, height, width); stages: (blocks, tokens of a clip, channels) of each, at the output of its blocks
    """

    name: str
    parameters: float
    gmacs: float
    clip: tuple[int, int, int]
    stages: tuple[tuple[int, int, int], ...]

    @property
    def units(self) -> int:
        return sum(blocks * tokens * channels for blocks, tokens, channels in self.stages)

    @property
    def blocks(self) -> int:
        return sum(blocks for blocks, _, _ in self.stages)

    @property
    def largest_block(self) -> int:
        """Units of it."""
        return max(tokens * channels for _, tokens, channels in self.stages)


def _mvit(name: str, parameters: float, gmacs: float, clip: tuple[int, int, int], blocks: Sequence[int], width: int,
          last_stride: int = 1) -> Network:  # fmt: skip
    """MViTv2: time and space halved once and quartered by the patches, and space again at each of the stages."""
    frames, side = clip[0] // 2, clip[1] // 4
    stages = []
    for stage, count in enumerate(blocks):
        if stage:
            side = -(-side // (last_stride if stage == 3 else 2))
        stages.append((count, frames * side * side, width * 2**stage))
    return Network(name, parameters, gmacs, clip, tuple(stages))


S = _mvit("BMViT-S", 37.85, 111.2, (16, 256, 256), (1, 2, 11, 2), 96)
B = _mvit("BMViT-B", 54.56, 396.7, (32, 256, 256), (2, 3, 16, 3), 96)
L = _mvit("BMViT-L", 221.04, 3274.5, (40, 312, 312), (2, 6, 36, 4), 144)  # no config: MViTv2-L with BMViT's heads
MVITV2_S = _mvit("MViTv2-S", 34.54, 64.5, (16, 224, 224), (1, 2, 11, 2), 96, last_stride=2)
CLIPS = {"BMViT-S": 4, "BMViT-B": 2, "BMViT-L": 1}  # a GPU takes, for the table


@dataclass(frozen=True)
class Assumed:
    """What was measured once and is carried over (measured), and what is assumed of machines (assumed).

    bytes_per_unit: H200, float32, BMViT-S, 4 clips, 5.2 GiB in all (measured); bf16_share: of it under autocast (assumed)
    work_per_gmac:  seconds of GPU work of a train step in bfloat16: 53 ms for 4 clips of BMViT-S (measured, H200)
    launches_per_block: seconds of the host's launches, not compiled: 210 ms for 16 blocks (measured, H200)
    decode_seconds: CPU of a clip of 16 frames, 256 x 456 with a key frame every 12 (measured, Zen 3); longer clips in
                    proportion (assumed)
    in_node, between_nodes: bytes a second that an all-reduce moves for each GPU over NVLink, and over a network of 400
                    Gbit/s a GPU (assumed); latency: seconds of one message (assumed)
    overlapped: share of the step's work behind which DDP can send gradients: the backward pass (assumed)
    """

    bytes_per_unit: float = (5.2 * GIB - 16 * 37.85e6) / (4 * S.units)
    bf16_share: float = 0.6
    work_per_gmac: float = 0.053 / (4 * S.gmacs)
    launches_per_block: float = 0.210 / S.blocks
    decode_seconds: float = 0.0202
    in_node: float = 300e9
    between_nodes: float = 40e9
    latency: float = 20e-6
    overlapped: float = 2 / 3
    gpus_a_node: int = 8


@dataclass(frozen=True)
class Step:
    """A training step of one GPU among `gpus`. Bytes and seconds; eager: not compiled

    memory, memory_checkpointed: float32, and in bfloat16 with ACT_CHECKPOINT; sharded: of that with FSDP2
    reduced: what each GPU sends for the gradients; all_reduce: seconds; exposed: of these, not behind the backward pass
    work, launched: seconds of the GPU's work, and of a step whose launches the host makes one by one
    cores: loader cores that a GPU needs, compiled; to_device: bytes a second of clips
    """

    gpus: int
    clips: int
    memory: float
    memory_checkpointed: float
    sharded: float
    reduced: float
    all_reduce: float
    exposed: float
    work: float
    launched: float
    cores: float
    cores_launched: float
    to_device: float

    @property
    def share(self) -> float:
        """Of a compiled step that is waiting for gradients."""
        return self.exposed / (self.work + self.exposed)


def all_reduce_bytes(size: float, processes: int) -> float:
    """Bytes that each of them sends in a ring: to and fro, all parts but its own."""
    return 2 * (processes - 1) / processes * size


def all_reduce_seconds(size: float, processes: int, bandwidth: float, latency: float) -> float:
    """A ring for the bytes, a tree for the latency."""
    if processes == 1:
        return 0.0
    return all_reduce_bytes(size, processes) / bandwidth + 2 * math.log2(processes) * latency


def memory(network: Network, clips: int, *, per_unit: float, state: int = 16) -> float:
    """Bytes of a train step. state: bytes a parameter: weight, gradient, two moments (12 where the weights are not counted)"""
    return state * network.parameters * 1e6 + clips * network.units * per_unit


def checkpointed(network: Network, clips: int, assumed: Assumed, gpus: int = 1) -> float:
    """In bfloat16 with MODEL.ACT_CHECKPOINT: the blocks' inputs, and what one block keeps. gpus: that share the state"""
    per_unit = assumed.bytes_per_unit * assumed.bf16_share
    return 16 * network.parameters * 1e6 / gpus + clips * (4 * network.units + per_unit * network.largest_block)


def step_of(network: Network, gpus: int, clips: int, assumed: Assumed) -> Step:
    size = 4 * network.parameters * 1e6
    bandwidth = assumed.in_node if gpus <= assumed.gpus_a_node else assumed.between_nodes
    reduce = all_reduce_seconds(size, gpus, bandwidth, assumed.latency)
    work = clips * network.gmacs * assumed.work_per_gmac
    launched = max(work, network.blocks * assumed.launches_per_block)
    exposed = max(0.0, reduce - assumed.overlapped * work)
    decode = assumed.decode_seconds * network.clip[0] / 16
    return Step(
        gpus=gpus,
        clips=clips,
        memory=memory(network, clips, per_unit=assumed.bytes_per_unit),
        memory_checkpointed=checkpointed(network, clips, assumed),
        sharded=checkpointed(network, clips, assumed, gpus),
        reduced=all_reduce_bytes(size, gpus),
        all_reduce=reduce,
        exposed=exposed,
        work=work,
        launched=launched,
        cores=clips * decode / (work + exposed),
        cores_launched=clips * decode / launched,
        to_device=3 * math.prod(network.clip) * clips / (work + exposed),
    )


def table(assumed: Assumed, clips: int | None = None) -> str:
    """Every network on every number of GPUs, as Markdown."""
    lines = [
        "| network | GPUs | clips a step | memory float32 | bfloat16, ACT_CHECKPOINT | with FSDP2 | gradients sent | all-reduce "
        "| step, GPU's work | not compiled | waits for gradients | loader cores a GPU | not compiled | clips to it |",
        "|---|" + "---:|" * 13,
    ]
    for network in (S, B, L):
        for gpus in GPUS:
            step = step_of(network, gpus, clips or CLIPS[network.name], assumed)
            lines.append(
                f"| {network.name} | {gpus} | {gpus * step.clips} | {step.memory / GIB:.1f} GiB | "
                f"{step.memory_checkpointed / GIB:.1f} | {step.sharded / GIB:.1f} | {step.reduced / 1e6:.0f} MB | "
                f"{1e3 * step.all_reduce:.1f} ms | {1e3 * step.work:.0f} ms | {1e3 * step.launched:.0f} ms | "
                f"{100 * step.share:.0f} % | {step.cores:.1f} | {step.cores_launched:.1f} | {step.to_device / 1e6:.0f} MB/s |"
            )
    return "\n".join(lines)


LINKS = (
    ("400 Gbit/s a GPU", 50e9),
    ("100 Gbit/s a GPU", 12.5e9),
    ("100 Gbit/s a node of 8", 12.5e9 / 8),
    ("10 Gbit/s a node of 8", 1.25e9 / 8),
)
_USED = 0.8  # of a link by an all-reduce; 40 of 50 GB/s above


def links_table(assumed: Assumed, gpus: int = 64) -> str:
    """Share of a step that waits for gradients, by the network between nodes and by clips of a GPU."""
    lines = [
        "| network, clips a GPU | " + " | ".join(name for name, _ in LINKS) + " | hidden from |",
        "|---|" + "---:|" * 5,
    ]
    for network in (S, B, L):
        for clips in (1, 4):
            shares = (
                step_of(network, gpus, clips, replace(assumed, between_nodes=_USED * rate)).share for _, rate in LINKS
            )
            least = least_bandwidth(network, gpus, clips, assumed) / _USED * 8 / 1e9
            told = " | ".join(f"{100 * share:.0f} %" for share in shares)
            lines.append(f"| {network.name}, {clips} | {told} | {least:.0f} Gbit/s a GPU |")
    return "\n".join(lines)


def least_bandwidth(network: Network, gpus: int, clips: int, assumed: Assumed) -> float:
    """Bytes a second for each GPU with which the gradients are sent behind the backward pass; latency left out."""
    work = clips * network.gmacs * assumed.work_per_gmac
    return all_reduce_bytes(4 * network.parameters * 1e6, gpus) / (assumed.overlapped * work)


# ------------------------------------------------------------------------------------------------- what was measured


@dataclass(frozen=True)
class Check:
    """measured: as docs/PERFORMANCE.md has it in `row`; predicted: by the model, from another row than this"""

    what: str
    row: str
    measured: float
    predicted: float
    unit: str

    @property
    def off(self) -> float:
        return self.predicted / self.measured - 1


# Of a CPU process beyond its built model, so without the weights: BMViT-S 16x256 on Zen 3, 2017 MiB, sets the scale.
CPU_PER_UNIT = (2017 * MIB - 12 * S.parameters * 1e6) / S.units


def _on_cpu(frames: int, side: int) -> float:
    network = _mvit("", S.parameters, 0.0, (frames, side, side), (1, 2, 11, 2), 96)
    return memory(network, 1, per_unit=CPU_PER_UNIT, state=12) / MIB


def checks() -> list[Check]:
    sizes = ((8, 224, 1050), (16, 224, 1639), (32, 224, 2732), (64, 224, 5016), (16, 320, 2756), (64, 448, 17640))
    table_row = "| MiB | 1050 | 1639 | 2732 | 5016 | 2756 | 5016 | 9447 | 17640 |"
    classifier = memory(MVITV2_S, 1, per_unit=CPU_PER_UNIT, state=12) / MIB
    return [
        Check(
            "MViTv2-S 16x224, a CPU train step", "| Zen 3 | 1422 MiB | torchvision 2153 MiB |", 1422, classifier, "MiB"
        ),
        *(
            Check(f"BMViT-S {frames}x{side}, the same", table_row, float(told), _on_cpu(frames, side), "MiB")
            for frames, side, told in sizes
        ),
        Check(
            "loader workers for a GPU with 32 clips in 0.1 s",
            "18 workers with a core each for a GPU that takes 0.1 s a step",
            18,
            32 * 0.055 / 0.1,
            "cores",
        ),
    ]


def check_table() -> str:
    lines = ["| what | measured | predicted | off |", "|---|---:|---:|---:|"]
    lines += [
        f"| {c.what} | {c.measured:.0f} {c.unit} | {c.predicted:.0f} {c.unit} | {100 * c.off:+.0f} % |"
        for c in checks()
    ]
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------------ gloo on this machine


def measure_gloo(megabytes: Sequence[float], *, processes: int = 2, repeats: int = 5) -> dict[float, float]:
    """Seconds of the fastest all-reduce of float32 by size in megabytes, between processes of this machine."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        queue = context.SimpleQueue()
        arguments = (processes, str(Path(folder) / "meet"), tuple(megabytes), repeats, queue)
        workers = [context.Process(target=_reduce, args=(rank, *arguments)) for rank in range(processes)]
        for worker in workers:
            worker.start()
        found = queue.get()
        for worker in workers:
            worker.join()
    return found


def _reduce(rank: int, processes: int, meet: str, megabytes: Sequence[float], repeats: int, queue: object) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=processes)
    found = {}
    for size in megabytes:
        values, seconds = torch.ones(int(size * 1e6 / 4)), []
        dist.all_reduce(values)
        for _ in range(repeats):
            dist.barrier()
            start = time.perf_counter()
            dist.all_reduce(values)
            seconds.append(time.perf_counter() - start)
        found[size] = min(seconds)
    if rank == 0:
        queue.put(found)  # type: ignore[attr-defined]
    dist.destroy_process_group()


def fit(found: dict[float, float], processes: int) -> tuple[float, float]:
    """Bandwidth (bytes a second) and latency (seconds) from two sizes in megabytes."""
    (small, quick), (large, slow) = sorted(found.items())
    bandwidth = all_reduce_bytes((large - small) * 1e6, processes) / (slow - quick)
    return bandwidth, max(0.0, quick - all_reduce_bytes(small * 1e6, processes) / bandwidth) / (
        2 * math.log2(processes)
    )


def main(*, clips: int | None, measure: bool, repeats: int) -> None:
    assumed = Assumed()
    parts = [f"predicted; {assumed}", table(assumed, clips), links_table(assumed)]
    print("\n\n".join([*parts, "the model where something was measured", check_table()]))
    if measure:
        size = 4 * S.parameters
        found = measure_gloo((8.0, 64.0, size), repeats=repeats)
        bandwidth, latency = fit({k: found[k] for k in (8.0, 64.0)}, 2)
        told = all_reduce_seconds(size * 1e6, 2, bandwidth, latency)
        print(
            f"\ngloo, 2 processes of this machine: {'; '.join(f'{k:.0f} MB {1e3 * v:.0f} ms' for k, v in found.items())}\n"
            f"from the first two: {bandwidth / 1e6:.0f} MB/s, {1e3 * latency:.2f} ms a message; so the gradients of BMViT-S, "
            f"{size:.0f} MB, in {1e3 * told:.0f} ms, measured {1e3 * found[size]:.0f} ({100 * (told / found[size] - 1):+.0f} %)"
        )
