from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from uuid import UUID

if TYPE_CHECKING:
  from ..models.line_refusal import LineRefusal





T = TypeVar("T", bound="PushAccount")



@_attrs_define
class PushAccount:
    """ The report of a request: how many lines were stored and refused, and why.

        Attributes:
            ingest (int | None): Number of the ingest; null when no line was stored.
            lines (int): Of the body, blank ones included.
            created (int):
            changed (int):
            same (int): Lines that equal what is stored.
            refused (int):
            errors (list[LineRefusal]): The refused lines, the first thousand.
            errors_left_out (int):
            upload (None | UUID):
            next_line (int): The line to continue with.
     """

    ingest: int | None
    lines: int
    created: int
    changed: int
    same: int
    refused: int
    errors: list[LineRefusal]
    errors_left_out: int
    upload: None | UUID
    next_line: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.line_refusal import LineRefusal # noqa: PLC0415
        ingest: int | None
        ingest = self.ingest

        lines = self.lines

        created = self.created

        changed = self.changed

        same = self.same

        refused = self.refused

        errors = []
        for errors_item_data in self.errors:
            errors_item = errors_item_data.to_dict()
            errors.append(errors_item)



        errors_left_out = self.errors_left_out

        upload: None | str
        if isinstance(self.upload, UUID):
            upload = str(self.upload)
        else:
            upload = self.upload

        next_line = self.next_line


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "ingest": ingest,
            "lines": lines,
            "created": created,
            "changed": changed,
            "same": same,
            "refused": refused,
            "errors": errors,
            "errors_left_out": errors_left_out,
            "upload": upload,
            "next_line": next_line,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.line_refusal import LineRefusal # noqa: PLC0415
        d = dict(src_dict)
        def _parse_ingest(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        ingest = _parse_ingest(d.pop("ingest"))


        lines = d.pop("lines")

        created = d.pop("created")

        changed = d.pop("changed")

        same = d.pop("same")

        refused = d.pop("refused")

        errors = []
        _errors = d.pop("errors")
        for errors_item_data in (_errors):
            errors_item = LineRefusal.from_dict(errors_item_data)



            errors.append(errors_item)


        errors_left_out = d.pop("errors_left_out")

        def _parse_upload(data: object) -> None | UUID:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                upload_type_0 = UUID(data)



                return upload_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | UUID, data)

        upload = _parse_upload(d.pop("upload"))


        next_line = d.pop("next_line")

        push_account = cls(
            ingest=ingest,
            lines=lines,
            created=created,
            changed=changed,
            same=same,
            refused=refused,
            errors=errors,
            errors_left_out=errors_left_out,
            upload=upload,
            next_line=next_line,
        )


        push_account.additional_properties = d
        return push_account

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
