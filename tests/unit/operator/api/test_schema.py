"""The model accepts exactly what the generated schema accepts."""

from collections.abc import Callable
from typing import Any, cast

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from taskfleet_operator.api.generate.crd import custom_resource_definition, task_queue_schema
from taskfleet_operator.api.spec import TaskQueueSpec

Schema = dict[str, Any]
SPEC: Schema = task_queue_schema()["properties"]["spec"]
BETWEEN_FIELDS = {"rule", "twice"}
"""Faults that CEL or the list type tells, not the plain schema."""

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(-1, 1),
    st.sampled_from(["", "4", "Auto", "x" * 64, "Ä"]),
    st.just([]),
    st.just({}),
    st.just([None]),
)


def values_of(node: Schema) -> st.SearchStrategy[Any]:
    """Mostly what a schema allows, its edges included; now and then what lies just beyond them, or junk."""

    def chosen(dice: int) -> st.SearchStrategy[Any]:
        return JUNK if dice == 0 else beyond(node) if dice == 1 else allowed_by(node)

    return st.integers(0, 59).flatmap(chosen)


def allowed_by(node: Schema) -> st.SearchStrategy[Any]:
    if "enum" in node:
        return st.sampled_from(node["enum"])
    match node["type"]:
        case "integer":
            return st.one_of(
                st.sampled_from([node["minimum"], node["maximum"], float(node["minimum"])]), st.integers(node["minimum"], node["maximum"])
            )
        case "number":
            return st.one_of(st.sampled_from([node["minimum"], node["maximum"]]), st.floats(node["minimum"], node["maximum"]))
        case "string":
            return st.sampled_from(["a", "a.b-c", "a1", "a" * node["maxLength"]])
        case "array":
            return st.lists(values_of(node["items"]), max_size=4)
        case _:
            return objects_of(node)


def beyond(node: Schema) -> st.SearchStrategy[Any]:
    """What the schema refuses by a hair."""
    if "enum" in node:
        return st.sampled_from(node["enum"]).map(str.lower)
    match node["type"]:
        case "integer" | "number":
            return st.sampled_from([node["minimum"] - 1, node["maximum"] + 1, node["minimum"] + 0.5, str(node["minimum"])])
        case "string":
            return st.one_of(st.sampled_from(["", "-a", "a b", "A", "a" * (node["maxLength"] + 1)]), st.text(max_size=5))
        case "array":
            return st.lists(allowed_by(node["items"]), min_size=node["maxItems"] + 1, max_size=node["maxItems"] + 1)
        case _:
            return st.just({"unknown": 1})


def objects_of(node: Schema, *, most: int = 4) -> st.SearchStrategy[Any]:
    """Objects with at most so many of the fields that may be left out, good and bad ones."""
    properties = {name: values_of(child) for name, child in node.get("properties", {}).items()}
    required = {name: properties.pop(name) for name in node.get("required", ())}
    some = st.sets(st.sampled_from(sorted(properties)), max_size=most) if properties else st.just(set())
    return some.flatmap(lambda names: st.fixed_dictionaries({**required, **{name: properties[name] for name in sorted(names)}}))


def schema_accepts(spec: object) -> bool:
    def matches(_validator: object, pattern: str, instance: object, _schema: object) -> Any:
        # The API server's regular expressions end at the end of the text, Python's `$` also before a last line feed.
        if isinstance(instance, str) and (not jsonschema.Draft202012Validator({"pattern": pattern}).is_valid(instance) or "\n" in instance):
            yield jsonschema.ValidationError("pattern")

    extend = cast("Callable[..., type[jsonschema.Draft202012Validator]]", jsonschema.validators.extend)
    return extend(jsonschema.Draft202012Validator, {"pattern": matches})(SPEC).is_valid(spec)


def model_accepts(spec: object) -> bool:
    try:
        TaskQueueSpec.model_validate(spec)
    except ValidationError as error:
        return all(fault["type"] in BETWEEN_FIELDS for fault in error.errors())
    return True


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(values_of(SPEC))
def test_model_accepts_exactly_what_the_schema_accepts(spec: object) -> None:
    assert model_accepts(spec) == schema_accepts(spec)


def nodes_of(node: Schema, path: str = "") -> list[tuple[str, Schema]]:
    found = [(path, node)]
    for name, child in node.get("properties", {}).items():
        found += nodes_of(child, f"{path}.{name}")
    return found + (nodes_of(node["items"], f"{path}[]") if "items" in node else [])


def test_every_field_explains_itself() -> None:
    silent = [
        path for path, node in nodes_of(task_queue_schema()) if "description" not in node and not path.endswith(("[]", ".metadata", ""))
    ]

    assert silent == []


def test_every_text_list_and_number_of_the_spec_is_bounded() -> None:
    bounds = {"string": "maxLength", "array": "maxItems", "integer": "maximum", "number": "maximum"}
    unbounded = [
        path for path, node in nodes_of(SPEC) if node["type"] in bounds and "enum" not in node and bounds[node["type"]] not in node
    ]

    assert unbounded == []


def test_objects_default_to_empty_only_where_every_child_is_optional() -> None:
    wrong = [path for path, node in nodes_of(SPEC) if node.get("default") == {} and node.get("required")]

    assert wrong == []


def test_schema_holds_nothing_the_api_server_refuses() -> None:
    refused = {"$ref", "anyOf", "oneOf", "title", "exclusiveMinimum", "exclusiveMaximum", "const", "prefixItems", "uniqueItems"}
    found = [path for path, node in nodes_of(task_queue_schema()) if refused & set(node)]

    assert found == []


def test_printer_columns_read_like_a_status_line() -> None:
    columns = custom_resource_definition()["spec"]["versions"][0]["additionalPrinterColumns"]

    always = [column["name"].upper() for column in columns if "priority" not in column]
    assert always == ["READY", "ACTIVE", "REPLICAS", "DESIRED", "MAX", "BACKLOG", "OLDEST", "AGE"]
    assert [column["name"].upper() for column in columns if "priority" in column] == ["REASON", "FAILED%", "RATE", "QUEUE"]
