"""The few words of JSON Schema that docs/predictions.schema.json uses; tests compare with the package where there is one."""

from typing import Any

_KINDS = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
_WORDS = {"$ref", "$defs", "$schema", "title", "oneOf", "type", "const", "enum", "minimum", "maximum"}
_WORDS |= {"exclusiveMinimum", "properties", "required", "additionalProperties", "items", "minItems", "maxItems"}


def problems(value: Any, schema: dict, root: dict, where: str = "it") -> list[str]:
    """What of `value` is not as `schema` says; [] for a valid one."""
    assert set(schema) <= _WORDS, f"{set(schema) - _WORDS} is not known here"
    if "$ref" in schema:
        return problems(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    if "oneOf" in schema:
        fitting = [part for part in schema["oneOf"] if not problems(value, part, root, where)]
        return [] if len(fitting) == 1 else [f"{where} fits {len(fitting)} of the kinds"]
    found = []
    kinds = schema.get("type", [])
    for_each = [kinds] if isinstance(kinds, str) else kinds
    if for_each and not any(_is(value, kind) for kind in for_each):
        return [f"{where} is no {kinds}"]
    if "const" in schema and value != schema["const"]:
        found.append(f"{where} is not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} is none of {schema['enum']}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, above, high = (schema.get(word) for word in ("minimum", "exclusiveMinimum", "maximum"))
        if (
            (low is not None and value < low)
            or (above is not None and value <= above)
            or (high is not None and value > high)
        ):
            found.append(f"{where} is out of range: {value}")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{where} lacks {name}" for name in schema.get("required", []) if name not in value]
        if schema.get("additionalProperties") is False:
            found += [f"{where} has {name}" for name in value if name not in known]
        for name in known.keys() & value.keys():
            found += problems(value[name], known[name], root, f"{where}.{name}")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{where} has {len(value)} entries")
        for i, item in enumerate(value):
            found += problems(item, schema.get("items", {}), root, f"{where}[{i}]")
    return found


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))
