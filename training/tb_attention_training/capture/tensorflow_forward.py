"""The compiled probe forward on the TensorFlow backend."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_attention_training.capture.forward import CaptureError, Forward, Seen, Traced
from tb_attention_training.capture.interception import Interceptor
from tb_attention_training.capture.patches import whole_process
from tb_attention_training.capture.trace import Plan, plan_fetches

# Operations that change state outside Keras variables, whose writes StatelessScope drops.
_WRITES = re.compile(
    r"Assign\w*VariableOp|Resource(Scatter|StridedSliceAssign|Apply|SparseApply|CountUpTo)\w*"
    r"|Rng(Skip|ReadAndSkip)|Stateful(Uniform|Standard|Truncated|Random)\w*"
    r"|LookupTable(Insert|Import|Remove)\w*"
)


class TensorFlowForward(Forward):
    """Traces the forward pass once as a `tf.function` that returns attention only.

    Nothing else of the forward pass runs: TensorFlow leaves out what no result depends on, e.g. the
    classifier at the end.
    """

    def __init__(self, model: Any, inputs: Any, interceptor: Callable[[], Interceptor]) -> None:
        self._model = model
        self._interceptor = interceptor
        self._structure = inputs
        self._inputs = [tf.convert_to_tensor(leaf) for leaf in keras.tree.flatten(inputs)]
        self._run: Callable[..., Sequence[Any]] | None = None
        self._plan = Plan(())

    def trace(self) -> Traced:  # noqa: D102  documented in Forward
        seen: list[Seen] = []

        def forward(*leaves: Any) -> Sequence[Any]:
            with self._interceptor() as interceptor, inlined_functions():
                self._call_model(leaves)
            graph = tf.compat.v1.get_default_graph()
            seen[:] = [Seen.of(interceptor.found, lambda tensor: _is_in(graph, tensor))]
            heads = interceptor.selection.heads
            self._plan, tensors = plan_fetches(seen[0].found, heads)
            return [tf.identity(tensor) for tensor in tensors]

        specs = [tf.TensorSpec(leaf.shape, leaf.dtype) for leaf in self._inputs]
        with tf.summary.record_if(False):
            function = tf.function(forward, autograph=False, input_signature=specs)
            concrete = function.get_concrete_function()
            writes = _writes(concrete.graph)
            if writes and seen[0].found:
                concrete = self._prune(forward, specs, writes)
        self._run = concrete
        return seen.pop().tell(writes)

    def run(self) -> tuple[Plan, list[NDArray[Any]]]:  # noqa: D102
        assert self._run is not None
        with tf.summary.record_if(False):
            outputs = self._run(*self._inputs)
        return self._plan, [to_numpy(output) for output in outputs]

    def run_eagerly(self) -> tuple[Plan, list[NDArray[Any]]]:  # noqa: D102
        with (
            tf.summary.record_if(False),
            self._interceptor() as interceptor,
            inlined_functions(),
        ):
            self._call_model(self._inputs)
        wanted = [one for one in interceptor.found if one.wanted]
        plan, tensors = plan_fetches(wanted, interceptor.selection.heads)
        return plan, [to_numpy(tensor) for tensor in tensors]

    def _call_model(self, leaves: Sequence[Any]) -> None:
        inputs = keras.tree.pack_sequence_as(self._structure, list(leaves))
        with keras.StatelessScope():  # reads see the live variables, writes are dropped
            self._model(inputs, training=False)

    def _prune(
        self, forward: Callable[..., Sequence[Any]], specs: Sequence[Any], writes: set[str]
    ) -> Callable[..., Sequence[Any]]:
        """Traces again and cuts out the writes on which no attention depends."""
        wrapped = tf.compat.v1.wrap_function(forward, specs)
        feeds = wrapped.inputs[: len(specs)]
        pruned = wrapped.prune(feeds, wrapped.structured_outputs)
        if remaining := _writes(pruned.graph):
            raise CaptureError(
                "The forward pass changes state that is not a Keras variable "
                f"({', '.join(sorted(remaining))}) and its attention depends on that, so computing "
                "it would change the training. Keep such state in `self.add_weight(...)` or "
                "`keras.Variable`. "
                f"All writes that were found: {', '.join(sorted(writes))}."
            )
        return pruned


@contextmanager
def inlined_functions() -> Generator[None, None, None]:
    """Lets nested `tf.function`s run as plain Python, so that their tensors are in our graph."""
    with whole_process:
        before = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(before)


def _is_in(graph: Any, tensor: Any) -> bool:
    if not tf.is_tensor(tensor) or hasattr(tensor, "numpy"):
        return True
    return getattr(tensor, "graph", graph) is graph


def _writes(graph: Any) -> set[str]:
    definition = graph.as_graph_def()
    names = {node.op for node in definition.node}
    for function in definition.library.function:
        names.update(node.op for node in function.node_def)
    return {name for name in names if _WRITES.fullmatch(name)}


def to_numpy(tensor: Any) -> NDArray[Any]:
    """The values of a tensor; NumPy arrays stay as they are."""
    if not tf.is_tensor(tensor):
        return np.asarray(tensor)
    if tensor.dtype == tf.bfloat16:
        tensor = tf.cast(tensor, tf.float32)
    return tensor.numpy()
