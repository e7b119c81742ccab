from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast

if TYPE_CHECKING:
  from ..models.line_refusal import LineRefusal





T = TypeVar("T", bound="PushProblem")



@_attrs_define
class PushProblem:
    """ A problem with what the client needs to continue: the report, or only the next line.

        Attributes:
            type_ (str): about:blank, or a urn that names the kind of problem.
            title (str):
            status (int):
            detail (str):
            instance (str):
            request_id (str): Quote it when you report a problem; the server log has it.
            errors (list[LineRefusal] | Unset):
            ingest (int | None | Unset):
            lines (int | Unset):
            refused (int | Unset):
            errors_left_out (int | Unset):
            next_line (int | Unset):
     """

    type_: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[LineRefusal] | Unset = UNSET
    ingest: int | None | Unset = UNSET
    lines: int | Unset = UNSET
    refused: int | Unset = UNSET
    errors_left_out: int | Unset = UNSET
    next_line: int | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.line_refusal import LineRefusal # noqa: PLC0415
        type_ = self.type_

        title = self.title

        status = self.status

        detail = self.detail

        instance = self.instance

        request_id = self.request_id

        errors: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.errors, Unset):
            errors = []
            for errors_item_data in self.errors:
                errors_item = errors_item_data.to_dict()
                errors.append(errors_item)



        ingest: int | None | Unset
        if isinstance(self.ingest, Unset):
            ingest = UNSET
        else:
            ingest = self.ingest

        lines = self.lines

        refused = self.refused

        errors_left_out = self.errors_left_out

        next_line = self.next_line


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "type": type_,
            "title": title,
            "status": status,
            "detail": detail,
            "instance": instance,
            "request_id": request_id,
        })
        if errors is not UNSET:
            field_dict["errors"] = errors
        if ingest is not UNSET:
            field_dict["ingest"] = ingest
        if lines is not UNSET:
            field_dict["lines"] = lines
        if refused is not UNSET:
            field_dict["refused"] = refused
        if errors_left_out is not UNSET:
            field_dict["errors_left_out"] = errors_left_out
        if next_line is not UNSET:
            field_dict["next_line"] = next_line

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.line_refusal import LineRefusal # noqa: PLC0415
        d = dict(src_dict)
        type_ = d.pop("type")

        title = d.pop("title")

        status = d.pop("status")

        detail = d.pop("detail")

        instance = d.pop("instance")

        request_id = d.pop("request_id")

        _errors = d.pop("errors", UNSET)
        errors: list[LineRefusal] | Unset = UNSET
        if _errors is not UNSET:
            errors = []
            for errors_item_data in _errors:
                errors_item = LineRefusal.from_dict(errors_item_data)



                errors.append(errors_item)


        def _parse_ingest(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        ingest = _parse_ingest(d.pop("ingest", UNSET))


        lines = d.pop("lines", UNSET)

        refused = d.pop("refused", UNSET)

        errors_left_out = d.pop("errors_left_out", UNSET)

        next_line = d.pop("next_line", UNSET)

        push_problem = cls(
            type_=type_,
            title=title,
            status=status,
            detail=detail,
            instance=instance,
            request_id=request_id,
            errors=errors,
            ingest=ingest,
            lines=lines,
            refused=refused,
            errors_left_out=errors_left_out,
            next_line=next_line,
        )


        push_problem.additional_properties = d
        return push_problem

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
