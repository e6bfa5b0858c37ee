"""`/saveDevice`: a device logs in without a name and gets its token.

https://doc.muyuhan.xin/api/face_wap/user/device.html
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated

import msgspec
from msgspec import Meta

from ...core.commands import Command, Login, Session
from .. import Endpoint, WireRequest, WireResponse, answer
from .bodies import Text, form_of, read
from .envelope import ErrorBody, Success
from .money import purses
from .options import Options

USER = 0  # roles: 7 is a reviewer of the app's shop
NO_SUBSCRIPTION = 0
NEVER = -1

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Told = Annotated[Text, Meta(description="Told by the app, not looked at.")]


class DeviceBody(msgspec.Struct, rename="camel"):
    """Which device logs in. What else an app tells is not looked at."""

    app_id: Annotated[Name, Meta(description="The app.", examples=["com.example.app"])]
    udid: Annotated[Name, Meta(description="The device. Who knows it can log in as it.", examples=["6F9619FF-8B86"])]
    vpn: Told = None
    device_name: Told = None
    system_name: Told = None
    system_version: Told = None
    language: Told = None
    timezone: Told = None
    app_version: Told = None


class AppUpdateView(msgspec.Struct):
    """The newest version of the app."""

    content: str
    force: bool
    link: str
    version: str


class ControlView(msgspec.Struct, rename="camel"):
    """Switches of the app."""

    is_check: bool


class DeviceView(msgspec.Struct, rename="camel"):
    """A login."""

    access_token: Annotated[
        str,
        Meta(
            description="For `Authorization`, and for `token` of the socket. It ends with the device's next login.",
            examples=["36b8fcf01558cbea6acde07aae67a2f9"],
        ),
    ]
    app_update: AppUpdateView
    contact_us: str
    control: ControlView
    is_new_device: bool
    role: Annotated[int, Meta(description="0 user.")]
    subscribe_expired: Annotated[int, Meta(description="Unix seconds; 0 without a subscription.")]
    subscribe_state: Annotated[int, Meta(description="0 no subscription.")]
    pay_balance: Annotated[int, Meta(description="Credits that were bought.")]
    free_balance: Annotated[int, Meta(description="Credits that were given; they are spent first.")]
    purchase_video_url: str
    user_id: Annotated[str, Meta(description="For show.", examples=["A10000000"])]
    subscribe_plan: str
    next_refresh_time: Annotated[int, Meta(description="-1: free credits are not given again.")]


class DeviceAnswer(Success, kw_only=True):
    """The answer of `/saveDevice`."""

    data: DeviceView


def login(request: WireRequest) -> Command:
    """Log a device of an app in. The two names are kept apart, so that no other pair makes the same account."""
    body = read(request, DeviceBody)
    return Login(msgspec.json.encode([body.app_id, body.udid]).decode())


def mint_key() -> str:
    """A token as the vendor spells them."""
    return secrets.token_hex(16)


def user_number(account_id: str) -> int:
    """A number for show, always the same for an account."""
    return int(hashlib.sha256(account_id.encode()).hexdigest()[:10], 16)


class Sessions:
    """Encodes logins."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def encode(self, session: Session, _request: WireRequest) -> WireResponse:
        """Answer with the token and everything that the app wants to know at its start."""
        options = self._options
        paid, free = purses(session.account)
        view = DeviceView(
            access_token=session.key,
            app_update=AppUpdateView(**msgspec.structs.asdict(options.app_update)),
            contact_us=options.contact_us,
            control=ControlView(options.check),
            is_new_device=session.opened,
            role=USER,
            subscribe_expired=0,
            subscribe_state=NO_SUBSCRIPTION,
            pay_balance=paid,
            free_balance=free,
            purchase_video_url=options.purchase_video_url,
            user_id=f"A{user_number(session.account.id)}",
            subscribe_plan="",
            next_refresh_time=NEVER,
        )
        return answer(DeviceAnswer(data=view))


def save_device(options: Options) -> Endpoint:
    """`/saveDevice`."""
    return Endpoint(
        method="POST",
        path="/saveDevice",
        decode=login,
        encode=Sessions(options).encode,
        public=True,
        request=DeviceBody,
        response=DeviceAnswer | ErrorBody,
        form=form_of(DeviceBody),
        summary="Log a device in",
        description="Opens the device's account at its first login. Tokens of its earlier logins end.",
    )
