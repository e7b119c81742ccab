from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.feature import Feature





T = TypeVar("T", bound="FeatureList")



@_attrs_define
class FeatureList:
    """ The catalogue of features of a world's champion.

        Attributes:
            world (str):
            version (int): Number of the champion.
            catalogue_sha256 (str): Hash of the whole catalogue, as in the model card.
            count (int): Features in `results`.
            results (list[Feature]):
     """

    world: str
    version: int
    catalogue_sha256: str
    count: int
    results: list[Feature]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.feature import Feature # noqa: PLC0415
        world = self.world

        version = self.version

        catalogue_sha256 = self.catalogue_sha256

        count = self.count

        results = []
        for results_item_data in self.results:
            results_item = results_item_data.to_dict()
            results.append(results_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "world": world,
            "version": version,
            "catalogue_sha256": catalogue_sha256,
            "count": count,
            "results": results,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.feature import Feature # noqa: PLC0415
        d = dict(src_dict)
        world = d.pop("world")

        version = d.pop("version")

        catalogue_sha256 = d.pop("catalogue_sha256")

        count = d.pop("count")

        results = []
        _results = d.pop("results")
        for results_item_data in (_results):
            results_item = Feature.from_dict(results_item_data)



            results.append(results_item)


        feature_list = cls(
            world=world,
            version=version,
            catalogue_sha256=catalogue_sha256,
            count=count,
            results=results,
        )


        feature_list.additional_properties = d
        return feature_list

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
