"""Request bodies: every field refuses values of another JSON type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from api.domains import DOMAINS
from api.kernel.schemas import Edit, Schema, required

if TYPE_CHECKING:
    from collections.abc import Iterator

# one value of each type of JSON, and texts and numbers that a lax reader takes for a value of another type
VALUES: tuple[tuple[str, Any], ...] = (
    ("integer", 1), ("integer", 1_700_000_000), ("number", 1.0), ("boolean", True), ("string", "1"), ("string", "true"),
    ("string", "1700000000"), ("array", []), ("object", {}), ("null", None),
)  # fmt: skip
FORMATS = {"date", "date-time", "uuid"}


def bodies(kind: type[Schema] = Schema) -> Iterator[type[Schema]]:
    assert DOMAINS, "importing the domains defines all bodies"
    for each in kind.__subclasses__():
        yield from bodies(each)
        if each.__module__.startswith("api.") and each is not Edit:
            yield each


def types_of(schema: dict[str, Any], definitions: dict[str, Any]) -> set[str]:
    """The JSON types of a field; a text with a format has the type of its format."""
    if "$ref" in schema:
        return types_of(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return set().union(*(types_of(each, definitions) for each in schema["anyOf"]))
    found = schema.get("format") if schema.get("format") in FORMATS else schema.get("type", "string")
    return {str(found)}


def wrong_values(body: type[Schema]) -> Iterator[tuple[str, object]]:
    """The fields of a body, each with every value of another type."""
    document = body.model_json_schema()
    for name, schema in document["properties"].items():
        types = types_of(schema, document.get("$defs", {}))
        for kind, value in VALUES:
            if kind not in types and not (kind == "integer" and "number" in types):  # each integer is a number
                yield name, value


@pytest.mark.parametrize("body", list(bodies()), ids=lambda body: body.__name__)
def test_values_of_another_type_are_refused(body: type[Schema]) -> None:
    accepted = []
    for field, value in wrong_values(body):
        try:
            body.model_validate({field: value})
        except ValidationError as refused:
            if field in {error["loc"][0] for error in refused.errors()}:
                continue
        accepted.append((field, value))
    assert accepted == []


class TestEdit:
    def test_knows_which_fields_are_given(self) -> None:
        class Probe(Edit):
            name: str = required()
            note: str | None = None

        assert Probe.model_validate({}).changes == {}
        assert Probe.model_validate({"note": None, "name": "a"}).changes == {"note": None, "name": "a"}
        with pytest.raises(ValidationError, match="name"):
            Probe.model_validate({"name": None})
        assert "default" not in Probe.model_json_schema()["properties"]["name"]
