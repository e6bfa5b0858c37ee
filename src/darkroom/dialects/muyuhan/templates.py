"""Templates: ready-made filters and prompts, by the `styleId` of a submit.

https://doc.muyuhan.xin/api/face_wap/image/image_group_list.html and the histories, which repeat a task's template.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...core.catalog import Model
from ...core.commands import Command, ListModels
from ...core.errors import Code, TaskError
from ...core.task import Operation, Task
from .. import Endpoint, WireRequest, WireResponse, answer
from .bodies import WHOLE_NUMBER, AppBody, form_of, read
from .envelope import ErrorBody, Success
from .money import price
from .options import FACE_SWAP, VIDEO, Group, Options, Template, doubled

FILTER_TITLES = {
    "cartoon": "Cartoon",
    "watercolor": "Watercolor",
    "oil": "Oil painting",
    "pencil": "Pencil",
    "ink": "Ink",
    "halftone": "Halftone",
    "lowpoly": "Low poly",
    "film": "Film",
    "neon": "Neon",
    "pop": "Pop art",
    "pixel": "Pixel art",
    "sepia": "Sepia",
    "noir": "Noir",
    "comic": "Comic",
}
FILTERS = Group(
    id=1,
    title="Filters",
    templates=tuple(
        Template(id=number, title=title, style=style, sort=number)
        for number, (style, title) in enumerate(FILTER_TITLES.items(), start=1)
    ),
)


class Templates:
    """The templates on offer. `ValueError` where two of them share a number."""

    def __init__(self, options: Options) -> None:
        groups = ((FILTERS,) if options.filters else ()) + options.groups
        found = [(group.id, template) for group in groups for template in group.templates]
        taken = " (one is built in: filters = false removes it)" if options.filters else ""
        if (number := doubled([group.id for group in groups])) is not None:
            raise ValueError(f"`groups`: there are two groups {number}{taken if number == FILTERS.id else ''}")
        if (number := doubled([template.id for _, template in found])) is not None:
            raise ValueError(
                f"`groups`: there are two templates {number}{taken if number <= len(FILTER_TITLES) else ''}"
            )
        self.groups = groups
        self.models = options.models
        self.by_id = {template.id: template for _, template in found}
        self.group_of = {template.id: group for group, template in found}
        for number, sample in options.samples.items():
            if number not in self.by_id:
                raise ValueError(f"`samples`: there is no template {number}")
            self.by_id[number] = msgspec.structs.replace(self.by_id[number], covering=sample)

    def chosen(self, style: str, task_type: int) -> Template | None:
        """The template that a submit of this type names by number, or by its filter's name; `None` for another name."""
        if WHOLE_NUMBER.fullmatch(style):
            template = self.by_id.get(int(style))
            if template is None:
                raise TaskError(
                    Code.INVALID_INPUT,
                    f"There is no styleId {style}: /imageGroupList has those there are.",
                    param="styleId",
                )
        else:
            template = next((item for item in self.by_id.values() if item.style == style), None)
        if template and template.task_type != task_type:
            raise TaskError(
                Code.INVALID_INPUT,
                f"styleId {style} is for taskType {template.task_type}, not {task_type}.",
                param="styleId",
            )
        return template

    def of(self, task: Task) -> Template | None:
        """The template that a task was made with, if it is still on offer."""
        number: Any = task.extra.get("styleId")
        return self.by_id.get(number) if isinstance(number, int) else None

    def image(self, template: Template, price: int) -> ImageTemplate:
        """A template as newer clients see it, with the credits that it costs or did cost."""
        images = list(template.images) or None
        return ImageTemplate(
            id=template.id,
            title=template.title,
            description=template.description,
            covering=CoveringView(template.covering.before, template.covering.after),
            prompt=template.prompt,
            images=images,
            api_type=2 if images else 1,
            price=price,
            is_show=int(template.show),
            is_audit=0,
            sort=template.sort,
            updated_at=template.updated_at,
            image_param=images,
            image_template_covering=CoveringView(template.covering.before, template.covering.after),
        )

    def cost(self, template: Template, models: tuple[Model, ...]) -> int:
        """Credits for a task with one picture of the caller's."""
        if template.task_type == FACE_SWAP:
            operation, results = Operation.IMAGE_FACE_SWAP, len(template.images)
        else:
            operation, results = Operation.IMAGE_FILTER if template.style else Operation.IMAGE_EDIT, 1
        return price(models, operation, self.models.get(operation)) * results

    def encode(self, models: tuple[Model, ...], _request: WireRequest) -> WireResponse:
        """Answer with the templates for pictures, group by group."""
        groups = []
        for group in sorted(self.groups, key=lambda item: item.sort):
            own = [self.by_id[item.id] for item in group.templates if item.task_type != VIDEO and item.show]
            views = [self.image(item, self.cost(item, models)) for item in sorted(own, key=lambda item: item.sort)]
            if views:
                groups.append(GroupView(group.id, group.title, group.sort, views))
        return answer(GroupsBody(data=groups))


Url = Annotated[str, Meta(description="An address, or nothing.")]


class CoveringView(msgspec.Struct):
    """A sample before and after the work."""

    before: Url
    after: Url


class ImageTemplate(msgspec.Struct, rename="camel"):
    """A template for pictures."""

    id: Annotated[int, Meta(description="The `styleId` of a submit.")]
    title: str
    description: str
    covering: CoveringView
    prompt: Annotated[str, Meta(description="What is done with the picture, in words; nothing for a filter.")]
    images: Annotated[list[str] | None, Meta(description="Pictures that go with the caller's.")]
    api_type: Annotated[int, Meta(description="1 without `images`, 2 with them.")]
    price: Annotated[int, Meta(description="Credits for a task with one picture.")]
    is_show: int
    is_audit: int
    sort: int
    updated_at: Annotated[int, Meta(description="Unix seconds.")]
    image_param: Annotated[list[str] | None, Meta(description="The same as `images`.")]
    image_template_covering: Annotated[CoveringView, Meta(description="The same as `covering`.")]


class GroupView(msgspec.Struct, rename="camel"):
    """Templates under one title."""

    id: int
    title: str
    sort: int
    image_templates: list[ImageTemplate]


class GroupsBody(Success, kw_only=True):
    """The answer of `/imageGroupList`."""

    data: list[GroupView]


def list_models(request: WireRequest) -> Command:
    """Ask for the catalog, where the prices are."""
    read(request, AppBody)
    return ListModels()


def group_list(templates: Templates) -> Endpoint:
    """`/imageGroupList`."""
    return Endpoint(
        method="POST",
        path="/imageGroupList",
        decode=list_models,
        encode=templates.encode,
        request=AppBody,
        response=GroupsBody | ErrorBody,
        form=form_of(AppBody),
        summary="List the templates for pictures",
        description="Groups of templates; a template's `id` is the `styleId` of `/submitTask`.",
    )
