from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import session_models as models
import tensorflow as tf
from numpy.typing import NDArray
from session_models import LENGTHS, B, K, Program, T, v1
from tb_attention_training import AttentionHook, AttentionWarning

from tb_attention_plugin import AttentionReader

PROBE = models.batch(seed=101)
Sessions = Callable[..., Any]


def monitored(hooks: list[Any], **kwargs: Any) -> Any:
    return v1.train.MonitoredTrainingSession(
        hooks=hooks, save_summaries_steps=0, log_step_count_steps=0, **kwargs
    )


def singular(hooks: list[Any], **kwargs: Any) -> Any:
    return v1.train.SingularMonitoredSession(hooks=hooks, **kwargs)


def feeds(program: Program, seed: int) -> dict[Any, Any]:
    return {program.memory: models.batch(seed), program.lengths: LENGTHS}


def probe(program: Program) -> dict[Any, Any]:
    return {program.memory: PROBE, program.lengths: LENGTHS}


def train(program: Program, hook: Any, steps: int, *, session: Sessions = monitored) -> None:
    with program.graph.as_default(), session([hook]) as running:
        for i in range(steps):
            running.run(program.train, feeds(program, i))


def steps(log_dir: Path, layer: str = "alignments") -> list[int]:
    return AttentionReader(log_dir).steps(".", layer)


def read(log_dir: Path, step: int, layer: str = "alignments") -> NDArray[np.float32]:
    return AttentionReader(log_dir).weights(".", layer, step)


def true_alignments(count: int, feed: Callable[[Program, int], Any]) -> list[NDArray[np.float32]]:
    """Before each of `count` steps, by a plain session: `[T, B, K]`."""
    program = models.program()
    found: list[NDArray[np.float32]] = []
    with program.graph.as_default(), singular([]) as session:
        for i in range(count):
            found.append(session.run(program.alignments, feed(program, i)))
            session.run(program.train, feeds(program, i))
    return found


@pytest.mark.parametrize(("session", "resource"), [(monitored, True), (singular, False)])
@pytest.mark.parametrize(
    ("every", "expected"), [(1, [*range(13)]), (5, [0, 5, 10]), (6, [0, 6, 12]), (100, [0])]
)
def test_records_steps_that_are_multiples(
    tmp_path: Path, session: Sessions, resource: bool, every: int, expected: list[int]
) -> None:
    program = models.program(resource=resource)
    hook = AttentionHook(
        tmp_path, program.alignments, every_n_steps=every, key_lengths=LENGTHS, on_error="raise"
    )
    train(program, hook, 13, session=session)
    assert steps(tmp_path) == expected


def test_fixed_examples_are_recorded_at_the_end_too(tmp_path: Path) -> None:
    program = models.program()
    hook = AttentionHook(
        tmp_path,
        program.alignments,
        every_n_steps=5,
        feed_dict=probe(program),
        on_error="raise",
    )
    train(program, hook, 13)
    assert steps(tmp_path) == [0, 5, 10, 13]


def test_beside_the_training_it_is_the_batch_and_the_weights_of_that_step(tmp_path: Path) -> None:
    program = models.program()
    hook = AttentionHook(tmp_path, program.alignments, every_n_steps=3, on_error="raise")
    train(program, hook, 8)
    truth = true_alignments(8, feeds)
    for step in (0, 3, 6):
        weights = read(tmp_path, step)
        assert weights.shape == (B, 1, T, K)
        expected = truth[step].transpose(1, 0, 2)
        assert np.all(np.abs(weights[:, 0] - expected) <= np.maximum(5e-4, 0.01 * expected))


def test_fixed_examples_show_the_weights_after_as_many_updates_as_the_step_says(
    tmp_path: Path,
) -> None:
    program = models.program()
    hook = AttentionHook(
        tmp_path,
        program.alignments,
        every_n_steps=3,
        feed_dict=probe(program),
        max_examples=3,
        on_error="raise",
    )
    train(program, hook, 8)
    truth = true_alignments(9, lambda one, i: probe(one))
    assert steps(tmp_path) == [0, 3, 6, 8]
    for step in (0, 3, 6, 8):
        expected = truth[step].transpose(1, 0, 2)[:3]
        weights = read(tmp_path, step)[:, 0]
        assert np.all(np.abs(weights - expected) <= np.maximum(5e-4, 0.01 * expected))
    moved = np.abs(truth[0] - truth[8]).max()
    assert moved > 0.05  # a step taken for another would show


def test_weights_that_a_byte_cannot_hold_are_exact(tmp_path: Path) -> None:
    program = models.program()
    with program.graph.as_default():
        scores = program.alignments * 100 - 50
    hook = AttentionHook(tmp_path, scores, feed_dict=probe(program), on_error="raise")
    train(program, hook, 1)
    truth = true_alignments(1, lambda one, i: probe(one))[0].transpose(1, 0, 2)
    np.testing.assert_array_equal(read(tmp_path, 0)[:, 0], truth * np.float32(100) - np.float32(50))


def test_evaluation_runs_of_the_session_are_told_apart(tmp_path: Path) -> None:
    program = models.program()
    hook = AttentionHook(tmp_path, program.alignments, every_n_steps=2, on_error="raise")
    seen: list[Any] = []

    class Watch(v1.train.SessionRunHook):
        def before_run(self, run_context: Any) -> Any:
            asked = hook.before_run(run_context)
            seen.append(None if asked is None else sorted(asked.fetches))
            return asked

        def after_run(self, run_context: Any, run_values: Any) -> None:
            hook.after_run(run_context, run_values)

        def begin(self) -> None:
            hook.begin()

        def after_create_session(self, session: Any, coord: Any) -> None:
            hook.after_create_session(session, coord)

        def end(self, session: Any) -> None:
            hook.end(session)

    with program.graph.as_default(), monitored([Watch()]) as session:
        for i in range(5):
            session.run(program.step)
            session.run(program.loss, {program.memory: PROBE[:2], program.lengths: LENGTHS[:2]})
            session.run([program.train, {"loss": program.loss}], feeds(program, i))
            session.run("program/loss:0", feeds(program, i + 50))
    assert steps(tmp_path) == [0, 2, 4]
    evaluations = [asked for i, asked in enumerate(seen) if i % 4 != 2]
    trainings = seen[2::4]
    assert evaluations == [None] * 15
    assert trainings == [
        ["step", "values"],
        ["step"],
        ["step", "values"],
        ["step"],
        ["step", "values"],
    ]
    truth = true_alignments(5, feeds)
    for step in (0, 2, 4):
        expected = truth[step].transpose(1, 0, 2)
        assert np.abs(read(tmp_path, step)[:, 0] - expected).max() < 0.01


def test_a_run_that_could_train_and_does_not_is_not_recorded(tmp_path: Path) -> None:
    program = models.program()
    with program.graph.as_default():
        go = v1.placeholder(tf.bool, [], name="go")
        advance = v1.assign_add(program.step, tf.where(go, np.int64(1), np.int64(0)))
    hook = AttentionHook(tmp_path, program.alignments, every_n_steps=1, on_error="raise")
    with program.graph.as_default(), singular([hook]) as session:
        for i in range(6):
            session.run(advance, {go: i % 2 == 1, **feeds(program, i)})
    assert steps(tmp_path) == [0, 1, 2]


def test_several_steps_in_a_run_are_recorded_at_the_first_one_seen(tmp_path: Path) -> None:
    program = models.program()
    with program.graph.as_default():
        advance = v1.assign_add(program.step, 3)
    hook = AttentionHook(tmp_path, program.alignments, every_n_steps=5, on_error="raise")
    with program.graph.as_default(), singular([hook]) as session:
        for i in range(6):
            session.run(advance, feeds(program, i))
    assert steps(tmp_path) == [0, 6, 12, 15]


def test_layers_tokens_and_lengths(tmp_path: Path) -> None:
    program = models.program()
    with program.graph.as_default():
        tokens = tf.strings.as_string(tf.tile(tf.range(K)[None], [B, 1]))
        first = tf.transpose(program.alignments, [1, 0, 2])
        second = first[:, None]
    hook = AttentionHook(
        tmp_path,
        {"decoder/first": first, "decoder/second": second},
        time_major=False,
        query_tokens={"decoder/first": [[f"q{i}" for i in range(T)]] * B},
        key_tokens=tokens,
        key_lengths=program.lengths,
        query_lengths={"decoder/second": np.array([T, 2, 3, 1, 1])},
        max_examples=3,
        on_error="raise",
    )
    train(program, hook, 1)
    reader = AttentionReader(tmp_path)
    assert reader.layers(".") == ["decoder/first", "decoder/second"]
    assert reader.weights(".", "decoder/first", 0).shape == (3, 1, T, K)
    first, second_tokens = (
        reader.tokens(".", layer, 0) for layer in ("decoder/first", "decoder/second")
    )
    assert [queries for queries, _ in first] == [[f"q{i}" for i in range(T)]] * 3
    assert [keys[:2] for _, keys in first] == [["0", "1"]] * 3
    assert not any(queries for queries, _ in second_tokens)


def test_resuming_from_a_checkpoint_goes_on(tmp_path: Path) -> None:
    for count, expected in ((7, [0, 3, 6]), (5, [0, 3, 6, 9]), (1, [0, 3, 6, 9, 12])):
        program = models.program()
        hook = AttentionHook(
            tmp_path / "log", program.alignments, every_n_steps=3, on_error="raise"
        )
        with (
            program.graph.as_default(),
            monitored([hook], checkpoint_dir=str(tmp_path / "checkpoints")) as session,
        ):
            for i in range(count):
                session.run(program.train, feeds(program, i))
        assert steps(tmp_path / "log") == expected


def test_a_resume_does_not_record_its_first_step_again(tmp_path: Path) -> None:
    shown: list[NDArray[np.float32]] = []
    for count in (3, 4):  # the first training ends at step 3, with a record of it
        program = models.program()
        hook = AttentionHook(
            tmp_path / "log",
            program.alignments,
            every_n_steps=3,
            feed_dict=probe(program),
            on_error="raise",
        )
        with (
            program.graph.as_default(),
            monitored([hook], checkpoint_dir=str(tmp_path / "checkpoints")) as session,
        ):
            for i in range(count):
                session.run(program.train, feeds(program, i))
        shown.append(read(tmp_path / "log", 3))
    assert steps(tmp_path / "log") == [0, 3, 6, 7]
    np.testing.assert_array_equal(shown[0], shown[1])
    assert len([*(tmp_path / "log/plugins/attention").glob("*.index")]) == 2


def test_a_session_that_broke_off_leaves_the_directory_to_the_next(tmp_path: Path) -> None:
    program = models.program()
    hook = AttentionHook(tmp_path, program.alignments, every_n_steps=2, on_error="raise")

    def break_off() -> None:
        with program.graph.as_default(), singular([hook]) as session:
            for i in range(4):
                session.run(program.train, feeds(program, i))
            raise KeyError("of the user's")

    with pytest.raises(KeyError):
        break_off()
    again = models.program()
    other = AttentionHook(tmp_path, again.alignments, every_n_steps=5, on_error="raise")
    train(again, other, 6)
    assert steps(tmp_path) == [0, 5]


def test_a_session_that_is_lost_and_restored_goes_on(tmp_path: Path) -> None:
    program = models.program()
    hook = AttentionHook(tmp_path / "log", program.alignments, every_n_steps=2, on_error="raise")

    class Lose(v1.train.SessionRunHook):
        lost = False

        def after_run(self, run_context: Any, run_values: Any) -> None:
            if not self.lost and int(run_context.session.run(program.step)) == 5:
                self.lost = True
                raise tf.errors.AbortedError(None, None, "preempted")

    with (
        program.graph.as_default(),
        monitored(
            [hook, Lose()], checkpoint_dir=str(tmp_path / "c"), save_checkpoint_steps=3
        ) as session,
    ):
        for i in range(8):
            session.run(program.train, feeds(program, i))
        final = int(session.run(program.step))
    recorded = steps(tmp_path / "log")
    assert recorded == list(range(0, final, 2))


# ── The training stays as it is ───────────────────────────────────────────────────────────────────


def final_bytes(hook: Callable[[Program], list[Any]]) -> bytes:
    program = models.program(dropout=0.3)
    config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    with program.graph.as_default():
        variables = v1.global_variables()
        hooks = hook(program)
        with v1.train.MonitoredSession(
            v1.train.ChiefSessionCreator(config=config), hooks=hooks
        ) as session:
            for i in range(12):
                session.run(program.train, feeds(program, i))
            return b"".join(np.asarray(value).tobytes() for value in session.run(variables))


def test_training_is_bit_equal_with_and_without(tmp_path: Path) -> None:
    # Kernels may round by memory alignment: several plain runs say which results are legitimate.
    plain = {final_bytes(lambda program: []) for _ in range(3)}
    recorded = final_bytes(
        lambda program: [
            AttentionHook(tmp_path, program.alignments, every_n_steps=2, on_error="raise")
        ]
    )
    assert recorded in plain
    assert steps(tmp_path) == [0, 2, 4, 6, 8, 10]


def test_a_run_of_its_own_through_dropout_would_not_be(tmp_path: Path) -> None:
    class Disturbing(v1.train.SessionRunHook):
        def __init__(self, program: Program) -> None:
            self.program = program

        def before_run(self, run_context: Any) -> Any:
            run_context.session.run(self.program.alignments, probe(self.program))

    plain = {final_bytes(lambda program: []) for _ in range(3)}
    assert final_bytes(lambda program: [Disturbing(program)]) not in plain

    program = models.program(dropout=0.3)
    hook = AttentionHook(tmp_path, program.alignments, feed_dict=probe(program), on_error="raise")
    with pytest.raises(ValueError, match=r"would change the training, through Random.*dropout"):
        train(program, hook, 1)


def test_drawing_from_the_training_data_is_refused(tmp_path: Path) -> None:
    program = models.program()
    with program.graph.as_default():
        data = v1.data.make_one_shot_iterator(tf.data.Dataset.range(100)).get_next()
        alignments = program.alignments + tf.cast(data, tf.float32) * 0
    hook = AttentionHook(tmp_path, alignments, on_error="raise")
    with pytest.raises(ValueError, match="IteratorGetNext"):
        train(program, hook, 1)


def test_alignments_are_computed_on_due_steps_only(tmp_path: Path) -> None:
    program = models.program()
    computed: list[int] = []

    def note(weights: NDArray[np.float32]) -> NDArray[np.float32]:
        computed.append(len(weights))
        return weights

    with program.graph.as_default():
        alignments = v1.py_func(note, [program.alignments], tf.float32)
    hook = AttentionHook(tmp_path, alignments, every_n_steps=4, on_error="raise")
    train(program, hook, 10)
    assert computed == [T] * 3
    assert steps(tmp_path) == [0, 4, 8]


# ── Failures ──────────────────────────────────────────────────────────────────────────────────────


def test_a_failure_warns_once_and_training_goes_on(tmp_path: Path) -> None:
    program = models.program()
    hook = AttentionHook(tmp_path, program.alignments, every_n_steps=2, key_tokens=[["too few"]])
    with (
        warnings.catch_warnings(record=True) as caught,
        program.graph.as_default(),
        monitored([hook]) as session,
    ):
        warnings.simplefilter("always")
        for i in range(12):
            session.run(program.train, feeds(program, i))
        assert session.run(program.step) == 12
    told = [one for one in caught if issubclass(one.category, AttentionWarning)]
    assert len(told) == 1
    assert "training goes on. ValueError" in str(told[0].message)


def test_a_failure_stops_the_training_when_asked_to(tmp_path: Path) -> None:
    program = models.program()
    hook = AttentionHook(tmp_path, program.alignments, key_tokens=[["too few"]], on_error="raise")
    with pytest.raises(ValueError, match="key_tokens"):
        train(program, hook, 1)


def test_a_training_that_does_not_feed_what_alignments_need(tmp_path: Path) -> None:
    program = models.program()
    with program.graph.as_default():
        scale = v1.placeholder(tf.float32, [], name="scale")
        alignments = program.alignments * scale
    hook = AttentionHook(tmp_path, alignments)
    with pytest.warns(AttentionWarning, match=r"placeholders that are not fed: scale\."):
        train(program, hook, 3)


def test_no_run_advances_the_step(tmp_path: Path) -> None:
    program = models.program(advance=False)
    hook = AttentionHook(tmp_path, program.alignments)
    with pytest.warns(AttentionWarning, match="no run of this session has advanced"):
        train(program, hook, 2)


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    program = models.program()
    hook = AttentionHook(tmp_path / "file", program.alignments)
    with pytest.warns(AttentionWarning, match="log_dir"):
        train(program, hook, 2)


def test_a_graph_without_a_global_step(tmp_path: Path) -> None:
    graph: Any = tf.Graph()
    with graph.as_default():
        hook = AttentionHook(tmp_path, tf.zeros([T, B, K]))
        with pytest.raises(ValueError, match="get_or_create_global_step"):
            hook.begin()


def test_wrong_arguments(tmp_path: Path) -> None:
    program = models.program()
    with program.graph.as_default():
        history = tf.TensorArray(tf.float32, T)
        flat = program.alignments[0]
    with pytest.raises(TypeError, match=r"Stack it: alignment_history\.stack\(\)"):
        AttentionHook(tmp_path, history)
    with pytest.raises(TypeError, match="eager"):
        AttentionHook(tmp_path, tf.zeros([T, B, K]))
    with pytest.raises(ValueError, match=r"\[T, B, K\].*received a tensor of shape"):
        AttentionHook(tmp_path, flat)
    with pytest.raises(ValueError, match="every_n_steps: expected 1 or more, received 0"):
        AttentionHook(tmp_path, program.alignments, every_n_steps=0)
    with pytest.raises(ValueError, match="max_examples"):
        AttentionHook(tmp_path, program.alignments, max_examples=0)
    with pytest.raises(ValueError, match="on_error"):
        AttentionHook(tmp_path, program.alignments, on_error="ignore")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="empty"):
        AttentionHook(tmp_path, {})


def test_images(tmp_path: Path) -> None:
    program = models.program()
    hook = AttentionHook(
        tmp_path, program.alignments, images=True, max_examples=1, on_error="raise"
    )
    train(program, hook, 1)
    [events] = tmp_path.glob("events.out.tfevents.*")
    assert b"attention/alignments/example_0" in events.read_bytes()
