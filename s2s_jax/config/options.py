"""Options, each declared once: its default, its range, and what it means.

The checks at construction, the flags of the command lines and the settings of the prompt all come
from the declaration.
"""

import dataclasses
import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, Self, get_args

from s2s_jax.errors import UserError, quote_options

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


class Option(NamedTuple):
    """What is known of a field apart from its name, type and default."""

    help: str = ""
    """Empty for what a run works out itself: neither a flag nor a recipe can set it."""
    metavar: str | None = None
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    choices: Collection[str] = ()
    alias: str = ""
    """Another flag for it."""
    most_values: int = 1
    """Above 1, a list of up to that many values is allowed as well; a tuple once it is checked."""


def limits(**about: Any) -> dict[str, Option]:
    """The metadata of a field of a `Config`; `about` are the fields of an `Option`."""
    return {"option": Option(**about)}


def option(default: Any, **about: Any) -> Any:
    """A field of a `Config` with a default; `about` are the fields of an `Option`."""
    return dataclasses.field(default=default, metadata=limits(**about))


@dataclasses.dataclass(frozen=True)
class Config:
    """Checks at construction and conversion to and from JSON, from the declared options."""

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        self.check(values)
        for name, value in values.items():
            if isinstance(value, (list, tuple)):
                object.__setattr__(self, name, value[0] if len(value) == 1 else tuple(value))

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> None:
        """Checks the values of some fields, each by itself.

        Raises:
          UserError: for a value of another type or outside the declared range.
        """
        for field in dataclasses.fields(cls):
            if field.name in values:
                _check(field, values[field.name])

    @classmethod
    def options(cls) -> dict[str, tuple[dataclasses.Field, Option]]:
        """The fields that a user can set, by name, as they are declared."""
        fields = {field.name: (field, _option(field)) for field in dataclasses.fields(cls)}
        return {name: (field, about) for name, (field, about) in fields.items() if about.help}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`, for files of this and of earlier versions.

        Raises:
          UserError: for a key that is unknown or missing, and for an invalid value.
        """
        if not isinstance(values, Mapping):
            raise UserError(f"{cls.__name__} must be an object, not {values!r}.")
        fields = {field.name: field for field in dataclasses.fields(cls)}
        refuse_unknown(values, fields, f"{cls.__name__} (written by a newer version of s2s_jax?)")
        read = {}
        for name, field in fields.items():
            value = values.get(name, field.default)
            if value is dataclasses.MISSING:
                raise UserError(f"{cls.__name__} needs {name}, which is missing.")
            kind = kind_of(field)
            is_section = issubclass(kind, Config) and name in values
            read[name] = kind.from_dict(values[name]) if is_section else value
        try:
            return cls(**read)
        except UserError as error:
            raise UserError(quote_options(str(error))) from None


def refuse_unknown(keys: Iterable[str], known: Collection[str], where: str) -> None:
    """Raises `UserError` for a key that is not known, with the nearest one that is."""
    for key in keys:
        if key not in known:
            raise UserError(f"unknown key {key} in {where}; the nearest is {nearest(key, known)}.")


def nearest(name: str, known: Collection[str]) -> str:
    """The known name that one mistyped most likely means."""
    return difflib.get_close_matches(name, known, 1, cutoff=0)[0]


def _option(field: dataclasses.Field) -> Option:
    return field.metadata.get("option", Option())


def kind_of(field: dataclasses.Field) -> type:
    """The type of one value of a field."""
    kind = get_args(field.type)[0] if _option(field).most_values > 1 else field.type
    assert isinstance(kind, type), "annotations must not be imported from __future__"
    return kind


def _check(field: dataclasses.Field, value: Any) -> None:
    about, kind = _option(field), kind_of(field)
    fits = isinstance(value, (int, float) if kind is float else kind)
    fits = fits and (kind is bool or not isinstance(value, bool))
    # Compared, not `isfinite`, which fails for whole numbers beyond what a float holds.
    fits = fits and (kind is not float or -math.inf < value < math.inf)
    wanted = _KINDS.get(kind, kind.__name__)
    if about.choices:
        wanted = "one of " + ", ".join(filter(None, about.choices))
        fits = fits and value in about.choices
    if about.least is not None:
        wanted += f" of at least {about.least}"
        fits = fits and value >= about.least
    if about.above is not None:
        wanted += f" above {about.above}"
        fits = fits and value > about.above
    if fits and about.most is not None and value > about.most:
        wanted, fits = f"at most {about.most}", False
    if fits and about.below is not None and value >= about.below:
        wanted, fits = f"below {about.below}", False
    if about.most_values > 1:
        wanted += f", or a list of up to {about.most_values}"
        if isinstance(value, (list, tuple)):
            fits = 0 < len(value) <= about.most_values and all(isinstance(v, kind) for v in value)
    if not fits:
        raise UserError(f"`{field.name}` must be {wanted}, not {value!r}.")
