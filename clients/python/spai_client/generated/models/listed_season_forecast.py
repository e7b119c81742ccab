from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime






T = TypeVar("T", bound="ListedSeasonForecast")



@_attrs_define
class ListedSeasonForecast:
    """ The latest simulation of one season, without its clubs.

        Attributes:
            id (int):
            world (str):
            competition (str): Slug.
            competition_name (str):
            season (str): 2023-24, or 2023 within one year.
            season_id (int):
            model (int): Number of the model version.
            data_snapshot (int):
            as_of (datetime.datetime): It used facts known before this moment.
            simulations (int): Simulated seasons.
            played (int): Matches that count already.
            remaining (int): Matches that were simulated.
            undated (int): Of those, the ones that no source has listed yet.
            is_whole (bool): Whether these are all matches to the end of the season.
            url (str): With its clubs.
     """

    id: int
    world: str
    competition: str
    competition_name: str
    season: str
    season_id: int
    model: int
    data_snapshot: int
    as_of: datetime.datetime
    simulations: int
    played: int
    remaining: int
    undated: int
    is_whole: bool
    url: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        id = self.id

        world = self.world

        competition = self.competition

        competition_name = self.competition_name

        season = self.season

        season_id = self.season_id

        model = self.model

        data_snapshot = self.data_snapshot

        as_of = self.as_of.isoformat()

        simulations = self.simulations

        played = self.played

        remaining = self.remaining

        undated = self.undated

        is_whole = self.is_whole

        url = self.url


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "id": id,
            "world": world,
            "competition": competition,
            "competition_name": competition_name,
            "season": season,
            "season_id": season_id,
            "model": model,
            "data_snapshot": data_snapshot,
            "as_of": as_of,
            "simulations": simulations,
            "played": played,
            "remaining": remaining,
            "undated": undated,
            "is_whole": is_whole,
            "url": url,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        world = d.pop("world")

        competition = d.pop("competition")

        competition_name = d.pop("competition_name")

        season = d.pop("season")

        season_id = d.pop("season_id")

        model = d.pop("model")

        data_snapshot = d.pop("data_snapshot")

        as_of = datetime.datetime.fromisoformat(d.pop("as_of"))




        simulations = d.pop("simulations")

        played = d.pop("played")

        remaining = d.pop("remaining")

        undated = d.pop("undated")

        is_whole = d.pop("is_whole")

        url = d.pop("url")

        listed_season_forecast = cls(
            id=id,
            world=world,
            competition=competition,
            competition_name=competition_name,
            season=season,
            season_id=season_id,
            model=model,
            data_snapshot=data_snapshot,
            as_of=as_of,
            simulations=simulations,
            played=played,
            remaining=remaining,
            undated=undated,
            is_whole=is_whole,
            url=url,
        )


        listed_season_forecast.additional_properties = d
        return listed_season_forecast

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
