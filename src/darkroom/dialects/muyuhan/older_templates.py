"""Templates as the older pages show them: beside a task in the histories, and in `/recentList`.

https://doc.muyuhan.xin/api/face_wap/image/image_history.html
https://doc.muyuhan.xin/api/face_wap/image/video_history.html
https://doc.muyuhan.xin/api/face_wap/pix/recent_list.html (2025-09-12)
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from .options import Template
from .shapes import Seconds
from .templates import Templates, Url

WorkflowId = Annotated[int, Meta(description="0: nothing here has one.")]
Uses = Annotated[int, Meta(description="In how many of the account's recent tasks; 0 in histories.")]
GroupId = Annotated[int, Meta(description="The template's group.")]


class AlbumTemplate(msgspec.Struct, rename="camel"):
    """A template for pictures, in the history of earlier clients."""

    id: int
    title: str
    covering: Url
    image: Url
    workflow_id: WorkflowId
    prompt: str
    favorite_count: Uses
    is_audit: int
    pid: GroupId
    sort: int
    author: str
    created_at: Seconds
    updated_at: Seconds


class VideoTemplate(msgspec.Struct, rename="camel"):
    """A template for videos, in their history."""

    id: int
    title: str
    thumb: Url
    covering: Url
    video: Url
    pid: GroupId
    gid: GroupId
    favorite_count: Uses
    sort: int
    is_home: int
    prompt: str
    author: str
    created_at: Seconds
    updated_at: Seconds


class RecentTemplate(msgspec.Struct, rename="camel"):
    """A template that was used lately; `thumb` and `video` belong to those for videos."""

    id: int
    title: str
    covering: Url
    image: Url
    workflow_id: WorkflowId
    prompt: str
    favorite_count: Uses
    is_audit: int
    pid: GroupId
    sort: int
    created_at: Seconds
    updated_at: Seconds
    thumb: Url | msgspec.UnsetType = msgspec.UNSET
    video: Url | msgspec.UnsetType = msgspec.UNSET


def shared(template: Template, templates: Templates) -> dict[str, Any]:
    """What every form has."""
    return {
        "id": template.id,
        "title": template.title,
        "covering": template.covering.after,
        "prompt": template.prompt,
        "pid": templates.group_of[template.id],
        "sort": template.sort,
        "created_at": template.created_at,
        "updated_at": template.updated_at,
    }


def of_pictures(template: Template, uses: int) -> dict[str, Any]:
    """What the forms have that began with pictures."""
    return {"image": template.covering.after, "workflow_id": 0, "favorite_count": uses, "is_audit": 0}


def album_template(template: Template, templates: Templates) -> AlbumTemplate:
    """A template beside a picture."""
    return AlbumTemplate(**shared(template, templates), **of_pictures(template, 0), author=template.author)


def video_template(template: Template, templates: Templates) -> VideoTemplate:
    """A template beside a video."""
    return VideoTemplate(
        **shared(template, templates),
        thumb=template.covering.after,
        video=template.video,
        gid=templates.group_of[template.id],
        favorite_count=0,
        is_home=int(template.show),
        author=template.author,
    )


def recent_template(template: Template, templates: Templates, uses: int, *, video: bool) -> RecentTemplate:
    """A template that was used in so many tasks."""
    shown: dict[str, Any] = {"thumb": template.covering.after, "video": template.video} if video else {}
    return RecentTemplate(**shared(template, templates), **of_pictures(template, uses), **shown)
