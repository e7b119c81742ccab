from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.gap_interval import GapInterval





T = TypeVar("T", bound="GapDifference")



@_attrs_define
class GapDifference:
    """ The live gap less the back-tested one.

        Attributes:
            log_loss (GapInterval): A mean difference with its likely range, whose ends are null with few matches.
            rps (GapInterval): A mean difference with its likely range, whose ends are null with few matches.
     """

    log_loss: GapInterval
    rps: GapInterval
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.gap_interval import GapInterval # noqa: PLC0415
        log_loss = self.log_loss.to_dict()

        rps = self.rps.to_dict()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "log_loss": log_loss,
            "rps": rps,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.gap_interval import GapInterval # noqa: PLC0415
        d = dict(src_dict)
        log_loss = GapInterval.from_dict(d.pop("log_loss"))




        rps = GapInterval.from_dict(d.pop("rps"))




        gap_difference = cls(
            log_loss=log_loss,
            rps=rps,
        )


        gap_difference.additional_properties = d
        return gap_difference

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
