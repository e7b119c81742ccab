from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime






T = TypeVar("T", bound="Source")



@_attrs_define
class Source:
    """ A place that matches come from. Addresses and permissions are only for the operator.

        Attributes:
            id (int):
            slug (str):
            reader (str): The form of its pages or files.
            is_simulated (bool): A site that shows the sandbox.
            is_enabled (bool): While it is off, no request is sent to it.
            competitions (list[str]): Codes of the competitions that are followed; empty for all.
            complete_at (datetime.datetime | None): When the latest run that read everything was requested; null for none
                yet.
            latest_requested_at (datetime.datetime | None): Of the latest run that began.
            latest_outcome (None | str): Of that run; null for none yet.
            url (str):
     """

    id: int
    slug: str
    reader: str
    is_simulated: bool
    is_enabled: bool
    competitions: list[str]
    complete_at: datetime.datetime | None
    latest_requested_at: datetime.datetime | None
    latest_outcome: None | str
    url: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        id = self.id

        slug = self.slug

        reader = self.reader

        is_simulated = self.is_simulated

        is_enabled = self.is_enabled

        competitions = self.competitions



        complete_at: None | str
        if isinstance(self.complete_at, datetime.datetime):
            complete_at = self.complete_at.isoformat()
        else:
            complete_at = self.complete_at

        latest_requested_at: None | str
        if isinstance(self.latest_requested_at, datetime.datetime):
            latest_requested_at = self.latest_requested_at.isoformat()
        else:
            latest_requested_at = self.latest_requested_at

        latest_outcome: None | str
        latest_outcome = self.latest_outcome

        url = self.url


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "id": id,
            "slug": slug,
            "reader": reader,
            "is_simulated": is_simulated,
            "is_enabled": is_enabled,
            "competitions": competitions,
            "complete_at": complete_at,
            "latest_requested_at": latest_requested_at,
            "latest_outcome": latest_outcome,
            "url": url,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        slug = d.pop("slug")

        reader = d.pop("reader")

        is_simulated = d.pop("is_simulated")

        is_enabled = d.pop("is_enabled")

        competitions = cast(list[str], d.pop("competitions"))


        def _parse_complete_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                complete_at_type_0 = datetime.datetime.fromisoformat(data)



                return complete_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        complete_at = _parse_complete_at(d.pop("complete_at"))


        def _parse_latest_requested_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                latest_requested_at_type_0 = datetime.datetime.fromisoformat(data)



                return latest_requested_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        latest_requested_at = _parse_latest_requested_at(d.pop("latest_requested_at"))


        def _parse_latest_outcome(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        latest_outcome = _parse_latest_outcome(d.pop("latest_outcome"))


        url = d.pop("url")

        source = cls(
            id=id,
            slug=slug,
            reader=reader,
            is_simulated=is_simulated,
            is_enabled=is_enabled,
            competitions=competitions,
            complete_at=complete_at,
            latest_requested_at=latest_requested_at,
            latest_outcome=latest_outcome,
            url=url,
        )


        source.additional_properties = d
        return source

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
