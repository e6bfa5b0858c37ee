"""What can be asked for, and what a caller is told who asks for something else."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.core.catalog import KNOBS, Catalog, Model, Param, check_params
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation

PROMPT = Param("prompt", "string", "What to draw.", minimum=1, maximum=10, required=True)
SEED = Param("seed", "integer", "Same seed, same picture.", minimum=0, maximum=4_294_967_295)
SIZE = Param("size", "size", "Width and height.", default="512x512", minimum=16, maximum=2_048)
STRENGTH = Param("strength", "number", "How much to change.", default=0.5, minimum=0, maximum=1)
TILED = Param("tiled", "boolean", "Whether it repeats.", default=False)
FORMAT = Param("format", "string", "File format.", default="png", choices=("png", "jpeg"))

PAINTER = Model(
    name="painter",
    engine="brush",
    operations=(Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT),
    description="Draws.",
    params=(PROMPT, SEED, SIZE, STRENGTH, TILED, FORMAT),
    price=3,
)
SKETCHER = Model(name="sketcher", engine="pen", operations=(Operation.IMAGE_GENERATE,), description="Sketches.")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def refusal(call, *arguments) -> TaskError:
    with pytest.raises(TaskError) as caught:
        call(*arguments)
    return caught.value


@pytest.mark.parametrize("param", PAINTER.params, ids=lambda param: param.name)
@given(json_values)
def test_any_value_is_accepted_unchanged_or_refused_with_the_parameters_name(param, value):
    refused = None
    refused = None
    try:
        assert param.check(value) is value
        json.dumps(value, allow_nan=False).encode("utf-8")
    except TaskError as error:
        refused = error
    assert refused is None or (refused.code, refused.param) == (Code.INVALID_INPUT, param.name)


@pytest.mark.parametrize(
    ("param", "value", "why"),
    [
        (PROMPT, "", "below its minimum of 1"),
        (PROMPT, "x" * 11, "above its maximum of 10"),
        (PROMPT, "a\x00b", "must be a string"),
        (PROMPT, "a\ud800b", "must be a string"),
        (PROMPT, 5, "must be a string"),
        (SEED, 4_294_967_296, "above its maximum of 4294967295"),
        (SEED, True, "must be an integer"),
        (SEED, 1.0, "must be an integer"),
        (SIZE, "512*512", 'must be a size such as "1024x768"'),
        (SIZE, "512x0512", "must be a size"),
        (SIZE, "٥١٢x٥١٢", "must be a size"),
        (SIZE, "512x512\n", "must be a size"),
        (SIZE, "512x4096", "above its maximum of 2048"),
        (SIZE, "8x512", "below its minimum of 16"),
        (STRENGTH, math.nan, "must be a number"),
        (STRENGTH, -0.1, "below its minimum of 0"),
        (TILED, 1, "must be a boolean"),
        (FORMAT, "tiff", "takes one of png, jpeg"),
    ],
)
def test_a_bad_value_is_refused_with_the_reason(param, value, why):
    error = refusal(param.check, value)
    assert why in error.message
    assert f"'{param.name}'" in error.message


@pytest.mark.parametrize(
    ("kind", "value"), [("number", math.inf), ("number", -math.inf), ("number", 10**400), ("integer", 10**30)]
)
def test_a_number_that_no_database_can_keep_is_refused_even_without_bounds(kind, value):
    assert refusal(Param("free", kind, "Anything.").check, value).code is Code.INVALID_INPUT


def test_missing_parameters_get_their_defaults_and_null_counts_as_missing():
    values, warnings = check_params(PAINTER, {"prompt": "a tree", "strength": None})
    assert values == {"prompt": "a tree", "size": "512x512", "strength": 0.5, "tiled": False, "format": "png"}
    assert warnings == ()


@pytest.mark.parametrize("given", [{}, {"prompt": None}])
def test_a_required_parameter_must_be_there(given):
    assert "'prompt' is required" in refusal(check_params, PAINTER, given).message


def test_an_unknown_parameter_is_refused_with_the_nearest_name():
    error = refusal(check_params, PAINTER, {"prompt": "a tree", "strenght": 1})
    assert (error.code, error.param) == (Code.INVALID_INPUT, "strenght")
    assert "did you mean 'strength'?" in error.message


def test_an_unknown_parameter_without_a_near_one_is_told_what_there_is():
    assert "it takes: prompt, seed" in refusal(check_params, PAINTER, {"zzzz": 1}).message
    assert "it takes: none" in refusal(check_params, SKETCHER, {"zzzz": 1}).message


@pytest.mark.parametrize("knob", sorted(KNOBS))
def test_a_knob_that_a_model_lacks_is_ignored_with_a_warning(knob):
    values, warnings = check_params(SKETCHER, {knob: 7})
    assert values == {}
    assert [f"'{knob}'" in warning for warning in warnings] == [True]


def test_a_knob_that_a_model_has_is_checked():
    assert refusal(check_params, PAINTER, {"prompt": "a tree", "seed": -1}).param == "seed"


def test_the_schema_says_what_the_check_does():
    properties = PAINTER.json_schema()["properties"]
    assert properties["prompt"] == {"type": "string", "description": "What to draw.", "minLength": 1, "maxLength": 10}
    assert (properties["seed"]["minimum"], properties["seed"]["maximum"]) == (0, 4_294_967_295)
    assert re.fullmatch(properties["size"]["pattern"], "512x512")
    assert properties["format"]["enum"] == ["png", "jpeg"]
    assert PAINTER.json_schema()["required"] == ["prompt"]


def test_the_first_model_of_an_operation_is_its_default():
    catalog = Catalog([SKETCHER, PAINTER])
    assert catalog.resolve(Operation.IMAGE_GENERATE, None).name == "sketcher"
    assert catalog.resolve(Operation.IMAGE_EDIT, None).name == "painter"


def test_configuration_chooses_another_default_and_price():
    catalog = Catalog([SKETCHER, PAINTER], defaults={"image.generate": "painter"}, prices={"painter": 9})
    model = catalog.resolve(Operation.IMAGE_GENERATE, None)
    assert (model.name, model.price, catalog.model("painter").price) == ("painter", 9, 9)


def test_a_model_is_found_by_its_name_an_alias_and_a_vendors_name():
    catalog = Catalog([SKETCHER, PAINTER], aliases={"grand-v2": "painter"}, vendor_names=["vendor-1"])
    assert catalog.resolve(Operation.IMAGE_GENERATE, "painter").name == "painter"
    assert catalog.resolve(Operation.IMAGE_GENERATE, "grand-v2").name == "painter"
    assert catalog.resolve(Operation.IMAGE_GENERATE, "vendor-1").name == "sketcher"


@pytest.mark.parametrize(
    ("operation", "name", "code", "why"),
    [
        (Operation.IMAGE_GENERATE, "pianter", Code.UNKNOWN_MODEL, "Did you mean 'painter'?"),
        (Operation.IMAGE_GENERATE, "", Code.UNKNOWN_MODEL, "This server has: painter, sketcher."),
        (Operation.IMAGE_EDIT, "sketcher", Code.UNSUPPORTED, "offers image.generate, not image.edit"),
        (Operation.VIDEO_GENERATE, None, Code.UNSUPPORTED, "No engine of this server offers video.generate"),
    ],
)
def test_a_model_that_cannot_serve_is_refused_with_what_can(operation, name, code, why):
    error = refusal(Catalog([PAINTER, SKETCHER]).resolve, operation, name)
    assert error.code is code
    assert why in error.message


@pytest.mark.parametrize(
    "settings",
    [{"aliases": {"a": "pianter"}}, {"prices": {"pianter": 1}}, {"defaults": {"image.generate": "pianter"}}],
)
def test_configuration_that_names_no_model_stops_the_start(settings):
    with pytest.raises(ValueError, match="pianter"):
        Catalog([PAINTER], **settings)
