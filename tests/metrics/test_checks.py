"""Whether what is wrong with a map is found, named and not confused with something else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tb_attention_plugin.metrics import checks
from tb_attention_plugin.store.record import AttentionRecord

Maps = NDArray[np.float32]
MakeRecord = Callable[..., AttentionRecord]


def names(record: AttentionRecord) -> list[tuple[str, int, tuple[int, ...]]]:
    return [(check.name, check.example, check.heads) for check in checks(record)]


def test_nothing_is_wrong_with_a_softmax(make: MakeRecord, attention: Callable[..., Maps]) -> None:
    assert names(make(attention(2, 3, 5, 7))) == []
    half = attention(2, 3, 5, 7).astype(np.float16)
    assert names(make(half)) == []


def test_mass_on_padding(make: MakeRecord, attention: Callable[..., Maps]) -> None:
    found = checks(make(attention(2, 3, 5, 7), key_lengths=[7, 4]))
    assert [(c.name, c.example, c.heads) for c in found] == [("padding", 1, (0, 1, 2))]
    assert found[0].worst == attention(2, 3, 5, 7)[1, :, :, 4:].sum(-1).max()
    assert "key mask is missing" in found[0].message


def test_mass_above_the_causal_diagonal(make: MakeRecord, attention: Callable[..., Maps]) -> None:
    weights = attention(1, 3, 5, 5)
    weights[:, 1] = np.eye(5)
    assert names(make(weights, causal=True)) == [("future", 0, (0, 2))]
    assert names(make(weights)) == []


def test_rows_that_do_not_sum_to_one(make: MakeRecord, attention: Callable[..., Maps]) -> None:
    weights = attention(1, 2, 5, 7)
    weights[0, 1, 3] *= 0.9
    (check,) = checks(make(weights))
    assert (check.name, check.heads) == ("row_sum", (1,))
    np.testing.assert_allclose(check.worst, 0.1, atol=1e-5)


def test_weights_after_dropout(make: MakeRecord, attention: Callable[..., Maps]) -> None:
    kept = np.random.default_rng(1).random((1, 3, 29, 31)) >= 0.1
    weights = attention(1, 3, 29, 31) * kept / 0.9
    assert names(make(weights)) == [("dropout", 0, (0, 1, 2))]
    causal = attention(1, 1, 31, 31) * np.tri(31)
    causal /= causal.sum(-1, keepdims=True)
    # Zeros above the diagonal are no dropout.
    assert names(make(causal, causal=True)) == []
    dropped = causal * (np.random.default_rng(2).random(causal.shape) >= 0.2) / 0.8
    assert names(make(dropped, causal=True)) == [("dropout", 0, (0,))]


def test_nan(make: MakeRecord, attention: Callable[..., Maps]) -> None:
    weights = attention(1, 2, 5, 7)
    weights[0, 1, 2] = np.nan
    (check,) = checks(make(weights))
    assert (check.name, check.heads, check.worst) == ("nonfinite", (1,), 7)
    assert "NaN" in check.message
