from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.outcomes import Outcomes





T = TypeVar("T", bound="Live")



@_attrs_define
class Live:
    """ A match in play: what a source reports about it, and the chances that follow from this and the forecast.

        Attributes:
            minute (int): Minutes played; 45 and 90 in stoppage time.
            home_goals (int):
            away_goals (int):
            probabilities (Outcomes): One number for each outcome, in the order home, draw, away.
            read_at (datetime.datetime): When the source last said so, at most ten minutes ago.
     """

    minute: int
    home_goals: int
    away_goals: int
    probabilities: Outcomes
    read_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.outcomes import Outcomes # noqa: PLC0415
        minute = self.minute

        home_goals = self.home_goals

        away_goals = self.away_goals

        probabilities = self.probabilities.to_dict()

        read_at = self.read_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "minute": minute,
            "home_goals": home_goals,
            "away_goals": away_goals,
            "probabilities": probabilities,
            "read_at": read_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.outcomes import Outcomes # noqa: PLC0415
        d = dict(src_dict)
        minute = d.pop("minute")

        home_goals = d.pop("home_goals")

        away_goals = d.pop("away_goals")

        probabilities = Outcomes.from_dict(d.pop("probabilities"))




        read_at = datetime.datetime.fromisoformat(d.pop("read_at"))




        live = cls(
            minute=minute,
            home_goals=home_goals,
            away_goals=away_goals,
            probabilities=probabilities,
            read_at=read_at,
        )


        live.additional_properties = d
        return live

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
