"""A pickle's content as plain data: its opcodes are read, and nothing that it names is imported, called or built.

Unpickling may run any code, and restoring NumPy arrays by NumPy lets a file choose how memory is interpreted; so where
a pickle calls something, this keeps what was to be called, with its arguments, as a `Call`. The opcodes are those of
Python's pickletools.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.common.errors import InvalidImage


@dataclass
class Call:
    """What was to be called (module and name), with what, and the state that the result was to be given."""

    function: str
    arguments: tuple[Any, ...]
    state: Any = None


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = (
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
)
_NEW: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple, "EMPTY_SET": list}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_SKIPPED = ("PROTO", "FRAME", "STOP")


def read_pickle(data: bytes) -> Any:
    """What a pickle of protocol 2 or later holds: dicts, lists, tuples, text, bytes and numbers; a `Call` for all else.

    Sets come as lists. Raises InvalidImage for damage and for opcodes that no saved array needs.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            machine.step(opcode.name, argument)
        return machine.stack[-1]
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise InvalidImage(f"expected an intact file of Python objects; got one that is damaged ({error})") from error


class _Machine:
    """The stack machine that pickles are written for, less all that runs code."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _NEW:
            self.stack.append(_NEW[name]())
        elif name in _TUPLES:
            self.stack.append(tuple(self._pop(_TUPLES[name])))
        elif name not in _SKIPPED:
            self._act(name.lower(), argument)

    def _act(self, name: str, argument: Any) -> None:
        action = getattr(self, f"_do_{name}", None)
        if action is None:
            raise ValueError(f"opcode {name}")
        action(argument)

    def _pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise IndexError("values missing")
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def _since_mark(self) -> list[Any]:
        return self._pop(len(self.stack) - self._marks.pop())

    def _do_mark(self, _: Any) -> None:
        self._marks.append(len(self.stack))

    def _do_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _do_append(self, _: Any) -> None:
        [value] = self._pop(1)
        self.stack[-1].append(value)

    def _do_appends(self, _: Any) -> None:
        values = self._since_mark()
        self.stack[-1].extend(values)

    _do_additems = _do_appends

    def _do_setitem(self, _: Any) -> None:
        key, value = self._pop(2)
        self.stack[-1][key] = value

    def _do_setitems(self, _: Any) -> None:
        values = self._since_mark()
        self.stack[-1].update(zip(values[::2], values[1::2], strict=True))

    def _do_memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def _do_binput(self, place: int) -> None:
        self._memo[place] = self.stack[-1]

    def _do_binget(self, place: int) -> None:
        self.stack.append(self._memo[place])

    _do_long_binput, _do_long_binget = _do_binput, _do_binget

    def _do_global(self, name: str) -> None:
        self.stack.append(Call(name.replace(" ", "."), ()))

    def _do_stack_global(self, _: Any) -> None:
        self.stack.append(Call(".".join(self._pop(2)), ()))

    def _do_reduce(self, _: Any) -> None:
        called, arguments = self._pop(2)
        self.stack.append(Call(called.function, tuple(arguments)))

    _do_newobj = _do_reduce

    def _do_build(self, _: Any) -> None:
        [state] = self._pop(1)
        self.stack[-1].state = state
