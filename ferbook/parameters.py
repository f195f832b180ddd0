"""Typed parameters: the base of a chapter's model, from what a user gives to all values of a chapter, and a
field's range in words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args, get_origin

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from ferbook.errors import ParameterError, nearest_name

# What each profile changes on a model's defaults: profile -> field -> value. What else a key may be is the
# book's to say.
Profiles = Mapping[str | tuple[str, str], Mapping[str, object]]

SeedField = Annotated[
    int, Field(ge=0, lt=2**31, description="seed of initialisation, batches, augmentation and resampling")
]

DeviceField = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    Field(description="where networks run; auto takes a GPU if there is one"),
]


class Parameters(BaseModel, extra="forbid", frozen=True, validate_default=True):
    """The base of every chapter's model. Its defaults are the default profile's values, and its fields are
    numbers, truth values and text."""

    @classmethod
    def of_profile(cls, profiles: Profiles, profile: str, choices: Mapping[str, object]) -> dict[str, object]:
        """Return the fields that ``profile`` sets, given the user's ``choices``. A book whose profiles depend
        on what is given, such as a data set, overrides this.
        """
        return dict(profiles.get(profile, {}))

    @classmethod
    def idle(cls, values: Mapping[str, object]) -> dict[str, str]:
        """Each field that has no effect given the others of ``values``, which may have been stored by an
        earlier model, and why. A book that has such fields overrides this.
        """
        return {}

    def data_key(self) -> dict[str, str]:
        """Data that a chapter with these parameters reads -> what changes when they do; ``absent`` where they
        are not here. A book whose chapters read data overrides this.
        """
        return {}


def listed(text: str) -> list[str]:
    """Return the parts of a text, which commas separate."""
    return [name.strip() for name in text.split(",")]


@dataclass(frozen=True)
class ListOf:
    """Checks a text that lists some of ``names``, separated by commas, each at most once."""

    names: tuple[str, ...]

    def __call__(self, text: str) -> str:
        parts = listed(text)
        if not set(parts) <= set(self.names) or len(set(parts)) < len(parts):
            raise ValueError(f"not a list of {', '.join(self.names)}")
        return text

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        return f"one or more of {', '.join(self.names)}, separated by commas"


# What a JSON schema calls the limits of a number.
_LIMITS = {
    "minimum": "≥ {:.10g}",
    "exclusiveMinimum": "> {:.10g}",
    "maximum": "≤ {:.10g}",
    "exclusiveMaximum": "< {:.10g}",
    "multipleOf": "a multiple of {}",
}


def _adapter(field: FieldInfo) -> TypeAdapter:
    return TypeAdapter(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)


def allowed_values(field: FieldInfo) -> str:
    """Return a field's range in words, as error messages and ``ferbook params`` show it. A validator that has
    an attribute ``allowed`` says it itself.
    """
    if get_origin(field.annotation) is Literal:
        return " | ".join(str(value) for value in get_args(field.annotation))
    if field.annotation is bool:
        return "true | false"
    if field.annotation is str and not field.metadata:
        return "any text"
    checks = (getattr(each, "func", None) for each in field.metadata)
    if words := next((check.allowed for check in checks if hasattr(check, "allowed")), ""):
        return words
    schema = _adapter(field).json_schema()
    return ", ".join(text.format(schema[name]) for name, text in _LIMITS.items() if name in schema)


def type_name(field: FieldInfo) -> str:
    """Return a field's type in one word: ``int``, ``float``, ``bool`` or ``choice``."""
    return "choice" if get_origin(field.annotation) is Literal else field.annotation.__name__


def parse_value(chapter: str, model: type[Parameters], name: str, value: object) -> object:
    """``value`` as the type of field ``name``. Text is parsed; any other value must have the type already.

    Raises ParameterError naming the field, what was given and what is allowed.
    """
    if name not in model.model_fields:
        what = f"{chapter} has no parameter {name!r}{nearest_name(name, model.model_fields)}"
        raise ParameterError(f"{what}; `ferbook params {chapter}` lists them")
    field = model.model_fields[name]
    kind = {"choice": "one of", "int": "an int,"}.get(type_name(field), f"a {type_name(field)},")
    try:
        return _adapter(field).validate_python(value, strict=not isinstance(value, str))
    except ValidationError as fault:
        allowed = allowed_values(field)
        near = nearest_name(str(value), allowed.split(" | ")) if " | " in allowed else ""
        raise ParameterError(
            f"{chapter}.{name} = {value!r} is not allowed{near}: it must be {kind} {allowed}"
        ) from fault
