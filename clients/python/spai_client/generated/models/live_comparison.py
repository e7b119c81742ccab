from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.role_enum import RoleEnum
from ..models.world_enum import WorldEnum
from typing import cast






T = TypeVar("T", bound="LiveComparison")



@_attrs_define
class LiveComparison:
    """ A version in shadow and the champion, on the latest matches of that champion that both forecast, at most 1,000.

    Scores are null before the first of these matches is graded.

        Attributes:
            world (WorldEnum): * `real` - real
                * `sandbox` - sandbox
            version (int): Number of the version in shadow.
            role (RoleEnum): * `challenger` - challenger
                * `champion before` - champion before
            champion (int): Number of the champion.
            n (int): Graded matches that both forecast.
            log_loss (float | None): Of the version, in nats.
            champion_log_loss (float | None): Of the champion.
            difference (float | None): Log loss of the version less that of the champion.
            low (float | None): Lower end of its 95 % interval; null below 30 matches.
            high (float | None): Upper end of the interval.
            rps (float | None): Ranked probability score of the version.
            champion_rps (float | None): Of the champion.
            url (str):
     """

    world: WorldEnum
    version: int
    role: RoleEnum
    champion: int
    n: int
    log_loss: float | None
    champion_log_loss: float | None
    difference: float | None
    low: float | None
    high: float | None
    rps: float | None
    champion_rps: float | None
    url: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        world = self.world.value

        version = self.version

        role = self.role.value

        champion = self.champion

        n = self.n

        log_loss: float | None
        log_loss = self.log_loss

        champion_log_loss: float | None
        champion_log_loss = self.champion_log_loss

        difference: float | None
        difference = self.difference

        low: float | None
        low = self.low

        high: float | None
        high = self.high

        rps: float | None
        rps = self.rps

        champion_rps: float | None
        champion_rps = self.champion_rps

        url = self.url


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "world": world,
            "version": version,
            "role": role,
            "champion": champion,
            "n": n,
            "log_loss": log_loss,
            "champion_log_loss": champion_log_loss,
            "difference": difference,
            "low": low,
            "high": high,
            "rps": rps,
            "champion_rps": champion_rps,
            "url": url,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        world = WorldEnum(d.pop("world"))




        version = d.pop("version")

        role = RoleEnum(d.pop("role"))




        champion = d.pop("champion")

        n = d.pop("n")

        def _parse_log_loss(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        log_loss = _parse_log_loss(d.pop("log_loss"))


        def _parse_champion_log_loss(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        champion_log_loss = _parse_champion_log_loss(d.pop("champion_log_loss"))


        def _parse_difference(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        difference = _parse_difference(d.pop("difference"))


        def _parse_low(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        low = _parse_low(d.pop("low"))


        def _parse_high(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        high = _parse_high(d.pop("high"))


        def _parse_rps(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        rps = _parse_rps(d.pop("rps"))


        def _parse_champion_rps(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        champion_rps = _parse_champion_rps(d.pop("champion_rps"))


        url = d.pop("url")

        live_comparison = cls(
            world=world,
            version=version,
            role=role,
            champion=champion,
            n=n,
            log_loss=log_loss,
            champion_log_loss=champion_log_loss,
            difference=difference,
            low=low,
            high=high,
            rps=rps,
            champion_rps=champion_rps,
            url=url,
        )


        live_comparison.additional_properties = d
        return live_comparison

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
