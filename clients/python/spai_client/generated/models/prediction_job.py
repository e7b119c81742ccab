from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.prediction_job_kind_enum import PredictionJobKindEnum
from ..models.prediction_job_state_enum import PredictionJobStateEnum
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
  from ..models.job_error import JobError
  from ..models.job_links import JobLinks
  from ..models.job_progress import JobProgress





T = TypeVar("T", bound="PredictionJob")



@_attrs_define
class PredictionJob:
    """ A prediction job.

        Attributes:
            id (UUID):
            kind (PredictionJobKindEnum): * `what_if_set` - forecasts of many matches or pairings
                * `season_simulation` - a season with given results, simulated
                * `graded_forecasts` - the published forecasts of a period, with their scores
            state (PredictionJobStateEnum): * `queued` - Queued
                * `running` - Running
                * `succeeded` - Succeeded
                * `failed` - Failed
                * `cancelled` - Cancelled
                * `expired` - Expired
            progress (JobProgress): How far a job is.
            attempts (int): Starts. A start that the death of its worker ended counts, one that was put back does not.
            error (JobError | None):
            created_at (datetime.datetime):
            started_at (datetime.datetime | None):
            finished_at (datetime.datetime | None):
            expires_at (datetime.datetime | None): When the result is deleted; empty before the job ended.
            links (JobLinks): Addresses of a job.
     """

    id: UUID
    kind: PredictionJobKindEnum
    state: PredictionJobStateEnum
    progress: JobProgress
    attempts: int
    error: JobError | None
    created_at: datetime.datetime
    started_at: datetime.datetime | None
    finished_at: datetime.datetime | None
    expires_at: datetime.datetime | None
    links: JobLinks
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.job_error import JobError # noqa: PLC0415
        from ..models.job_links import JobLinks # noqa: PLC0415
        from ..models.job_progress import JobProgress # noqa: PLC0415
        id = str(self.id)

        kind = self.kind.value

        state = self.state.value

        progress = self.progress.to_dict()

        attempts = self.attempts

        error: dict[str, Any] | None
        if isinstance(self.error, JobError):
            error = self.error.to_dict()
        else:
            error = self.error

        created_at = self.created_at.isoformat()

        started_at: None | str
        if isinstance(self.started_at, datetime.datetime):
            started_at = self.started_at.isoformat()
        else:
            started_at = self.started_at

        finished_at: None | str
        if isinstance(self.finished_at, datetime.datetime):
            finished_at = self.finished_at.isoformat()
        else:
            finished_at = self.finished_at

        expires_at: None | str
        if isinstance(self.expires_at, datetime.datetime):
            expires_at = self.expires_at.isoformat()
        else:
            expires_at = self.expires_at

        links = self.links.to_dict()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "id": id,
            "kind": kind,
            "state": state,
            "progress": progress,
            "attempts": attempts,
            "error": error,
            "created_at": created_at,
            "started_at": started_at,
            "finished_at": finished_at,
            "expires_at": expires_at,
            "links": links,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.job_error import JobError # noqa: PLC0415
        from ..models.job_links import JobLinks # noqa: PLC0415
        from ..models.job_progress import JobProgress # noqa: PLC0415
        d = dict(src_dict)
        id = UUID(d.pop("id"))




        kind = PredictionJobKindEnum(d.pop("kind"))




        state = PredictionJobStateEnum(d.pop("state"))




        progress = JobProgress.from_dict(d.pop("progress"))




        attempts = d.pop("attempts")

        def _parse_error(data: object) -> JobError | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                error_type_0 = JobError.from_dict(data)



                return error_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(JobError | None, data)

        error = _parse_error(d.pop("error"))


        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))




        def _parse_started_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                started_at_type_0 = datetime.datetime.fromisoformat(data)



                return started_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        started_at = _parse_started_at(d.pop("started_at"))


        def _parse_finished_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                finished_at_type_0 = datetime.datetime.fromisoformat(data)



                return finished_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        finished_at = _parse_finished_at(d.pop("finished_at"))


        def _parse_expires_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                expires_at_type_0 = datetime.datetime.fromisoformat(data)



                return expires_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        expires_at = _parse_expires_at(d.pop("expires_at"))


        links = JobLinks.from_dict(d.pop("links"))




        prediction_job = cls(
            id=id,
            kind=kind,
            state=state,
            progress=progress,
            attempts=attempts,
            error=error,
            created_at=created_at,
            started_at=started_at,
            finished_at=finished_at,
            expires_at=expires_at,
            links=links,
        )


        prediction_job.additional_properties = d
        return prediction_job

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
