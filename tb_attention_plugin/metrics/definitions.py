"""What each metric of a head is: formula, range and source.

`w_qk` is a weight, `p_qk` that of a row scaled to sum 1; queries and keys are the valid ones, Q and
K their numbers. A metric is NaN where it is not defined and where a weight is NaN.
"""

from __future__ import annotations

import numpy as np

from tb_attention_plugin.metrics.measure import Floats, Measured
from tb_attention_plugin.metrics.tokens import Matches

_NO_MASS = 1e-30
"""A row whose sum is no more attends to nothing; its logarithms would be rounding."""


def entropy(measured: Measured) -> Floats:
    """Normalised entropy: 0 when every query looks at one key, 1 when at all keys alike.

    Mean over the queries of `-sum_k p_qk ln p_qk / ln n_q`, where `n_q` is the number of keys that
    query `q` can attend to. Queries that can attend to one key only, or that attend to none, say
    nothing and are left out.

    Returns:
        `[H]` in [0, 1]; NaN where no query counts.

    Source: Zhai et al. 2023, "Stabilizing Transformer Training by Preventing Attention Entropy
    Collapse", arXiv 2303.06296; the normalisation makes lengths comparable.
    """
    mass = measured.mass
    # -sum p ln p for p = w / m is ln m - (sum w ln w) / m: one pass over the weights.
    nats = np.log(mass) - measured.log_sum / mass
    limit = np.log(measured.reach)
    counted = (mass > _NO_MASS) & (limit > 0) | np.isnan(mass)
    total = np.where(counted, nats / limit, 0).sum(-1)
    return np.clip(total / counted.sum(-1), 0, 1)


def max_weight(measured: Measured) -> Floats:
    """Mean over the queries of the largest weight (focus rate): 1 when each looks at one key.

    Returns:
        `[H]`.

    Source: Ren et al. 2019, "FastSpeech", arXiv 1905.09263, section 3.1.
    """
    return measured.peak_weight.mean(-1, dtype=np.float64)


def diagonality(measured: Measured) -> Floats:
    """One minus the guided-attention penalty: near 1 when the weight lies along the diagonal.

    `1 - sum_qk w_qk W_qk / sum_qk w_qk` with `W_qk = 1 - exp(-(q/Q - k/K)^2 / 2 g^2)`, g = 0.2.

    Returns:
        `[H]` in [0, 1]; NaN where there is no weight at all. Uniform attention has about 0.42 on
        any shape, not 0: the guide is wide; uniform causal attention has 0.57.

    Source: Tachibana et al. 2017, "Efficiently Trainable Text-to-Speech System Based on Deep
    Convolutional Networks with Guided Attention", arXiv 1710.08969, equation 7.
    """
    return 1 - measured.weighed[:, 0] / measured.total


def monotonicity(measured: Measured) -> Floats:
    """How much of the way that the strongest key goes is forward: 1 when it never goes back.

    With the strongest key `a_q = argmax_k w_qk` and its moves `d_q = a_q+1 - a_q`:
    `sum_q max(d_q, 0) / sum_q |d_q|`.

    Returns:
        `[H]` in [0, 1]: 0.5 when it goes back as far as forward. NaN where it never moves.

    Source: the monotonic alignments of Raffel et al. 2017, "Online and Linear-Time Attention by
    Enforcing Monotonic Alignments", arXiv 1704.00784, made a degree.
    """
    moves = np.diff(measured.peak, axis=-1)
    nan = np.where(np.isnan(measured.total), np.nan, 0)  # argmax would hide it
    return np.maximum(moves, 0).sum(-1) / np.abs(moves).sum(-1) + nan


def coverage(measured: Measured) -> Floats:
    """How much of the keys is attended to: 1 when each key gets at least its even share.

    Mean over the keys of `min(1, K / Q * sum_q w_qk)`.

    Returns:
        `[H]` in [0, 1].

    Source: the coverage vector of Tu et al. 2016, "Modeling Coverage for Neural Machine
    Translation", arXiv 1601.04811, against an even share.
    """
    _, queries, keys = measured.maps.shape
    return np.minimum(1, measured.received * (keys / queries)).mean(-1, dtype=np.float64)


def alignment(measured: Measured) -> Floats:
    """How well the query tells the key: 1 when each query has a key of its own, wherever it lies.

    Normalised mutual information of query and key, with `p_qk = w_qk / sum w` as their joint
    probability: `sum_qk p_qk ln(p_qk / (p_q p_k)) / ln min(Q, K)`, where `p_q` and `p_k` are the
    sums of its rows and columns. Where rows sum to 1, this is the entropy of the mean row less the
    mean entropy of a row. Unlike `diagonality` it does not mind the order of the keys, and unlike
    `entropy` it tells an alignment from a collapse: all queries at one key is 0, as is uniform.

    Returns:
        `[H]` in [0, 1]; NaN for a causal map, for one query or key, and where there is no weight.

    Source: the generalised Jensen-Shannon divergence of the rows, Lin 1991, "Divergence Measures
    Based on the Shannon Entropy", IEEE Transactions on Information Theory 37(1).
    """
    heads, queries, keys = measured.maps.shape
    if measured.causal or min(queries, keys) < 2:
        return np.full(heads, np.nan)
    total = measured.total
    joint = measured.log_sum.sum(-1, dtype=np.float64)
    known = _log_sum(measured.mass) + _log_sum(measured.received) - joint
    nats = np.log(total) - known / total
    return np.clip(nats / np.log(min(queries, keys)), 0, 1)


def _log_sum(masses: Floats) -> Floats:
    """Sum of `m ln m` over the last axis; 0 ln 0 is 0."""
    exact = masses.astype(np.float64)
    return (exact * np.log(np.where(exact == 0, 1, exact))).sum(-1)


def first_key_mass(measured: Measured) -> Floats:
    """Share of the attention that goes to the first key, where language models grow a sink.

    `sum_q w_q0 / Q`. A causal map that is uniform has `(1 + 1/2 + ... + 1/Q) / Q`, another 1 / K.

    Returns:
        `[H]` in [0, 1].

    Source: Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks",
    arXiv 2309.17453.
    """
    return measured.received[:, 0].astype(np.float64) / measured.maps.shape[1]


def sink_mass(measured: Measured) -> Floats:
    """Share of the attention that goes to the key which gets most: a sink wherever it is.

    `max_k sum_q w_qk / Q`.

    Returns:
        `[H]` in [1 / K, 1] for rows that sum to 1; NaN for one query, whose strongest key is no
        sink.

    Source: as `first_key_mass`; sinks also grow on separators and on the last key.
    """
    heads, queries, _ = measured.maps.shape
    if queries < 2:
        return np.full(heads, np.nan)
    return measured.received.max(-1).astype(np.float64) / queries


def previous_token(measured: Measured) -> Floats:
    """Mean weight that a query gives to the position before it.

    Mean over `q >= 1` of `w_q,q-1`.

    Returns:
        `[H]` in [0, 1]; NaN where Q is not K (queries and keys are not the same sequence), and
        for one query.

    Source: Olsson et al. 2022, "In-context Learning and Induction Heads", arXiv 2209.11895: such
    heads in an earlier layer are one half of induction.
    """
    heads, queries, keys = measured.maps.shape
    if queries != keys or queries < 2:
        return np.full(heads, np.nan)
    return np.diagonal(measured.maps, -1, 1, 2).mean(-1, dtype=np.float64)


def induction(measured: Measured, matches: Matches) -> Floats:
    """Prefix-matching score: weight on what followed earlier occurrences of the query's token.

    Mean over the queries `q` whose token occurred before of `sum w_qk` over the keys `k < q` with
    `token(k - 1) = token(q)`. Queries without such a key are left out.

    Args:
        measured: The maps.
        matches: Those queries and keys, see `matches_of`.

    Returns:
        `[H]` in [0, 1]; NaN where no token repeats. A score of text says little; a probe of
        repeated random tokens (`induction_probe`) is what it is meant for.

    Source: as `previous_token`.
    """
    heads, _, keys = measured.maps.shape
    if not matches.queries:
        return np.full(heads, np.nan)
    cells = measured.maps.reshape(heads, -1)[:, matches.pairs @ (keys, 1)]
    return cells.sum(-1, dtype=np.float64) / matches.queries


def mean_distance(measured: Measured) -> Floats:
    """How far the attention goes, in keys, from the place of the query.

    `sum_qk w_qk |q K / Q - k| / sum_qk w_qk`.

    Returns:
        `[H]` in [0, K]; NaN where there is no weight at all.

    Source: Vig and Belinkov 2019, "Analyzing the Structure of Attention in a Transformer Language
    Model", arXiv 1906.04284, section 4.3; scaled to queries and keys of different number.
    """
    return measured.weighed[:, 1] / measured.total


def change(measured: Measured, previous_total: Floats) -> Floats:
    """How much of the attention moved since the previous record.

    Mean over the queries of the total variation distance `sum_k |w_qk - v_qk| / 2`.

    Args:
        measured: The maps, with the maps `v` of the record before.
        previous_total: Sum of each of those, `[H]`.

    Returns:
        `[H]` in [0, 1] for rows that sum to 1, to about 1e-6; NaN without a record before.
    """
    # |a - b| = 2 max(a, b) - a - b spares half of the passes over the weights.
    moved = measured.larger - (measured.total + previous_total) / 2
    return np.maximum(moved, 0) / measured.maps.shape[1]
