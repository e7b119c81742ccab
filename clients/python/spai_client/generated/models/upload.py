from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="Upload")



@_attrs_define
class Upload:
    """ The progress of an upload.

        Attributes:
            upload (UUID):
            lines_stored (int): Lines that are stored.
            lines_refused (int): Lines that were refused, each with a reason.
            next_line (int): Number of the line to continue with, from 1.
            created_at (datetime.datetime):
            updated_at (datetime.datetime):
     """

    upload: UUID
    lines_stored: int
    lines_refused: int
    next_line: int
    created_at: datetime.datetime
    updated_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        upload = str(self.upload)

        lines_stored = self.lines_stored

        lines_refused = self.lines_refused

        next_line = self.next_line

        created_at = self.created_at.isoformat()

        updated_at = self.updated_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "upload": upload,
            "lines_stored": lines_stored,
            "lines_refused": lines_refused,
            "next_line": next_line,
            "created_at": created_at,
            "updated_at": updated_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        upload = UUID(d.pop("upload"))




        lines_stored = d.pop("lines_stored")

        lines_refused = d.pop("lines_refused")

        next_line = d.pop("next_line")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))




        updated_at = datetime.datetime.fromisoformat(d.pop("updated_at"))




        upload = cls(
            upload=upload,
            lines_stored=lines_stored,
            lines_refused=lines_refused,
            next_line=next_line,
            created_at=created_at,
            updated_at=updated_at,
        )


        upload.additional_properties = d
        return upload

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
