"""Products of a step's vector with a matrix that all steps share: queries with the keys, say.

The gradient of such a matrix is a sum of outer products over the steps. TensorFlow's while loop
adds a whole `[B, N, P]` tensor up at every step, which for long memories is most of the time of a
training step. Here the vectors and the gradients of the products are stacked instead, `[T, B, N]`
and `[T, B, P]`, and multiplied once behind the loop. Values and gradients, of any order, are the
same but for rounding.

Dimension letters: `B` examples, `N` depth of a vector, `P` depth of a product, `T` steps.
"""

from __future__ import annotations

import threading
from typing import Any

from tb_attention_training.seq2seq.backend import ops
from tb_attention_training.seq2seq.loops import Body, StepInputs
from tb_attention_training.seq2seq.states import Tensor


class _Current(threading.local):
    loop: LoopProducts | None = None


_current = _Current()


def multiply(vector: Tensor, matrix: Tensor) -> Tensor:
    """Returns the products `[B, P]` of a vector `[B, N]` with a matrix `[B, N, P]`."""
    if _current.loop is not None:
        return _current.loop.multiply(vector, matrix)
    return _multiply(vector, matrix)


def multiply_transposed(vector: Tensor, matrix: Tensor) -> Tensor:
    """Returns the products `[B, P]` of a vector `[B, N]` with a matrix `[B, P, N]`."""
    if _current.loop is not None:
        return _current.loop.multiply(vector, matrix, transposed=True)
    return _multiply(vector, matrix, transposed=True)


def _multiply(vector: Tensor, matrix: Tensor, *, transposed: bool = False) -> Tensor:
    if transposed:
        return ops.squeeze(ops.matmul(matrix, ops.expand_dims(vector, -1)), -1)
    return ops.squeeze(ops.matmul(ops.expand_dims(vector, 1), matrix), 1)


class _SharedProduct:
    """One product in the body of a loop: its matrix and, behind the loop, all its vectors.

    `offsets` are zeros added to the products. Their gradient is the products' gradient, stacked
    by the loop; it is handed on to the matrix, together with the vectors.
    """

    def __init__(self, matrix: Tensor, *, transposed: bool, steps: Any) -> None:
        self.matrix = matrix
        self.transposed = transposed
        self.vectors: Tensor = None
        self.offsets = StepInputs(self._zeros(steps), time_major=True)

    def _zeros(self, steps: Any) -> Tensor:
        import tensorflow as tf

        @tf.custom_gradient
        def zeros(matrix: Tensor) -> tuple[Tensor, Any]:
            shape = tf.shape(matrix)
            depth = shape[1] if self.transposed else shape[2]

            def gradient(of_products: Tensor) -> Tensor:
                pair = (of_products[: tf.shape(self.vectors)[0]], self.vectors)
                left, right = pair if self.transposed else reversed(pair)
                return tf.einsum("tbn,tbp->bnp", left, right)

            return tf.zeros([steps, shape[0], depth], matrix.dtype), gradient

        offsets: Any = zeros(self.matrix)
        rows, columns = self.matrix.shape[1:]
        offsets.set_shape([None, self.matrix.shape[0], rows if self.transposed else columns])
        return offsets

    def at(self, time: Any, vector: Tensor) -> Tensor:
        """Returns the product of step `time`."""
        import tensorflow as tf

        @tf.custom_gradient
        def product(vector: Tensor, matrix: Tensor) -> tuple[Tensor, Any]:
            def gradient(of_product: Tensor) -> tuple[Tensor, None]:
                # None for the matrix: its gradient comes through the offsets.
                return _multiply(of_product, matrix, transposed=not self.transposed), None

            return _multiply(vector, matrix, transposed=self.transposed), gradient

        return product(vector, self.matrix) + self.offsets.read(time)


class LoopProducts:
    """The shared products of one loop.

    Args:
        steps: the largest number of steps, an int or a scalar tensor.
    """

    def __init__(self, steps: Any) -> None:
        import tensorflow as tf

        self._steps = steps
        self._graph: Any = tf.compat.v1.get_default_graph()
        self._products: list[_SharedProduct] = []
        self._time: Any = None
        self._vectors: list[Tensor] = []

    def multiply(self, vector: Tensor, matrix: Tensor, *, transposed: bool = False) -> Tensor:
        """Returns the products of the current step."""
        if getattr(matrix, "graph", None) is not self._graph:  # made anew in each step
            return _multiply(vector, matrix, transposed=transposed)
        number = len(self._vectors)
        if number == len(self._products):  # the first time that the body is traced
            with self._graph.as_default():
                product = _SharedProduct(matrix, transposed=transposed, steps=self._steps)
            self._products.append(product)
        self._vectors.append(vector)
        return self._products[number].at(self._time, vector)

    def around(self, body: Body) -> Body:
        """Returns `body` with the vectors of each step among what it emits; see `finish`."""

        def body_with_products(time: Any, carry: Any) -> tuple[Any, Any]:
            self._time, self._vectors = time, []
            outer, _current.loop = _current.loop, self
            try:
                carry, rows = body(time, carry)
            finally:
                _current.loop = outer
            return carry, (rows, tuple(self._vectors))

        return body_with_products

    def finish(self, rows: Any) -> Any:
        """Returns the rows that `body` emitted and keeps the vectors for the gradients."""
        rows, vectors = rows
        for product, stacked in zip(self._products, vectors, strict=True):
            product.vectors = stacked
        return rows
