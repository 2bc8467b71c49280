"""What processes of a test need, imported before they are forked: see tests/forks.py."""

import torch._dynamo
import torch.distributed.fsdp  # noqa: F401

import slowfast.commands.runs.run_net  # noqa: F401
