"""Loops over time steps that every backend and compiler can run.

`run_steps` picks the loop: plain Python where values are known (eager TensorFlow, PyTorch, JAX
outside of `jit`), `tf.while_loop` while a TensorFlow graph is traced, `lax.scan` under `jax.jit`.
Nothing here imports a backend before it is in use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.states import Tensor

Body = Callable[[Any, Any], tuple[Any, Any]]


class StepInputs:
    """A sequence that a loop reads one step at a time.

    In a TensorFlow graph it is a TensorArray: the gradient of a gather would write a whole
    `[T, B, E]` tensor at every step.

    Args:
        sequence: `[T, B, ...]`, or `[B, T, ...]` with `time_major=False`.
        time_major: whether time is the first axis.
    """

    def __init__(self, sequence: Tensor, *, time_major: bool) -> None:
        if not time_major:
            sequence = ops.swapaxes(sequence, 0, 1)
        self._sequence = sequence
        self.length: Any = ops.shape(sequence)[0]
        self._array: Any = None
        if tracing_tensorflow():
            import tensorflow as tf

            array = tf.TensorArray(
                sequence.dtype,
                size=self.length,
                element_shape=sequence.shape[1:],
                clear_after_read=False,
            )
            self._array = array.unstack(sequence)

    def read(self, time: Any) -> Tensor:
        """Returns step `time`, `[B, ...]`; the last one beyond the end."""
        if isinstance(time, int):
            if isinstance(self.length, int):
                time = min(time, self.length - 1)
        else:
            time = ops.minimum(time, self.length - 1)
        if self._array is not None:
            return self._array.read(time)
        return ops.take(self._sequence, time, axis=0)


def run_steps(
    body: Body,
    carry: Any,
    *,
    limit: Any = None,
    keep_going: Callable[[Any], Any] | None = None,
    parallel_iterations: int = 32,
) -> tuple[Any, Any, Any]:
    """Runs `body` step by step and stacks what it emits.

    Args:
        body: `(time, carry) -> (carry, rows)`; rows is a structure of tensors.
        carry: a structure of tensors; keeps its shapes and dtypes.
        limit: the largest number of steps: an int, a scalar tensor, or None for no limit.
        keep_going: `carry -> bool`; the loop ends when it is false. None: exactly `limit` steps.
        parallel_iterations: passed to `tf.while_loop`.

    Returns:
        `(steps, carry, rows)`: the number of steps run, the last carry, and rows stacked along a
        new first axis. A compiler that needs static shapes (XLA, `jax.jit`) gets `limit` rows,
        zeros after the last step.

    Raises:
        ValueError: if there is neither `limit` nor `keep_going`, or a compiler needs a known
            limit and it is not known.
    """
    if limit is None and keep_going is None:
        raise ValueError("run_steps needs limit or keep_going.")
    if tracing_tensorflow():
        return _tensorflow_loop(body, carry, limit, keep_going, parallel_iterations)
    if _tracing_jax(carry, limit):
        return _scan_loop(body, carry, limit, keep_going)
    return _python_loop(body, carry, limit, keep_going)


# ---------------------------------------------------------------------- plain Python
def _python_loop(
    body: Body, carry: Any, limit: Any, keep_going: Callable[[Any], Any] | None
) -> tuple[Any, Any, Any]:
    bound = None if limit is None else int(limit)
    emitted: list[Any] = []
    start = carry
    time = 0
    while (bound is None or time < bound) and (keep_going is None or bool(keep_going(carry))):
        carry, rows = body(time, carry)
        emitted.append(rows)
        time += 1
    if not emitted:
        # One step, thrown away, tells the shapes of an empty result.
        _, rows = body(0, start)
        return 0, carry, keras.tree.map_structure(lambda x: ops.stack([x])[:0], rows)
    stacked = keras.tree.map_structure(lambda *xs: ops.stack(list(xs)), *emitted)
    return time, carry, stacked


# ------------------------------------------------------------------------ TensorFlow
def _tensorflow_loop(
    body: Body,
    carry: Any,
    limit: Any,
    keep_going: Callable[[Any], Any] | None,
    parallel_iterations: int,
) -> tuple[Any, Any, Any]:
    import tensorflow as tf

    static = static_int(limit)
    compiled = compiling_with_xla()
    if compiled and static is None:
        raise ValueError(
            "jit_compile=True needs a number of steps that is known while tracing. Pass "
            "maximum_iterations as a Python integer, or decoder inputs with a static time axis."
        )
    carry = keras.tree.map_structure(tf.convert_to_tensor, carry)

    def first_rows() -> Any:
        return body(tf.constant(0), carry)[1]

    # Traced once to learn what a step emits; executed only when there is no step at all.
    traced: Any = tf.function(first_rows, autograph=False)
    probe = traced.get_concrete_function()
    specs = tf.nest.flatten(probe.structured_outputs)
    grows = not compiled and keep_going is not None
    size: Any = 0 if grows else (static if static is not None else limit)
    arrays = tuple(
        tf.TensorArray(spec.dtype, size=size, dynamic_size=grows, element_shape=spec.shape)
        for spec in specs
    )

    def condition(time: Any, carry: Any, arrays: Any) -> Any:
        del arrays
        if keep_going is None:
            return time < size
        going = keep_going(carry)
        return going if limit is None else tf.logical_and(time < limit, going)

    def step(time: Any, carry: Any, arrays: Any) -> Any:
        with tf.name_scope("step"):
            new_carry, rows = body(time, carry)
        new_carry = keras.tree.map_structure(_keep_static_shape, new_carry, carry)
        written = tuple(
            array.write(time, row) for array, row in zip(arrays, tf.nest.flatten(rows), strict=True)
        )
        return time + 1, new_carry, written

    steps, carry, arrays = tf.while_loop(
        condition,
        step,
        (tf.constant(0), carry, arrays),
        maximum_iterations=static if compiled else None,
        parallel_iterations=parallel_iterations,
    )
    may_be_empty = not compiled and not (keep_going is None and (static or 0) > 0)
    if may_be_empty:
        # An empty TensorArray cannot be stacked when a dimension is unknown.
        stacked = tf.cond(
            steps > 0,
            lambda: [array.stack() for array in arrays],
            lambda: [tf.stop_gradient(row)[None][:0] for row in tf.nest.flatten(probe())],
        )
    else:
        stacked = [array.stack() for array in arrays]
    for rows, spec in zip(stacked, specs, strict=True):
        rows.set_shape([None if grows else static, *spec.shape])
    return steps, carry, tf.nest.pack_sequence_as(probe.structured_outputs, stacked)


def _keep_static_shape(new: Any, old: Any) -> Any:
    import tensorflow as tf

    new = tf.convert_to_tensor(new)
    new.set_shape(old.shape)
    return new


def tracing_tensorflow() -> bool:
    """Says whether a TensorFlow graph is being traced with the TensorFlow backend."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.executing_eagerly()


def compiling_with_xla() -> bool:
    """Says whether the TensorFlow graph being traced is for XLA, which wants static shapes."""
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util  # has no public name

    graph = tf.compat.v1.get_default_graph()
    return bool(control_flow_util.GraphOrParentsInXlaContext(graph))


# ------------------------------------------------------------------------------- JAX
def _tracing_jax(*structures: Any) -> bool:
    if keras.backend.backend() != "jax":
        return False
    import jax  # pyright: ignore[reportMissingImports]  # only with that backend

    leaves = keras.tree.flatten(structures)
    return any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)


def _scan_loop(
    body: Body, carry: Any, limit: Any, keep_going: Callable[[Any], Any] | None
) -> tuple[Any, Any, Any]:
    length = static_int(limit)
    if length is None:
        raise ValueError(
            "jax.jit needs a number of steps that is known while tracing. Pass "
            "maximum_iterations as a Python integer."
        )

    def step(state: Any, time: Any) -> tuple[Any, Any]:
        steps, carry = state
        new_carry, rows = body(time, carry)
        if keep_going is None:
            return (steps + 1, new_carry), rows
        going = keep_going(carry)

        def freeze(new: Any, old: Any) -> Any:
            return ops.where(going, new, old)

        new_carry = keras.tree.map_structure(freeze, new_carry, carry)
        rows = keras.tree.map_structure(lambda x: freeze(x, ops.zeros_like(x)), rows)
        return (steps + ops.cast(going, "int32"), new_carry), rows

    times = ops.arange(length, dtype="int32")
    carry = keras.tree.map_structure(ops.convert_to_tensor, carry)
    zero = ops.zeros((), dtype="int32")
    (steps, carry), rows = ops.scan(step, (zero, carry), times)
    return steps, carry, rows


# ---------------------------------------------------------------------------- values
def concrete(value: Any) -> np.ndarray[Any, Any] | None:
    """Returns a tensor's value where it is known now, else None (symbolic or being traced)."""
    if isinstance(value, keras.KerasTensor):
        return None
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        if tf.is_tensor(value) and not tf.executing_eagerly():
            return tf.get_static_value(value)
    elif backend == "jax" and _tracing_jax(value):
        return None
    return np.asarray(ops.convert_to_numpy(value))


def static_int(value: Any) -> int | None:
    """Returns an integer that is known now, or None."""
    if value is None:
        return None
    known = concrete(value) if not isinstance(value, int) else value
    return None if known is None else int(known)


def assert_in_graph(condition: Any, message: str, value: Tensor) -> Tensor:
    """Returns `value`, in a TensorFlow graph only after `condition` was found true at run time.

    Elsewhere (XLA, `jax.jit`) nothing can be raised from inside a program and nothing is checked.
    """
    if not tracing_tensorflow() or compiling_with_xla():
        return value
    import tensorflow as tf

    with tf.control_dependencies([tf.debugging.Assert(condition, [message, value])]):
        return tf.identity(value)
