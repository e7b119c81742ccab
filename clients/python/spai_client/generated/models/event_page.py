from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.event import Event





T = TypeVar("T", bound="EventPage")



@_attrs_define
class EventPage:
    """ A page of events.

        Attributes:
            results (list[Event]):
            number (int): Everything up to this number has been received; `next` continues after it.
            newest (int): Number of the newest event, of all.
            oldest (int): Number of the oldest event that is kept.
            is_reset (bool): Whether events between `after` and `oldest` are no longer kept; fetch the state again then.
            has_more (bool): Whether `next` has events now; otherwise ask again later.
            next_ (str):
     """

    results: list[Event]
    number: int
    newest: int
    oldest: int
    is_reset: bool
    has_more: bool
    next_: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.event import Event # noqa: PLC0415
        results = []
        for results_item_data in self.results:
            results_item = results_item_data.to_dict()
            results.append(results_item)



        number = self.number

        newest = self.newest

        oldest = self.oldest

        is_reset = self.is_reset

        has_more = self.has_more

        next_ = self.next_


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "results": results,
            "number": number,
            "newest": newest,
            "oldest": oldest,
            "is_reset": is_reset,
            "has_more": has_more,
            "next": next_,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.event import Event # noqa: PLC0415
        d = dict(src_dict)
        results = []
        _results = d.pop("results")
        for results_item_data in (_results):
            results_item = Event.from_dict(results_item_data)



            results.append(results_item)


        number = d.pop("number")

        newest = d.pop("newest")

        oldest = d.pop("oldest")

        is_reset = d.pop("is_reset")

        has_more = d.pop("has_more")

        next_ = d.pop("next")

        event_page = cls(
            results=results,
            number=number,
            newest=newest,
            oldest=oldest,
            is_reset=is_reset,
            has_more=has_more,
            next_=next_,
        )


        event_page.additional_properties = d
        return event_page

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
