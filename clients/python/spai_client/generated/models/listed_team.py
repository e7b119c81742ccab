from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast






T = TypeVar("T", bound="ListedTeam")



@_attrs_define
class ListedTeam:
    """ A team with its region and all its names.

        Attributes:
            id (int):
            slug (str):
            name (str): As stored; it never changes.
            display_name (str): As pages show it.
            code (str): Three letters.
            colours (list[str]): Two, such as #da291c; or none.
            full_name (str):
            other_names (list[str]): What people call it.
            region (str):
            url (str):
     """

    id: int
    slug: str
    name: str
    display_name: str
    code: str
    colours: list[str]
    full_name: str
    other_names: list[str]
    region: str
    url: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        id = self.id

        slug = self.slug

        name = self.name

        display_name = self.display_name

        code = self.code

        colours = self.colours



        full_name = self.full_name

        other_names = self.other_names



        region = self.region

        url = self.url


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "id": id,
            "slug": slug,
            "name": name,
            "display_name": display_name,
            "code": code,
            "colours": colours,
            "full_name": full_name,
            "other_names": other_names,
            "region": region,
            "url": url,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        slug = d.pop("slug")

        name = d.pop("name")

        display_name = d.pop("display_name")

        code = d.pop("code")

        colours = cast(list[str], d.pop("colours"))


        full_name = d.pop("full_name")

        other_names = cast(list[str], d.pop("other_names"))


        region = d.pop("region")

        url = d.pop("url")

        listed_team = cls(
            id=id,
            slug=slug,
            name=name,
            display_name=display_name,
            code=code,
            colours=colours,
            full_name=full_name,
            other_names=other_names,
            region=region,
            url=url,
        )


        listed_team.additional_properties = d
        return listed_team

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
