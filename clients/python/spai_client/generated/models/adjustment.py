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





T = TypeVar("T", bound="Adjustment")



@_attrs_define
class Adjustment:
    """ A decision that changed the points of a club.

        Attributes:
            team (Team): A team of a match.
            points (int): Negative for a deduction, positive for points given back.
            decided_on (datetime.date): Day on which it was published.
            known_at (datetime.datetime): From when on tables count it.
            reason (str):
            source (str): Who published it, or an address.
     """

    team: Team
    points: int
    decided_on: datetime.date
    known_at: datetime.datetime
    reason: str
    source: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.team import Team # noqa: PLC0415
        team = self.team.to_dict()

        points = self.points

        decided_on = self.decided_on.isoformat()

        known_at = self.known_at.isoformat()

        reason = self.reason

        source = self.source


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "team": team,
            "points": points,
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
        team = Team.from_dict(d.pop("team"))




        points = d.pop("points")

        decided_on = datetime.date.fromisoformat(d.pop("decided_on"))




        known_at = datetime.datetime.fromisoformat(d.pop("known_at"))




        reason = d.pop("reason")

        source = d.pop("source")

        adjustment = cls(
            team=team,
            points=points,
            decided_on=decided_on,
            known_at=known_at,
            reason=reason,
            source=source,
        )


        adjustment.additional_properties = d
        return adjustment

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
