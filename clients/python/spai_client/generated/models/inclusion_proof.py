from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.ledger_day import LedgerDay





T = TypeVar("T", bound="InclusionProof")



@_attrs_define
class InclusionProof:
    """ Proof that a forecast is in the tree of its day (RFC 9162, section 2.1.3).

        Attributes:
            leaf (str): The forecast as the text that was hashed: canonical JSON.
            position (int): Of the leaf in the tree, from 0.
            path (list[str]): Hashes of the neighbours up to the root.
            entry (LedgerDay): The entry of a day.
     """

    leaf: str
    position: int
    path: list[str]
    entry: LedgerDay
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.ledger_day import LedgerDay # noqa: PLC0415
        leaf = self.leaf

        position = self.position

        path = self.path



        entry = self.entry.to_dict()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "leaf": leaf,
            "position": position,
            "path": path,
            "entry": entry,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.ledger_day import LedgerDay # noqa: PLC0415
        d = dict(src_dict)
        leaf = d.pop("leaf")

        position = d.pop("position")

        path = cast(list[str], d.pop("path"))


        entry = LedgerDay.from_dict(d.pop("entry"))




        inclusion_proof = cls(
            leaf=leaf,
            position=position,
            path=path,
            entry=entry,
        )


        inclusion_proof.additional_properties = d
        return inclusion_proof

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
