from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.goal_line import GoalLine
  from ..models.scoreline import Scoreline





T = TypeVar("T", bound="Markets")



@_attrs_define
class Markets:
    """ Other markets, computed from the scoreline grid, which agrees with the 1X2 probabilities exactly.

        Attributes:
            goal_lines (list[GoalLine]):
            both_score (float): Probability that both sides score.
            most_likely (Scoreline): One scoreline and its probability.
     """

    goal_lines: list[GoalLine]
    both_score: float
    most_likely: Scoreline
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.goal_line import GoalLine # noqa: PLC0415
        from ..models.scoreline import Scoreline # noqa: PLC0415
        goal_lines = []
        for goal_lines_item_data in self.goal_lines:
            goal_lines_item = goal_lines_item_data.to_dict()
            goal_lines.append(goal_lines_item)



        both_score = self.both_score

        most_likely = self.most_likely.to_dict()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "goal_lines": goal_lines,
            "both_score": both_score,
            "most_likely": most_likely,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.goal_line import GoalLine # noqa: PLC0415
        from ..models.scoreline import Scoreline # noqa: PLC0415
        d = dict(src_dict)
        goal_lines = []
        _goal_lines = d.pop("goal_lines")
        for goal_lines_item_data in (_goal_lines):
            goal_lines_item = GoalLine.from_dict(goal_lines_item_data)



            goal_lines.append(goal_lines_item)


        both_score = d.pop("both_score")

        most_likely = Scoreline.from_dict(d.pop("most_likely"))




        markets = cls(
            goal_lines=goal_lines,
            both_score=both_score,
            most_likely=most_likely,
        )


        markets.additional_properties = d
        return markets

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
