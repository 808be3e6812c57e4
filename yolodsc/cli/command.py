"""Subcommands: aliases of options, hints at the nearest option, and help in sections."""

from typing import Any

from yolodsc.cli import aliases
from yolodsc.cli.conversion import Command
from yolodsc.cli.terminal import note

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
"""Settings of every command."""

PAIRS = frozenset({"--student", "--teacher"})
"""Options with one value, or with two: a .cfg and a .weights file."""


class Subcommand(Command):
    """A command that understands the options of similar programs and says which option may have been meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Replace aliases, and parse; an `OptionError` for an unknown option gives the nearest."""
        known = frozenset(name for parameter in self.get_params(ctx) for name in (*parameter.opts, *parameter.secondary_opts))
        if not ctx.resilient_parsing:
            positional = any(parameter.param_type_name == "argument" for parameter in self.params)
            args = aliases.respelled(args, known, positional=positional, report=note)
            args = aliases.with_pairs(args, PAIRS & known)
        try:
            rest: list[str] = super().parse_args(ctx, args)
        except Exception as error:
            name = getattr(error, "option_name", None)  # of a usage error, whatever its class
            if name is None or name in known:
                raise
            raise aliases.unknown(name, known, command=self.name or "") from None
        return rest

    def get_help(self, ctx: Any) -> str:
        """The help, in colour on a terminal."""
        from yolodsc.cli.help import command_help

        return command_help(self, ctx)
