from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.what_if_set_kind_enum import WhatIfSetKindEnum
from ..models.world_enum import WorldEnum
from ..types import UNSET, Unset
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.what_if_item import WhatIfItem





T = TypeVar("T", bound="WhatIfSet")



@_attrs_define
class WhatIfSet:
    """ Forecasts of many coming fixtures and pairings, as of the moment at which the job runs.

        Attributes:
            kind (WhatIfSetKindEnum): * `what_if_set` - what_if_set
            items (list[WhatIfItem]): 1 to 50,000; each has its own line in the result.
            world (WorldEnum | Unset): * `real` - real
                * `sandbox` - sandbox
            date (datetime.date | Unset): Day of pairings without one; the next Saturday by default.
     """

    kind: WhatIfSetKindEnum
    items: list[WhatIfItem]
    world: WorldEnum | Unset = UNSET
    date: datetime.date | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.what_if_item import WhatIfItem # noqa: PLC0415
        kind = self.kind.value

        items = []
        for items_item_data in self.items:
            items_item = items_item_data.to_dict()
            items.append(items_item)



        world: str | Unset = UNSET
        if not isinstance(self.world, Unset):
            world = self.world.value


        date: str | Unset = UNSET
        if not isinstance(self.date, Unset):
            date = self.date.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "kind": kind,
            "items": items,
        })
        if world is not UNSET:
            field_dict["world"] = world
        if date is not UNSET:
            field_dict["date"] = date

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.what_if_item import WhatIfItem # noqa: PLC0415
        d = dict(src_dict)
        kind = WhatIfSetKindEnum(d.pop("kind"))




        items = []
        _items = d.pop("items")
        for items_item_data in (_items):
            items_item = WhatIfItem.from_dict(items_item_data)



            items.append(items_item)


        _world = d.pop("world", UNSET)
        world: WorldEnum | Unset
        if isinstance(_world,  Unset):
            world = UNSET
        else:
            world = WorldEnum(_world)




        _date = d.pop("date", UNSET)
        date: datetime.date | Unset
        if isinstance(_date,  Unset):
            date = UNSET
        else:
            date = datetime.date.fromisoformat(_date)




        what_if_set = cls(
            kind=kind,
            items=items,
            world=world,
            date=date,
        )


        what_if_set.additional_properties = d
        return what_if_set

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
