from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.world_enum import WorldEnum






T = TypeVar("T", bound="Model")



@_attrs_define
class Model:
    """ The model version that made a forecast.

        Attributes:
            world (WorldEnum): * `real` - real
                * `sandbox` - sandbox
            version (int):
            estimator (str):
            inputs (str): Which prices the model may read; `no odds` for none.
     """

    world: WorldEnum
    version: int
    estimator: str
    inputs: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        world = self.world.value

        version = self.version

        estimator = self.estimator

        inputs = self.inputs


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "world": world,
            "version": version,
            "estimator": estimator,
            "inputs": inputs,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        world = WorldEnum(d.pop("world"))




        version = d.pop("version")

        estimator = d.pop("estimator")

        inputs = d.pop("inputs")

        model = cls(
            world=world,
            version=version,
            estimator=estimator,
            inputs=inputs,
        )


        model.additional_properties = d
        return model

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
