from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.topic_enum import TopicEnum
from ..models.world_enum import WorldEnum
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.event_payload import EventPayload





T = TypeVar("T", bound="Event")



@_attrs_define
class Event:
    """ Something that happened; fetch the new state over REST.

        Attributes:
            number (int): Gap-free, in the order in which events became known.
            topic (TopicEnum): * `match.changed` - Match Changed
                * `prediction.published` - Prediction Published
                * `score.settled` - Score Settled
                * `promotion.made` - Promotion Made
                * `comparison.made` - Comparison Made
                * `run.changed` - Run Changed
                * `scrape.troubled` - Scrape Troubled
                * `ledger.published` - Ledger Published
            key (str): What it happened to: a match, a world, a run, a source or a day.
            world (None | WorldEnum):
            match (int | None):
            competition (None | str):
            teams (list[str]): Home and away; empty without a match.
            payload (EventPayload): What else is known, by topic; see /api/asyncapi.json.
            created_at (datetime.datetime):
     """

    number: int
    topic: TopicEnum
    key: str
    world: None | WorldEnum
    match: int | None
    competition: None | str
    teams: list[str]
    payload: EventPayload
    created_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.event_payload import EventPayload # noqa: PLC0415
        number = self.number

        topic = self.topic.value

        key = self.key

        world: None | str
        if isinstance(self.world, WorldEnum):
            world = self.world.value
        else:
            world = self.world

        match: int | None
        match = self.match

        competition: None | str
        competition = self.competition

        teams = self.teams



        payload = self.payload.to_dict()

        created_at = self.created_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "number": number,
            "topic": topic,
            "key": key,
            "world": world,
            "match": match,
            "competition": competition,
            "teams": teams,
            "payload": payload,
            "created_at": created_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.event_payload import EventPayload # noqa: PLC0415
        d = dict(src_dict)
        number = d.pop("number")

        topic = TopicEnum(d.pop("topic"))




        key = d.pop("key")

        def _parse_world(data: object) -> None | WorldEnum:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                world_type_0 = WorldEnum(data)



                return world_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | WorldEnum, data)

        world = _parse_world(d.pop("world"))


        def _parse_match(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        match = _parse_match(d.pop("match"))


        def _parse_competition(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        competition = _parse_competition(d.pop("competition"))


        teams = cast(list[str], d.pop("teams"))


        payload = EventPayload.from_dict(d.pop("payload"))




        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))




        event = cls(
            number=number,
            topic=topic,
            key=key,
            world=world,
            match=match,
            competition=competition,
            teams=teams,
            payload=payload,
            created_at=created_at,
        )


        event.additional_properties = d
        return event

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
