from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.competition import Competition
  from ..models.fair_odds import FairOdds
  from ..models.goals import Goals
  from ..models.intervals import Intervals
  from ..models.live import Live
  from ..models.markets import Markets
  from ..models.model import Model
  from ..models.outcomes import Outcomes
  from ..models.prediction_contributions import PredictionContributions
  from ..models.reason import Reason
  from ..models.team import Team
  from ..models.weakness import Weakness





T = TypeVar("T", bound="Prediction")



@_attrs_define
class Prediction:
    """ A forecast of one match: published before kick-off, frozen at kick-off, graded after the match.

        Attributes:
            competition (Competition): The competition of a match.
            season (str): 2023-24, or 2023 within one year.
            home_team (Team): A team of a match.
            away_team (Team): A team of a match.
            kickoff_at (datetime.datetime):
            is_neutral (bool): Whether the venue is neutral.
            probabilities (Outcomes): One number for each outcome, in the order home, draw, away.
            fair_odds (FairOdds): Decimal odds for each outcome; null for one that cannot happen.
            expected_goals (Goals): Expected goals of both sides in 90 minutes and stoppage time.
            base_rates (Outcomes): One number for each outcome, in the order home, draw, away.
            contributions (PredictionContributions): Group of inputs → log-odds, home against away.
            weaknesses (list[Weakness]): Why the forecast is less sure than usual, the most important first; mostly empty.
            intervals (Intervals | None): How sure the forecast is; null where too few earlier forecasts of the model had a
                closing line.
            model (Model | None): Null where the base rates stand in for a model.
            data_snapshot (int): Number of the data snapshot that the forecast uses.
            as_of (datetime.datetime): The forecast uses no fact that became known later.
            degraded (None | str): The fallback that made the forecast; null for one by the model itself.
            match (int): Id of the match.
            published_at (datetime.datetime | None): Null for one that was made for this request.
            is_frozen (bool): True from kick-off on: no later forecast replaces it.
            live (Live | None): While a feed tells score and minute of the match; null otherwise, and with `as_of`.
            markets (Markets | Unset): Other markets, computed from the scoreline grid, which agrees with the 1X2
                probabilities exactly.
            scorelines (list[list[float]] | Unset): Only with `include=scorelines`. Probability of each scoreline: rows are
                home goals 0 to 10, columns away; 10 means 10 or more.
            reasons (list[Reason] | Unset): Only with `include=reasons`: the contributions in words, strongest first.
     """

    competition: Competition
    season: str
    home_team: Team
    away_team: Team
    kickoff_at: datetime.datetime
    is_neutral: bool
    probabilities: Outcomes
    fair_odds: FairOdds
    expected_goals: Goals
    base_rates: Outcomes
    contributions: PredictionContributions
    weaknesses: list[Weakness]
    intervals: Intervals | None
    model: Model | None
    data_snapshot: int
    as_of: datetime.datetime
    degraded: None | str
    match: int
    published_at: datetime.datetime | None
    is_frozen: bool
    live: Live | None
    markets: Markets | Unset = UNSET
    scorelines: list[list[float]] | Unset = UNSET
    reasons: list[Reason] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.competition import Competition # noqa: PLC0415
        from ..models.fair_odds import FairOdds # noqa: PLC0415
        from ..models.goals import Goals # noqa: PLC0415
        from ..models.intervals import Intervals # noqa: PLC0415
        from ..models.live import Live # noqa: PLC0415
        from ..models.markets import Markets # noqa: PLC0415
        from ..models.model import Model # noqa: PLC0415
        from ..models.outcomes import Outcomes # noqa: PLC0415
        from ..models.prediction_contributions import PredictionContributions # noqa: PLC0415
        from ..models.reason import Reason # noqa: PLC0415
        from ..models.team import Team # noqa: PLC0415
        from ..models.weakness import Weakness # noqa: PLC0415
        competition = self.competition.to_dict()

        season = self.season

        home_team = self.home_team.to_dict()

        away_team = self.away_team.to_dict()

        kickoff_at = self.kickoff_at.isoformat()

        is_neutral = self.is_neutral

        probabilities = self.probabilities.to_dict()

        fair_odds = self.fair_odds.to_dict()

        expected_goals = self.expected_goals.to_dict()

        base_rates = self.base_rates.to_dict()

        contributions = self.contributions.to_dict()

        weaknesses = []
        for weaknesses_item_data in self.weaknesses:
            weaknesses_item = weaknesses_item_data.to_dict()
            weaknesses.append(weaknesses_item)



        intervals: dict[str, Any] | None
        if isinstance(self.intervals, Intervals):
            intervals = self.intervals.to_dict()
        else:
            intervals = self.intervals

        model: dict[str, Any] | None
        if isinstance(self.model, Model):
            model = self.model.to_dict()
        else:
            model = self.model

        data_snapshot = self.data_snapshot

        as_of = self.as_of.isoformat()

        degraded: None | str
        degraded = self.degraded

        match = self.match

        published_at: None | str
        if isinstance(self.published_at, datetime.datetime):
            published_at = self.published_at.isoformat()
        else:
            published_at = self.published_at

        is_frozen = self.is_frozen

        live: dict[str, Any] | None
        if isinstance(self.live, Live):
            live = self.live.to_dict()
        else:
            live = self.live

        markets: dict[str, Any] | Unset = UNSET
        if not isinstance(self.markets, Unset):
            markets = self.markets.to_dict()

        scorelines: list[list[float]] | Unset = UNSET
        if not isinstance(self.scorelines, Unset):
            scorelines = []
            for scorelines_item_data in self.scorelines:
                scorelines_item = scorelines_item_data


                scorelines.append(scorelines_item)



        reasons: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.reasons, Unset):
            reasons = []
            for reasons_item_data in self.reasons:
                reasons_item = reasons_item_data.to_dict()
                reasons.append(reasons_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "competition": competition,
            "season": season,
            "home_team": home_team,
            "away_team": away_team,
            "kickoff_at": kickoff_at,
            "is_neutral": is_neutral,
            "probabilities": probabilities,
            "fair_odds": fair_odds,
            "expected_goals": expected_goals,
            "base_rates": base_rates,
            "contributions": contributions,
            "weaknesses": weaknesses,
            "intervals": intervals,
            "model": model,
            "data_snapshot": data_snapshot,
            "as_of": as_of,
            "degraded": degraded,
            "match": match,
            "published_at": published_at,
            "is_frozen": is_frozen,
            "live": live,
        })
        if markets is not UNSET:
            field_dict["markets"] = markets
        if scorelines is not UNSET:
            field_dict["scorelines"] = scorelines
        if reasons is not UNSET:
            field_dict["reasons"] = reasons

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.competition import Competition # noqa: PLC0415
        from ..models.fair_odds import FairOdds # noqa: PLC0415
        from ..models.goals import Goals # noqa: PLC0415
        from ..models.intervals import Intervals # noqa: PLC0415
        from ..models.live import Live # noqa: PLC0415
        from ..models.markets import Markets # noqa: PLC0415
        from ..models.model import Model # noqa: PLC0415
        from ..models.outcomes import Outcomes # noqa: PLC0415
        from ..models.prediction_contributions import PredictionContributions # noqa: PLC0415
        from ..models.reason import Reason # noqa: PLC0415
        from ..models.team import Team # noqa: PLC0415
        from ..models.weakness import Weakness # noqa: PLC0415
        d = dict(src_dict)
        competition = Competition.from_dict(d.pop("competition"))




        season = d.pop("season")

        home_team = Team.from_dict(d.pop("home_team"))




        away_team = Team.from_dict(d.pop("away_team"))




        kickoff_at = datetime.datetime.fromisoformat(d.pop("kickoff_at"))




        is_neutral = d.pop("is_neutral")

        probabilities = Outcomes.from_dict(d.pop("probabilities"))




        fair_odds = FairOdds.from_dict(d.pop("fair_odds"))




        expected_goals = Goals.from_dict(d.pop("expected_goals"))




        base_rates = Outcomes.from_dict(d.pop("base_rates"))




        contributions = PredictionContributions.from_dict(d.pop("contributions"))




        weaknesses = []
        _weaknesses = d.pop("weaknesses")
        for weaknesses_item_data in (_weaknesses):
            weaknesses_item = Weakness.from_dict(weaknesses_item_data)



            weaknesses.append(weaknesses_item)


        def _parse_intervals(data: object) -> Intervals | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                intervals_type_0 = Intervals.from_dict(data)



                return intervals_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Intervals | None, data)

        intervals = _parse_intervals(d.pop("intervals"))


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




        def _parse_degraded(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        degraded = _parse_degraded(d.pop("degraded"))


        match = d.pop("match")

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

        def _parse_live(data: object) -> Live | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                live_type_0 = Live.from_dict(data)



                return live_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Live | None, data)

        live = _parse_live(d.pop("live"))


        _markets = d.pop("markets", UNSET)
        markets: Markets | Unset
        if isinstance(_markets,  Unset):
            markets = UNSET
        else:
            markets = Markets.from_dict(_markets)




        _scorelines = d.pop("scorelines", UNSET)
        scorelines: list[list[float]] | Unset = UNSET
        if _scorelines is not UNSET:
            scorelines = []
            for scorelines_item_data in _scorelines:
                scorelines_item = cast(list[float], scorelines_item_data)

                scorelines.append(scorelines_item)


        _reasons = d.pop("reasons", UNSET)
        reasons: list[Reason] | Unset = UNSET
        if _reasons is not UNSET:
            reasons = []
            for reasons_item_data in _reasons:
                reasons_item = Reason.from_dict(reasons_item_data)



                reasons.append(reasons_item)


        prediction = cls(
            competition=competition,
            season=season,
            home_team=home_team,
            away_team=away_team,
            kickoff_at=kickoff_at,
            is_neutral=is_neutral,
            probabilities=probabilities,
            fair_odds=fair_odds,
            expected_goals=expected_goals,
            base_rates=base_rates,
            contributions=contributions,
            weaknesses=weaknesses,
            intervals=intervals,
            model=model,
            data_snapshot=data_snapshot,
            as_of=as_of,
            degraded=degraded,
            match=match,
            published_at=published_at,
            is_frozen=is_frozen,
            live=live,
            markets=markets,
            scorelines=scorelines,
            reasons=reasons,
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
