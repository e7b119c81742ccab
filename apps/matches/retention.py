"""What is deleted when it is old: each kind of row or file with its default period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RetentionKind:
    """What is deleted together under one period.

    Parameters
    ----------
    name : str
        In the admin, the report and the command.
    what : str
        What is deleted, and what of it stays whatever its age.
    days : int
        How long it is kept by default; 0 for ever.
    newest : int, optional
        How many of each world stay by default, whatever their age; None where their number does not count.
    """

    name: str
    what: str
    days: int
    newest: int | None = None


PAGES: Final = "pages"

KINDS: Final = {
    kind.name: kind
    for kind in (
        RetentionKind(
            "forecasts",
            "Forecasts of the real world that the same version replaced before kick-off, so many days after the "
            "kick-off. The latest of each version, every graded one and the leaves of the ledger stay.",
            90,
        ),
        RetentionKind(
            "sandbox-forecasts", "Forecasts of the sandbox that were replaced, as those of the real world.", 3
        ),
        RetentionKind(
            "sandbox-ledger",
            "Leaves of the sandbox's ledger, without which its forecasts have no proof. The hash of each day stays, "
            "and so does all of the ledger of the real world.",
            14,
        ),
        RetentionKind("season-forecasts", "Simulated seasons of the real world; the latest of each season stays.", 365),
        RetentionKind(
            "sandbox-season-forecasts", "Simulated seasons of the sandbox; the latest of each season stays.", 3
        ),
        RetentionKind(
            "events",
            "Events of the push feed. The newest 10,000 stay, and those for which a webhook still needs a message. "
            "A client that requests an older one gets a reset.",
            3,
        ),
        RetentionKind(
            PAGES,
            "Raw pages and scrape runs of real sources. The latest good page of each address and the newest run of "
            "each scope stay.",
            365,
        ),
        RetentionKind(
            "sandbox-pages",
            "Raw pages and scrape runs of the sandbox, as those of real sources; addresses that are not seen any more "
            "go too.",
            2,
        ),
        RetentionKind(
            "workspaces",
            "Folders of pipeline runs that have ended, and what only they use in DVC's cache and remote.",
            1,
            2,
        ),
        RetentionKind("runs", "Rows of pipeline runs that have ended and made no version.", 90, 20),
        RetentionKind(
            "model-files",
            "Bundle, report, and MLflow run of versions that nothing refers to: no promotion, comparison, forecast "
            "or alias. The row with its metrics stays.",
            7,
            10,
        ),
        RetentionKind("feature-states", "Stored feature states of versions that are not champion.", 1),
        RetentionKind("model-copies", "Checked copies of bundles on this machine; they are made again when needed.", 7),
        RetentionKind("drift-reports", "Reports on drift.", 365),
        RetentionKind("retraining-decisions", "Decisions on whether to train again.", 365),
        RetentionKind("source-days", "What each source delivered on a day, with which later weeks are compared.", 500),
        RetentionKind("webhook-deliveries", "Messages that were accepted or given up.", 30),
        RetentionKind("prediction-jobs", "Prediction jobs, so many days after their results expired.", 30),
        RetentionKind("logins", "The log of logins; sessions go when they expire.", 90),
        RetentionKind("metric-files", "Files of metrics of processes that have ended; their counts are kept.", 1),
        RetentionKind("retention-runs", "Reports of retention; the newest stays.", 90),
    )
}
