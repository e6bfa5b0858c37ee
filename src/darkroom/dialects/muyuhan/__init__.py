"""The muyuhan "face_wap" API: a device logs in, chooses a template, submits pictures, and polls or listens.

Every answer is HTTP 200 with `{"code", "msg", "data"}`. The modules are the vendor's pages; that of the submit is not
public, and docs/dialects/muyuhan.md says what else is our choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import Dialect, bearer_or_bare
from . import files, packages, push
from .envelope import ErrorBody, encode_error
from .history import Histories
from .image_config import image_video_config
from .login import mint_key, save_device
from .options import Options, read_options
from .recent import Recent
from .submit import submit_task
from .task_info import get_task_info
from .templates import Templates, group_list

DESCRIPTION = """Face swap, enhancement, filters, upscaling and video for the clients of muyuhan's face_wap.

`/saveDevice` gives a device its token, which goes into `Authorization` as it is. Bodies may be JSON, urlencoded or
multipart. Every answer comes with HTTP 200; `code` says what it is."""


def make(options: Options) -> Dialect:
    """The dialect with these settings."""
    templates = Templates(options)
    return Dialect(
        name="muyuhan",
        at_root=True,
        credential=bearer_or_bare,
        encode_error=encode_error,
        mint_key=mint_key,
        sockets=(push.SOCKET,),
        configure=configure,
        error=ErrorBody,
        title="muyuhan face_wap",
        description=DESCRIPTION,
        capabilities=frozenset({"children", "list", "push"}),
        endpoints=(
            save_device(options),
            group_list(templates),
            image_video_config(templates),
            *packages.endpoints(options),
            submit_task(templates),
            get_task_info(templates),
            *Histories(templates, options.album).endpoints(),
            Recent(templates).endpoint(),
            *files.ENDPOINTS,
        ),
    )


def configure(given: Mapping[str, Any]) -> Dialect:
    """The dialect with the table `[dialect.muyuhan]`; `ValueError` names the key that cannot be used."""
    return make(read_options(given))


dialect = make(Options())
