"""How the processes of one start of torchrun find one another, also where torchrun starts them again.

torchrun keeps one store over all its starts (--max-restarts, or nodes that come and go), with the addresses that dead
processes left in it: who reads one of those waits for nobody. So each start agrees on a name of its own first.
"""

import os
import time
import uuid
from datetime import timedelta

import torch.distributed as dist

from slowfast.utils.processes.waiting import LostProcessError

_PAUSE = 0.02  # seconds between two looks of process 0


def store_of_this_start(rank: int, world_size: int, limit: timedelta) -> dist.Store | None:
    """Where the processes of this start, and no others, meet; None where torchrun does not keep the store."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(address, port, world_size, is_master=False, timeout=limit)
    return dist.PrefixStore(agree_on_name(dist.PrefixStore("starts", store), rank, world_size, limit), store)


def agree_on_name(store: dist.Store, rank: int, world_size: int, limit: timedelta) -> str:
    """A new name, the same for the processes of one start, whatever earlier starts left in the store.

    Process 0 makes it. The others ask under a number that nobody had before, so an answer to it is new. Raises
    LostProcessError, naming who did not come, after `limit`.
    """
    own = uuid.uuid4().hex
    return _give_name(store, own, world_size, limit) if rank == 0 else _ask_for_name(store, own, rank, limit)


def _ask_for_name(store: dist.Store, own: str, rank: int, limit: timedelta) -> str:
    store.set(f"asks/{rank}", own)
    try:
        store.wait([f"answer/{own}"], limit)
    except RuntimeError as error:
        raise LostProcessError(
            f"process 0 did not come to the start within {limit.total_seconds():g} s (COLLECTIVE_TIMEOUT)"
        ) from error
    name = store.get(f"answer/{own}").decode()
    store.set(f"came/{name}/{rank}", "")
    return name


def _give_name(store: dist.Store, own: str, world_size: int, limit: timedelta) -> str:
    missing, answered, until = set(range(1, world_size)), set(), time.monotonic() + limit.total_seconds()
    while True:
        missing = {rank for rank in missing if not store.check([f"came/{own}/{rank}"])}
        if not missing:
            return own
        for rank in missing:
            if store.check([f"asks/{rank}"]) and (theirs := store.get(f"asks/{rank}").decode()) not in answered:
                store.set(f"answer/{theirs}", own)  # where it was asked in an earlier start, nobody reads it
                answered.add(theirs)
        if time.monotonic() > until:
            who = ", ".join(map(str, sorted(missing)))
            raise LostProcessError(
                f"process {who} did not come to the start within {limit.total_seconds():g} s (COLLECTIVE_TIMEOUT)"
            )
        time.sleep(_PAUSE)
