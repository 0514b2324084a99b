"""The code table: 256 weights, so that one byte shows every weight in [0, 1] truly enough.

The promise: a weight is shown within 5e-4 absolute or 1 % relative of its true value. Code 0 means
exactly 0 (masked), code 1 means a weight above 0 and below `TINY`.

How it is built: neighbouring values are as far apart as the promise lets them be, i.e. each value's
tolerance reaches halfway to the next one. Near 0 the absolute promise would allow one step from 0
to 1e-3, which would hide the order of small weights; so below the knee (where 1 % of a weight is
5e-4) the step is a constant ratio instead, solved by bisection so that the values exactly span
`TINY` to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

CODE_TABLE_ID = 1
"""Version of the table in this module; stored with every frame and never reused."""

TINY = 1e-5
"""The smallest weight that is told apart from other tiny ones."""

PROMISED_ABSOLUTE = 5e-4
PROMISED_RELATIVE = 0.01

# A little inside the promise: what is left covers the bins of the encoder's look-up table.
_ABSOLUTE = 4.85e-4
_RELATIVE = 0.0097

# The encoder looks weights up by the upper bits of their float32 pattern. 11 of the 23 bits of the
# mantissa leave bins of 0.05 %, half of which is spent from the margin above.
_DROPPED_BITS = 12


def _ladder(ratio_below_knee: float) -> list[float]:
    def tolerance(weight: float) -> float:
        return min(ratio_below_knee * weight, max(_ABSOLUTE, _RELATIVE * weight))

    values = [TINY]
    while values[-1] < 1 and len(values) < 400:
        reach = values[-1] + 2 * tolerance(values[-1])
        values.append(values[-1] + tolerance(values[-1]) + tolerance(reach))
    return values


@cache
def code_table() -> NDArray[np.float64]:
    """The weight that stands for each code.

    Returns:
        float64 `[256]`, ascending; `[0]` is 0, `[1]` is half of `TINY`, `[255]` is 1. Read-only.
    """
    low, high = 0.005, 0.5
    for _ in range(60):
        middle = (low + high) / 2
        if len(_ladder(middle)) > 255:
            low = middle
        else:
            high = middle
    ladder = _ladder(high)
    ladder += [1.0] * (255 - len(ladder))
    table = np.minimum([0.0, *ladder], 1.0)
    table[1] = TINY / 2
    table[255] = 1.0
    table.flags.writeable = False
    return table


def _nearest_code(weights: NDArray[np.float64]) -> NDArray[np.uint8]:
    table = code_table()
    edges = (table[1:] + table[:-1]) / 2
    edges[0], edges[1] = 0.0, TINY
    return np.maximum(np.searchsorted(edges, weights), 1).astype(np.uint8)


@cache
def _codes_by_bits() -> NDArray[np.uint8]:
    """Codes by `ceil(float32 bits / 2^12)`: 0 only for exactly 0, the last one exactly for 1."""
    one = int(np.float32(1).view(np.uint32)) >> _DROPPED_BITS
    middles = (np.arange(one + 1, dtype=np.uint32) << _DROPPED_BITS) - (1 << (_DROPPED_BITS - 1))
    middles[0] = 0
    codes = _nearest_code(middles.view(np.float32).astype(np.float64))
    codes[0] = 0
    codes[-1] = 255
    return codes


def encode(weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Codes of weights.

    Args:
        weights: float32 of any shape, finite, within [0, 1]; more than 1 is shown as 1.

    Returns:
        uint8 of the same shape.
    """
    # Rounded up, so that only 0 itself gets code 0; -0.0 does, too: its bits as an integer are
    # negative, and clipped.
    bits = np.add(weights.view(np.int32), (1 << _DROPPED_BITS) - 1, dtype=np.int32)
    bits >>= _DROPPED_BITS
    return _codes_by_bits().take(bits, mode="clip")


CODE_TABLES: dict[int, Callable[[], NDArray[np.float64]]] = {CODE_TABLE_ID: code_table}
"""Every table that was ever in use, by its id."""


def decode(codes: NDArray[np.uint8], table_id: int = CODE_TABLE_ID) -> NDArray[np.float32]:
    """Weights that codes stand for.

    Args:
        codes: uint8 of any shape.
        table_id: Id of the code table that they index.

    Returns:
        float32 of the same shape.

    Raises:
        ValueError: The table is not known to this version.
    """
    if table_id not in CODE_TABLES:
        raise ValueError(
            f"Unknown code table {table_id}; this version knows {sorted(CODE_TABLES)}. The log was "
            "written by a newer tb-attention-plugin: upgrade to read it."
        )
    return CODE_TABLES[table_id]().astype(np.float32).take(codes)
