from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.stage_enum import StageEnum
from ..models.world_enum import WorldEnum
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.model_version_base_metrics import ModelVersionBaseMetrics
  from ..models.model_version_metrics import ModelVersionMetrics





T = TypeVar("T", bound="ModelVersion")



@_attrs_define
class ModelVersion:
    """ A registered model version with its out-of-sample measures.

        Attributes:
            id (int):
            world (WorldEnum): * `real` - real
                * `sandbox` - sandbox
            version (int): Number of the version in its world.
            stage (StageEnum):
            estimator (str): Name in the registry of estimators.
            inputs (str): The inputs of the model.
            profile (str):
            rows (int): Matches that it was trained on.
            trained_from (datetime.date):
            trained_to (datetime.date):
            data_snapshot (int): The data snapshot that was exported.
            as_of (datetime.datetime):
            created_at (datetime.datetime):
            metrics (ModelVersionMetrics): Measure → value, such as log_loss (nats), rps and n.
            base_metrics (ModelVersionBaseMetrics): The same of the base rates.
            passed_gates (bool): Whether it may become champion by itself.
            url (str):
     """

    id: int
    world: WorldEnum
    version: int
    stage: StageEnum
    estimator: str
    inputs: str
    profile: str
    rows: int
    trained_from: datetime.date
    trained_to: datetime.date
    data_snapshot: int
    as_of: datetime.datetime
    created_at: datetime.datetime
    metrics: ModelVersionMetrics
    base_metrics: ModelVersionBaseMetrics
    passed_gates: bool
    url: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.model_version_base_metrics import ModelVersionBaseMetrics # noqa: PLC0415
        from ..models.model_version_metrics import ModelVersionMetrics # noqa: PLC0415
        id = self.id

        world = self.world.value

        version = self.version

        stage = self.stage.value

        estimator = self.estimator

        inputs = self.inputs

        profile = self.profile

        rows = self.rows

        trained_from = self.trained_from.isoformat()

        trained_to = self.trained_to.isoformat()

        data_snapshot = self.data_snapshot

        as_of = self.as_of.isoformat()

        created_at = self.created_at.isoformat()

        metrics = self.metrics.to_dict()

        base_metrics = self.base_metrics.to_dict()

        passed_gates = self.passed_gates

        url = self.url


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "id": id,
            "world": world,
            "version": version,
            "stage": stage,
            "estimator": estimator,
            "inputs": inputs,
            "profile": profile,
            "rows": rows,
            "trained_from": trained_from,
            "trained_to": trained_to,
            "data_snapshot": data_snapshot,
            "as_of": as_of,
            "created_at": created_at,
            "metrics": metrics,
            "base_metrics": base_metrics,
            "passed_gates": passed_gates,
            "url": url,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.model_version_base_metrics import ModelVersionBaseMetrics # noqa: PLC0415
        from ..models.model_version_metrics import ModelVersionMetrics # noqa: PLC0415
        d = dict(src_dict)
        id = d.pop("id")

        world = WorldEnum(d.pop("world"))




        version = d.pop("version")

        stage = StageEnum(d.pop("stage"))




        estimator = d.pop("estimator")

        inputs = d.pop("inputs")

        profile = d.pop("profile")

        rows = d.pop("rows")

        trained_from = datetime.date.fromisoformat(d.pop("trained_from"))




        trained_to = datetime.date.fromisoformat(d.pop("trained_to"))




        data_snapshot = d.pop("data_snapshot")

        as_of = datetime.datetime.fromisoformat(d.pop("as_of"))




        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))




        metrics = ModelVersionMetrics.from_dict(d.pop("metrics"))




        base_metrics = ModelVersionBaseMetrics.from_dict(d.pop("base_metrics"))




        passed_gates = d.pop("passed_gates")

        url = d.pop("url")

        model_version = cls(
            id=id,
            world=world,
            version=version,
            stage=stage,
            estimator=estimator,
            inputs=inputs,
            profile=profile,
            rows=rows,
            trained_from=trained_from,
            trained_to=trained_to,
            data_snapshot=data_snapshot,
            as_of=as_of,
            created_at=created_at,
            metrics=metrics,
            base_metrics=base_metrics,
            passed_gates=passed_gates,
            url=url,
        )


        model_version.additional_properties = d
        return model_version

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
