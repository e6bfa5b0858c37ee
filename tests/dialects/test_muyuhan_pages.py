"""The muyuhan dialect: login, templates, choices, what is on sale, and the settings behind them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from darkroom.core.catalog import Model
from darkroom.core.commands import Account, ListModels, Login, Session
from darkroom.core.errors import TaskError
from darkroom.core.task import Operation
from darkroom.dialects import Dialect
from darkroom.dialects.muyuhan import configure, dialect
from darkroom.dialects.muyuhan.options import AppUpdate, Covering, Group, Options, Purchase, Subscription, Template
from darkroom.testing.exchange import ask

DOCUMENT = Path(__file__).parents[2] / "docs" / "dialects" / "muyuhan.md"

DEVICE = Account("device-0123456789abcdef", "login", 100, 0, 0, 100)
OPENED_BY_AN_OPERATOR = Account("01900000-0000-7000-8000-000000000000", "caller", 40, 0, 0)
BEFORE, AFTER = "https://example.com/before.png", "https://example.com/after.png"
PICTURES = ["https://example.com/1.png", "https://example.com/2.png"]


def model(name: str, price: int, *operations: Operation) -> Model:
    return Model(name=name, engine="engine", operations=operations, description="", price=price)


MODELS = (
    model("filters", 5, Operation.IMAGE_FILTER),
    model("dear-filters", 50, Operation.IMAGE_FILTER),
    model("edit", 10, Operation.IMAGE_EDIT),
    model("swap", 3, Operation.IMAGE_FACE_SWAP),
    model("film", 50, Operation.VIDEO_GENERATE),
    model("film-swap", 20, Operation.VIDEO_FACE_SWAP),
)


def answer(path: str, result: Any, to: Dialect = dialect, body: dict[str, Any] | None = None) -> Any:
    endpoint, wire = ask(to, "POST", path, body=body or {})
    response = endpoint.encode(result, wire)
    assert response.status == 200
    found = json.loads(response.body)
    assert list(found) == ["code", "msg", "data"]
    assert (found["code"], found["msg"]) == (200, "SUCCESS")
    return found["data"]


def login(body: Any = None, **request: Any) -> Login:
    endpoint, wire = ask(dialect, "POST", "/saveDevice", body=body, **request)
    assert endpoint.public
    command = endpoint.decode(wire)
    assert isinstance(command, Login)
    return command


# ---- /saveDevice


def test_a_login_is_answered_as_the_vendors_page_shows() -> None:
    """https://doc.muyuhan.xin/api/face_wap/user/device.html, but for the role of a reviewer and its subscription."""
    update = {"content": "fix bugs...", "force": False, "link": "https://apps.example.com/app", "version": "1.2.1"}
    own = configure(
        {
            "contact_us": "https://chat.example.com/help",
            "purchase_video_url": "https://example.com/purchase.mp4",
            "check": True,
            "app_update": update,
        }
    )
    data = answer("/saveDevice", Session("36b8fcf01558cbea6acde07aae67a2f9", DEVICE, opened=True), own)
    assert data.pop("userId").startswith("A")
    assert data == {
        "accessToken": "36b8fcf01558cbea6acde07aae67a2f9",
        "appUpdate": update,
        "contactUs": "https://chat.example.com/help",
        "control": {"isCheck": True},
        "isNewDevice": True,
        "role": 0,
        "subscribeExpired": 0,
        "subscribeState": 0,
        "payBalance": 0,
        "freeBalance": 100,
        "purchaseVideoUrl": "https://example.com/purchase.mp4",
        "subscribePlan": "",
        "nextRefreshTime": -1,
    }


def test_tokens_are_32_lowercase_hex_digits_and_never_the_same() -> None:
    minted = {dialect.mint_key() for _ in range(100)}
    assert len(minted) == 100
    assert all(len(key) == 32 and set(key) <= set("0123456789abcdef") for key in minted)


def test_a_user_number_is_the_same_at_every_login_and_tells_nothing_of_the_account() -> None:
    first, second = (answer("/saveDevice", Session("a" * 32, DEVICE, opened=False))["userId"] for _ in range(2))
    other = answer("/saveDevice", Session("a" * 32, OPENED_BY_AN_OPERATOR, opened=False))["userId"]
    assert first == second != other
    assert first[0] == "A"
    assert first[1:].isdigit()


def test_credits_are_free_where_a_login_opened_the_account_and_paid_elsewhere() -> None:
    free = answer("/saveDevice", Session("a" * 32, DEVICE, opened=False))
    paid = answer("/saveDevice", Session("a" * 32, OPENED_BY_AN_OPERATOR, opened=False))
    assert (free["payBalance"], free["freeBalance"], free["isNewDevice"]) == (0, 100, False)
    assert (paid["payBalance"], paid["freeBalance"]) == (40, 0)


def test_a_device_is_its_app_and_its_number_in_every_encoding() -> None:
    fields = {"appId": "app", "udid": "u-1", "vpn": "true", "deviceName": "", "language": "en"}
    as_json = login({**fields, "vpn": True, "appVersion": 1.2})
    assert login(form=tuple(fields.items())) == as_json
    assert login({"appId": "app", "udid": "u-1"}) == as_json


def test_no_two_devices_share_an_account_by_the_way_their_names_join() -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("a/b", "c"), ("a", "b/c"), ('a","b', "c"), ("a", 'b","c')]
    assert len({login({"appId": app, "udid": udid}).device for app, udid in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "appId"),
        ({"appId": "app"}, "udid"),
        ({"appId": "app", "udid": " "}, "udid"),
        ({"appId": None, "udid": "u"}, "appId"),
        ({"appId": 7, "udid": "u"}, "appId"),
        ({"appId": "app", "udid": "u" * 201}, "udid"),
    ],
)
def test_a_login_without_a_device_names_what_is_missing(body: dict[str, Any], field: str) -> None:
    endpoint, wire = ask(dialect, "POST", "/saveDevice", body=body)
    with pytest.raises(TaskError, match=field) as caught:
        endpoint.decode(wire)
    refused = json.loads(dialect.encode_error(caught.value, wire).body)
    assert (refused["code"], refused["data"], caught.value.param) == (800, None, field)


# ---- /imageGroupList, /imageVideoConfig


def test_the_built_in_templates_are_the_filters_by_their_numbers() -> None:
    (group,) = answer("/imageGroupList", MODELS)
    assert list(group) == ["id", "title", "sort", "imageTemplates"]
    assert [template["id"] for template in group["imageTemplates"]] == list(range(1, 15))
    assert (group["imageTemplates"][0]["title"], group["imageTemplates"][13]["title"]) == ("Cartoon", "Comic")
    assert {template["price"] for template in group["imageTemplates"]} == {5}


def test_templates_are_answered_as_the_vendors_page_shows() -> None:
    """https://doc.muyuhan.xin/api/face_wap/image/image_group_list.html, with other words and pictures."""
    covering = {"before": BEFORE, "after": AFTER}
    plain = {
        "id": 2,
        "title": "Autumn",
        "description": "Warm light",
        "prompt": "warm autumn light",
        "covering": covering,
        "updated_at": 1766359972,
    }
    own = configure(
        {
            "filters": False,
            "groups": [
                {"id": 2, "title": "Clothes", "sort": 1, "templates": [{**plain, "id": 1, "images": PICTURES}]},
                {"id": 1, "title": "Seasons", "templates": [plain]},
            ],
        }
    )
    template = {
        "title": "Autumn",
        "description": "Warm light",
        "covering": covering,
        "prompt": "warm autumn light",
        "price": 10,
        "isShow": 1,
        "isAudit": 0,
        "sort": 0,
        "updatedAt": 1766359972,
        "imageTemplateCovering": covering,
    }
    without = {**template, "id": 2, "images": None, "apiType": 1, "imageParam": None}
    with_pictures = {**template, "id": 1, "images": PICTURES, "apiType": 2, "imageParam": PICTURES}
    assert answer("/imageGroupList", MODELS, own) == [
        {"id": 1, "title": "Seasons", "sort": 0, "imageTemplates": [without]},
        {"id": 2, "title": "Clothes", "sort": 1, "imageTemplates": [with_pictures]},
    ]


def test_a_template_that_swaps_faces_costs_as_many_results_as_it_has_pictures() -> None:
    swap = {"id": 30, "title": "Two scenes", "task_type": 3, "images": PICTURES}
    own = configure({"filters": False, "groups": [{"id": 2, "title": "Mine", "templates": [swap]}]})
    (group,) = answer("/imageGroupList", MODELS, own)
    assert group["imageTemplates"][0]["price"] == 6


def test_a_template_for_videos_and_a_hidden_one_are_not_listed_among_pictures() -> None:
    found = [
        {"id": 30, "title": "Waves", "task_type": 7, "prompt": "waves"},
        {"id": 31, "title": "Old", "prompt": "old", "show": False},
    ]
    own = configure({"filters": False, "groups": [{"id": 2, "title": "Mine", "templates": found}]})
    assert answer("/imageGroupList", MODELS, own) == []


def test_the_samples_of_a_built_in_template_can_be_set() -> None:
    own = configure({"samples": {"3": {"before": BEFORE, "after": AFTER}}})
    templates = answer("/imageGroupList", MODELS, own)[0]["imageTemplates"]
    assert templates[2]["covering"] == {"before": BEFORE, "after": AFTER} == templates[2]["imageTemplateCovering"]
    assert templates[0]["covering"] == {"before": "", "after": ""}


def test_costs_are_those_of_the_dearest_kind_and_of_the_model_that_the_settings_name() -> None:
    assert [answer("/imageVideoConfig", MODELS)[name] for name in ("imageCost", "videoCost")] == [10, 50]
    own = configure({"models": {"image.filter": "dear-filters"}})
    assert answer("/imageVideoConfig", MODELS, own)["imageCost"] == 50
    assert answer("/imageGroupList", MODELS, own)[0]["imageTemplates"][0]["price"] == 50


def test_without_an_engine_a_cost_is_nothing() -> None:
    data = answer("/imageVideoConfig", ())
    assert (data["imageCost"], data["videoCost"]) == (0, 0)


# ---- packages


def test_what_is_on_sale_is_answered_as_the_vendors_pages_show() -> None:
    """https://doc.muyuhan.xin/api/face_wap/subscribe/package.html and purchase_subscribe_packages.html."""
    times = {"created_at": 1753428411, "updated_at": 1756876750}
    own = configure(
        {
            "subscriptions": [
                {"id": 4, "price": 799, "origin_price": 899, "product_id": "app.week", "type": 1, "cycle": 1, **times}
            ],
            "purchases": [{"id": 38, "price": 99, "amount": 50, "product_id": "app.50", "original_price": 99, **times}],
        }
    )
    subscription = {
        "id": 4,
        "price": 799,
        "originPrice": 899,
        "productId": "app.week",
        "isShow": 1,
        "type": 1,
        "createdAt": 1753428411,
        "updatedAt": 1756876750,
    }
    purchase = {
        "id": 38,
        "price": 99,
        "amount": 50,
        "giftAmount": 0,
        "productId": "app.50",
        "limitBuy": 0,
        "type": 0,
        "originalPrice": 99,
        "createdAt": 1753428411,
        "updatedAt": 1756876750,
    }
    assert answer("/rechargePackage", MODELS, own) == [{**subscription, "cycle": 1}]
    assert answer("/rechargePurchaseList", MODELS, own) == {
        "purchaseList": [purchase],
        "subscribeList": [subscription],
    }


def test_nothing_is_on_sale_unless_it_is_set() -> None:
    assert answer("/rechargePackage", MODELS) == []
    assert answer("/rechargePurchaseList", MODELS) == {"purchaseList": [], "subscribeList": []}


@pytest.mark.parametrize("path", ["/rechargePackage", "/rechargePurchaseList"])
def test_packages_are_listed_without_a_token_whatever_the_encoding(path: str) -> None:
    for request in ({"body": {"appId": "a", "limitBuy": 1}}, {"form": [("appId", "a"), ("limitBuy", "1")]}, {}):
        endpoint, wire = ask(dialect, "POST", path, **request)
        assert endpoint.public
        assert endpoint.decode(wire) == ListModels()


# ---- settings


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"colour": 1}, "colour"),
        ({"album": "music"}, r"`album`"),
        ({"models": {"image.dream": "x"}}, "models"),
        ({"samples": {"99": {}}}, "`samples`: there is no template 99"),
        ({"samples": {"one": {}}}, "samples"),
        ({"app_update": {"forced": True}}, "forced.*app_update"),
        ({"purchases": [{"id": 1, "price": -1, "amount": 5, "product_id": "x"}]}, r"`purchases\[0\].price`"),
        ({"subscriptions": [{"id": 1, "price": 1}]}, r"product_id.*subscriptions\[0\]"),
        ({"groups": [{"id": 1, "title": "Mine"}]}, "two groups 1 .*filters = false"),
        ({"groups": [{"id": 2, "title": "A"}, {"id": 2, "title": "B"}]}, "two groups 2$"),
        (
            {"groups": [{"id": 2, "title": "Mine", "templates": [{"id": 3, "title": "x", "prompt": "x"}]}]},
            "templates 3",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        configure(options)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ({}, "style or a prompt"),
        ({"style": "noir", "prompt": "dark"}, "style or a prompt"),
        ({"style": "noir", "images": PICTURES}, "takes no images"),
        ({"task_type": 3}, "needs images"),
        ({"task_type": 3, "images": PICTURES, "prompt": "x"}, "needs images"),
        ({"task_type": 7}, "needs a prompt"),
        ({"task_type": 7, "images": PICTURES, "prompt": "x"}, "needs a prompt"),
        ({"task_type": 4}, "task_type"),
        ({"prompt": "x", "images": ["ftp://example.com/1.png"]}, "no http address: 'ftp"),
        ({"prompt": "x", "images": PICTURES * 8}, "more than 15"),
        ({"prompt": "x", "id": 0}, r"\.id`"),
    ],
)
def test_a_template_that_cannot_work_is_named_with_its_place(template: dict[str, Any], says: str) -> None:
    group = {"id": 2, "title": "Mine", "templates": [{"id": 20, "title": "x", **template}]}
    with pytest.raises(ValueError, match=says) as caught:
        configure({"groups": [group]})
    assert "groups[0].templates[0]" in str(caught.value)


def test_every_setting_is_documented_and_the_documents_example_works() -> None:
    text = DOCUMENT.read_text("utf-8")
    for table in (Options, Template, Group, Purchase, Subscription, AppUpdate, Covering):
        for name in table.__struct_fields__:
            assert f"`{name}`" in text, f"{name} of {table.__name__}"
    example = tomllib.loads(text.split("```toml\n")[1].split("```")[0])
    _, seasons = answer("/imageGroupList", MODELS, configure(example["dialect"]["muyuhan"]))
    assert [template["title"] for template in seasons["imageTemplates"]] == ["Autumn", "On the beach"]


def test_without_the_built_in_filters_their_numbers_are_free() -> None:
    group = {"id": 1, "title": "Mine", "templates": [{"id": 1, "title": "Autumn", "prompt": "autumn"}]}
    (found,) = answer("/imageGroupList", MODELS, configure({"filters": False, "groups": [group]}))
    assert [template["title"] for template in found["imageTemplates"]] == ["Autumn"]
