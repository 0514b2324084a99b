"""Records the attention of a `tf.compat.v1` program while a session trains it.

The program is a toy decoder that learns to write its input backwards. It attends by hand, in a
`tf.while_loop`, and keeps its alignments in a `TensorArray`; the hook is the only thing added.

    python examples/session_hook.py [LOGDIR]
    tensorboard --logdir LOGDIR
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tb_attention_training import AttentionHook

v1: Any = tf.compat.v1
letters, length, batch_size, units, training_steps = "abcdefgh", 6, 32, 32, 400
rng = np.random.default_rng(7)


def draw(count: int) -> NDArray[np.int64]:
    """Words `[count, length]` to be reversed."""
    return rng.integers(len(letters), size=(count, length))


log_dir = sys.argv[1] if len(sys.argv) > 1 else "runs/session_hook"
with tf.Graph().as_default():
    v1.set_random_seed(7)
    step = v1.train.get_or_create_global_step()
    source = v1.placeholder(tf.int64, [None, length], name="source")
    target = tf.reverse(source, [1])

    letter = v1.get_variable("letter", [len(letters), units])
    place = v1.get_variable("place", [length, units])
    ask = v1.get_variable("ask", [length, units])
    write = v1.get_variable("write", [units, len(letters)])
    keys = tf.gather(letter, source) + place  # [B, K, D]

    def attend(t: Any, outputs: Any, history: Any) -> Any:
        """Reads the memory once and keeps where it looked."""
        alignment = tf.nn.softmax(tf.einsum("bkd,d->bk", keys, ask[t]))
        context = tf.einsum("bk,bkd->bd", alignment, keys)
        return t + 1, outputs.write(t, context @ write), history.write(t, alignment)

    arrays = [tf.TensorArray(tf.float32, length) for _ in range(2)]
    _, outputs, alignment_history = tf.while_loop(lambda t, *_: t < length, attend, (0, *arrays))
    logits = tf.transpose(outputs.stack(), [1, 0, 2])
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=logits)
    )
    train = v1.train.AdamOptimizer(0.01).minimize(loss, global_step=step)

    # ---------------------------------------------------------------------------- what is added
    probe = draw(4)
    words = [[letters[i] for i in word] for word in probe]
    hook = AttentionHook(
        log_dir,
        alignment_history.stack(),
        every_n_steps=20,
        layer="decoder/attention",
        feed_dict={source: probe},
        key_tokens=words,
        query_tokens=[word[::-1] for word in words],
    )
    # -------------------------------------------------------------------------------------------

    with v1.train.MonitoredTrainingSession(hooks=[hook], log_step_count_steps=0) as session:
        for i in range(training_steps):
            _, value = session.run([train, loss], {source: draw(batch_size)})
            if i % 100 == 99:  # an evaluation, which the hook leaves alone
                held_out = session.run(loss, {source: draw(256)})
                print(f"step {i + 1}: loss {value:.3f}, held out {held_out:.3f}")

print(f"wrote {log_dir}; look at it with: tensorboard --logdir {log_dir}")
