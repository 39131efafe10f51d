"""YAML from callers who are not trusted: plain values only, small, flat, no aliases."""

from __future__ import annotations

import yaml

from services.common.errors import InvalidSchema

MAX_CHARACTERS = 64 * 1024
MAX_DEPTH = 8


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader, less what it still lets through: aliases, endless nesting, a key twice."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # stubs lack it
        at = f"line {event.start_mark.line + 1}"
        # Anchors and aliases make ten lines mean a billion values.
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise InvalidSchema(f"expected YAML without anchors and aliases; got one at {at}: write the value out")
        if getattr(event, "tag", None) is not None:
            raise InvalidSchema(f"expected YAML without tags; got {event.tag!r:.80} at {at}")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise InvalidSchema(f"expected YAML nested at most {MAX_DEPTH} deep; got more at {at}")
        node = super().compose_node(parent, index)
        self.depth -= 1
        _refuse_repeated_keys(node)
        return node


def _refuse_repeated_keys(node: yaml.Node | None) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, _ in node.value:
        at = f"line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise InvalidSchema(f"expected keys that are text; got a list or mapping as a key at {at}")
        if key.value in seen:
            raise InvalidSchema(f"expected every key once; got {key.value!r:.80} again at {at}")
        seen.add(key.value)


def load_plain(text: str) -> object:
    """The value that the YAML text describes: mappings, lists, text, numbers, true and false, null, dates.

    Raises InvalidSchema for more than 64 Ki characters, anchors, aliases, tags, nesting beyond 8, a key given twice, or
    what is not YAML.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidSchema(f"expected at most {MAX_CHARACTERS} characters of YAML; got {len(text)}")
    loader = None
    try:
        loader = _PlainLoader(text)
        return loader.get_single_data()
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-99, a number of 5000 digits
        raise InvalidSchema(f"expected YAML; {_said(error)}") from error
    finally:
        if loader is not None:
            loader.dispose()


def _said(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "got a value that cannot be read"
    return f"{problem}{where}"[:200]
