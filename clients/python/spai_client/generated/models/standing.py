from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.team import Team





T = TypeVar("T", bound="Standing")



@_attrs_define
class Standing:
    """ One line of a table.

        Attributes:
            place (int):
            team (Team): A team of a match.
            played (int):
            won (int):
            drawn (int):
            lost (int):
            goals_for (int):
            goals_against (int):
            goal_difference (int):
            points (int): With what was taken or given.
     """

    place: int
    team: Team
    played: int
    won: int
    drawn: int
    lost: int
    goals_for: int
    goals_against: int
    goal_difference: int
    points: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.team import Team # noqa: PLC0415
        place = self.place

        team = self.team.to_dict()

        played = self.played

        won = self.won

        drawn = self.drawn

        lost = self.lost

        goals_for = self.goals_for

        goals_against = self.goals_against

        goal_difference = self.goal_difference

        points = self.points


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "place": place,
            "team": team,
            "played": played,
            "won": won,
            "drawn": drawn,
            "lost": lost,
            "goals_for": goals_for,
            "goals_against": goals_against,
            "goal_difference": goal_difference,
            "points": points,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.team import Team # noqa: PLC0415
        d = dict(src_dict)
        place = d.pop("place")

        team = Team.from_dict(d.pop("team"))




        played = d.pop("played")

        won = d.pop("won")

        drawn = d.pop("drawn")

        lost = d.pop("lost")

        goals_for = d.pop("goals_for")

        goals_against = d.pop("goals_against")

        goal_difference = d.pop("goal_difference")

        points = d.pop("points")

        standing = cls(
            place=place,
            team=team,
            played=played,
            won=won,
            drawn=drawn,
            lost=lost,
            goals_for=goals_for,
            goals_against=goals_against,
            goal_difference=goal_difference,
            points=points,
        )


        standing.additional_properties = d
        return standing

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
