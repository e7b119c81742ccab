from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.gap_interval import GapInterval





T = TypeVar("T", bound="Gap")



@_attrs_define
class Gap:
    """ Scores of forecasts less those of the closing line on the same matches; above 0 the line was better.

        Attributes:
            n (int): Matches with closing prices.
            of (int): Matches with or without.
            log_loss (GapInterval | None): In nats; null without closing prices.
            rps (GapInterval | None): Ranked probability score; null without closing prices.
     """

    n: int
    of: int
    log_loss: GapInterval | None
    rps: GapInterval | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.gap_interval import GapInterval # noqa: PLC0415
        n = self.n

        of = self.of

        log_loss: dict[str, Any] | None
        if isinstance(self.log_loss, GapInterval):
            log_loss = self.log_loss.to_dict()
        else:
            log_loss = self.log_loss

        rps: dict[str, Any] | None
        if isinstance(self.rps, GapInterval):
            rps = self.rps.to_dict()
        else:
            rps = self.rps


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "n": n,
            "of": of,
            "log_loss": log_loss,
            "rps": rps,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.gap_interval import GapInterval # noqa: PLC0415
        d = dict(src_dict)
        n = d.pop("n")

        of = d.pop("of")

        def _parse_log_loss(data: object) -> GapInterval | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                log_loss_type_0 = GapInterval.from_dict(data)



                return log_loss_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(GapInterval | None, data)

        log_loss = _parse_log_loss(d.pop("log_loss"))


        def _parse_rps(data: object) -> GapInterval | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                rps_type_0 = GapInterval.from_dict(data)



                return rps_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(GapInterval | None, data)

        rps = _parse_rps(d.pop("rps"))


        gap = cls(
            n=n,
            of=of,
            log_loss=log_loss,
            rps=rps,
        )


        gap.additional_properties = d
        return gap

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
