"""Files of a run: rows by their position."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps.ml.pipeline import files


@pytest.fixture
def path(tmp_path):
    """A file of 100 rows in groups of 30, the last of which holds ten."""
    frame = pd.DataFrame({"number": np.arange(100), "twice": 2.0 * np.arange(100), "other": "x"})
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "rows.parquet", row_group_size=30)
    return tmp_path / "rows.parquet"


@pytest.mark.parametrize("rows", [[99], [0, 29, 30, 99], [95, 3, 60, 3], list(range(99, -1, -1))])
def test_rows_come_in_the_order_in_which_they_are_requested(path, rows):
    got = files.read_rows(path, ["twice", "number"], np.array(rows))
    assert list(got.columns) == ["twice", "number"]
    assert got.index.tolist() == list(range(len(rows)))
    assert got["number"].tolist() == rows
    assert got["twice"].tolist() == [2.0 * row for row in rows]


def test_groups_without_a_wanted_row_are_not_read(path, monkeypatch):
    read = []
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda file, group, columns, read_one=pq.ParquetFile.read_row_group: (
            read.append(group) or read_one(file, group, columns=columns)
        ),
    )
    files.read_rows(path, ["number"], np.array([31, 99, 59]))
    assert read == [1, 3]


def test_a_row_beyond_the_end_is_an_error(path):
    with pytest.raises(pa.ArrowException):
        files.read_rows(path, ["number"], np.array([100]))
