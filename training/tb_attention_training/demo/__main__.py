"""Trains two models to read dates and records their attention.

    python -m tb_attention_training.demo --logdir runs/demo

An encoder and decoder with Luong attention, and a small Transformer, learn from the same dates as
people write them in many locales. Their attention is recorded all the while; look at it with

    tensorboard --logdir runs/demo
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

GOAL = 0.98
"""The exact match on held-out dates that the recurrent model must reach."""

MODELS = {"rnn": "luong", "transformer": "transformer"}
"""What ``--only`` takes → name of the run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo.

    Args:
        arguments: Of the command line; those of the process when None.

    Returns:
        The exit status: 1 if the recurrent model did not learn to read dates.
    """
    options = _parser().parse_args(arguments)
    print("Loading TensorFlow …", flush=True)
    with _without_log_noise():
        importlib.import_module("tensorflow")
    # After TensorFlow, whose log noise would come with them.
    from tb_attention_training.demo.dates import LOCALES, build_corpus
    from tb_attention_training.demo.encoding import Encoding
    from tb_attention_training.demo.progress import Progress
    from tb_attention_training.demo.recipes import RECIPES
    from tb_attention_training.demo.training import exact_match, read_dates, train

    names = list(MODELS.values()) if options.only is None else [MODELS[options.only]]
    recipes = [recipe.with_steps(options.steps) for recipe in RECIPES if recipe.name in names]
    needed = max(recipe.steps * recipe.batch_size for recipe in recipes)
    print(f"Writing {needed} dates in {len(LOCALES)} locales …", flush=True)
    corpus = build_corpus(options.seed, needed, options.held_out)
    encoding = Encoding.of((*corpus.train, *corpus.held_out, *corpus.probe))
    passed = True
    for recipe in recipes:
        start = time.monotonic()
        log_dir: Path = options.logdir / recipe.name
        if any(log_dir.glob("train/*")):
            print(f"{log_dir} has an earlier run: kept on disk, superseded by this one.")
        progress = Progress(recipe.name, recipe.steps)
        model = train(
            recipe, encoding, corpus.train, corpus.probe, log_dir, options.seed, [progress]
        )
        share = exact_match(read_dates(model, encoding, corpus.held_out), corpus.held_out)
        print(
            f"{recipe.name}: exact match {100 * share:.1f} % of {len(corpus.held_out)} "
            f"held-out dates, {time.monotonic() - start:.0f} s",
            flush=True,
        )
        if recipe.name == MODELS["rnn"] and share < GOAL:
            print(
                f"{recipe.name} did not learn to read dates: {100 * GOAL:.0f} % are expected.",
                file=sys.stderr,
            )
            passed = False
    return 0 if passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tb_attention_training.demo",
        description="Trains two models to read dates of many locales and records their attention.",
        epilog="A log directory may be used again: nothing in it is deleted, and what a new run "
        "records supersedes what an earlier one did.",
    )
    parser.add_argument(
        "--logdir", type=Path, default=Path("runs/demo"), help="default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=0, help="of dates and models, default 0")
    parser.add_argument(
        "--steps", type=_positive, help="training steps of each model, instead of enough"
    )
    parser.add_argument("--only", choices=sorted(MODELS), help="train one model only")
    parser.add_argument(
        "--held-out", type=_positive, default=2000, help="dates to examine, default %(default)s"
    )
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, received {text}")
    return value


@contextmanager
def _without_log_noise() -> Generator[None]:
    """Keeps TensorFlow's C++ libraries quiet, which write to the process' standard error.

    Some messages come before any log level is read, so the stream itself is turned away; what was
    held back is shown if loading fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            held_back.seek(0)
            os.write(kept, held_back.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


if __name__ == "__main__":
    sys.exit(main())
