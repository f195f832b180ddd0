"""From what a user gives to all parameters of a chapter, and a field's range in words."""

from collections.abc import Mapping
from typing import Annotated, Literal, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from book.parameters import ChapterParameters, FaceSets, ListOf, Percentages
from book.profiles import PROFILES, profile_values
from fer_lib.names import Profile
from ferbook.errors import ParameterError, nearest_name


def allowed_values(field: FieldInfo) -> str:
    """A field's range in words, as error messages and ``ferbook params`` show it."""
    if get_origin(field.annotation) is Literal:
        return " | ".join(str(value) for value in get_args(field.annotation))
    if field.annotation is bool:
        return "true | false"
    if field.annotation is str and not field.metadata:
        return "any text"
    low, high, step = "", "", ""
    for limit in field.metadata:
        if isinstance(getattr(limit, "func", None), ListOf | Percentages | FaceSets):
            return limit.func.allowed
        if getattr(limit, "ge", None) is not None:
            low = f"≥ {limit.ge:g}"
        elif getattr(limit, "gt", None) is not None:
            low = f"> {limit.gt:g}"
        elif getattr(limit, "le", None) is not None:
            high = f"≤ {limit.le:g}"
        elif getattr(limit, "lt", None) is not None:
            high = f"< {limit.lt:.0f}" if field.annotation is int else f"< {limit.lt:g}"
        elif getattr(limit, "multiple_of", None) is not None:
            step = f"a multiple of {limit.multiple_of}"
    return ", ".join(part for part in (low, high, step) if part)


def type_name(field: FieldInfo) -> str:
    """A field's type in one word: ``int``, ``float``, ``bool`` or ``choice``."""
    return "choice" if get_origin(field.annotation) is Literal else field.annotation.__name__


def parse_value(chapter: str, model: type[ChapterParameters], name: str, value: object) -> object:
    """``value`` as the type of field ``name``. Text is parsed; any other value must have the type already.

    Raises ParameterError naming the field, what was given and what is allowed.
    """
    if name not in model.model_fields:
        raise ParameterError(
            f"{chapter} has no parameter {name!r}{nearest_name(name, model.model_fields)}; "
            f"`ferbook params {chapter}` lists them"
        )
    field = model.model_fields[name]
    adapter = TypeAdapter(
        Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    )
    try:
        return adapter.validate_python(value, strict=not isinstance(value, str))
    except ValidationError as fault:
        raise ParameterError(
            f"{chapter}.{name} = {value!r} is not allowed: it must be {type_name(field)}, "
            f"{allowed_values(field)}"
        ) from fault


def resolve(
    chapter: str,
    model: type[ChapterParameters],
    profile: Profile = "laptop",
    overrides: Mapping[str, object] | None = None,
) -> ChapterParameters:
    """All parameters of a chapter: the model's defaults, then the profile, then ``overrides``.

    Raises ParameterError for an unknown profile or name, a wrong type or an impossible value.
    """
    if profile not in PROFILES:
        raise ParameterError(
            f"no profile {profile!r}{nearest_name(profile, PROFILES)}; the profiles are {', '.join(PROFILES)}"
        )
    given = {name: parse_value(chapter, model, name, value) for name, value in (overrides or {}).items()}
    faces = given.get("faces", model.model_fields["faces"].default)
    return model(**profile_values(chapter, profile, faces) | given)


def parameter_rows(chapter: str, model: type[ChapterParameters]) -> list[dict[str, object]]:
    """One row per field: name, type, the default in each profile, range and meaning."""
    defaults = {profile: resolve(chapter, model, profile) for profile in PROFILES}
    return [
        {
            "parameter": name,
            "type": type_name(field),
            **{profile: getattr(values, name) for profile, values in defaults.items()},
            "range": allowed_values(field),
            "meaning": field.description or "",
        }
        for name, field in model.model_fields.items()
    ]
