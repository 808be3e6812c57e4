"""Options and arguments of subcommands, declared without Typer, whose import takes as long as that of NumPy."""

from typing import Any

from yolodsc.values import Value


class Declaration(Value, kw_only=True):
    """What ``Annotated`` says about a parameter of a subcommand; the names are those of Typer's parameters.

    Attributes
    ----------
    names
        Spellings, such as ``--exif/--no-exif``; by default made of the parameter's name.
    argument
        Whether it is an argument instead of an option.
    """

    names: tuple[str, ...] = ()
    argument: bool = False
    help: str
    metavar: str | None = None
    min: float | None = None
    max: float | None = None
    show_default: str | bool = True

    def for_typer(self, title: str | None) -> Any:
        """The declaration as Typer reads it, in the section ``title`` of the help."""
        import typer

        common: dict[str, Any] = {"help": self.help, "metavar": self.metavar, "show_default": self.show_default}
        kind = typer.Argument if self.argument else typer.Option
        return kind(*self.names, **common, min=self.min, max=self.max, rich_help_panel=title)


def option(
    *names: str,
    help: str,  # noqa: A002
    metavar: str | None = None,
    min: float | None = None,  # noqa: A002
    max: float | None = None,  # noqa: A002
    show_default: str | bool = True,
) -> Declaration:
    """Declare an option; the parameters are the attributes of `Declaration`."""
    return Declaration(names=names, help=help, metavar=metavar, min=min, max=max, show_default=show_default)


def argument(*, help: str, metavar: str) -> Declaration:  # noqa: A002
    """Declare an argument; the parameters are the attributes of `Declaration`."""
    return Declaration(argument=True, help=help, metavar=metavar)
