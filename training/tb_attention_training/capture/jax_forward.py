"""The compiled probe forward on the JAX backend."""

# pyright: reportMissingImports=false
# JAX is no dependency of the development environment.

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import jax
import keras
import numpy as np
from numpy.typing import NDArray

from tb_attention_training.capture.forward import Forward, Seen, Traced, out_of_reach
from tb_attention_training.capture.interception import Interceptor
from tb_attention_training.capture.patches import whole_process
from tb_attention_training.capture.trace import Plan, plan_fetches

_LOOPS = ("scan", "while_loop", "fori_loop", "map", "associative_scan")


class JaxForward(Forward):
    """Traces the forward pass as a jitted function of the variables that returns attention only.

    Nothing else of the forward pass runs: XLA leaves out what no result depends on, e.g. the
    classifier at the end.
    """

    def __init__(self, model: Any, inputs: Any, interceptor: Callable[[], Interceptor]) -> None:
        self._model = model
        self._interceptor = interceptor
        self._structure = inputs
        leaves: list[Any] = keras.tree.flatten(inputs)
        self._inputs = [keras.ops.convert_to_tensor(leaf) for leaf in leaves]
        self._variables: list[Any] = list(model.variables)
        self._run: Callable[..., Sequence[Any]] | None = None
        self._plan = Plan(())

    def trace(self) -> Traced:  # noqa: D102  documented in Forward
        traced = self._trace(unrolled=False)
        if traced.lost:
            traced = self._trace(unrolled=True)
        return traced

    def run(self) -> tuple[Plan, list[NDArray[Any]]]:  # noqa: D102
        assert self._run is not None
        outputs = self._run(self._values(), self._inputs)
        return self._plan, [np.asarray(output) for output in outputs]

    def run_eagerly(self) -> tuple[Plan, list[NDArray[Any]]]:  # noqa: D102
        with jax.disable_jit(), self._interceptor() as interceptor, keras.StatelessScope():
            self._model(self._pack(self._inputs), training=False)
        seen = Seen.of(interceptor.found, lambda tensor: not is_traced(tensor))
        if seen.lost:
            raise out_of_reach(seen.lost)
        plan, tensors = plan_fetches(seen.found, interceptor.selection.heads)
        return plan, [np.asarray(tensor) for tensor in tensors]

    def _trace(self, *, unrolled: bool) -> Traced:
        seen: list[Seen] = []
        read: list[Any] = []

        def forward(values: Sequence[Any], leaves: Sequence[Any]) -> Sequence[Any]:
            scope = _ReadingScope(zip(self._variables, values, strict=True))
            with self._interceptor() as interceptor, inlined_functions(unrolled=unrolled), scope:
                self._model(self._pack(leaves), training=False)
            own = _trace_of(leaves[0])
            seen[:] = [Seen.of(interceptor.found, lambda tensor: _trace_of(tensor) in (None, own))]
            read[:] = scope.read
            heads = interceptor.selection.heads
            self._plan, tensors = plan_fetches(seen[0].found, heads)
            return tensors

        jitted: Any = jax.jit(forward)
        jitted.lower(self._values(), self._inputs)
        self._run = jitted
        if read:  # variables that the model does not list: a trace would keep their values of now
            self._variables += read
            return self._trace(unrolled=unrolled)
        return seen.pop().tell()

    def _values(self) -> list[Any]:
        return [variable.value for variable in self._variables]

    def _pack(self, leaves: Sequence[Any]) -> Any:
        return keras.tree.pack_sequence_as(self._structure, list(leaves))


class _ReadingScope(keras.StatelessScope):
    """Also notes the variables that are read and whose values it was not given."""

    def __init__(self, state_mapping: Any) -> None:
        super().__init__(state_mapping=state_mapping)
        self.read: list[Any] = []

    def get_current_value(self, variable: Any) -> Any:
        value = super().get_current_value(variable)
        if value is None and not any(variable is known for known in self.read):
            self.read.append(variable)
        return value


@contextmanager
def inlined_functions(*, unrolled: bool) -> Generator[None, None, None]:
    """Lets jitted functions run as plain Python, so that their tensors belong to our trace.

    Loops stay loops, which compile faster, unless `unrolled`.
    """
    with ExitStack() as stack:
        stack.enter_context(whole_process)
        stack.enter_context(jax.disable_jit())
        for name in () if unrolled else _LOOPS:
            original = getattr(jax.lax, name)
            setattr(jax.lax, name, _compiled_again(original))
            stack.callback(setattr, jax.lax, name, original)
        yield


def _compiled_again(loop: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with jax.disable_jit(False):
            return loop(*args, **kwargs)

    return run


def is_traced(tensor: Any) -> bool:
    """Whether a tensor is a placeholder of a trace, without numbers."""
    return isinstance(tensor, jax.core.Tracer)


def _trace_of(tensor: Any) -> Any:
    """The trace that a tensor belongs to, None for an array."""
    if not is_traced(tensor):
        return None
    trace: Any = tensor._trace  # pyright: ignore[reportPrivateUsage]
    return getattr(trace, "main", None) or trace
