"""The command line of `tb-attention`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# NumPy, protobuf and Pillow wait until a command needs them: --help is immediate.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tb-attention", description="Looks after recorded attention maps."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("inspect", "say what is recorded: runs, layers, steps, gaps, sizes"),
        ("verify", "read and decode everything, and say what is damaged"),
        ("export", "write maps to a file: npz, csv, png, svg, or gif or mp4 over steps"),
        ("prune", "keep every k-th step of every layer, and free the rest"),
    ):
        command = commands.add_parser(name, help=about, description=f"{about.capitalize()}.")
        command.add_argument("logdir", help="as for tensorboard --logdir")
        if name == "export":
            command.add_argument("output", type=Path, help="its name's end says the format")
            command.add_argument("--run", help="needed where there are several")
            command.add_argument("--layer", help="needed where there are several")
            command.add_argument("--step", type=int, help="one step; the last one, or all, if not")
            command.add_argument("--example", type=int, default=0)
            command.add_argument("--head", type=int, help="the first one that is recorded, if not")
        elif name == "prune":
            command.add_argument("--every", type=int, required=True, help="k")
            command.add_argument("--run", help="one run; all of them when not given")
            command.add_argument("--dry-run", action="store_true", help="only say what it would do")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: Of the command line; those of this process when None.

    Returns:
        Exit status: 0, 1 when something is damaged or failed, 2 when a request cannot be met.
    """
    options = _parser().parse_args(arguments)
    from tb_attention_plugin.store.run import StoreError

    command = {"inspect": _inspect, "verify": _verify, "export": _export, "prune": _prune}
    try:
        return command[options.command](options)
    except LookupError as error:
        print(f"tb-attention: {error.args[0]}", file=sys.stderr)
        return 2
    except (StoreError, RuntimeError, OSError) as error:
        print(f"tb-attention: {error}", file=sys.stderr)
        return 1


def _inspect(options: argparse.Namespace) -> int:
    from tb_attention_plugin.cli.looking import inspect
    from tb_attention_plugin.store.logdir import LogDirectory, roots_of

    for line in inspect(LogDirectory(roots_of(_existing(options.logdir), ""))):
        print(_plain(line))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from tb_attention_plugin.cli.looking import verify
    from tb_attention_plugin.store.logdir import LogDirectory, roots_of

    damaged = 0
    for line in verify(LogDirectory(roots_of(_existing(options.logdir), ""))):
        damaged += 1
        print(_plain(line))
    print(f"{damaged} problems." if damaged else "Everything that is recorded can be read.")
    return 1 if damaged else 0


def _export(options: argparse.Namespace) -> int:
    from tb_attention_plugin.cli.export import FORMATS, export
    from tb_attention_plugin.store.reader import AttentionReader

    kind = options.output.suffix[1:]
    if kind not in FORMATS:
        raise LookupError(
            f"output: expected a name that ends in one of {', '.join(FORMATS)}, received "
            f"{str(options.output)!r}."
        )
    reader = AttentionReader(options.logdir)
    run = _one_of("run", options.run, reader.runs())
    layer = _one_of("layer", options.layer, reader.layers(run))
    steps = reader.steps(run, layer)
    if options.step is not None:
        steps = [options.step]
    elif kind == "npz":
        steps = steps[-1:]
    head = reader.heads(run, layer, steps[-1])[0] if options.head is None else options.head
    export(reader, run, layer, steps, options.example, head, options.output)
    print(f"{options.output}: {_plain(run)}, {_plain(layer)}, {len(steps)} steps up to {steps[-1]}")
    return 0


def _prune(options: argparse.Namespace) -> int:
    from tb_attention_plugin.cli.prune import kept_steps, prune
    from tb_attention_plugin.store.folder import LocalFolder
    from tb_attention_plugin.store.logdir import LogDirectory, roots_of

    if options.every < 2:
        raise LookupError(f"--every: expected 2 or more, received {options.every}.")
    stores = LogDirectory(roots_of(_existing(options.logdir), "")).runs()
    names = list(stores) if options.run is None else [_one_of("run", options.run, list(stores))]
    for name in names:
        store = stores[name]
        histories = store.histories.values()
        total = sum(len(history.steps) for history in histories)
        kept = sum(len(kept_steps(history.steps, options.every)) for history in histories)
        summary = f"{_plain(name)}: {kept:,} of {total:,} records"
        if options.dry_run or kept == total or not isinstance(store.folder, LocalFolder):
            print(f"{summary} would stay; nothing was changed")
            continue
        before, after = prune(store.folder.path, options.every)
        print(f"{summary} stay, {before / 1e6:.1f} MB became {after / 1e6:.1f} MB")
    return 0


def _existing(logdir: str) -> str:
    if "://" not in logdir and not Path(logdir).expanduser().is_dir():
        raise LookupError(f"logdir: expected a directory, received {logdir!r}.")
    return logdir


def _one_of(what: str, wanted: str | None, names: list[str]) -> str:
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        raise LookupError(f"--{what}: expected one of {names}, received {wanted!r}.")
    return wanted


def _plain(line: str) -> str:
    # Names may be anybody's; control characters would command the terminal.
    return "".join(c if c.isprintable() else "\ufffd" for c in line)


if __name__ == "__main__":
    sys.exit(main())
