"""From config to task: the one place where it is decided what kind of work a run does."""

from typing import Any

from fvcore.common.config import CfgNode
from fvcore.common.registry import Registry

from slowfast.config.extensions import import_extensions
from slowfast.config.registry import find_in
from slowfast.models.build import task_of_model
from slowfast.tasks.classification import Classification
from slowfast.tasks.localization import Localization
from slowfast.tasks.masked_pretraining import MaskedPretraining
from slowfast.tasks.task import Task
from slowfast.tasks.two_stage import TwoStage

TASK_REGISTRY = Registry("TASK")
TASK_REGISTRY.__doc__ = (
    "Task classes by their own names, which models are registered with. `@TASK_REGISTRY.register()` adds."
)
for _task in (Localization, TwoStage, Classification, MaskedPretraining):
    TASK_REGISTRY.register(_task)


def build_task(cfg: CfgNode) -> Task:
    """Read the data that `cfg` names and return the task that its model is made for.

    Raises ValueError where the two do not fit, and whatever the readers of the data set raise.
    """
    return task_class(cfg)(cfg)


def task_class(cfg: CfgNode) -> type[Any]:
    """The subclass of Task that the model of `cfg` is made for; no data is read. Raises ValueError for an unknown one."""
    import_extensions(cfg)
    name = task_of_model(cfg)
    return find_in(TASK_REGISTRY, f"the task of MODEL.MODEL_NAME {cfg.MODEL.MODEL_NAME},", name)
