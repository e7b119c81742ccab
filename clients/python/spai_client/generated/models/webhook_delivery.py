from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.webhook_delivery_state_enum import WebhookDeliveryStateEnum
from typing import cast
import datetime






T = TypeVar("T", bound="WebhookDelivery")



@_attrs_define
class WebhookDelivery:
    """ A message and how its attempts went.

        Attributes:
            id (int):
            event_number (int | None): Null for pings and jobs.
            type_ (str):
            state (WebhookDeliveryStateEnum): * `pending` - Pending
                * `delivered` - Delivered
                * `dead` - Dead
            attempts (int):
            next_attempt_at (datetime.datetime | None):
            latest_status (int | None): HTTP status of the latest attempt.
            latest_error (str):
            created_at (datetime.datetime):
            finished_at (datetime.datetime | None): When it was accepted or given up.
     """

    id: int
    event_number: int | None
    type_: str
    state: WebhookDeliveryStateEnum
    attempts: int
    next_attempt_at: datetime.datetime | None
    latest_status: int | None
    latest_error: str
    created_at: datetime.datetime
    finished_at: datetime.datetime | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        id = self.id

        event_number: int | None
        event_number = self.event_number

        type_ = self.type_

        state = self.state.value

        attempts = self.attempts

        next_attempt_at: None | str
        if isinstance(self.next_attempt_at, datetime.datetime):
            next_attempt_at = self.next_attempt_at.isoformat()
        else:
            next_attempt_at = self.next_attempt_at

        latest_status: int | None
        latest_status = self.latest_status

        latest_error = self.latest_error

        created_at = self.created_at.isoformat()

        finished_at: None | str
        if isinstance(self.finished_at, datetime.datetime):
            finished_at = self.finished_at.isoformat()
        else:
            finished_at = self.finished_at


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "id": id,
            "event_number": event_number,
            "type": type_,
            "state": state,
            "attempts": attempts,
            "next_attempt_at": next_attempt_at,
            "latest_status": latest_status,
            "latest_error": latest_error,
            "created_at": created_at,
            "finished_at": finished_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        def _parse_event_number(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        event_number = _parse_event_number(d.pop("event_number"))


        type_ = d.pop("type")

        state = WebhookDeliveryStateEnum(d.pop("state"))




        attempts = d.pop("attempts")

        def _parse_next_attempt_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                next_attempt_at_type_0 = datetime.datetime.fromisoformat(data)



                return next_attempt_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        next_attempt_at = _parse_next_attempt_at(d.pop("next_attempt_at"))


        def _parse_latest_status(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        latest_status = _parse_latest_status(d.pop("latest_status"))


        latest_error = d.pop("latest_error")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))




        def _parse_finished_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                finished_at_type_0 = datetime.datetime.fromisoformat(data)



                return finished_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        finished_at = _parse_finished_at(d.pop("finished_at"))


        webhook_delivery = cls(
            id=id,
            event_number=event_number,
            type_=type_,
            state=state,
            attempts=attempts,
            next_attempt_at=next_attempt_at,
            latest_status=latest_status,
            latest_error=latest_error,
            created_at=created_at,
            finished_at=finished_at,
        )


        webhook_delivery.additional_properties = d
        return webhook_delivery

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
