"""Small trainings in which attention goes right or wrong, many seeds at a time.

Every variable has a leading axis of seeds, and the loss is the sum of theirs: Adam works element by
element, so each seed is trained as if alone, in a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]
"""Of each layer `[S, B, H, Q, K]`, for S seeds."""
Batch = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Source (or input) and target tokens, `[S, B, length]` each."""

EXAMPLES = 3  # of the probe
HEADS = 2


@dataclass(frozen=True)
class Training:
    """One kind of training.

    Attributes:
        model: Which model learns.
        data: Makes a batch for so many seeds, of so many examples, at a step.
        steps: Training steps.
        record_every: Steps between two records.
        learning_rate: At a step.
        expected: Kinds of events that belong to it.
        allowed: Kinds that are no mistake either: a collapsed head may be a sink and stand still,
            and an alignment may be one before it is a straight diagonal.
        causal: Whether the attention is.
        inputs_as_tokens: Whether the inputs are the tokens of queries and keys.
    """

    model: Callable[..., Model]
    data: Callable[[np.random.Generator, int, int, int], Batch]
    steps: int
    record_every: int
    learning_rate: Callable[[int], float]
    expected: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    causal: bool = False
    inputs_as_tokens: bool = False
    options: dict[str, Any] = field(default_factory=dict[str, Any])


class Model:
    """Variables with an axis of seeds, and Adam.

    Args:
        seeds: S.
        seed: Of the first one.
    """

    def __init__(self, seeds: int, seed: int) -> None:
        self.seeds = seeds
        self.variables: list[tf.Variable] = []
        self._rngs = [np.random.default_rng(seed + s) for s in range(seeds)]

    def variable(self, *shape: int, scale: float) -> tf.Variable:
        """A variable `[S, *shape]`, drawn for each seed by itself."""
        values = np.stack([rng.normal(0, scale, shape) for rng in self._rngs])
        self.variables.append(tf.Variable(tf.constant(values, tf.float32)))
        return self.variables[-1]

    def forward(self, inputs: Any, targets: Any) -> tuple[Any, dict[str, Any]]:
        """Loss of each seed `[S]`, and the attention weights of each layer."""
        raise NotImplementedError

    def attend(self, queries: Any, keys: Any, values: Any, *, causal: bool) -> tuple[Any, Any]:
        """Attention of heads `[S, B, length, H, D]`: its output, and weights `[S, B, H, Q, K]`."""
        scores = tf.einsum("sbqhd,sbkhd->sbhqk", queries, keys) / np.sqrt(queries.shape[-1])
        if causal:
            mask = np.tri(scores.shape[-2], scores.shape[-1], dtype=np.float32)
            scores += tf.constant((mask - 1) * 1e9)
        weights = tf.nn.softmax(scores)
        return tf.einsum("sbhqk,sbkhd->sbqhd", weights, values), weights


class AttentionOnly(Model):
    """Two layers of causal self-attention on a residual stream, and nothing else."""

    def __init__(
        self, seeds: int, seed: int, *, vocabulary: int, length: int, width: int = 48
    ) -> None:
        super().__init__(seeds, seed)
        inner = width // HEADS
        self.embed = self.variable(vocabulary, width, scale=0.5)
        self.place = self.variable(length, width, scale=0.5)
        self.layers = [
            (
                self.variable(width, 3, HEADS, inner, scale=width**-0.5),
                self.variable(HEADS, inner, width, scale=0.5 * width**-0.5),
            )
            for _ in range(2)
        ]
        self.out = self.variable(width, vocabulary, scale=width**-0.5)

    def forward(self, inputs: Any, targets: Any) -> tuple[Any, dict[str, Any]]:
        """Foretells the next token; targets below 0 do not count."""
        x = tf.gather(self.embed, inputs, batch_dims=1) + self.place[:, None]
        maps: dict[str, Any] = {}
        for i, (project, merge) in enumerate(self.layers):
            mixed = tf.einsum("sbte,sexhd->xsbthd", x, project)
            heads, maps[f"layer_{i}"] = self.attend(*tf.unstack(mixed), causal=True)
            x += tf.einsum("sbthd,shde->sbte", heads, merge)
        return _loss(tf.einsum("sbte,sev->sbtv", x, self.out), targets), maps


class Translator(Model):
    """A decoder that looks at the source through attention, and at its own position."""

    def __init__(
        self,
        seeds: int,
        seed: int,
        *,
        vocabulary: int,
        length: int,
        width: int = 32,
        zeroed: bool = False,
    ) -> None:
        super().__init__(seeds, seed)
        inner = width // HEADS
        self.embed = self.variable(vocabulary, width, scale=0.5)
        self.source_place = self.variable(length, width, scale=0.5)
        self.target_place = self.variable(length, width, scale=0.5)
        self.query = self.variable(width, HEADS, inner, scale=width**-0.5)
        self.key = self.variable(width, HEADS, inner, scale=width**-0.5)
        if zeroed:  # where queries and keys are both 0, no gradient ever reaches them
            kept = np.array([1.0] * (HEADS - 1) + [0.0], np.float32)[:, None]
            self.query.assign(self.query * kept)
            self.key.assign(self.key * kept)
        self.value = self.variable(width, HEADS, inner, scale=width**-0.5)
        self.merge = self.variable(HEADS, inner, width, scale=width**-0.5)
        self.out = self.variable(width, vocabulary, scale=width**-0.5)

    def forward(self, inputs: Any, targets: Any) -> tuple[Any, dict[str, Any]]:
        """Foretells each target token from the source."""
        source = tf.gather(self.embed, inputs, batch_dims=1) + self.source_place[:, None]
        place = tf.broadcast_to(self.target_place[:, None], tf.shape(source))
        heads, weights = self.attend(
            tf.einsum("sbte,sehd->sbthd", place, self.query),
            tf.einsum("sbte,sehd->sbthd", source, self.key),
            tf.einsum("sbte,sehd->sbthd", source, self.value),
            causal=False,
        )
        x = place + tf.einsum("sbthd,shde->sbte", heads, self.merge)
        return _loss(tf.einsum("sbte,sev->sbtv", x, self.out), targets), {"cross": weights}


def _loss(logits: Any, targets: Any) -> Any:
    counted = tf.cast(targets >= 0, tf.float32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(targets, 0), logits)
    return tf.reduce_sum(losses * counted, [1, 2]) / tf.reduce_sum(counted, [1, 2])


def run(
    training: Training, seeds: int, *, seed: int = 0, batch: int = 24
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.int32], Weights]]:
    """Trains, and yields step, losses `[S]`, the probe's inputs and attention at every record."""
    rng = np.random.default_rng(seed)
    model = training.model(seeds, seed, **training.options)
    optimizer: Any = keras.optimizers.Adam(1e-3)
    optimizer.build(model.variables)
    probe = training.data(rng, 1, EXAMPLES, 0)
    probe = tuple(np.repeat(part, seeds, 0) for part in probe)

    @tf.function
    def train(inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            losses, _ = model.forward(inputs, targets)
            total = tf.reduce_sum(losses)
        optimizer.apply(tape.gradient(total, model.variables), model.variables)
        return losses

    @tf.function
    def look(inputs: Any, targets: Any) -> Any:
        return model.forward(inputs, targets)

    for step in range(training.steps + 1):
        if step % training.record_every == 0:
            losses, maps = look(*map(tf.constant, probe))
            yield step, losses.numpy(), probe[0], {name: w.numpy() for name, w in maps.items()}
        optimizer.learning_rate.assign(training.learning_rate(step))
        train(*map(tf.constant, training.data(rng, seeds, batch, step)))


# ── data ──────────────────────────────────────────────────────────────────────────────────────────

VOCABULARY = 24
LENGTH = 24


def repeated(rng: np.random.Generator, seeds: int, examples: int, step: int) -> Batch:
    """Random tokens that come twice; only the second time counts."""
    half = LENGTH // 2
    first = rng.random((seeds, examples, VOCABULARY)).argsort(-1)[..., :half]
    tokens = np.concatenate([first, first], -1).astype(np.int32)
    targets = np.roll(tokens, -1, -1)
    targets[..., : half - 1] = -1
    targets[..., -1] = -1
    return tokens, targets


def unrelated(rng: np.random.Generator, seeds: int, examples: int, step: int) -> Batch:
    """Random tokens: there is nothing to foretell."""
    tokens = rng.integers(0, VOCABULARY, (seeds, examples, LENGTH + 1), np.int32)
    return tokens[..., :-1], tokens[..., 1:]


def copied(rng: np.random.Generator, seeds: int, examples: int, step: int) -> Batch:
    """Each target is a function of the source token at its place."""
    tokens = rng.integers(0, VOCABULARY, (seeds, examples, 16), np.int32)
    return tokens, (tokens * 5 + 3) % VOCABULARY


def copied_until(rng: np.random.Generator, seeds: int, examples: int, step: int) -> Batch:
    """As `copied`; but from step 350 on each source comes with the target of another."""
    source, targets = copied(rng, seeds, examples, step)
    return source, targets if step < 350 else np.roll(targets, 1, axis=1)


def counted(rng: np.random.Generator, seeds: int, examples: int, step: int) -> Batch:
    """Targets that say whether most of the source tokens are odd: each place counts alike."""
    source = rng.integers(0, VOCABULARY, (seeds, examples, 16), np.int32)
    most = (source % 2).mean(-1, keepdims=True) > 0.5
    return source, np.broadcast_to(most, source.shape).astype(np.int32)


def reordered(rng: np.random.Generator, seeds: int, examples: int, step: int) -> Batch:
    """As `copied`, but the target has the source's four quarters in another order, as dates have.

    No target token is where the diagonal is.
    """
    source, targets = copied(rng, seeds, examples, step)
    quarters = np.split(targets, 4, -1)
    return source, np.concatenate([quarters[i] for i in (2, 3, 1, 0)], -1)


def reordered_until(rng: np.random.Generator, seeds: int, examples: int, step: int) -> Batch:
    """As `reordered`; but from step 350 on each source comes with the target of another."""
    source, targets = reordered(rng, seeds, examples, step)
    return source, targets if step < 350 else np.roll(targets, 1, axis=1)


_TRIGGERS = 2
_FOLLOWERS = np.random.default_rng(7).dirichlet(np.full(VOCABULARY, 0.1), VOCABULARY).cumsum(-1)


def backcopied(rng: np.random.Generator, seeds: int, examples: int, step: int) -> Batch:
    """Bigrams; but a trigger is followed by the token before it, and 0 begins each text.

    Attention is needed after a trigger only; everywhere else it wants a place to rest, and the
    first token becomes one: Guo et al. 2024, "Active-Dormant Attention Heads", arXiv 2410.13835.
    """
    tokens = np.zeros((seeds, examples, LENGTH + 1), np.int32)
    for t in range(1, LENGTH + 1):
        last = tokens[..., t - 1]
        drawn = (rng.random((seeds, examples, 1)) > _FOLLOWERS[last]).sum(-1)
        copies = (t > 2) & (last >= VOCABULARY - _TRIGGERS)
        tokens[..., t] = np.where(
            copies, tokens[..., max(t - 2, 0)], np.clip(drawn, 1, VOCABULARY - 1)
        )
    return tokens[..., :-1], tokens[..., 1:]


_LANGUAGE = {"vocabulary": VOCABULARY, "length": LENGTH}
_TRANSLATION = {"vocabulary": VOCABULARY, "length": 16}

TRAININGS = {
    "induction": Training(
        AttentionOnly,
        repeated,
        600,
        15,
        lambda step: 3e-3,
        expected=frozenset({"induction_formed"}),
        causal=True,
        inputs_as_tokens=True,
        options=_LANGUAGE,
    ),
    "language model, healthy": Training(
        AttentionOnly,
        unrelated,
        600,
        15,
        lambda step: 1e-3,
        causal=True,
        inputs_as_tokens=True,
        options=_LANGUAGE,
    ),
    "language model of backward copies, healthy": Training(
        AttentionOnly,
        backcopied,
        1200,
        30,
        lambda step: 1e-2,
        expected=frozenset({"sink_emerged"}),
        causal=True,
        inputs_as_tokens=True,
        options=_LANGUAGE,
    ),
    "language model, learning rate × 100": Training(
        AttentionOnly,
        repeated,
        400,
        10,
        lambda step: 3e-1,
        expected=frozenset({"entropy_collapse"}),
        allowed=frozenset({"sink_emerged", "head_dead"}),
        causal=True,
        inputs_as_tokens=True,
        options=_LANGUAGE,
    ),
    "seq2seq, healthy": Training(
        Translator,
        copied,
        600,
        15,
        lambda step: 1e-2,
        expected=frozenset({"diagonal_formed"}),
        allowed=frozenset({"alignment_formed"}),
        options=_TRANSLATION,
    ),
    "seq2seq, diagonal destroyed": Training(
        Translator,
        copied_until,
        600,
        15,
        lambda step: 1e-2 if step < 350 else 1e-1,
        expected=frozenset({"diagonal_formed", "diagonal_lost"}),
        allowed=frozenset(
            {"alignment_formed", "alignment_lost", "entropy_collapse", "sink_emerged", "head_dead"}
        ),
        options=_TRANSLATION,
    ),
    "seq2seq that reorders, healthy": Training(
        Translator,
        reordered,
        600,
        15,
        lambda step: 1e-2,
        expected=frozenset({"alignment_formed"}),
        options=_TRANSLATION,
    ),
    "seq2seq that reorders, alignment destroyed": Training(
        Translator,
        reordered_until,
        600,
        15,
        lambda step: 1e-2 if step < 350 else 1e-1,
        expected=frozenset({"alignment_formed", "alignment_lost"}),
        allowed=frozenset({"entropy_collapse", "sink_emerged", "head_dead"}),
        options=_TRANSLATION,
    ),
    "seq2seq, every place counts alike": Training(
        Translator,
        counted,
        600,
        15,
        lambda step: 1e-3,
        expected=frozenset({"stuck_uniform"}),
        options=_TRANSLATION,
    ),
    "seq2seq, one head made of zeros": Training(
        Translator,
        copied,
        600,
        15,
        lambda step: 1e-3,
        expected=frozenset({"diagonal_formed", "head_dead"}),
        allowed=frozenset({"alignment_formed", "stuck_uniform"}),
        options={**_TRANSLATION, "zeroed": True},
    ),
}
