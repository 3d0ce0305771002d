"""Reads the text of a campaign file into plain Python data: mappings, lists, texts, numbers, booleans and null.

YAML's nodes are turned into data here and not by a YAML constructor. So no tag can make an object, no key can be given
twice, and scalars follow YAML 1.2: ``no`` is a text, ``1e4`` a number, ``1:30`` not a number of minutes.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from .errors import CampaignError, Location, dotted, shown

MAXIMUM_BYTES = 1_000_000
MAXIMUM_NODES = 20_000
"""Aliases may multiply values; this many are read."""
MAXIMUM_DEPTH = 20
INTEGER_DIGITS = 300
"""Longer integers do not even fit a float."""

_TAG = "tag:yaml.org,2002:"
_SCALARS = {
    "null": re.compile(r"^(?:~|null|Null|NULL|)$"),
    "bool": re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    "int": re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"),
    # A point or an exponent is needed, so that `010`, which is 8 to some and 10 to others, stays a text.
    "float": re.compile(r"^[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"),
}

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""The null character, which PostgreSQL refuses in a text, and halves of surrogate pairs, which are no text."""


class _Loader(yaml.SafeLoader):
    """Only its composer is used; scalars resolve by ``_SCALARS``."""

    yaml_implicit_resolvers: dict[str | None, list[Any]] = {}  # noqa: RUF012  (PyYAML's own convention)


for _name, _pattern in _SCALARS.items():
    _Loader.add_implicit_resolver(_TAG + _name, _pattern, None)


def read_source(path: Path) -> Any:
    """Plain data of the YAML file at ``path``.

    :raises CampaignError: if it cannot be read, is not YAML, or holds tags or duplicate keys.
    """
    file = str(path)
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAXIMUM_BYTES else b""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CampaignError(file, "top level", f"cannot be read ({reason})", "give the path of a file") from error
    if size > MAXIMUM_BYTES:
        raise CampaignError(file, "top level", f"has {size} bytes", f"a campaign file has at most {MAXIMUM_BYTES}")
    return parse_source(content, file)


def parse_source(content: bytes | str, file: str) -> Any:
    """Plain data of YAML text; ``file`` is for messages.

    :raises CampaignError: as :func:`read_source`.
    """
    try:
        node = yaml.compose(content, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "top level"
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise CampaignError(file, where, f"is not YAML ({what})", "mend the syntax there") from error
    except RecursionError as error:
        raise CampaignError(file, "top level", "is nested too deeply", "write it flat") from error
    return None if node is None else _Reader(file).value(node, ())


def check_plain(data: Any, file: str) -> None:
    """Refuse what a campaign file could not hold: other types, keys that are not texts, endless or huge values.

    :raises CampaignError: that names the field.
    """
    _Walker(file).check(data, ())


class _Budget:
    """Counts values, so that recursive or multiplying aliases come to an end."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.left = MAXIMUM_NODES

    def spend(self, location: Location) -> None:
        self.left -= 1
        if self.left < 0 or len(location) > MAXIMUM_DEPTH:
            # The path of a runaway alias is as long as it is useless.
            raise self.error(location[:4], "is nested too deeply or repeated too often", "write it flat")

    def error(self, location: Location, problem: str, remedy: str) -> CampaignError:
        return CampaignError(self.file, dotted(location), problem, remedy)


class _Reader(_Budget):
    """Turns YAML nodes into data."""

    def value(self, node: yaml.Node, location: Location) -> Any:
        self.spend(location)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(item, (*location, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, location)
        raise self._tag(node, location)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in (_TAG + "str", _TAG + "int"):
                line = key_node.start_mark.line + 1
                raise self.error(location, f"the key in line {line} is not a text", "put the key in quotes")
            # Whole numbers are texts as keys: `2024:` is a fine name.
            key = str(key_node.value)
            if key in result:
                line = key_node.start_mark.line + 1
                raise self.error((*location, key), f"is given twice (again in line {line})", "keep one of the two")
            result[key] = self.value(value_node, (*location, key))
        return result

    def _scalar(self, node: yaml.ScalarNode, location: Location) -> Any:
        kind = node.tag.removeprefix(_TAG)
        text = str(node.value)
        if kind == "str":
            return text
        if kind not in _SCALARS:
            raise self._tag(node, location)
        if not _SCALARS[kind].match(text):
            raise self.error(location, f"{shown(text)} does not fit its tag !!{kind}", "remove the tag")
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "float":
            return float(text)
        if len(text) > INTEGER_DIGITS:
            raise self.error(location, f"is a number of {len(text)} digits", "write a number of common size")
        return int(text)

    def _tag(self, node: yaml.Node, location: Location) -> CampaignError:
        tag = node.tag.replace(_TAG, "!!")
        return self.error(location, f"the YAML tag {tag} is not allowed", "write plain texts, numbers, lists, mappings")


class _Walker(_Budget):
    """Checks data that exist already."""

    def check(self, value: Any, location: Location) -> None:
        self.spend(location)
        if type(value) is str:
            self._text(value, location)
        elif type(value) is dict:
            for key, item in value.items():
                if type(key) is not str:
                    raise self.error(location, f"the key {shown(key)} is not a text", "put the key in quotes")
                self._text(key, location)
                self.check(item, (*location, key))
        elif type(value) is list:
            for index, item in enumerate(value):
                self.check(item, (*location, index))
        elif type(value) is float and not math.isfinite(value):
            raise self.error(location, f"{value} is not a finite number", "write a finite number")
        elif type(value) is int and abs(value) >= 10**INTEGER_DIGITS:
            raise self.error(location, "is a number of too many digits", "write a number of common size")
        elif type(value) not in (str, int, float, bool, type(None)):
            raise self.error(
                location, f"a {type(value).__name__} is not allowed", "write a text, number, list or mapping"
            )

    def _text(self, text: str, location: Location) -> None:
        """Refuse what a database cannot hold: it would say so when some of a campaign's nodes are stored already."""
        found = _UNSTORABLE.search(text)
        if found is not None:
            problem = f"{shown(text)} holds the character U+{ord(found.group()):04X}"
            raise self.error(location, problem, "remove it, for no database can store it")
