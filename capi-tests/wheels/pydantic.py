"""Validation in Rust (pydantic-core), models, schemas, errors."""
import datetime
import decimal
import enum
import json
import typing
import pydantic
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator


class Kind(enum.Enum):
    A = "a"
    B = "b"


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: int
    name: str = Field(min_length=2, max_length=10)
    price: decimal.Decimal = decimal.Decimal("1.5")
    tags: list[str] = []
    kind: Kind = Kind.A
    when: datetime.datetime | None = None
    parent: typing.Optional["Item"] = None

    @field_validator("name")
    @classmethod
    def no_spaces(cls, v):
        if " " in v:
            raise ValueError("spaces")
        return v

    @model_validator(mode="after")
    def check(self):
        if self.id < 0:
            raise ValueError("negative")
        return self


i = Item.model_validate({"id": "12", "name": "abc", "tags": ["x", "y"], "kind": "b", "when": "2020-01-02T03:04:05Z", "parent": {"id": 1, "name": "pp"}})
assert i.id == 12 and i.kind is Kind.B and i.parent.name == "pp" and i.when.year == 2020
assert i.model_dump()["parent"]["price"] == decimal.Decimal("1.5") and json.loads(i.model_dump_json())["kind"] == "b"
assert Item.model_validate_json(i.model_dump_json()) == i and i.model_copy(update={"id": 5}).id == 5
assert Item.model_json_schema()["$defs"]["Item"]["properties"]["name"]["maxLength"] == 10
try:
    Item.model_validate({"id": "x", "name": "a", "tags": [1], "kind": "z", "more": 1})
except ValidationError as e:
    assert e.error_count() == 5, e
    assert {x["type"] for x in e.errors()} == {"int_parsing", "string_too_short", "string_type", "enum", "extra_forbidden"}
    assert "Input should be a valid integer" in str(e)
else:
    raise AssertionError
for data, text in (({"id": 1, "name": "a b"}, "spaces"), ({"id": -1, "name": "ab"}, "negative")):
    try:
        Item(**data)
    except ValidationError as e:
        assert text in str(e)
    else:
        raise AssertionError
t = TypeAdapter(dict[str, tuple[int, ...]] | list[set[float]])
assert t.validate_python({"a": ["1", 2]}) == {"a": (1, 2)} and t.validate_json("[[1.5, 2]]") == [{1.5, 2.0}]
assert TypeAdapter(typing.Literal["x", 1]).validate_python(1) == 1
assert TypeAdapter(bytes).validate_python("é") == "é".encode() and TypeAdapter(datetime.timedelta).validate_python("P1DT2H").days == 1
N = TypeAdapter(typing.Annotated[int, Field(gt=0, multiple_of=3)])
assert N.validate_python(9) == 9
for bad in (0, 4, "x", None, 1.5):
    try:
        N.validate_python(bad)
    except ValidationError:
        pass
    else:
        raise AssertionError(bad)


@pydantic.validate_call
def f(a: int, *b: float, c: str = "d") -> str:
    return f"{a} {b} {c}"


assert f("1", "2.5", c="e") == "1 (2.5,) e"


@pydantic.dataclasses.dataclass
class D:
    x: int
    y: list[int] = pydantic.Field(default_factory=list)


assert D("3").x == 3


class Generic(BaseModel, typing.Generic[typing.TypeVar("T")]):
    v: int


assert Generic(v="1").v == 1
many = TypeAdapter(list[Item]).validate_python([{"id": k, "name": "n%d" % k} for k in range(2000)])
assert len(many) == 2000 and many[-1].id == 1999
