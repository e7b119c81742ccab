from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.forecast_row import ForecastRow
  from ..models.item_error import ItemError





T = TypeVar("T", bound="BatchAnswer")



@_attrs_define
class BatchAnswer:
    """ The answer to one item: a forecast or an error.

        Attributes:
            item (int): Place in `items`, from 0.
            forecast (ForecastRow | None):
            error (ItemError | None):
     """

    item: int
    forecast: ForecastRow | None
    error: ItemError | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.forecast_row import ForecastRow # noqa: PLC0415
        from ..models.item_error import ItemError # noqa: PLC0415
        item = self.item

        forecast: dict[str, Any] | None
        if isinstance(self.forecast, ForecastRow):
            forecast = self.forecast.to_dict()
        else:
            forecast = self.forecast

        error: dict[str, Any] | None
        if isinstance(self.error, ItemError):
            error = self.error.to_dict()
        else:
            error = self.error


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "item": item,
            "forecast": forecast,
            "error": error,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.forecast_row import ForecastRow # noqa: PLC0415
        from ..models.item_error import ItemError # noqa: PLC0415
        d = dict(src_dict)
        item = d.pop("item")

        def _parse_forecast(data: object) -> ForecastRow | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                forecast_type_0 = ForecastRow.from_dict(data)



                return forecast_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(ForecastRow | None, data)

        forecast = _parse_forecast(d.pop("forecast"))


        def _parse_error(data: object) -> ItemError | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                error_type_0 = ItemError.from_dict(data)



                return error_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(ItemError | None, data)

        error = _parse_error(d.pop("error"))


        batch_answer = cls(
            item=item,
            forecast=forecast,
            error=error,
        )


        batch_answer.additional_properties = d
        return batch_answer

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
