"""Commands made from the table of operations: their words, arguments, options, help and conversion."""

import enum
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Union, get_args, get_origin

import click
import msgspec

from mainspring.cli.global_options import session_of, with_globals
from mainspring.kernel.codec import convert
from mainspring.kernel.errors import Invalid
from mainspring.operations.operation import Operation
from mainspring.operations.table import OPERATIONS


def derived_groups() -> dict[str, dict[str, Operation]]:
    """Operations by first and second word; a command of one word has "" as its second."""
    found: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        if operation.command:
            group, verb, _ = words_of(operation)
            found.setdefault(group, {})[verb] = operation
    return found


def words_of(operation: Operation) -> tuple[str, str, list[str]]:
    """The group, the verb within it and the fields given by position."""
    words = operation.command.split()
    fields = {each.name for each in msgspec.structs.fields(operation.request)}
    if len(words) > 1 and words[1] not in fields:
        return words[0], words[1], words[2:]
    if len(words) > 1 and len([word for word in words if word == words[1]]) > 1:
        # `run show run`, `model alias model alias number`: a verb that is also the name of a field.
        return words[0], words[1], words[2:]
    return words[0], "", words[1:]


def command_of(operation: Operation, name: str) -> click.Command:
    """The click command that asks for one operation and prints its result."""
    _, _, positional = words_of(operation)
    fields = {each.name: each for each in msgspec.structs.fields(operation.request)}
    parameters: list[click.Parameter] = [_argument(fields[each]) for each in positional]
    parameters += [
        option
        for each in fields.values()
        if each.name not in positional and (option := _option(each)) is not None
    ]
    return with_globals(
        click.Command(
            name,
            callback=click.pass_context(_runner(operation)),
            params=parameters,
            help=_help(operation),
            short_help=operation.summary,
        )
    )


def _runner(operation: Operation) -> Callable[..., None]:
    def run(context: click.Context, /, **given: Any) -> None:
        session = session_of(context)
        values = {
            name: _value(name, value)
            for name, value in given.items()
            if value is not None and value != ()
        }
        what = f"mainspring {operation.command.split()[0]}"
        request = convert(values, operation.request, what=what, strict=False)
        with session.client() as client:
            session.show(client.call(request))

    return run


def _value(name: str, value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    if value and isinstance(value[0], str) and value[0].startswith("\0pair\0"):
        return dict(_pair(name, each.removeprefix("\0pair\0")) for each in value)
    return list(value)


def _pair(name: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise Invalid(f"--{name} {text!r} is not KEY=VALUE")
    return key, value


def _argument(each: msgspec.structs.FieldInfo) -> click.Argument:
    return click.Argument([each.name], type=_click_type(each.type), metavar=each.name.upper())


def _option(each: msgspec.structs.FieldInfo) -> click.Option | None:
    flag = "--" + each.name.replace("_", "-")
    plain = _plain(each.type)
    if plain is bool:
        return click.Option([f"{flag}/--no-{flag[2:]}"], default=None, help=_default(each))
    if get_origin(plain) is dict:
        return click.Option(
            [flag], multiple=True, type=_Pair(), metavar="KEY=VALUE", help=_default(each)
        )
    if get_origin(plain) in (tuple, list):
        element = _plain(get_args(plain)[0])
        if element not in (str, int, float):
            return None  # evidence that programs attach; nobody types it
        return click.Option([flag], multiple=True, type=element)
    return click.Option(
        [flag], type=_click_type(each.type), required=each.required, help=_default(each)
    )


class _Pair(click.ParamType[str]):
    """KEY=VALUE, marked so that `_value` knows a mapping from a list."""

    name = "pair"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if "=" not in value:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        return f"\0pair\0{value}"


def _plain(type_: Any) -> Any:
    """A field's type without `Annotated`, `NewType` and `| None`."""
    if get_origin(type_) is Annotated:
        return _plain(get_args(type_)[0])
    if isinstance(type_, typing.NewType):
        return _plain(type_.__supertype__)
    if get_origin(type_) in (Union, types.UnionType):
        left = [each for each in get_args(type_) if each is not type(None)]
        return _plain(left[0]) if len(left) == 1 else str
    return type_


def _click_type(type_: Any) -> click.ParamType[Any]:
    plain = _plain(type_)
    if plain is int:
        return click.INT
    if plain is float:
        return click.FLOAT
    if isinstance(plain, type) and issubclass(plain, enum.Enum):
        return click.Choice([member.value for member in plain])
    return click.STRING


def _default(each: msgspec.structs.FieldInfo) -> str | None:
    if each.default in (msgspec.NODEFAULT, None, ""):
        return None
    return f"[default: {'yes' if each.default is True else 'no' if each.default is False else each.default}]"


def _help(operation: Operation) -> str:
    lines = (operation.request.__doc__ or "").strip().splitlines()
    return "\n".join(line.strip() for line in lines)
