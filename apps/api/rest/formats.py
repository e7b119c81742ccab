"""The formats of lists: JSON, CSV and Parquet, chosen by `Accept` or `?format=`."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.matches.spreadsheets import csv_text


class FastJsonRenderer(BaseRenderer):
    """JSON of plain values, written by orjson; datetimes are in UTC with a `Z`."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, media_type: str | None = None, context: Mapping[str, Any] | None = None) -> bytes:
        return orjson.dumps(data, option=orjson.OPT_UTC_Z)


class CsvRenderer(BaseRenderer):
    """The rows of a page as CSV (RFC 4180) with a header."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, media_type: str | None = None, context: Mapping[str, Any] | None = None) -> bytes:
        columns = _columns(context)
        return csv_text(list(columns), ([row[name] for name in columns] for row in data["results"])).encode()


class ParquetRenderer(BaseRenderer):
    """The rows of a page as a Parquet file."""

    media_type = "application/vnd.apache.parquet"
    format = "parquet"
    charset = None
    render_style = "binary"

    def render(self, data: Any, media_type: str | None = None, context: Mapping[str, Any] | None = None) -> bytes:
        # Imported by the first request for a file, not at the start of the process.
        import pyarrow as pa
        from pyarrow import parquet

        types = {
            serializers.IntegerField: pa.int64(),
            serializers.FloatField: pa.float64(),
            serializers.BooleanField: pa.bool_(),
            serializers.DateTimeField: pa.timestamp("us", tz="UTC"),
        }
        columns = _columns(context)
        schema = pa.schema([(name, types.get(type(field), pa.string())) for name, field in columns.items()])
        arrays = [pa.array([row[name] for row in data["results"]], schema.field(name).type) for name in columns]
        content = io.BytesIO()
        parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), content, compression="zstd")
        return content.getvalue()


def _columns(context: Mapping[str, Any] | None) -> dict[str, serializers.Field]:
    """Return the columns that a page has, with their types."""
    assert context is not None
    view = context["view"]
    fields = view.row_serializer().fields
    return {name: fields[name] for name in view.columns}


class FormatNegotiation(DefaultContentNegotiation):
    """Negotiation by `Accept`, or by the parameter `format`, which has precedence."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        formats = {renderer.format: renderer for renderer in renderers}
        wanted = request.query_params.get("format")
        if wanted is None:
            return super().select_renderer(request, renderers, format_suffix)
        if wanted not in formats:
            raise ValidationError({"format": f"It must be one of {', '.join(formats)}."})
        return formats[wanted], formats[wanted].media_type


class FormatsMixin(APIView):
    """A view that returns its rows as JSON, CSV or Parquet.

    `row_serializer` has the columns with their types, `columns` the names of those that a request selects.
    """

    renderer_classes = [FastJsonRenderer, CsvRenderer, ParquetRenderer]
    content_negotiation_class = FormatNegotiation
    row_serializer: type[serializers.BaseSerializer[Any]]
    columns: Sequence[str] = ()

    def handle_exception(self, exc: Exception) -> Response:
        """Return a problem, which is JSON whatever format was requested."""
        response = super().handle_exception(exc)
        self.request.accepted_renderer, self.request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return response


class FieldsField(serializers.CharField):
    """Names of columns, separated by commas; all by default."""

    def __init__(self, row_serializer: type[serializers.BaseSerializer[Any]]) -> None:
        super().__init__(required=False, allow_blank=True, help_text="Columns to return, such as match,p_home.")
        self.row_serializer = row_serializer

    def to_internal_value(self, data: str) -> list[str]:  # type: ignore[override]
        known = list(self.row_serializer().fields)  # type: ignore[attr-defined]
        wanted = list(dict.fromkeys(name.strip() for name in data.split(",") if name.strip()))
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise ValidationError(
                f"There is no field {', '.join(name[:40] for name in unknown[:5])}; the fields are {', '.join(known)}."
            )
        return wanted or known
