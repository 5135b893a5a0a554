"""A digest of the code that a result rests on, so that a stored result knows when its code has changed.

Followed are all names a function uses, through every module of lltd, definition by definition. What counts is
the syntax tree without docstrings: comments and layout do not matter, and no more does the declaration of an
experiment, whose recipe every result holds. For a kernel, its C++ face counts too, with the headers it includes and
without comments.
"""

import ast
import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lltd.kernels import native

PACKAGE = __package__


class Definition(NamedTuple):
    """A name that a module defines at its top level."""

    module: str
    name: str


def code_digest(function: Callable) -> str:
    """sha256 over the syntax of every definition in lltd that the function reaches, itself included."""
    total = hashlib.sha256()
    for line in sorted(_described(item) for item in reached(function)):
        total.update(line.encode())
    return total.hexdigest()


def reached(function: Callable) -> set[Definition]:
    """All top-level definitions of lltd that a function's code mentions, directly or through others."""
    todo = [Definition(function.__module__, function.__name__)]
    seen: set[Definition] = set()
    while todo:
        item = todo.pop()
        if item not in seen:
            seen.add(item)
            todo.extend(_mentioned(item))
    return seen


def _mentioned(item: Definition) -> Iterator[Definition]:
    defined, imported = _module(item.module)
    for part in ast.walk(defined.get(item.name) or ast.Module([], [])):
        match part:
            case ast.Attribute(value=ast.Name(id=alias), attr=name) if isinstance(imported.get(alias), str):
                yield from _resolved(Definition(imported[alias], name))
            case ast.Name(id=name) if name in defined:
                yield Definition(item.module, name)
            case ast.Name(id=name) if isinstance(imported.get(name), Definition):
                yield from _resolved(imported[name])


def _resolved(item: Definition) -> Iterator[Definition]:
    """A definition where it really stands: a package may only pass on a name."""
    defined, imported = _module(item.module)
    if item.name in defined:
        yield item
    elif isinstance(imported.get(item.name), Definition):
        yield from _resolved(imported[item.name])


@cache
def _module(name: str) -> tuple[dict[str, ast.AST], dict[str, Definition | str]]:
    """What a module defines (name → syntax) and what it imports from lltd (name → definition or module)."""
    tree = ast.parse(_path(name).read_text())
    defined: dict[str, ast.AST] = {}
    imported: dict[str, Definition | str] = {}
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=title) | ast.ClassDef(name=title):
                node.decorator_list = [part for part in node.decorator_list if not _is_recipe(part)]
                defined[title] = node
            case ast.Assign(targets=targets):
                for target in targets:
                    defined |= {part.id: node for part in ast.walk(target) if isinstance(part, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=title)):
                defined[title] = node
            case ast.ImportFrom(module=source) if (source or "").split(".")[0] == PACKAGE:
                for alias in node.names:
                    whole = f"{source}.{alias.name}"
                    known = importlib.util.find_spec(whole) if _is_package(source) else None
                    imported[alias.asname or alias.name] = whole if known else Definition(source, alias.name)
    return defined, imported


def _described(item: Definition) -> str:
    defined, _ = _module(item.module)
    text = f"{item.module} {item.name} {_tree(defined.get(item.name))}\n"
    face = _path(item.module).with_name("cpu.cpp")
    for file in native.sources(face) if face.exists() else ():
        text += re.sub(r"\s+", " ", re.sub(r"//[^\n]*|/\*.*?\*/", "", file.read_text(), flags=re.S))
    return text


def _tree(node: object) -> str:
    """A syntax tree as text, without docstrings, positions and empty fields; alike in all Python versions."""
    if isinstance(node, list):
        return "[" + " ".join(map(_tree, node)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    inner = (f"{key}={_tree(value)}" for key, value in fields.items() if value not in (None, []))
    return f"({type(node).__name__} {' '.join(inner)})"


def _is_recipe(decorator: ast.expr) -> bool:
    """Whether it declares an experiment: what it is given makes the recipe, which is in every result's address."""
    return isinstance(decorator, ast.Call) and getattr(decorator.func, "id", None) == "experiment"


def _path(module: str) -> Path:
    return Path(importlib.util.find_spec(module).origin)


def _is_package(module: str) -> bool:
    return importlib.util.find_spec(module).submodule_search_locations is not None
