from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib import image as reader
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tb_attention_training import plot_attention
from tb_attention_training.glyphs import drawable
from tb_attention_training.plotting import MAX_HEADS, render_attention_images

from tb_attention_plugin.store.record import AttentionRecord, RenderedImage

Q, K = 5, 7


def attention(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    weights = np.exp(np.random.default_rng(seed).normal(0, 2, shape))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def labels(axis: Any) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


def record(weights: NDArray[np.float32], **changes: Any) -> AttentionRecord:
    count, _, queries, keys = weights.shape
    fields: dict[str, Any] = {
        "layer": "decoder/cross_attention",
        "step": 300,
        "wall_time": 0.0,
        "weights": weights,
        "query_tokens": None,
        "key_tokens": None,
        "query_lengths": np.full(count, queries),
        "key_lengths": np.full(count, keys),
        "causal": False,
        "dtype": "float32",
    }
    return AttentionRecord(**{**fields, **changes})


def shown(monkeypatch: pytest.MonkeyPatch, one: AttentionRecord) -> list[Figure]:
    """The figures that were encoded for a record."""
    figures: list[Figure] = []
    savefig = Figure.savefig

    def keep(figure: Figure, *args: Any, **kwargs: Any) -> None:
        figures.append(figure)
        savefig(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    assert all(isinstance(image, RenderedImage) for image in render_attention_images(one))
    return figures


def test_tokens_label_the_axes_of_a_rectangular_map() -> None:
    weights = attention(Q, K)
    figure = plot_attention(weights, list("abcdefg"), list("VWXYZ"))
    ax = figure.axes[0]
    assert labels(ax.xaxis) == list("abcdefg")
    assert labels(ax.yaxis) == list("VWXYZ")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Input Sequence", "Output Sequence")
    assert {text.get_rotation() for text in ax.get_xticklabels()} == {45.0}
    image = ax.images[0]
    np.testing.assert_array_equal(image.get_array(), weights)
    assert image.get_cmap().name == "Blues"
    assert image.get_interpolation() == "nearest"
    assert figure.axes[1].get_xlabel() == "Attention weight"


def test_cells_are_square_and_the_first_query_is_on_top() -> None:
    figure = plot_attention(attention(Q, K))
    ax = figure.axes[0]
    width, height = figure.get_size_inches() * ax.get_position().size
    assert width / K == pytest.approx(height / Q)
    low, high = ax.get_ylim()
    assert low > high


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (1, 97), (97, 1), (40, 40), (512, 300)])
def test_labels_do_not_overlap_and_fit_on_the_figure(queries: int, keys: int) -> None:
    weights = attention(queries, keys)
    tags = [f"token{i}" for i in range(max(queries, keys))]
    figure = plot_attention(weights, tags[:keys], tags[:queries])
    size: Any = figure.get_size_inches()
    assert (size <= 14).all()
    assert (size >= 1).all()
    renderer = figure.canvas.get_renderer()  # pyright: ignore[reportAttributeAccessIssue]
    for axis, side in ((figure.axes[0].xaxis, 0), (figure.axes[0].yaxis, 1)):
        boxes = [text.get_window_extent(renderer) for text in axis.get_ticklabels()]
        assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
        if side == 1:
            edges = sorted((box.y0, box.y1) for box in boxes)
            assert all(b[0] >= a[1] - 2 for a, b in pairwise(edges))


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("$x_1$", "$x_1$"),
        ("Привет", "Привет"),
        ("  ", "␣␣"),
        ("a\nb\t", r"a\nb\t"),
        ("\x00", "U+0000"),
        ("\u200d", "U+200D"),
        ("\ud800", "U+D800"),
        ("\u0301", "◌\u0301"),
        ("\U0010fffd", "U+10FFFD"),
        ("x" * 30, "x" * 23 + "…"),
        ("", ""),
    ],
)
def test_what_is_drawn_of_a_token(token: str, expected: str) -> None:
    assert drawable(token) == expected


def test_any_token_can_be_drawn_without_a_warning() -> None:
    tokens = ["$", "$\\frac{", "_^{}", "\n", "\ud800", "漢", "\U0001f600", "ا", "\u202e", "%", "\\"]
    plot_attention(attention(Q, len(tokens)), tokens, tokens[:Q]).savefig("/dev/null", format="png")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((attention(2, Q, K),), r"expected one map \[Q, K\].*received shape \[2, 5, 7\]"),
        ((attention(Q, K), list("abc")), r"input_tags: expected 7 labels.*received 3"),
        ((attention(Q, K), None, list("abc")), r"output_tags: expected 5 labels.*received 3"),
        ((attention(Q, 3), "abc"), "received the string 'abc'"),
    ],
)
def test_arguments_are_checked(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot_attention(*arguments)


def test_values_that_are_not_finite_are_drawn_apart() -> None:
    weights = attention(Q, K)
    weights[1, 2] = np.nan
    weights[2, 3] = np.inf
    image = plot_attention(weights).axes[0].images[0]
    array: Any = image.get_array()
    assert array.mask.sum() == 2
    assert np.isfinite(image.get_clim()).all()
    plot_attention(np.full((Q, K), np.nan)).savefig("/dev/null", format="png")


def test_images_are_cropped_to_the_valid_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = attention(2, 1, Q, K)
    one = record(
        weights,
        query_lengths=np.array([3, 5]),
        key_lengths=np.array([7, 4]),
        key_tokens=[list("abcdefg"), list("hijk")],
    )
    first, second = shown(monkeypatch, one)
    np.testing.assert_array_equal(first.axes[0].images[0].get_array(), weights[0, 0, :3])
    np.testing.assert_array_equal(second.axes[0].images[0].get_array(), weights[1, 0, :, :4])
    assert labels(second.axes[0].xaxis) == list("hijk")
    assert "decoder/cross_attention · example 1 · step 300" in second.texts[0].get_text()


def test_heads_lie_side_by_side_on_one_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = attention(1, 3, Q, K)
    (figure,) = shown(monkeypatch, record(weights))
    panels = [ax for ax in figure.axes if ax.images and ax.get_title()]
    assert [ax.get_title() for ax in panels] == ["head 0", "head 1", "head 2"]
    for head, ax in enumerate(panels):
        np.testing.assert_array_equal(ax.images[0].get_array(), weights[0, head])
        assert ax.images[0].get_clim() == (0, weights.max())


def test_heads_that_are_left_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (figure,) = shown(monkeypatch, record(attention(1, MAX_HEADS + 3, 2, 3)))
    assert "the first 16 of 19 heads" in figure.texts[0].get_text()
    assert sum("head" in ax.get_title() for ax in figure.axes) == MAX_HEADS


def test_an_image_says_its_size() -> None:
    (image,) = render_attention_images(record(attention(1, 2, Q, K)))
    assert image.tag == "attention/decoder/cross_attention/example_0"
    assert image.png.startswith(b"\x89PNG")
    assert reader.imread(io.BytesIO(image.png)).shape[:2] == (image.height, image.width)


def test_threads_draw_the_same_as_one() -> None:
    records = [record(attention(1, 2, Q, K, seed=seed)) for seed in range(8)]
    expected = [next(iter(render_attention_images(one))).png for one in records]
    drawn: dict[int, bytes] = {}

    def draw(number: int) -> None:
        drawn[number] = next(iter(render_attention_images(records[number]))).png

    threads = [threading.Thread(target=draw, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [drawn.get(number) for number in range(8)] == expected


def test_pyplot_is_not_imported() -> None:
    program = (
        "import sys, numpy as np, tb_attention_training as t\n"
        "heavy = ('tensorflow', 'keras', 'matplotlib', 'torch', 'jax')\n"
        "assert not any(name in sys.modules for name in heavy)\n"
        "t.plot_attention(np.ones((2, 3)))\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'keras' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
