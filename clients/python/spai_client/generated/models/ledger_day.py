from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.world_enum import WorldEnum
from typing import cast
import datetime






T = TypeVar("T", bound="LedgerDay")



@_attrs_define
class LedgerDay:
    """ The entry of a day.

        Attributes:
            world (WorldEnum): * `real` - real
                * `sandbox` - sandbox
            day (datetime.date):
            forecasts (int): Published on this day: the leaves of its tree.
            root (str): Of the Merkle tree over the forecasts (RFC 6962, sha256).
            previous (str): Hash of the entry of the day before; zeros for the first.
            hash_ (str): sha256 over world, day, forecasts, root and previous.
            closed_at (datetime.datetime):
     """

    world: WorldEnum
    day: datetime.date
    forecasts: int
    root: str
    previous: str
    hash_: str
    closed_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        world = self.world.value

        day = self.day.isoformat()

        forecasts = self.forecasts

        root = self.root

        previous = self.previous

        hash_ = self.hash_

        closed_at = self.closed_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "world": world,
            "day": day,
            "forecasts": forecasts,
            "root": root,
            "previous": previous,
            "hash": hash_,
            "closed_at": closed_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        world = WorldEnum(d.pop("world"))




        day = datetime.date.fromisoformat(d.pop("day"))




        forecasts = d.pop("forecasts")

        root = d.pop("root")

        previous = d.pop("previous")

        hash_ = d.pop("hash")

        closed_at = datetime.datetime.fromisoformat(d.pop("closed_at"))




        ledger_day = cls(
            world=world,
            day=day,
            forecasts=forecasts,
            root=root,
            previous=previous,
            hash_=hash_,
            closed_at=closed_at,
        )


        ledger_day.additional_properties = d
        return ledger_day

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
