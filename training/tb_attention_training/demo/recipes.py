"""What the demo trains: a matter of a few minutes on two cores."""

from __future__ import annotations

from tb_attention_training.demo.rnn import build_rnn
from tb_attention_training.demo.training import Recipe
from tb_attention_training.demo.transformer import build_transformer

# The Transformer has 48 maps for each of the RNN's 8: drawing them would take longer than training.
RECIPES = (
    Recipe("luong", build_rnn, steps=1000, batch_size=64, learning_rate=3e-3),
    Recipe(
        "transformer",
        build_transformer,
        steps=1000,
        batch_size=64,
        learning_rate=4e-3,
        images=False,
    ),
)
