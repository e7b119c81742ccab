from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.fair_odds import FairOdds
  from ..models.goals import Goals
  from ..models.markets import Markets
  from ..models.model import Model
  from ..models.outcomes import Outcomes
  from ..models.prediction_contributions import PredictionContributions





T = TypeVar("T", bound="Prediction")



@_attrs_define
class Prediction:
    """ A forecast of one match: published before kick-off, frozen at kick-off, graded after the match.

        Attributes:
            match (int): Id of the match.
            kickoff_at (datetime.datetime):
            probabilities (Outcomes): One number for each outcome, in the order home, draw, away.
            fair_odds (FairOdds): Decimal odds for each outcome; null for one that cannot happen.
            expected_goals (Goals): Expected goals of both sides in 90 minutes and stoppage time.
            markets (Markets): Other markets, computed from the scoreline grid, which agrees with the 1X2 probabilities
                exactly.
            scorelines (list[list[float]]): Probability of each scoreline: rows are home goals 0 to 10, columns away; 10
                means 10 or more.
            base_rates (Outcomes): One number for each outcome, in the order home, draw, away.
            contributions (PredictionContributions): Group of inputs → log-odds, home against away.
            model (Model | None): Null where the base rates stand in for a model.
            data_snapshot (int): Number of the data snapshot that the forecast uses.
            as_of (datetime.datetime): The forecast uses no fact that became known later.
            published_at (datetime.datetime | None): Null for one that was made for this request.
            is_frozen (bool): True from kick-off on: no later forecast replaces it.
            degraded (str): The fallback that made the forecast; empty for the champion.
     """

    match: int
    kickoff_at: datetime.datetime
    probabilities: Outcomes
    fair_odds: FairOdds
    expected_goals: Goals
    markets: Markets
    scorelines: list[list[float]]
    base_rates: Outcomes
    contributions: PredictionContributions
    model: Model | None
    data_snapshot: int
    as_of: datetime.datetime
    published_at: datetime.datetime | None
    is_frozen: bool
    degraded: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.fair_odds import FairOdds # noqa: PLC0415
        from ..models.goals import Goals # noqa: PLC0415
        from ..models.markets import Markets # noqa: PLC0415
        from ..models.model import Model # noqa: PLC0415
        from ..models.outcomes import Outcomes # noqa: PLC0415
        from ..models.prediction_contributions import PredictionContributions # noqa: PLC0415
        match = self.match

        kickoff_at = self.kickoff_at.isoformat()

        probabilities = self.probabilities.to_dict()

        fair_odds = self.fair_odds.to_dict()

        expected_goals = self.expected_goals.to_dict()

        markets = self.markets.to_dict()

        scorelines = []
        for scorelines_item_data in self.scorelines:
            scorelines_item = scorelines_item_data


            scorelines.append(scorelines_item)



        base_rates = self.base_rates.to_dict()

        contributions = self.contributions.to_dict()

        model: dict[str, Any] | None
        if isinstance(self.model, Model):
            model = self.model.to_dict()
        else:
            model = self.model

        data_snapshot = self.data_snapshot

        as_of = self.as_of.isoformat()

        published_at: None | str
        if isinstance(self.published_at, datetime.datetime):
            published_at = self.published_at.isoformat()
        else:
            published_at = self.published_at

        is_frozen = self.is_frozen

        degraded = self.degraded


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "match": match,
            "kickoff_at": kickoff_at,
            "probabilities": probabilities,
            "fair_odds": fair_odds,
            "expected_goals": expected_goals,
            "markets": markets,
            "scorelines": scorelines,
            "base_rates": base_rates,
            "contributions": contributions,
            "model": model,
            "data_snapshot": data_snapshot,
            "as_of": as_of,
            "published_at": published_at,
            "is_frozen": is_frozen,
            "degraded": degraded,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.fair_odds import FairOdds # noqa: PLC0415
        from ..models.goals import Goals # noqa: PLC0415
        from ..models.markets import Markets # noqa: PLC0415
        from ..models.model import Model # noqa: PLC0415
        from ..models.outcomes import Outcomes # noqa: PLC0415
        from ..models.prediction_contributions import PredictionContributions # noqa: PLC0415
        d = dict(src_dict)
        match = d.pop("match")

        kickoff_at = datetime.datetime.fromisoformat(d.pop("kickoff_at"))




        probabilities = Outcomes.from_dict(d.pop("probabilities"))




        fair_odds = FairOdds.from_dict(d.pop("fair_odds"))




        expected_goals = Goals.from_dict(d.pop("expected_goals"))




        markets = Markets.from_dict(d.pop("markets"))




        scorelines = []
        _scorelines = d.pop("scorelines")
        for scorelines_item_data in (_scorelines):
            scorelines_item = cast(list[float], scorelines_item_data)

            scorelines.append(scorelines_item)


        base_rates = Outcomes.from_dict(d.pop("base_rates"))




        contributions = PredictionContributions.from_dict(d.pop("contributions"))




        def _parse_model(data: object) -> Model | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                model_type_0 = Model.from_dict(data)



                return model_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Model | None, data)

        model = _parse_model(d.pop("model"))


        data_snapshot = d.pop("data_snapshot")

        as_of = datetime.datetime.fromisoformat(d.pop("as_of"))




        def _parse_published_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                published_at_type_0 = datetime.datetime.fromisoformat(data)



                return published_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        published_at = _parse_published_at(d.pop("published_at"))


        is_frozen = d.pop("is_frozen")

        degraded = d.pop("degraded")

        prediction = cls(
            match=match,
            kickoff_at=kickoff_at,
            probabilities=probabilities,
            fair_odds=fair_odds,
            expected_goals=expected_goals,
            markets=markets,
            scorelines=scorelines,
            base_rates=base_rates,
            contributions=contributions,
            model=model,
            data_snapshot=data_snapshot,
            as_of=as_of,
            published_at=published_at,
            is_frozen=is_frozen,
            degraded=degraded,
        )


        prediction.additional_properties = d
        return prediction

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
