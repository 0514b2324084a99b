"""A training step of a seq2seq model: ours against TensorFlow Addons, with and without history.

The peer is archived and runs on TensorFlow 2.14 only, so it lives in `.venv-addons`, which is made
at the first run, and is a process of its own. Steps of ours and of the peer take turns, one at a
time, so that a drift of the machine meets all alike.
"""

from __future__ import annotations

import itertools
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import keras
import seq2seq_sizes as sizes
import tensorflow as tf
from figures import Figure, compare, wall_milliseconds
from tb_attention_training import seq2seq

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent / ".venv-addons"
PACKAGES = ("tensorflow-cpu==2.14.1", "tensorflow-addons==0.23.0", "numpy<2", "keras<3")
PEER = "TensorFlow Addons 0.23, TensorFlow 2.14"
MECHANISMS = ("Luong", "monotonic")
ROUNDS = {20: 40, 200: 11}

Key = tuple[str, int, bool]  # mechanism, T, whether with history


def training_step(mechanism: str, steps: int, history: bool) -> Callable[[], Any]:
    """One step of Adam, compiled by `tf.function`; the same model as in `addons_worker`."""
    embedding: Any = keras.layers.Embedding(sizes.VOCABULARY, sizes.EMBEDDING)
    encoder: Any = keras.layers.LSTM(sizes.UNITS, return_sequences=True, return_state=True)
    kinds = {"Luong": seq2seq.LuongAttention, "monotonic": seq2seq.LuongMonotonicAttention}
    attention = kinds[mechanism](sizes.UNITS)
    cell: Any = seq2seq.AttentionWrapper(
        keras.layers.LSTMCell(sizes.UNITS),
        attention,
        attention_layer_size=sizes.UNITS,
        alignment_history=history,
    )
    output_layer = keras.layers.Dense(sizes.VOCABULARY)
    optimizer: Any = keras.optimizers.Adam(1e-3)
    data = [tf.constant(ids) for ids in sizes.batch(steps)]
    variables: list[Any] = []

    def forward(source: Any, target: Any, labels: Any) -> tuple[Any, Any]:
        lengths = tf.fill([sizes.BATCH], source.shape[1])
        memory, h, c = encoder(embedding(source))
        attention.setup_memory(memory, memory_sequence_length=lengths)
        state = cell.zero_state(sizes.BATCH, "float32").clone(cell_state=[h, c])
        helper = seq2seq.TrainingHelper(embedding(target), lengths)
        decoder = seq2seq.BasicDecoder(cell, helper, state, output_layer)
        outputs, final_state, _ = seq2seq.dynamic_decode(decoder, training=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=labels, logits=outputs.rnn_output
        )
        return tf.reduce_mean(losses), final_state

    def step() -> Any:
        with tf.GradientTape() as tape:
            loss, final_state = forward(*data)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return (loss, final_state.alignment_history.stack()) if history else (loss,)

    with tf.GradientTape() as tape:  # builds the layers
        forward(*sizes.batch(2))
    variables.extend(tape.watched_variables())
    optimizer.build(variables)
    compiled: Any = tf.function(step)
    return lambda: [one.numpy() for one in compiled()]


def _old_python() -> str:
    """TensorFlow 2.14 wants Python 3.9 to 3.11."""
    if sys.version_info < (3, 12):
        return sys.executable
    names = ("python3.11", "python3.10", "python3.9")
    return next((found for name in names if (found := shutil.which(name))), sys.executable)


class _Peer:
    """The worker process."""

    def __init__(self) -> None:
        python = ENVIRONMENT / "bin" / "python"
        ready = ENVIRONMENT / ".ready"
        if not ready.exists():
            subprocess.run([_old_python(), "-m", "venv", str(ENVIRONMENT)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
            ready.touch()
        self._process = subprocess.Popen(
            [str(python), str(HERE / "addons_worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, what: str, key: Key) -> float:
        """Milliseconds of `make` or `step`, as the worker measured them."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({what: key}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise OSError(f"the worker ended with status {self._process.wait()}")
        return float(json.loads(answer)["ms"])

    def __enter__(self) -> _Peer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _measure(peer: _Peer | None, steps: int) -> tuple[dict[Key, float], dict[Key, float]]:
    keys: list[Key] = [(one, steps, history) for one in MECHANISMS for history in (False, True)]
    ours = {key: training_step(*key) for key in keys}
    for key in keys:
        ours[key]()
        if peer is not None:
            peer.ask("make", key)
    times: dict[Key, list[float]] = {key: [] for key in keys}
    peer_times: dict[Key, list[float]] = {key: [] for key in keys}
    for turn in range(ROUNDS[steps]):
        for key in keys if turn % 2 else reversed(keys):
            times[key].append(wall_milliseconds(ours[key]))
            if peer is not None:
                peer_times[key].append(peer.ask("step", key))
    median = statistics.median
    return (
        {key: median(one) for key, one in times.items()},
        {key: median(one) for key, one in peer_times.items() if one},
    )


def _figures(peer: _Peer | None, note: str) -> Iterator[Figure]:
    for steps in ROUNDS:
        ours, peers = _measure(peer, steps)
        for mechanism, history in itertools.product(MECHANISMS, (False, True)):
            key = (mechanism, steps, history)
            name = f"training step, {mechanism}, T {steps}, {'with' if history else 'no'} history"
            if key in peers:
                yield compare(name, ours[key], "ms", PEER, peers[key], note)
            else:
                yield Figure(name, float(f"{ours[key]:.4g}"), "ms", note=note)
        for mechanism in MECHANISMS:
            with_history, without = (ours[mechanism, steps, history] for history in (True, False))
            yield Figure(
                f"step with history / without, {mechanism}, T {steps}",
                float(f"{with_history / without:.4g}"),
                "ratio",
                note="of the medians above; the history is stacked and copied to NumPy",
            )


def figures() -> Iterator[Figure]:
    """Measures both mechanisms, short and long, with and without history."""
    note = "median of interleaved steps; tf.function, Adam, batch 32, embedding 64, LSTM 128"
    try:
        with _Peer() as peer:
            yield from list(_figures(peer, note))
    except (OSError, subprocess.CalledProcessError) as error:
        reason = f"no peer, its environment failed: {type(error).__name__}: {error}"
        yield from _figures(None, f"{note}; {reason}")
