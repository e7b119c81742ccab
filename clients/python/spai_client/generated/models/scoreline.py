from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset







T = TypeVar("T", bound="Scoreline")



@_attrs_define
class Scoreline:
    """ One scoreline and its probability.

        Attributes:
            home_goals (int):
            away_goals (int):
            probability (float):
     """

    home_goals: int
    away_goals: int
    probability: float
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        home_goals = self.home_goals

        away_goals = self.away_goals

        probability = self.probability


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "home_goals": home_goals,
            "away_goals": away_goals,
            "probability": probability,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        home_goals = d.pop("home_goals")

        away_goals = d.pop("away_goals")

        probability = d.pop("probability")

        scoreline = cls(
            home_goals=home_goals,
            away_goals=away_goals,
            probability=probability,
        )


        scoreline.additional_properties = d
        return scoreline

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
