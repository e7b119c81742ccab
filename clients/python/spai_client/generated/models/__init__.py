""" Contains all the data models used in inputs/outputs """

from .adjustment import Adjustment
from .awarded_result import AwardedResult
from .club_end import ClubEnd
from .club_end_chances import ClubEndChances
from .competition import Competition
from .competition_line import CompetitionLine
from .fair_odds import FairOdds
from .feature import Feature
from .feature_list import FeatureList
from .features_world import FeaturesWorld
from .found_team import FoundTeam
from .found_teams import FoundTeams
from .goal_line import GoalLine
from .goals import Goals
from .kickoff_precision_enum import KickoffPrecisionEnum
from .line_refusal import LineRefusal
from .markets import Markets
from .match import Match
from .match_line import MatchLine
from .match_line_type_enum import MatchLineTypeEnum
from .match_stats import MatchStats
from .matches_list_status import MatchesListStatus
from .matches_list_world import MatchesListWorld
from .model import Model
from .moment_enum import MomentEnum
from .name_enum import NameEnum
from .odds_line import OddsLine
from .odds_line_type_enum import OddsLineTypeEnum
from .outcomes import Outcomes
from .paginated_match_list import PaginatedMatchList
from .prediction import Prediction
from .prediction_contributions import PredictionContributions
from .problem import Problem
from .problem_error import ProblemError
from .push_account import PushAccount
from .push_problem import PushProblem
from .quote_line import QuoteLine
from .scoreline import Scoreline
from .season_forecast import SeasonForecast
from .standing import Standing
from .stats_line import StatsLine
from .status_enum import StatusEnum
from .table import Table
from .table_line import TableLine
from .team import Team
from .teams_world import TeamsWorld
from .upload import Upload
from .what_if import WhatIf
from .what_if_contributions import WhatIfContributions
from .world_enum import WorldEnum

__all__ = (
    "Adjustment",
    "AwardedResult",
    "ClubEnd",
    "ClubEndChances",
    "Competition",
    "CompetitionLine",
    "FairOdds",
    "Feature",
    "FeatureList",
    "FeaturesWorld",
    "FoundTeam",
    "FoundTeams",
    "GoalLine",
    "Goals",
    "KickoffPrecisionEnum",
    "LineRefusal",
    "Markets",
    "Match",
    "MatchesListStatus",
    "MatchesListWorld",
    "MatchLine",
    "MatchLineTypeEnum",
    "MatchStats",
    "Model",
    "MomentEnum",
    "NameEnum",
    "OddsLine",
    "OddsLineTypeEnum",
    "Outcomes",
    "PaginatedMatchList",
    "Prediction",
    "PredictionContributions",
    "Problem",
    "ProblemError",
    "PushAccount",
    "PushProblem",
    "QuoteLine",
    "Scoreline",
    "SeasonForecast",
    "Standing",
    "StatsLine",
    "StatusEnum",
    "Table",
    "TableLine",
    "Team",
    "TeamsWorld",
    "Upload",
    "WhatIf",
    "WhatIfContributions",
    "WorldEnum",
)
