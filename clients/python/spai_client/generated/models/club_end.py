from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.club_end_chances import ClubEndChances
  from ..models.team import Team





T = TypeVar("T", bound="ClubEnd")



@_attrs_define
class ClubEnd:
    """ The simulated final results of one club.

        Attributes:
            team (Team): A team of a match.
            points (int): So far.
            expected (float): Mean of the points at the end.
            low (int): One in ten simulated seasons ends with fewer points.
            high (int): One in ten ends with more.
            chances (ClubEndChances): Name of a line → probability.
            places (list[float]): Probability of each place, from the first on.
     """

    team: Team
    points: int
    expected: float
    low: int
    high: int
    chances: ClubEndChances
    places: list[float]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.club_end_chances import ClubEndChances # noqa: PLC0415
        from ..models.team import Team # noqa: PLC0415
        team = self.team.to_dict()

        points = self.points

        expected = self.expected

        low = self.low

        high = self.high

        chances = self.chances.to_dict()

        places = self.places




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "team": team,
            "points": points,
            "expected": expected,
            "low": low,
            "high": high,
            "chances": chances,
            "places": places,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.club_end_chances import ClubEndChances # noqa: PLC0415
        from ..models.team import Team # noqa: PLC0415
        d = dict(src_dict)
        team = Team.from_dict(d.pop("team"))




        points = d.pop("points")

        expected = d.pop("expected")

        low = d.pop("low")

        high = d.pop("high")

        chances = ClubEndChances.from_dict(d.pop("chances"))




        places = cast(list[float], d.pop("places"))


        club_end = cls(
            team=team,
            points=points,
            expected=expected,
            low=low,
            high=high,
            chances=chances,
            places=places,
        )


        club_end.additional_properties = d
        return club_end

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
