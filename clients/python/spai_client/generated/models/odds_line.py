from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.odds_line_type_enum import OddsLineTypeEnum
from typing import cast

if TYPE_CHECKING:
  from ..models.quote_line import QuoteLine





T = TypeVar("T", bound="OddsLine")



@_attrs_define
class OddsLine:
    """ Prices of a match that the feed has sent, in this body or before.

        Attributes:
            type_ (OddsLineTypeEnum): * `odds` - odds
            source_id (str): The feed's own id of the match.
            odds (list[QuoteLine]):
     """

    type_: OddsLineTypeEnum
    source_id: str
    odds: list[QuoteLine]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.quote_line import QuoteLine # noqa: PLC0415
        type_ = self.type_.value

        source_id = self.source_id

        odds = []
        for odds_item_data in self.odds:
            odds_item = odds_item_data.to_dict()
            odds.append(odds_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "type": type_,
            "source_id": source_id,
            "odds": odds,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.quote_line import QuoteLine # noqa: PLC0415
        d = dict(src_dict)
        type_ = OddsLineTypeEnum(d.pop("type"))




        source_id = d.pop("source_id")

        odds = []
        _odds = d.pop("odds")
        for odds_item_data in (_odds):
            odds_item = QuoteLine.from_dict(odds_item_data)



            odds.append(odds_item)


        odds_line = cls(
            type_=type_,
            source_id=source_id,
            odds=odds,
        )


        odds_line.additional_properties = d
        return odds_line

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
