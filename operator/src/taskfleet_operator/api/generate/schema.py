"""The structural schema of a model, as the API server wants it.

pydantic's own JSON schema is nearly it. What differs: no references, no titles, no null, defaults of objects as `{}` (and only
where the object may be empty), CEL rules beside the object they hold for.
"""

import copy
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from taskfleet_operator.api.base import ApiModel

Schema = dict[str, Any]

_KEPT: Final = frozenset({"enum", "format", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "pattern", "required"})


def structural_schema(model: type[ApiModel]) -> Schema:
    """Give the structural schema of a model, complete and without references."""
    generated = model.model_json_schema(by_alias=True, mode="validation")
    definitions: Mapping[str, Schema] = generated.pop("$defs", {})
    models = _models_within(model)
    return _structural(generated, definitions=definitions, models=models)


def _structural(node: Schema, *, definitions: Mapping[str, Schema], models: Mapping[str, type[ApiModel]]) -> Schema:
    """Rewrite one node and all below it."""

    def below(child: Schema) -> Schema:
        return _structural(child, definitions=definitions, models=models)

    node = _resolved(node, definitions)
    rewritten: Schema = {}
    if "description" in node:
        rewritten["description"] = " ".join(node["description"].split())
    rewritten["type"] = node["type"]
    if (default := _default(node)) is not None:
        rewritten["default"] = default
    rewritten |= {keyword: copy.deepcopy(value) for keyword, value in node.items() if keyword in _KEPT or keyword.startswith("x-")}
    if "const" in node:
        rewritten["enum"] = [node["const"]]
    if rules := models[node["title"]].rules if node.get("title") in models else ():
        rewritten["x-kubernetes-validations"] = [{"rule": rule.cel, "message": rule.message} for rule in rules]
    if "items" in node:
        rewritten["items"] = below(node["items"])
    if "properties" in node:
        rewritten["properties"] = {name: below(child) for name, child in node["properties"].items()}
    return rewritten


def _resolved(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Replace a reference by what it names, and `X or null` by X; what the node itself says wins."""
    if "anyOf" in node:
        options = [option for option in node["anyOf"] if option.get("type") != "null"]
        (only,) = options
        node = {**only, **{keyword: value for keyword, value in node.items() if keyword != "anyOf"}}
    if "$ref" in node:
        named = definitions[node["$ref"].rsplit("/", 1)[-1]]
        own = {keyword: value for keyword, value in node.items() if keyword not in ("$ref", "title")}
        node = {**named, **own}
    return node


def _default(node: Schema) -> object:
    """Give the default the API server fills in; objects get theirs from their fields, so `{}` is enough for them."""
    default = node.get("default")
    if isinstance(default, dict):
        return None if node.get("required") else {}
    return None if default in (None, []) else default


def _models_within(model: type[BaseModel]) -> dict[str, type[ApiModel]]:
    """Find the models that a model is made of, by class name."""
    found: dict[str, type[ApiModel]] = {}
    waiting: list[Any] = [model]
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and issubclass(each, ApiModel):
            if each.__name__ not in found:
                found[each.__name__] = each
                waiting.extend(field.annotation for field in each.model_fields.values())
        else:
            waiting.extend(getattr(each, "__args__", ()))
    return found
