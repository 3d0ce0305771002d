"""The command line, from click: every command with its arguments, options, defaults and help."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
from falsemetal_markdown import code, prose, table

from aiida_falsemetal.cli.main import main


def command_line() -> str:
    """All commands, a section each; groups have their commands below them."""
    context = click.Context(main, info_name="falsemetal")
    return "\n".join(_section(command, inner, 2) for command, inner in _children(main, context))


def _children(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield command, click.Context(command, info_name=name, parent=context)


def _section(command: click.Command, context: click.Context, level: int) -> str:
    name = context.command_path
    pieces = [f"{'#' * level} `{name}`", prose(inspect.cleandoc(command.help or ""))]
    if isinstance(command, click.Group):
        pieces += [_section(inner, below, level + 1) for inner, below in _children(command, context)]
        return "\n\n".join(pieces)
    pieces.append(f"```text\n{name} {' '.join(command.collect_usage_pieces(context))}\n```")
    rows = [_option(option) for option in command.params if isinstance(option, click.Option) and not option.hidden]
    if rows:
        pieces.append(table(["option", "default", "meaning"], rows))
    return "\n\n".join(pieces)


def _option(option: click.Option) -> tuple[str, str, str]:
    names = ", ".join(option.opts)
    if option.secondary_opts:
        names += " / " + ", ".join(option.secondary_opts)
    if not option.is_flag:
        values = option.metavar or (
            "|".join(option.type.choices) if isinstance(option.type, click.Choice) else option.type.name.upper()
        )
        names += f" {values}"
    default = option.default
    shown = (
        "" if default is None or callable(default) or default in (False, "", ()) or _unset(default) else code(default)
    )
    return code(names), shown, prose(option.help or "")


def _unset(value: object) -> bool:
    """Newer versions of click have a value of their own for "not given"."""
    return "UNSET" in repr(value).upper()
