from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.world_enum import WorldEnum
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.back_tested_gap import BackTestedGap
  from ..models.gap import Gap
  from ..models.gap_difference import GapDifference
  from ..models.gap_power import GapPower





T = TypeVar("T", bound="ClosingGap")



@_attrs_define
class ClosingGap:
    """ Published forecasts and the champion's back-test against the closing line; what is not known is null.

        Attributes:
            world (WorldEnum): * `real` - real
                * `sandbox` - sandbox
            live (Gap | None): All graded published forecasts.
            back_test (BackTestedGap | None):
            difference (GapDifference | None):
            power (GapPower | None):
            computed_at (datetime.datetime | None):
     """

    world: WorldEnum
    live: Gap | None
    back_test: BackTestedGap | None
    difference: GapDifference | None
    power: GapPower | None
    computed_at: datetime.datetime | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.back_tested_gap import BackTestedGap # noqa: PLC0415
        from ..models.gap import Gap # noqa: PLC0415
        from ..models.gap_difference import GapDifference # noqa: PLC0415
        from ..models.gap_power import GapPower # noqa: PLC0415
        world = self.world.value

        live: dict[str, Any] | None
        if isinstance(self.live, Gap):
            live = self.live.to_dict()
        else:
            live = self.live

        back_test: dict[str, Any] | None
        if isinstance(self.back_test, BackTestedGap):
            back_test = self.back_test.to_dict()
        else:
            back_test = self.back_test

        difference: dict[str, Any] | None
        if isinstance(self.difference, GapDifference):
            difference = self.difference.to_dict()
        else:
            difference = self.difference

        power: dict[str, Any] | None
        if isinstance(self.power, GapPower):
            power = self.power.to_dict()
        else:
            power = self.power

        computed_at: None | str
        if isinstance(self.computed_at, datetime.datetime):
            computed_at = self.computed_at.isoformat()
        else:
            computed_at = self.computed_at


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "world": world,
            "live": live,
            "back_test": back_test,
            "difference": difference,
            "power": power,
            "computed_at": computed_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.back_tested_gap import BackTestedGap # noqa: PLC0415
        from ..models.gap import Gap # noqa: PLC0415
        from ..models.gap_difference import GapDifference # noqa: PLC0415
        from ..models.gap_power import GapPower # noqa: PLC0415
        d = dict(src_dict)
        world = WorldEnum(d.pop("world"))




        def _parse_live(data: object) -> Gap | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                live_type_0 = Gap.from_dict(data)



                return live_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Gap | None, data)

        live = _parse_live(d.pop("live"))


        def _parse_back_test(data: object) -> BackTestedGap | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                back_test_type_0 = BackTestedGap.from_dict(data)



                return back_test_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(BackTestedGap | None, data)

        back_test = _parse_back_test(d.pop("back_test"))


        def _parse_difference(data: object) -> GapDifference | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                difference_type_0 = GapDifference.from_dict(data)



                return difference_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(GapDifference | None, data)

        difference = _parse_difference(d.pop("difference"))


        def _parse_power(data: object) -> GapPower | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                power_type_0 = GapPower.from_dict(data)



                return power_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(GapPower | None, data)

        power = _parse_power(d.pop("power"))


        def _parse_computed_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                computed_at_type_0 = datetime.datetime.fromisoformat(data)



                return computed_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        computed_at = _parse_computed_at(d.pop("computed_at"))


        closing_gap = cls(
            world=world,
            live=live,
            back_test=back_test,
            difference=difference,
            power=power,
            computed_at=computed_at,
        )


        closing_gap.additional_properties = d
        return closing_gap

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
