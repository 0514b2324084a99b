"""Replays golden cases against `tb_attention_training.seq2seq`.

    python tests/replay_golden.py DIR [--mode eager|function|jit] [--case TEXT] [--verbose]

Every array under `out/`, `step/` and `grad/` of every case must come back within 2e-5. The last
line is `N passed, N failed`; the exit code is 1 if any case failed. `KERAS_BACKEND` chooses the
backend. See `tests/golden/README.md` for what a case holds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    sys.path[:0] = [str(root / "training"), str(root)]

import keras
from tb_attention_training import seq2seq
from tb_attention_training.seq2seq import cells
from tb_attention_training.seq2seq.backend import ops

Array = np.ndarray[Any, Any]
Arrays = dict[str, Any]
MODES = ("eager", "function", "jit")
ATOL = 2e-5
# 1 - sigmoid(score) has lost its digits there: the last bit of sigmoid decides.
ATOL_ILL_CONDITIONED = 1e-1

KINDS: dict[str, Any] = {
    "luong": seq2seq.LuongAttention,
    "bahdanau": seq2seq.BahdanauAttention,
    "luong_mono": seq2seq.LuongMonotonicAttention,
    "bahdanau_mono": seq2seq.BahdanauMonotonicAttention,
}
CELL_INPUT_FNS: dict[str, Any] = {
    "none": lambda inputs, attention: inputs,
    "attention_first": lambda inputs, attention: ops.concatenate([attention, inputs], -1),
    "concat(inputs, attention)": None,
}


class Result(NamedTuple):
    """How a case went: its worst difference in units of the tolerance, and what is wrong."""

    case: str
    worst: dict[str, float]
    problems: list[str]


class Case:
    """One file: its config and arrays."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        with np.load(path) as stored:
            self.config: dict[str, Any] = json.loads(str(stored["config"]))
            self.arrays: Arrays = {k: stored[k] for k in stored.files if k != "config"}

    def under(self, prefix: str) -> Arrays:
        """Returns the arrays whose key starts with the prefix, which is cut off."""
        return under(self.arrays, prefix)

    @property
    def expected(self) -> Arrays:
        """Returns all that a replay must give back."""
        given = ("grad/R_",)
        kinds = ("out/", "step/", "grad/")
        return {
            k: v for k, v in self.arrays.items() if k.startswith(kinds) and not k.startswith(given)
        }


def under(arrays: Arrays, prefix: str) -> Arrays:
    return {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)}


# --------------------------------------------------------------------- gradients
Compute = Callable[[Arrays], tuple[Any, Arrays]]


def evaluate(
    compute: Compute, variables: Arrays, inputs: Arrays, mode: str, gradient: bool
) -> tuple[Arrays, Arrays]:
    """Returns the outputs of `compute` and the gradients of its loss.

    Args:
        compute: `inputs -> (loss, outputs)`.
        variables: Keras variables by name.
        inputs: arrays by name; gradients are taken for floats.
        mode: "eager", "function" or "jit".
        gradient: whether to take gradients at all.
    """
    backend = keras.backend.backend()
    runner = {"tensorflow": _run_tensorflow, "jax": _run_jax, "torch": _run_torch}[backend]
    outputs, grads = runner(compute, variables, inputs, mode, gradient)
    known = {k: v for k, v in grads.items() if v is not None}
    return to_numpy(outputs), to_numpy(known)


def to_numpy(arrays: Arrays) -> Arrays:
    return {k: ops.convert_to_numpy(v) for k, v in arrays.items()}


def values_of(variables: Arrays) -> Arrays:
    # By way of a tensor: NumPy warns about TensorFlow's variables.
    return to_numpy({k: v + 0.0 for k, v in variables.items()})


def _floats(inputs: Arrays) -> list[str]:
    return [k for k, v in inputs.items() if v.dtype == np.float32]


def _run_tensorflow(
    compute: Compute, variables: Arrays, inputs: Arrays, mode: str, gradient: bool
) -> tuple[Arrays, Arrays]:
    import tensorflow as tf

    def run(inputs: Arrays) -> tuple[Arrays, Arrays]:
        if not gradient:
            return compute(inputs)[1], {}
        watched = {k: inputs[k] for k in names}
        with tf.GradientTape() as tape:
            tape.watch(watched)
            loss, outputs = compute({**inputs, **watched})
        sources = {**{k: v.value for k, v in variables.items()}, **watched}
        grads: Any = tape.gradient(loss, sources)
        return outputs, {k: v for k, v in grads.items() if v is not None}

    names = _floats(inputs)
    tensors = {k: tf.convert_to_tensor(v) for k, v in inputs.items()}
    if mode != "eager":
        run = tf.function(run, jit_compile=mode == "jit", autograph=False)
    outputs, grads = run(tensors)
    return outputs, {k: tf.convert_to_tensor(v) for k, v in grads.items()}


def _run_jax(
    compute: Compute, variables: Arrays, inputs: Arrays, mode: str, gradient: bool
) -> tuple[Arrays, Arrays]:
    import jax  # pyright: ignore[reportMissingImports]  # only with that backend

    def loss_of(weights: Arrays, floats: Arrays, rest: Arrays) -> tuple[Any, Arrays]:
        mapping = [(variables[k], v) for k, v in weights.items()]
        with keras.StatelessScope(state_mapping=mapping):
            return compute({**rest, **floats})

    names = _floats(inputs)
    weights = {k: v.value for k, v in variables.items()}
    floats = {k: ops.convert_to_tensor(inputs[k]) for k in names}
    rest = {k: ops.convert_to_tensor(v) for k, v in inputs.items() if k not in names}
    if not gradient:
        run: Any = jax.jit(loss_of) if mode == "jit" else loss_of
        return run(weights, floats, rest)[1], {}
    run = jax.value_and_grad(loss_of, argnums=(0, 1), has_aux=True)
    (_, outputs), grads = (jax.jit(run) if mode == "jit" else run)(weights, floats, rest)
    return outputs, {**grads[0], **grads[1]}


def _run_torch(
    compute: Compute, variables: Arrays, inputs: Arrays, mode: str, gradient: bool
) -> tuple[Arrays, Arrays]:
    import torch  # pyright: ignore[reportMissingImports]  # only with that backend

    tensors: Arrays = {k: ops.convert_to_tensor(v) for k, v in inputs.items()}
    if not gradient:
        with torch.no_grad():
            return compute(tensors)[1], {}
    for name in _floats(inputs):
        tensors[name].requires_grad_(True)
    sources = {
        **{k: v.value for k, v in variables.items()},
        **{k: tensors[k] for k in _floats(inputs)},
    }
    loss, outputs = compute(tensors)
    grads = torch.autograd.grad(loss, list(sources.values()), allow_unused=True)
    return outputs, dict(zip(sources, grads, strict=True))


# ------------------------------------------------------------------------ models
def make_mechanism(spec: dict[str, Any]) -> Any:
    names = ("scale", "normalize", "mode", "score_bias_init", "sigmoid_noise", "probability_fn")
    return KINDS[spec["kind"]](spec["units"], **{k: spec[k] for k in names if k in spec})


def mechanism_variables(mechanism: Any) -> Arrays:
    found: Arrays = {"memory_layer/kernel": mechanism.memory_layer.kernel}
    if hasattr(mechanism, "query_layer"):
        found["query_layer/kernel"] = mechanism.query_layer.kernel
    names = ("attention_v", "attention_g", "attention_b", "attention_score_bias")
    found.update({name: getattr(mechanism, name, None) for name in names})
    return {k: v for k, v in found.items() if v is not None}


def prefixed(prefix: str, arrays: Arrays) -> Arrays:
    return {prefix + k: v for k, v in arrays.items()}


def cell_variables(cell: Any) -> Arrays:
    if hasattr(cell, "cells"):
        found: Arrays = {}
        for i, part in enumerate(cell.cells):
            found.update(prefixed(f"cell_{i}/", cell_variables(part)))
        return found
    return {"kernel": cell.kernel, "recurrent_kernel": cell.recurrent_kernel, "bias": cell.bias}


def load(variables: Arrays, weights: Arrays) -> None:
    if set(variables) != set(weights):
        raise ValueError(f"weights {sorted(weights)} do not fit {sorted(variables)}")
    for name, variable in variables.items():
        variable.assign(weights[name])


# --------------------------------------------------------------------- mechanism
def replay_mechanism(case: Case, mode: str) -> Arrays:
    config = case.config
    mechanism = make_mechanism(config)
    inputs = {k: v for k, v in case.under("in/").items() if k != "initial_state"}
    mechanism.build_memory(inputs["memory"].shape[-1])
    mechanism.build((None, inputs["queries"].shape[-1]))
    variables = mechanism_variables(mechanism)
    initializers: Arrays = prefixed("w_default_init/", values_of(variables))
    load(variables, case.under("w/"))
    steps, batch = inputs["queries"].shape[:2]
    weights_a = ops.convert_to_tensor(case.arrays["grad/R_alignments"])
    weights_c = ops.convert_to_tensor(case.arrays["grad/R_context"])
    monotonic = config["kind"].endswith("mono")

    def compute(inputs: Arrays) -> tuple[Any, Arrays]:
        mechanism.setup_memory(
            inputs["memory"], inputs.get("memory_sequence_length"), inputs.get("memory_mask")
        )
        state = mechanism.initial_state(batch)
        rows: dict[str, list[Any]] = {}
        loss = ops.zeros(())
        outputs: Arrays = {
            "in/initial_state": state,
            "out/keys": mechanism.keys,
            "out/values": mechanism.values,
        }
        for t in range(steps):
            query = inputs["queries"][t]
            score = mechanism.score(query, mechanism.memory, state)
            alignments, state = mechanism(query, state)
            context = mechanism.context(alignments)
            loss += ops.sum(alignments * weights_a[t]) + ops.sum(context * weights_c[t])
            emitted = {
                "step/score": score,
                "out/alignments": alignments,
                "out/next_state": state,
                "out/context": context,
            }
            if monotonic:
                masked = score
                if mechanism.memory.mask is not None:
                    masked = ops.where(mechanism.memory.mask, score, -3.4028235e38)
                emitted["step/p_choose_i"] = mechanism.choose_probabilities(masked)
            for key, value in emitted.items():
                rows.setdefault(key, []).append(value)
        outputs.update({key: ops.stack(values) for key, values in rows.items()})
        outputs["grad/loss"] = loss
        return loss, outputs

    outputs, grads = evaluate(compute, variables, inputs, mode, gradient=True)
    return {**initializers, **outputs, **prefixed("grad/", grads)}


# ------------------------------------------------------------------------ decode
class RecordingCell:
    """Notes every intermediate value of an `AttentionWrapper`.

    The notes travel as alignment histories: what they hold is never imputed.
    """

    def __init__(self, wrapper: Any, names: list[str]) -> None:
        self.wrapper = wrapper
        self.names = names

    def start(self, state: Any) -> Any:
        return state, tuple(seq2seq.AlignmentHistory() for _ in self.names)

    @contextmanager
    def sequence(self, inputs: Any, state: Any) -> Generator[None, None, None]:
        with self.wrapper.sequence(inputs, state[0]):
            yield

    @property
    def output_size(self) -> int:
        return self.wrapper.output_size

    def step(self, inputs: Any, state: Any, training: Any) -> tuple[Any, Any]:
        wrapper, (before, notes) = self.wrapper, state
        multi = wrapper.is_multi

        def each(value: Any) -> Any:
            return value if multi else (value,)

        cell_inputs = wrapper.cell_inputs(inputs, before.attention)
        cell_output, _ = cells.call_cell(wrapper.cell, cell_inputs, before.cell_state, training)
        output, after = wrapper(inputs, before, training=training)
        seen: Arrays = {
            "inputs": inputs,
            "prev_attention": before.attention,
            "cell_inputs": cell_inputs,
            "cell_output": cell_output,
        }
        start = 0
        for i, mechanism in enumerate(wrapper.mechanisms):
            alignments = each(after.alignments)[i]
            context = mechanism.context(alignments)
            size = context.shape[-1]
            if wrapper.attention_layers:
                layer = wrapper.attention_layers[i]
                size = layer(ops.concatenate([cell_output, context], -1)).shape[-1]
            seen[f"mechanism_{i}/prev_state"] = each(before.attention_state)[i]
            seen[f"mechanism_{i}/alignments"] = alignments
            seen[f"mechanism_{i}/context"] = context
            seen[f"mechanism_{i}/attention"] = after.attention[:, start : start + size]
            start += size
        notes = tuple(note.append(seen[name]) for note, name in zip(notes, self.names, strict=True))
        return output, (after, notes)


def make_cell(config: dict[str, Any], inputs: Arrays, weights: Arrays) -> Any:
    def units(name: str) -> int:
        return weights[name].shape[0]

    if config["cell"] == "gru":
        return keras.layers.GRUCell(units("cell/recurrent_kernel"))
    if config["cell"] == "lstm":
        return keras.layers.LSTMCell(units("cell/recurrent_kernel"))
    return keras.layers.StackedRNNCells(
        [keras.layers.LSTMCell(units(f"cell/cell_{i}/recurrent_kernel")) for i in range(2)]
    )


def make_wrapper(config: dict[str, Any], inputs: Arrays, weights: Arrays) -> Any:
    mechanisms = [make_mechanism(spec) for spec in config["mechanisms"]]
    multi = config["multi"]
    sizes, layers = config["attention_layer_size"], config["attention_layer"]
    if layers is not None:
        layers = [keras.layers.Dense(**spec) for spec in layers]

    def one_or_all(items: Any) -> Any:
        return items if multi or items is None else items[0]

    return seq2seq.AttentionWrapper(
        make_cell(config, inputs, weights),
        one_or_all(mechanisms),
        attention_layer_size=one_or_all(sizes),
        attention_layer=one_or_all(layers),
        alignment_history=True,
        cell_input_fn=CELL_INPUT_FNS[config["cell_input_fn"]],
        output_attention=config["output_attention"],
    )


def wrapper_variables(wrapper: Any, output_layer: Any) -> Arrays:
    found = prefixed("cell/", cell_variables(wrapper.cell))
    for i, mechanism in enumerate(wrapper.mechanisms):
        found.update(prefixed(f"mechanism_{i}/", mechanism_variables(mechanism)))
    for i, layer in enumerate(wrapper.attention_layers):
        found[f"attention_layer_{i}/kernel"] = layer.kernel
        if layer.bias is not None:
            found[f"attention_layer_{i}/bias"] = layer.bias
    if output_layer is not None:
        found["output_layer/kernel"] = output_layer.kernel
        found["output_layer/bias"] = output_layer.bias
    return found


def masked_cross_entropy(logits: Any, targets: Any, lengths: Any) -> Any:
    steps = logits.shape[1]
    if steps is None:
        steps = ops.shape(logits)[1]
    targets = targets[:, :steps]
    weights = ops.cast(ops.arange(steps)[None, :] < lengths[:, None], "float32")
    return seq2seq.sequence_loss(logits, targets, weights)


def replay_decode(case: Case, mode: str) -> Arrays:
    config, weights, inputs = case.config, case.under("w/"), case.under("in/")
    checks = {k: inputs.pop(k) for k in list(inputs) if k.startswith("initial_attention")}
    wrapper = make_wrapper(config, inputs, weights)
    output_layer = None
    first = inputs["embedding" if config["sampler"] == "greedy" else "inputs"]
    depths = [inputs["memory"].shape[-1]] * len(wrapper.mechanisms)
    wrapper.build_for(first.shape[-1], depths)
    if config["output_layer"]:
        output_layer = keras.layers.Dense(weights["output_layer/bias"].shape[0])
        output_layer.build((None, wrapper.output_depth(depths)))
    variables = wrapper_variables(wrapper, output_layer)
    load(variables, weights)
    names = [k[len("step/") :] for k in case.arrays if k.startswith("step/")]
    cell = RecordingCell(wrapper, names)
    batch = inputs["memory"].shape[0]
    gradient = "grad/loss" in case.arrays

    def make_helper(inputs: Arrays) -> Any:
        if config["sampler"] == "greedy":
            return seq2seq.GreedyEmbeddingHelper(
                inputs["embedding"], inputs["start_tokens"], inputs["end_token"]
            )
        major = config["input_time_major"]
        fed = ops.swapaxes(inputs["inputs"], 0, 1) if major else inputs["inputs"]
        return seq2seq.TrainingHelper(fed, inputs.get("sequence_length"), time_major=major)

    def compute(inputs: Arrays) -> tuple[Any, Arrays]:
        for mechanism in wrapper.mechanisms:
            mechanism.setup_memory(inputs["memory"], inputs.get("memory_sequence_length"))
        state = wrapper.zero_state(batch, "float32")
        given = [inputs[k] for k in sorted(inputs) if k.startswith("initial_cell_state_")]
        if given:
            state = state.clone(cell_state=given)
        decoder = seq2seq.BasicDecoder(
            cell, make_helper(inputs), cell.start(state), output_layer=output_layer
        )
        outputs, (final, notes), lengths = seq2seq.dynamic_decode(
            decoder,
            output_time_major=config["output_time_major"],
            impute_finished=config["impute_finished"],
            maximum_iterations=config["maximum_iterations"],
        )

        def each(value: Any) -> Any:
            return value if wrapper.is_multi else (value,)

        found: Arrays = {
            "in/initial_attention": state.attention,
            "out/rnn_output": outputs.rnn_output,
            "out/sample_id": outputs.sample_id,
            "out/final_sequence_lengths": lengths,
            "out/final_attention": final.attention,
        }
        for i, leaf in enumerate(keras.tree.flatten(final.cell_state)):
            found[f"out/final_cell_state_{i}"] = leaf
        for i in range(len(wrapper.mechanisms)):
            found[f"in/initial_attention_state_{i}"] = each(state.attention_state)[i]
            found[f"out/alignment_history_{i}"] = each(final.alignment_history)[i].stack()
            found[f"out/final_alignments_{i}"] = each(final.alignments)[i]
            found[f"out/final_attention_state_{i}"] = each(final.attention_state)[i]
        for name, note in zip(names, notes, strict=True):
            found[f"step/{name}"] = note.stack()
        if not gradient:
            return None, found
        logits = outputs.rnn_output
        full = ops.full((batch,), inputs["inputs"].shape[1], dtype="int32")
        loss = masked_cross_entropy(logits, inputs["targets"], inputs.get("sequence_length", full))
        found["grad/loss"] = loss
        return loss, found

    outputs, grads = evaluate(compute, variables, inputs, mode, gradient)
    compare_initial = {f"in/{k}": v for k, v in checks.items()}
    for key, want in compare_initial.items():
        np.testing.assert_array_equal(outputs[key], want, err_msg=key)
    return {**outputs, **prefixed("grad/", grads)}


# --------------------------------------------------------------------- functions
def replay_functions(case: Case, mode: str) -> Arrays:
    inputs = case.under("in/")
    keys = [k[len("out/") :] for k in case.arrays if k.startswith("out/")]

    def compute(inputs: Arrays) -> tuple[Any, Arrays]:
        return None, {f"out/{key}": _function_value(key, inputs) for key in keys}

    return evaluate(compute, {}, inputs, mode, gradient=False)[0]


def _function_value(key: str, inputs: Arrays) -> Any:
    kind, _, rest = key.partition("/")
    if kind == "hardmax":
        return seq2seq.hardmax(inputs["hardmax/logits"])
    if kind == "safe_cumprod":
        return seq2seq.safe_cumprod(inputs["safe_cumprod/x"], exclusive=rest == "exclusive")
    if kind == "sequence_loss":
        switches: dict[str, Any] = {
            "avg_time_batch": (True, True, False, False),
            "avg_time": (True, False, False, False),
            "avg_batch": (False, True, False, False),
            "none": (False, False, False, False),
            "sum_time_batch": (False, False, True, True),
        }
        given: Any = [inputs[f"sequence_loss/{k}"] for k in ("logits", "targets", "weights")]
        return seq2seq.sequence_loss(*given, *switches[rest])
    previous, _, mode = rest.partition("/")
    return seq2seq.monotonic_attention(
        inputs[f"{kind}/p_choose_i"], inputs[f"{kind}/{previous}"], mode
    )


# -------------------------------------------------------------------- end to end
def replay_end_to_end(case: Case, mode: str) -> Arrays:
    config, weights, inputs = case.config, case.under("w/"), case.under("in/")
    units = weights["encoder/recurrent_kernel"].shape[0]
    depth = weights["embedding"].shape[1]
    embedding = keras.layers.Embedding(*weights["embedding"].shape)
    embedding.build(None)
    encoder = keras.layers.LSTM(units, return_sequences=True, return_state=True)
    encoder.build((None, None, depth))
    mechanism = seq2seq.LuongMonotonicAttention(units, mode=config["mode"])
    size = weights["attention_layer_0/kernel"].shape[1]
    wrapper = seq2seq.AttentionWrapper(
        keras.layers.LSTMCell(units), mechanism, attention_layer_size=size, alignment_history=True
    )
    wrapper.build_for(depth, [units])
    output_layer = keras.layers.Dense(weights["output_layer/bias"].shape[0])
    output_layer.build((None, size))
    variables: Arrays = {
        "embedding": embedding.embeddings,
        **prefixed("encoder/", cell_variables(encoder.cell)),
        **wrapper_variables(wrapper, output_layer),
    }
    load(variables, weights)
    batch, positions = inputs["source"].shape

    def compute(inputs: Arrays) -> tuple[Any, Arrays]:
        mask = ops.arange(positions)[None, :] < inputs["source_length"][:, None]
        memory, h, c = encoder(embedding(inputs["source"]), mask=mask)
        mechanism.setup_memory(memory, inputs["source_length"])
        helper = seq2seq.TrainingHelper(embedding(inputs["target_in"]), inputs["target_length"])
        state = wrapper.zero_state(batch, "float32").clone(cell_state=[h, c])
        outputs, final, _ = seq2seq.dynamic_decode(
            seq2seq.BasicDecoder(wrapper, helper, state, output_layer)
        )
        loss = masked_cross_entropy(
            outputs.rnn_output, inputs["target_out"], inputs["target_length"]
        )
        history = final.alignment_history.stack()
        return loss, {"loss": loss, "memory": memory, "alignment_history": history}

    losses, histories, found = [], [], {}
    for step in range(config["steps"]):
        outputs, grads = evaluate(compute, variables, inputs, mode, gradient=True)
        losses.append(outputs["loss"])
        histories.append(outputs["alignment_history"])
        if step == 0:
            found = {"out/memory_step0": outputs["memory"], **prefixed("grad/", grads)}
        for name, variable in variables.items():
            variable.assign_sub(config["lr"] * grads[name])
    return {
        **found,
        **prefixed("out/w_after/", values_of(variables)),
        "out/loss": np.stack(losses),
        "out/alignment_history": np.stack(histories),
    }


# ----------------------------------------------------------------------- compare
REPLAYS: dict[str, Callable[[Case, str], Arrays]] = {
    "mechanism": replay_mechanism,
    "functions": replay_functions,
    "decode": replay_decode,
    "e2e": replay_end_to_end,
}


def replay(path: Path, mode: str = "eager") -> Result:
    """Replays one case and compares all of it."""
    case = Case(path)
    try:
        got = REPLAYS[case.config["section"]](case, mode)
    except Exception as error:  # a case that raises is a failed case, and the others go on
        return Result(case.name, {}, [f"{type(error).__name__}: {error}"])
    worst: dict[str, float] = {}
    problems: list[str] = []
    ill = case.config.get("ill_conditioned", False)
    wanted = case.expected
    for key in case.config.get("grad_none", []):
        value = got.get(f"grad/{key}")
        if value is not None and np.abs(value).max() > 0:
            problems.append(f"grad/{key}: expected no gradient")
    if mode == "eager" and not ill:
        wanted |= prefixed("w_default_init/", case.under("w_default_init/"))
    for key, want in wanted.items():
        if key not in got:
            problems.append(f"{key}: not replayed")
            continue
        value = got[key]
        if mode == "jit":
            value = _cut(value, want, problems, key)
        tolerance = ATOL_ILL_CONDITIONED if ill else ATOL
        if value.shape != want.shape:
            problems.append(f"{key}: shape {value.shape} instead of {want.shape}")
            continue
        if ill and key.startswith("grad/"):
            if not np.isfinite(value).all():
                problems.append(f"{key}: not finite")
            continue
        difference = float(np.abs(value.astype("float64") - want).max()) if want.size else 0.0
        family = ("ill_conditioned " if ill else "") + key.split("/")[0]
        worst[family] = max(worst.get(family, 0.0), difference)
        if not difference <= tolerance:
            problems.append(f"{key}: off by {difference:.2e}, tolerance {tolerance:.0e}")
    return Result(case.name, worst, problems)


def _cut(value: Array, want: Array, problems: list[str], key: str) -> Array:
    """Cuts the zero rows that a compiler with static shapes adds after the last step."""
    axes = [i for i, (a, b) in enumerate(zip(value.shape, want.shape, strict=True)) if a > b]
    for axis in axes:
        kept, rest = np.split(value, [want.shape[axis]], axis=axis)
        if np.abs(rest).max() > 0:
            problems.append(f"{key}: rows after the last step are not zero")
        value = kept
    return value


def main(arguments: list[str] | None = None) -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path, help="folder of .npz cases")
    parser.add_argument("--mode", choices=MODES, default="eager")
    parser.add_argument("--case", default="", help="only cases whose name contains this text")
    parser.add_argument("--verbose", action="store_true", help="one line per case")
    options = parser.parse_args(arguments)
    paths = sorted(p for p in options.directory.glob("*.npz") if options.case in p.name)
    if not paths:
        print(f"no cases in {options.directory}", file=sys.stderr)
    worst: dict[str, tuple[float, str]] = {}
    failed = 0
    for path in paths:
        result = replay(path, options.mode)
        failed += bool(result.problems)
        for family, difference in result.worst.items():
            worst[family] = max(worst.get(family, (0.0, "")), (difference, result.case))
        if result.problems or options.verbose:
            print("FAIL" if result.problems else "ok  ", result.case, flush=True)
        for problem in result.problems:
            print("    ", problem)
    for family, (difference, case) in sorted(worst.items()):
        print(f"worst {family}: {difference:.2e} ({case})")
    print(f"{len(paths) - failed} passed, {failed} failed")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
