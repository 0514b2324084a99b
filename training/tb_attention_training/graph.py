"""Questions to a `tf.compat.v1` graph: which runs train, and what a tensor takes to compute."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

import tensorflow as tf

_READS = frozenset(
    {"ReadVariableOp", "VarIsInitializedOp", "IsVariableInitialized", "VariableShape", "Shape"}
)
_PASSES_ON = frozenset({"Enter", "RefEnter", "Switch", "RefSwitch", "Identity", "RefIdentity"})
"""What comes out of these is still the variable, when its handle or reference goes in."""

_DISTURBS = re.compile(
    r"Random(?!Dataset)|ParameterizedTruncatedNormal|TruncatedNormal|Multinomial|Rng"
    r"|Stateful(?!PartitionedCall)"  # random numbers
    r"|(Iterator|MultiDeviceIterator)GetNext|.*Dequeue|ReaderRead|(Map|OrderedMap)?Unstage"  # data
    r"|Assign|(Resource)?(Sparse)?Apply[A-Z]|ResourceScatter"
    r"|Scatter(Add|Sub|Mul|Div|Min|Max|Update|Nd(Add|Sub|Update))"  # variables
)
"""Types of operations whose running a training would notice."""


def operations(graph: Any, fetches: Any) -> list[Any]:
    """The operations behind what a `session.run` fetches.

    Args:
        graph: The graph that is run.
        fetches: As for `session.run`: tensors, operations, variables, names, nested.
    """
    elements = [
        graph.as_graph_element(fetch)
        for fetch in tf.nest.flatten(fetches, expand_composites=True)
        if fetch is not None
    ]
    return [getattr(element, "op", element) for element in elements]


def needed(targets: Iterable[Any], fed: Collection[str] = ()) -> set[Any]:
    """All operations that run when `targets` do.

    Args:
        targets: Operations.
        fed: Names of tensors that are fed; what makes them does not run.
    """
    found: set[Any] = set()
    waiting = list(targets)
    while waiting:
        operation = waiting.pop()
        if operation in found:
            continue
        found.add(operation)
        waiting.extend(tensor.op for tensor in operation.inputs if tensor.name not in fed)
        waiting.extend(operation.control_inputs)
    return found


def writers(variable: Any) -> set[Any]:
    """The operations that may write a variable; a function that is handed it may."""
    handle = getattr(variable, "handle", None)
    if handle is None:  # made without use_resource
        handle = variable.op.outputs[0]
    is_reference = handle.dtype != tf.resource
    found: set[Any] = set()
    seen = {handle.name}
    waiting: list[Any] = [handle]
    while waiting:
        for operation in waiting.pop().consumers():
            if operation.type in _READS:
                continue
            if operation.type not in _PASSES_ON:
                if not is_reference or any(one.is_ref for one in operation.op_def.input_arg):
                    found.add(operation)
                continue
            for output in operation.outputs:
                # Identity of a reference is a value, no reference any more.
                if output.dtype == handle.dtype and output.name not in seen:
                    seen.add(output.name)
                    waiting.append(output)
    return found


def unfed(operations: Iterable[Any], fed: Collection[str]) -> list[str]:
    """Names of the placeholders among `operations` that need a feed and get none."""
    return sorted(
        operation.name
        for operation in operations
        if operation.type in ("Placeholder", "PlaceholderV2")
        and operation.outputs[0].name not in fed
    )


def disturbing(operations: Iterable[Any], graph: Any) -> list[str]:
    """Which of `operations` a training would notice, as `Type 'name'`.

    They draw random numbers or data, or write variables, in themselves or in a function.
    """
    bodies: dict[str, Any] | None = None
    found: list[str] = []
    for operation in operations:
        if _DISTURBS.match(operation.type):
            found.append(f"{operation.type} {operation.name!r}")
        elif called := _functions(operation.node_def):
            if bodies is None:
                library = graph.as_graph_def().library.function
                bodies = {body.signature.name: body for body in library}
            found.extend(f"{inner} in {operation.name!r}" for inner in _inside(called, bodies))
    return sorted(set(found))


def _functions(node: Any) -> list[str]:
    return [
        name
        for value in node.attr.values()
        for name in (value.func.name, *(one.name for one in value.list.func))
        if name
    ]


def _inside(names: Iterable[str], bodies: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in seen or name not in bodies:
            continue
        seen.add(name)
        for node in bodies[name].node_def:
            if _DISTURBS.match(node.op):
                found.add(node.op)
            waiting.extend(_functions(node))
            if node.op in bodies:
                waiting.append(node.op)
    return found
