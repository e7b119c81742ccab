from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.gap_interval import GapInterval





T = TypeVar("T", bound="BackTestedGap")



@_attrs_define
class BackTestedGap:
    """ The same of the champion's newest back-test, on the latest finished season of each competition.

        Attributes:
            n (int): Matches with closing prices.
            of (int): Matches with or without.
            log_loss (GapInterval | None): In nats; null without closing prices.
            rps (GapInterval | None): Ranked probability score; null without closing prices.
            version (int | None): Number of the version.
            first_at (datetime.datetime | None): Kick-off of the first match.
            latest_at (datetime.datetime | None): Kick-off of the latest match.
     """

    n: int
    of: int
    log_loss: GapInterval | None
    rps: GapInterval | None
    version: int | None
    first_at: datetime.datetime | None
    latest_at: datetime.datetime | None
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

        version: int | None
        version = self.version

        first_at: None | str
        if isinstance(self.first_at, datetime.datetime):
            first_at = self.first_at.isoformat()
        else:
            first_at = self.first_at

        latest_at: None | str
        if isinstance(self.latest_at, datetime.datetime):
            latest_at = self.latest_at.isoformat()
        else:
            latest_at = self.latest_at


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "n": n,
            "of": of,
            "log_loss": log_loss,
            "rps": rps,
            "version": version,
            "first_at": first_at,
            "latest_at": latest_at,
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


        def _parse_version(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        version = _parse_version(d.pop("version"))


        def _parse_first_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                first_at_type_0 = datetime.datetime.fromisoformat(data)



                return first_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        first_at = _parse_first_at(d.pop("first_at"))


        def _parse_latest_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                latest_at_type_0 = datetime.datetime.fromisoformat(data)



                return latest_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        latest_at = _parse_latest_at(d.pop("latest_at"))


        back_tested_gap = cls(
            n=n,
            of=of,
            log_loss=log_loss,
            rps=rps,
            version=version,
            first_at=first_at,
            latest_at=latest_at,
        )


        back_tested_gap.additional_properties = d
        return back_tested_gap

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
