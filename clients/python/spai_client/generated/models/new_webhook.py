from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.blank_enum import BlankEnum
from ..models.world_enum import WorldEnum
from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="NewWebhook")



@_attrs_define
class NewWebhook:
    """ A new webhook with its secret, which cannot be shown again.

        Attributes:
            id (UUID):
            url (str):
            topics (list[str]):
            world (BlankEnum | WorldEnum): Empty for both.

                * `real` - real
                * `sandbox` - sandbox
            competition (str): Slug; empty for all.
            team (str): Slug; empty for all.
            match (int | None):
            is_active (bool):
            disabled_reason (str): Why SPAI switched it off; empty otherwise.
            failing_since (datetime.datetime | None): First failure after the latest success.
            created_at (datetime.datetime):
            secret (str): Signs the requests; shown once.
     """

    id: UUID
    url: str
    topics: list[str]
    world: BlankEnum | WorldEnum
    competition: str
    team: str
    match: int | None
    is_active: bool
    disabled_reason: str
    failing_since: datetime.datetime | None
    created_at: datetime.datetime
    secret: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        url = self.url

        topics = self.topics



        world: str
        if isinstance(self.world, WorldEnum):
            world = self.world.value
        else:
            world = self.world.value


        competition = self.competition

        team = self.team

        match: int | None
        match = self.match

        is_active = self.is_active

        disabled_reason = self.disabled_reason

        failing_since: None | str
        if isinstance(self.failing_since, datetime.datetime):
            failing_since = self.failing_since.isoformat()
        else:
            failing_since = self.failing_since

        created_at = self.created_at.isoformat()

        secret = self.secret


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "id": id,
            "url": url,
            "topics": topics,
            "world": world,
            "competition": competition,
            "team": team,
            "match": match,
            "is_active": is_active,
            "disabled_reason": disabled_reason,
            "failing_since": failing_since,
            "created_at": created_at,
            "secret": secret,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = UUID(d.pop("id"))




        url = d.pop("url")

        topics = cast(list[str], d.pop("topics"))


        def _parse_world(data: object) -> BlankEnum | WorldEnum:
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

        world = _parse_world(d.pop("world"))


        competition = d.pop("competition")

        team = d.pop("team")

        def _parse_match(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        match = _parse_match(d.pop("match"))


        is_active = d.pop("is_active")

        disabled_reason = d.pop("disabled_reason")

        def _parse_failing_since(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                failing_since_type_0 = datetime.datetime.fromisoformat(data)



                return failing_since_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        failing_since = _parse_failing_since(d.pop("failing_since"))


        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))




        secret = d.pop("secret")

        new_webhook = cls(
            id=id,
            url=url,
            topics=topics,
            world=world,
            competition=competition,
            team=team,
            match=match,
            is_active=is_active,
            disabled_reason=disabled_reason,
            failing_since=failing_since,
            created_at=created_at,
            secret=secret,
        )


        new_webhook.additional_properties = d
        return new_webhook

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
