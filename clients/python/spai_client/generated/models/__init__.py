""" Contains all the data models used in inputs/outputs """

from .adjustment import Adjustment
from .awarded_result import AwardedResult
from .back_tested_gap import BackTestedGap
from .batch import Batch
from .batch_answer import BatchAnswer
from .batch_answers import BatchAnswers
from .batch_items_item_type_1 import BatchItemsItemType1
from .blank_enum import BlankEnum
from .bookmaker import Bookmaker
from .bookmakers import Bookmakers
from .closing_gap import ClosingGap
from .closing_gap_world import ClosingGapWorld
from .club_end import ClubEnd
from .club_end_chances import ClubEndChances
from .competition import Competition
from .competition_line import CompetitionLine
from .competitions_ordering import CompetitionsOrdering
from .competitions_world import CompetitionsWorld
from .delivery_page import DeliveryPage
from .event import Event
from .event_page import EventPage
from .event_payload import EventPayload
from .fair_odds import FairOdds
from .feature import Feature
from .feature_list import FeatureList
from .features_world import FeaturesWorld
from .forecast_row import ForecastRow
from .gap import Gap
from .gap_difference import GapDifference
from .gap_interval import GapInterval
from .gap_power import GapPower
from .gate import Gate
from .goal_line import GoalLine
from .goals import Goals
from .graded_forecasts import GradedForecasts
from .graded_forecasts_kind_enum import GradedForecastsKindEnum
from .inclusion_proof import InclusionProof
from .interval import Interval
from .intervals import Intervals
from .item_error import ItemError
from .job_error import JobError
from .job_links import JobLinks
from .job_progress import JobProgress
from .kickoff_precision_enum import KickoffPrecisionEnum
from .ledger_day import LedgerDay
from .ledger_day_world import LedgerDayWorld
from .ledger_leaves import LedgerLeaves
from .ledger_leaves_world import LedgerLeavesWorld
from .ledger_list import LedgerList
from .ledger_world import LedgerWorld
from .line_refusal import LineRefusal
from .listed_competition import ListedCompetition
from .listed_season_forecast import ListedSeasonForecast
from .listed_team import ListedTeam
from .live import Live
from .live_comparison import LiveComparison
from .live_comparison_world import LiveComparisonWorld
from .live_comparisons import LiveComparisons
from .live_comparisons_world import LiveComparisonsWorld
from .locked_result import LockedResult
from .markets import Markets
from .match import Match
from .match_line import MatchLine
from .match_line_type_enum import MatchLineTypeEnum
from .match_stats import MatchStats
from .matches_list_status import MatchesListStatus
from .matches_list_world import MatchesListWorld
from .model import Model
from .model_version import ModelVersion
from .model_version_base_metrics import ModelVersionBaseMetrics
from .model_version_detail import ModelVersionDetail
from .model_version_detail_base_metrics import ModelVersionDetailBaseMetrics
from .model_version_detail_metrics import ModelVersionDetailMetrics
from .model_version_metrics import ModelVersionMetrics
from .model_world import ModelWorld
from .models_ordering import ModelsOrdering
from .models_stage import ModelsStage
from .models_world import ModelsWorld
from .moment_enum import MomentEnum
from .name_enum import NameEnum
from .new_webhook import NewWebhook
from .odds_line import OddsLine
from .odds_line_type_enum import OddsLineTypeEnum
from .outcomes import Outcomes
from .paginated_forecast_row_list import PaginatedForecastRowList
from .paginated_listed_competition_list import PaginatedListedCompetitionList
from .paginated_listed_season_forecast_list import PaginatedListedSeasonForecastList
from .paginated_listed_team_list import PaginatedListedTeamList
from .paginated_match_list import PaginatedMatchList
from .paginated_model_version_list import PaginatedModelVersionList
from .paginated_score_row_list import PaginatedScoreRowList
from .paginated_season_list import PaginatedSeasonList
from .paginated_source_list import PaginatedSourceList
from .patched_webhook_change import PatchedWebhookChange
from .prediction import Prediction
from .prediction_contributions import PredictionContributions
from .prediction_job import PredictionJob
from .prediction_job_kind_enum import PredictionJobKindEnum
from .prediction_job_list_kind import PredictionJobListKind
from .prediction_job_list_state import PredictionJobListState
from .prediction_job_page import PredictionJobPage
from .prediction_job_result_response_200 import PredictionJobResultResponse200
from .prediction_job_state_enum import PredictionJobStateEnum
from .predictions_batch_format import PredictionsBatchFormat
from .predictions_format import PredictionsFormat
from .predictions_ordering import PredictionsOrdering
from .predictions_status import PredictionsStatus
from .predictions_world import PredictionsWorld
from .problem import Problem
from .problem_error import ProblemError
from .push_account import PushAccount
from .push_problem import PushProblem
from .quote_line import QuoteLine
from .reason import Reason
from .result_enum import ResultEnum
from .role_enum import RoleEnum
from .root_response_200 import RootResponse200
from .score_row import ScoreRow
from .scoreline import Scoreline
from .scores_format import ScoresFormat
from .scores_ordering import ScoresOrdering
from .scores_status import ScoresStatus
from .scores_world import ScoresWorld
from .season import Season
from .season_forecast import SeasonForecast
from .season_forecasts_world import SeasonForecastsWorld
from .season_simulation import SeasonSimulation
from .season_simulation_kind_enum import SeasonSimulationKindEnum
from .seasons_ordering import SeasonsOrdering
from .seasons_world import SeasonsWorld
from .side_enum import SideEnum
from .source import Source
from .stage_enum import StageEnum
from .standing import Standing
from .stats_line import StatsLine
from .status_enum import StatusEnum
from .table import Table
from .table_line import TableLine
from .team import Team
from .teams_ordering import TeamsOrdering
from .teams_world import TeamsWorld
from .topic_enum import TopicEnum
from .topics_enum import TopicsEnum
from .upload import Upload
from .weakness import Weakness
from .weakness_enum import WeaknessEnum
from .webhook import Webhook
from .webhook_deliveries_state import WebhookDeliveriesState
from .webhook_delivery import WebhookDelivery
from .webhook_delivery_state_enum import WebhookDeliveryStateEnum
from .webhook_fields import WebhookFields
from .webhook_list import WebhookList
from .what_if import WhatIf
from .what_if_contributions import WhatIfContributions
from .what_if_item import WhatIfItem
from .what_if_set import WhatIfSet
from .what_if_set_kind_enum import WhatIfSetKindEnum
from .world_enum import WorldEnum

__all__ = (
    "Adjustment",
    "AwardedResult",
    "BackTestedGap",
    "Batch",
    "BatchAnswer",
    "BatchAnswers",
    "BatchItemsItemType1",
    "BlankEnum",
    "Bookmaker",
    "Bookmakers",
    "ClosingGap",
    "ClosingGapWorld",
    "ClubEnd",
    "ClubEndChances",
    "Competition",
    "CompetitionLine",
    "CompetitionsOrdering",
    "CompetitionsWorld",
    "DeliveryPage",
    "Event",
    "EventPage",
    "EventPayload",
    "FairOdds",
    "Feature",
    "FeatureList",
    "FeaturesWorld",
    "ForecastRow",
    "Gap",
    "GapDifference",
    "GapInterval",
    "GapPower",
    "Gate",
    "GoalLine",
    "Goals",
    "GradedForecasts",
    "GradedForecastsKindEnum",
    "InclusionProof",
    "Interval",
    "Intervals",
    "ItemError",
    "JobError",
    "JobLinks",
    "JobProgress",
    "KickoffPrecisionEnum",
    "LedgerDay",
    "LedgerDayWorld",
    "LedgerLeaves",
    "LedgerLeavesWorld",
    "LedgerList",
    "LedgerWorld",
    "LineRefusal",
    "ListedCompetition",
    "ListedSeasonForecast",
    "ListedTeam",
    "Live",
    "LiveComparison",
    "LiveComparisons",
    "LiveComparisonsWorld",
    "LiveComparisonWorld",
    "LockedResult",
    "Markets",
    "Match",
    "MatchesListStatus",
    "MatchesListWorld",
    "MatchLine",
    "MatchLineTypeEnum",
    "MatchStats",
    "Model",
    "ModelsOrdering",
    "ModelsStage",
    "ModelsWorld",
    "ModelVersion",
    "ModelVersionBaseMetrics",
    "ModelVersionDetail",
    "ModelVersionDetailBaseMetrics",
    "ModelVersionDetailMetrics",
    "ModelVersionMetrics",
    "ModelWorld",
    "MomentEnum",
    "NameEnum",
    "NewWebhook",
    "OddsLine",
    "OddsLineTypeEnum",
    "Outcomes",
    "PaginatedForecastRowList",
    "PaginatedListedCompetitionList",
    "PaginatedListedSeasonForecastList",
    "PaginatedListedTeamList",
    "PaginatedMatchList",
    "PaginatedModelVersionList",
    "PaginatedScoreRowList",
    "PaginatedSeasonList",
    "PaginatedSourceList",
    "PatchedWebhookChange",
    "Prediction",
    "PredictionContributions",
    "PredictionJob",
    "PredictionJobKindEnum",
    "PredictionJobListKind",
    "PredictionJobListState",
    "PredictionJobPage",
    "PredictionJobResultResponse200",
    "PredictionJobStateEnum",
    "PredictionsBatchFormat",
    "PredictionsFormat",
    "PredictionsOrdering",
    "PredictionsStatus",
    "PredictionsWorld",
    "Problem",
    "ProblemError",
    "PushAccount",
    "PushProblem",
    "QuoteLine",
    "Reason",
    "ResultEnum",
    "RoleEnum",
    "RootResponse200",
    "Scoreline",
    "ScoreRow",
    "ScoresFormat",
    "ScoresOrdering",
    "ScoresStatus",
    "ScoresWorld",
    "Season",
    "SeasonForecast",
    "SeasonForecastsWorld",
    "SeasonSimulation",
    "SeasonSimulationKindEnum",
    "SeasonsOrdering",
    "SeasonsWorld",
    "SideEnum",
    "Source",
    "StageEnum",
    "Standing",
    "StatsLine",
    "StatusEnum",
    "Table",
    "TableLine",
    "Team",
    "TeamsOrdering",
    "TeamsWorld",
    "TopicEnum",
    "TopicsEnum",
    "Upload",
    "Weakness",
    "WeaknessEnum",
    "Webhook",
    "WebhookDeliveriesState",
    "WebhookDelivery",
    "WebhookDeliveryStateEnum",
    "WebhookFields",
    "WebhookList",
    "WhatIf",
    "WhatIfContributions",
    "WhatIfItem",
    "WhatIfSet",
    "WhatIfSetKindEnum",
    "WorldEnum",
)
