"""What can be asked for: models with their operations, parameters and prices, and how a name finds its model."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .errors import Code, TaskError
from .pricing import Price
from .task import Operation

Kind = Literal["string", "integer", "number", "boolean", "size"]

SIZE = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})")
BIGGEST = (1 << 63) - 1  # integer that every part of the system can carry
FINITE = sys.float_info.max
LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # cannot be written as UTF-8
WANTED = {"size": 'a size such as "1024x768"', "integer": "an integer"}
JSON_TYPES = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean", "size": "string"}


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a model. `minimum` and `maximum` bound numbers, the sides of a `size`, or a text's length."""

    name: str
    kind: Kind
    description: str
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()
    required: bool = False

    def check(self, value: Any) -> Any:
        """The value as engines get it, or a `TaskError` that names the parameter and says what it takes."""
        value = self._typed(value)
        if self.choices and value not in self.choices:
            raise self._refused(f"takes one of {', '.join(map(str, self.choices))}")
        for measure in self._measures(value):
            if self.minimum is not None and measure < self.minimum:
                raise self._refused(f"is below its minimum of {self.minimum:.15g}")
            if self.maximum is not None and measure > self.maximum:
                raise self._refused(f"is above its maximum of {self.maximum:.15g}")
        return value

    def _typed(self, value: Any) -> Any:
        match self.kind:
            case "boolean" if isinstance(value, bool):
                return value
            case "integer" if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= BIGGEST:
                return value
            case "number" if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= FINITE:
                return value
            case "string" if isinstance(value, str) and "\x00" not in value:
                if value.isascii() or not LONE_SURROGATE.search(value):
                    return value
            case "size" if isinstance(value, str) and SIZE.fullmatch(value):
                return value
        raise self._refused(f"must be {WANTED.get(self.kind, f'a {self.kind}')}")

    def _measures(self, value: Any) -> tuple[float, ...]:
        if self.kind == "size":
            return tuple(float(side) for side in value.split("x"))
        if self.kind == "string":
            return (float(len(value)),)
        return () if self.kind == "boolean" else (value,)

    def _refused(self, why: str) -> TaskError:
        return TaskError(Code.INVALID_INPUT, f"Parameter '{self.name}' {why}.", param=self.name)

    def json_schema(self) -> dict[str, Any]:
        """The parameter as JSON Schema."""
        schema: dict[str, Any] = {"type": JSON_TYPES[self.kind], "description": self.description}
        if self.default is not None:
            schema["default"] = self.default
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.kind == "size":
            schema["pattern"] = f"^{SIZE.pattern}$"
        elif self.kind == "string":
            schema |= {"minLength": int(self.minimum)} if self.minimum is not None else {}
            schema |= {"maxLength": int(self.maximum)} if self.maximum is not None else {}
        elif self.kind != "boolean":
            schema |= {"minimum": self.minimum} if self.minimum is not None else {}
            schema |= {"maximum": self.maximum} if self.maximum is not None else {}
        return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A public name for work that one engine does. `price` is in credits per result, `timeout` in seconds a run.

    Where not every result costs the same, `pricing` says more, and `price` is the least.
    `generative` says whether a generative AI model makes the result, which results must tell; a model of which nobody
    says is taken for one that does.
    """

    name: str
    engine: str
    operations: tuple[Operation, ...]
    description: str
    params: tuple[Param, ...] = ()
    min_inputs: int = 0
    max_inputs: int = 0
    max_count: int = 1
    price: int = 1
    timeout: int = 600
    generative: bool = True
    pricing: Price | None = None
    rate: Price = field(init=False, repr=False, compare=False)  # what results cost
    known: Mapping[str, Param] = field(init=False, repr=False, compare=False)  # its parameters by name

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", self.pricing or Price(self.price))
        object.__setattr__(self, "known", {param.name: param for param in self.params})

    def json_schema(self) -> dict[str, Any]:
        """The model's parameters as JSON Schema."""
        return {
            "type": "object",
            "properties": {param.name: param.json_schema() for param in self.params},
            "required": [param.name for param in self.params if param.required],
            "additionalProperties": False,
        }


class Catalog:
    """The models on offer. The first model of an operation is its default; configuration may choose another.

    `aliases` maps the names that vendors' clients ask for to our models; `vendor_names` are those without a mapping:
    they mean the default model of whatever operation is asked.
    """

    def __init__(
        self,
        models: Iterable[Model],
        *,
        defaults: Mapping[str, str] | None = None,
        aliases: Mapping[str, str] | None = None,
        prices: Mapping[str, int | Price] | None = None,
        vendor_names: Iterable[str] = (),
    ) -> None:
        prices = prices or {}
        self.models = tuple(priced(model, prices[model.name]) if model.name in prices else model for model in models)
        self._by_name = {model.name: model for model in self.models}
        self._aliases = dict(aliases or {})
        self._vendor_names = frozenset(vendor_names)
        named = {*prices, *self._aliases.values(), *(defaults or {}).values()}
        if unknown := sorted(named - self._by_name.keys()):
            raise ValueError(f"no engine offers the model {unknown[0]!r}; there are: {', '.join(self._by_name)}")
        self._defaults: dict[Operation, Model] = {}
        for model in self.models:
            for operation in model.operations:
                self._defaults.setdefault(operation, model)
        for name, model_name in (defaults or {}).items():
            self._defaults[Operation(name)] = self._by_name[model_name]

    def resolve(self, operation: Operation, name: str | None) -> Model:
        """The model for an operation, by its own name, an alias, a vendor's name or, without a name, the default."""
        model = self._by_name.get(self._aliases.get(name, name)) if name else None
        if model is None and (name is None or name in self._vendor_names):
            model = self._defaults.get(operation)
            if model is None:
                raise TaskError(
                    Code.UNSUPPORTED, f"No engine of this server offers {operation.value}.", param="operation"
                )
        if model is None:
            raise TaskError(Code.UNKNOWN_MODEL, f"There is no model '{name}'.{self._hint(name)}", param="model")
        if operation not in model.operations:
            offered = ", ".join(model.operations)
            raise TaskError(Code.UNSUPPORTED, f"Model '{name}' offers {offered}, not {operation.value}.", param="model")
        return model

    def named(self, names: Iterable[tuple[str, Operation]]) -> tuple[Model, ...]:
        """What further names mean, each as a model of that name; those that mean nothing are left out."""
        found = []
        for name, operation in names:
            with suppress(TaskError):
                if name not in self._by_name:
                    found.append(replace(self.resolve(operation, name), name=name, operations=(operation,)))
        return tuple(found)

    def model(self, name: str) -> Model | None:
        """The model of exactly this name."""
        return self._by_name.get(name)

    def _hint(self, name: str | None) -> str:
        near = difflib.get_close_matches(name or "", [*self._by_name, *self._vendor_names], n=1)
        return f" Did you mean '{near[0]}'?" if near else f" This server has: {', '.join(self._by_name)}."


def priced(model: Model, price: int | Price) -> Model:
    """A model at another price."""
    rate = price if isinstance(price, Price) else Price(price)
    return replace(model, price=rate.each, pricing=rate)


# What a result is the better for, but not another one without: a model that lacks one says so in the task's warnings.
KNOBS = frozenset(
    {
        *("negative_prompt", "seed", "steps", "guidance", "quality", "style", "background", "prompt_extend"),
        *("audio", "last_frame"),
    }
)


def check_params(model: Model, given: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Check the caller's parameters against the model: (values with defaults filled in, warnings)."""
    known = model.known
    warnings = []
    for name in given:
        if name in known:
            continue
        if name in KNOBS:
            warnings.append(f"Model '{model.name}' has no parameter '{name}'; it was ignored.")
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"it takes: {', '.join(known) or 'none'}."
        raise TaskError(Code.INVALID_INPUT, f"Model '{model.name}' has no parameter '{name}'; {hint}", param=name)
    values: dict[str, Any] = {}
    for param in model.params:
        if given.get(param.name) is not None:
            values[param.name] = param.check(given[param.name])
        elif param.required:
            raise TaskError(Code.INVALID_INPUT, f"Parameter '{param.name}' is required.", param=param.name)
        elif param.default is not None:
            values[param.name] = param.default
    return values, tuple(warnings)


def check_inputs(model: Model, given: int) -> None:
    """Refuse too few or too many inputs."""
    if model.min_inputs <= given <= model.max_inputs:
        return
    wanted = f"{model.min_inputs} to {model.max_inputs}" if model.max_inputs > model.min_inputs else model.min_inputs
    takes = f"takes {wanted} input files" if model.max_inputs else "takes no input files"
    raise TaskError(Code.INVALID_INPUT, f"Model '{model.name}' {takes}; {given} were given.", param="inputs")
