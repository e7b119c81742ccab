from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.blank_enum import BlankEnum
from ..models.topics_enum import TopicsEnum
from ..models.world_enum import WorldEnum
from ..types import UNSET, Unset
from typing import cast






T = TypeVar("T", bound="PatchedWebhookChange")



@_attrs_define
class PatchedWebhookChange:
    """ What changes of a webhook; the rest stays.

        Attributes:
            url (str | Unset): Public, https.
            topics (list[TopicsEnum] | Unset):
            world (BlankEnum | Unset | WorldEnum): Only events of this world; of both by default.

                * `real` - real
                * `sandbox` - sandbox
            competition (str | Unset): Slug: only events of its matches.
            team (str | Unset): Slug: only events of its matches.
            match (int | None | Unset): Id: only events of this match.
            is_active (bool | Unset): False to switch it off, true to switch it on.
     """

    url: str | Unset = UNSET
    topics: list[TopicsEnum] | Unset = UNSET
    world: BlankEnum | Unset | WorldEnum = UNSET
    competition: str | Unset = UNSET
    team: str | Unset = UNSET
    match: int | None | Unset = UNSET
    is_active: bool | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        url = self.url

        topics: list[str] | Unset = UNSET
        if not isinstance(self.topics, Unset):
            topics = []
            for topics_item_data in self.topics:
                topics_item = topics_item_data.value
                topics.append(topics_item)



        world: str | Unset
        if isinstance(self.world, Unset):
            world = UNSET
        elif isinstance(self.world, WorldEnum):
            world = self.world.value
        else:
            world = self.world.value


        competition = self.competition

        team = self.team

        match: int | None | Unset
        if isinstance(self.match, Unset):
            match = UNSET
        else:
            match = self.match

        is_active = self.is_active


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
        })
        if url is not UNSET:
            field_dict["url"] = url
        if topics is not UNSET:
            field_dict["topics"] = topics
        if world is not UNSET:
            field_dict["world"] = world
        if competition is not UNSET:
            field_dict["competition"] = competition
        if team is not UNSET:
            field_dict["team"] = team
        if match is not UNSET:
            field_dict["match"] = match
        if is_active is not UNSET:
            field_dict["is_active"] = is_active

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        url = d.pop("url", UNSET)

        _topics = d.pop("topics", UNSET)
        topics: list[TopicsEnum] | Unset = UNSET
        if _topics is not UNSET:
            topics = []
            for topics_item_data in _topics:
                topics_item = TopicsEnum(topics_item_data)



                topics.append(topics_item)


        def _parse_world(data: object) -> BlankEnum | Unset | WorldEnum:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                world_type_0 = WorldEnum(data)



                return world_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, str):
                raise TypeError()
            world_type_1 = BlankEnum(data)



            return world_type_1

        world = _parse_world(d.pop("world", UNSET))


        competition = d.pop("competition", UNSET)

        team = d.pop("team", UNSET)

        def _parse_match(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        match = _parse_match(d.pop("match", UNSET))


        is_active = d.pop("is_active", UNSET)

        patched_webhook_change = cls(
            url=url,
            topics=topics,
            world=world,
            competition=competition,
            team=team,
            match=match,
            is_active=is_active,
        )


        patched_webhook_change.additional_properties = d
        return patched_webhook_change

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
