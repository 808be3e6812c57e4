"""Types and defaults of parameters that share a description: griffe gives all of them the type of the first."""

from typing import Any

import griffe

PARSER = griffe.Parser.numpy


class ParameterTypes(griffe.Extension):
    """Corrects the parsed docstrings of a package once it is loaded."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Visit every function and class."""
        _correct(pkg)


def _correct(owner: griffe.Module | griffe.Class) -> None:
    for member in owner.members.values():
        if member.is_alias:
            continue
        if isinstance(member, griffe.Function | griffe.Class) and member.docstring is not None:
            member.docstring.parser = PARSER
            member.docstring.parser_options = {"ignore_init_summary": True}
            _correct_sections(member.docstring.parsed, member.parameters)
        if isinstance(member, griffe.Module | griffe.Class):
            _correct(member)


def _correct_sections(sections: list[griffe.DocstringSection], parameters: griffe.Parameters) -> None:
    """Take types and defaults from the signature; types that the docstring gives, such as shapes, stay."""
    for section in sections:
        if section.kind is not griffe.DocstringSectionKind.parameters:
            continue
        for described in section.value:
            if described.name in parameters and not isinstance(described.annotation, str):
                declared = parameters[described.name]
                described.annotation, described.value = declared.annotation, declared.default
