from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.batch_items_item_type_1 import BatchItemsItemType1





T = TypeVar("T", bound="Batch")



@_attrs_define
class Batch:
    """ What to forecast.

        Attributes:
            items (list[BatchItemsItemType1 | int]): Ids of matches, and pairings.
     """

    items: list[BatchItemsItemType1 | int]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.batch_items_item_type_1 import BatchItemsItemType1 # noqa: PLC0415
        items = []
        for items_item_data in self.items:
            items_item: dict[str, Any] | int
            if isinstance(items_item_data, BatchItemsItemType1):
                items_item = items_item_data.to_dict()
            else:
                items_item = items_item_data
            items.append(items_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "items": items,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.batch_items_item_type_1 import BatchItemsItemType1 # noqa: PLC0415
        d = dict(src_dict)
        items = []
        _items = d.pop("items")
        for items_item_data in (_items):
            def _parse_items_item(data: object) -> BatchItemsItemType1 | int:
                try:
                    if not isinstance(data, dict):
                        raise TypeError()
                    items_item_type_1 = BatchItemsItemType1.from_dict(data)



                    return items_item_type_1
                except (TypeError, ValueError, AttributeError, KeyError):
                    pass
                return cast(BatchItemsItemType1 | int, data)

            items_item = _parse_items_item(items_item_data)

            items.append(items_item)


        batch = cls(
            items=items,
        )


        batch.additional_properties = d
        return batch

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
