from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.team import Team





T = TypeVar("T", bound="AwardedResult")



@_attrs_define
class AwardedResult:
    """ A result that a league set in the place of what was played.

        Attributes:
            home_team (Team): A team of a match.
            away_team (Team): A team of a match.
            played_on (datetime.date): Day of the match, in UTC.
            home_goals (int): As the table counts them.
            away_goals (int):
            decided_on (datetime.date): Day on which it was published.
            known_at (datetime.datetime): From when on tables count it.
            reason (str):
            source (str): Who published it, or an address.
     """

    home_team: Team
    away_team: Team
    played_on: datetime.date
    home_goals: int
    away_goals: int
    decided_on: datetime.date
    known_at: datetime.datetime
    reason: str
    source: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.team import Team # noqa: PLC0415
        home_team = self.home_team.to_dict()

        away_team = self.away_team.to_dict()

        played_on = self.played_on.isoformat()

        home_goals = self.home_goals

        away_goals = self.away_goals

        decided_on = self.decided_on.isoformat()

        known_at = self.known_at.isoformat()

        reason = self.reason

        source = self.source


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "home_team": home_team,
            "away_team": away_team,
            "played_on": played_on,
            "home_goals": home_goals,
            "away_goals": away_goals,
            "decided_on": decided_on,
            "known_at": known_at,
            "reason": reason,
            "source": source,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.team import Team # noqa: PLC0415
        d = dict(src_dict)
        home_team = Team.from_dict(d.pop("home_team"))




        away_team = Team.from_dict(d.pop("away_team"))




        played_on = datetime.date.fromisoformat(d.pop("played_on"))




        home_goals = d.pop("home_goals")

        away_goals = d.pop("away_goals")

        decided_on = datetime.date.fromisoformat(d.pop("decided_on"))




        known_at = datetime.datetime.fromisoformat(d.pop("known_at"))




        reason = d.pop("reason")

        source = d.pop("source")

        awarded_result = cls(
            home_team=home_team,
            away_team=away_team,
            played_on=played_on,
            home_goals=home_goals,
            away_goals=away_goals,
            decided_on=decided_on,
            known_at=known_at,
            reason=reason,
            source=source,
        )


        awarded_result.additional_properties = d
        return awarded_result

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
