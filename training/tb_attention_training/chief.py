"""Who records when several processes train one model together."""

from __future__ import annotations

from typing import Any


def is_chief(model: Any) -> bool:
    """Whether this process is the one that writes: the chief, else the first worker.

    Under `MultiWorkerMirroredStrategy` each process runs the same callbacks on the same weights;
    one of them records. What is not distributed over processes is its own chief.

    Args:
        model: That a fit trains.
    """
    strategy = getattr(model, "distribute_strategy", None)
    resolver: Any = getattr(strategy, "cluster_resolver", None)
    if resolver is None or resolver.task_type is None:
        return True
    cluster: dict[str, Any] = resolver.cluster_spec().as_dict()
    if not cluster or resolver.task_type == "chief":
        return True
    return "chief" not in cluster and (resolver.task_type, resolver.task_id) == ("worker", 0)
