from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.graded_forecasts_kind_enum import GradedForecastsKindEnum
from ..models.world_enum import WorldEnum
from ..types import UNSET, Unset
from typing import cast
import datetime






T = TypeVar("T", bound="GradedForecasts")



@_attrs_define
class GradedForecasts:
    """ The forecasts that were published before the matches of a period, each with its result and scores.

        Attributes:
            kind (GradedForecastsKindEnum): * `graded_forecasts` - graded_forecasts
            since (datetime.datetime): Matches that kicked off at this moment or later.
            until (datetime.datetime): Matches that kicked off before this moment.
            world (WorldEnum | Unset): * `real` - real
                * `sandbox` - sandbox
            competition (str | Unset): Slug; all by default.
     """

    kind: GradedForecastsKindEnum
    since: datetime.datetime
    until: datetime.datetime
    world: WorldEnum | Unset = UNSET
    competition: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        kind = self.kind.value

        since = self.since.isoformat()

        until = self.until.isoformat()

        world: str | Unset = UNSET
        if not isinstance(self.world, Unset):
            world = self.world.value


        competition = self.competition


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "kind": kind,
            "since": since,
            "until": until,
        })
        if world is not UNSET:
            field_dict["world"] = world
        if competition is not UNSET:
            field_dict["competition"] = competition

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        kind = GradedForecastsKindEnum(d.pop("kind"))




        since = datetime.datetime.fromisoformat(d.pop("since"))




        until = datetime.datetime.fromisoformat(d.pop("until"))




        _world = d.pop("world", UNSET)
        world: WorldEnum | Unset
        if isinstance(_world,  Unset):
            world = UNSET
        else:
            world = WorldEnum(_world)




        competition = d.pop("competition", UNSET)

        graded_forecasts = cls(
            kind=kind,
            since=since,
            until=until,
            world=world,
            competition=competition,
        )


        graded_forecasts.additional_properties = d
        return graded_forecasts

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
