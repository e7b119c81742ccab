"""Zip archives and workbooks: what is in them, and what is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from datetime import datetime, time

import pytest
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from apps.scraping.sources import containers
from apps.scraping.sources.containers import DEEPEST, OLE, ContainedFile, files_in, is_container

SAVE = "save it as .xlsx or .csv"


def zipped(files: dict[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def workbook(*sheets: tuple[str, list[list[object]]], epoch: datetime | None = None) -> bytes:
    book = Workbook()
    if epoch is not None:
        book.epoch = epoch
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def edited(content: bytes, changes: dict[str, tuple[str, str]]) -> bytes:
    """Return an archive with a text replaced in some of its files."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {entry.filename: archive.read(entry).decode("utf-8", "surrogateescape") for entry in archive.infolist()}
    for name, (old, new) in changes.items():
        assert old in files[name]
        files[name] = files[name].replace(old, new)
    return zipped({name: text.encode("utf-8", "surrogateescape") for name, text in files.items()})


def read(content: bytes, name: str = "a.zip") -> list[ContainedFile]:
    assert is_container(content)
    return list(files_in(name, io.BytesIO(content)))


def names(content: bytes) -> list[str]:
    return [inside.name for inside in read(content)]


def error(content: bytes) -> str:
    (inside,) = read(content)
    return inside.error


# archives


def test_files_come_in_the_order_of_their_names_with_the_folders_of_the_archive() -> None:
    content = zipped({"b/E1.csv": "2", "b/": "", "a/2018-19/E0.csv": "1"})
    assert read(content) == [ContainedFile("a.zip/a/2018-19/E0.csv", b"1"), ContainedFile("a.zip/b/E1.csv", b"2")]


def test_names_never_lead_out_of_the_archive() -> None:
    assert names(zipped({"/etc/E0.csv": "", "seasons\\E1.csv": ""})) == ["a.zip/etc/E0.csv", "a.zip/seasons/E1.csv"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_usual_compression_is_read(compression: int) -> None:
    assert read(zipped({"E0.csv": "Div"}, compression)) == [ContainedFile("a.zip/E0.csv", b"Div")]


def test_archives_and_workbooks_inside_are_opened_too() -> None:
    inner = zipped({"E0.csv": "1", "all.xlsx": workbook(("E1", [["Div"]]))})
    assert names(zipped({"2018-19.zip": inner})) == ["a.zip/2018-19.zip/E0.csv", "a.zip/2018-19.zip/all.xlsx/E1"]


def test_archives_inside_one_another_end() -> None:
    content = zipped({"E0.csv": "1"})
    for _ in range(DEEPEST):
        content = zipped({"b.zip": content})
    assert error(content) == f"it is inside more than {DEEPEST} archives; unpack the outer ones"


def test_an_archive_may_be_empty() -> None:
    assert read(zipped({})) == []


@pytest.mark.parametrize(
    ("limit", "most", "reason"),
    [
        ("LARGEST_CONTAINER", 99_999, "unpacked it has more than 0 MB; unpack it, and import the folder"),
        ("MOST_FILES", 1, "it holds more than 1 files; unpack it, and import the folder"),
    ],
)
def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch, limit: str, most: int, reason: str
) -> None:
    monkeypatch.setattr(containers, limit, most)
    bomb = zipped({"E0.csv": b"0" * 100_000, "E1.csv": ""})
    assert error(bomb) == reason
    assert [inside.error for inside in read(zipped({"a.zip": bomb}))] == [reason]


def test_archives_inside_share_the_limit_of_the_outer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "LARGEST_CONTAINER", 250_000)
    part = zipped({"E0.csv": b"0" * 100_000})
    found = read(zipped({f"{number}.zip": part for number in range(5)}))
    assert [bool(inside.error) for inside in found] == [False, False, True, True, True]


def test_of_a_file_that_is_too_large_no_more_than_the_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "LARGEST_FILE", 1_000)
    (inside,) = read(zipped({"E0.csv": b"0" * 100_000}))
    assert len(inside.content) == 1_001


def test_an_archive_that_lies_about_its_size_is_damaged() -> None:
    content = zipped({"E0.csv": b"0" * 100_000})
    lie = content.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert error(lie).startswith("it is damaged (Bad CRC-32")


def test_an_encrypted_file_is_named_and_the_others_are_read() -> None:
    content = bytearray(zipped({"E0.csv": "1", "E1.csv": "2"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    encrypted, plain = read(bytes(content))
    assert encrypted == ContainedFile(
        "a.zip/E0.csv", error="it is encrypted; unpack the archive with its password, and import the folder"
    )
    assert plain.content == b"2"


def test_a_damaged_file_is_named_and_the_others_are_read() -> None:
    whole = zipped({"E0.csv": bytes(random.Random(1).randbytes(500)), "E1.csv": "2"})
    damaged, plain = read(whole[:60] + bytes(100) + whole[160:])
    assert damaged.error.startswith("it is damaged (")
    assert plain.content == b"2"


def test_a_compression_that_python_does_not_know_is_named() -> None:
    content = bytearray(zipped({"E0.csv": "1"}))
    for header, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(header) + place] = 9
    assert error(bytes(content)) == "it is compressed in a way that is not supported; unpack the archive"


@pytest.mark.parametrize("length", [4, 30, 60, 100])
def test_an_archive_that_breaks_off_is_damaged(length: int) -> None:
    assert (
        error(zipped({"E0.csv": "1" * 500})[:length])
        == "the archive is damaged (File is not a zip file); fetch it again"
    )


# workbooks


def test_each_sheet_is_a_file_with_the_text_of_its_cells() -> None:
    rows: list[list[object]] = [
        ["Div", "Date", "Time", "HomeTeam", "B365H", "FTHG"],
        ["E0", datetime(2022, 8, 13), time(15, 0), "Eastmoor, City", 1.85, 2],  # noqa: DTZ001
        [None, datetime(2022, 8, 13, 15, 0), 0.625, "#REF!", 2.0, True],  # noqa: DTZ001
    ]
    first, second = read(workbook(("E0", rows), ("Notes", [["x"]])), "all.xlsx")
    assert first.name == "all.xlsx/E0"
    assert first.content.decode().splitlines() == [
        "Div,Date,Time,HomeTeam,B365H,FTHG",
        'E0,2022-08-13,15:00:00,"Eastmoor, City",1.85,2',
        ",2022-08-13 15:00:00,0.625,#REF!,2,True",
    ]
    assert (second.name, second.content) == ("all.xlsx/Notes", b"x\r\n")


def test_dates_that_count_from_1904_are_right() -> None:
    (inside,) = read(workbook(("E0", [[datetime(2022, 8, 13)]]), epoch=CALENDAR_MAC_1904))  # noqa: DTZ001
    assert inside.content == b"2022-08-13\r\n"


def test_lines_are_the_rows_of_the_sheet() -> None:
    (inside,) = read(workbook(("E0", [["Div"], [], ["E0"]])))
    assert inside.content.decode().splitlines()[2] == "E0"


def test_rows_beyond_the_extent_that_a_sheet_claims_are_read() -> None:
    sheet = "xl/worksheets/sheet1.xml"
    content = edited(workbook(("E0", [["Div"], ["E0"], ["E0"]])), {sheet: ('ref="A1:A3"', 'ref="A1:A1"')})
    assert read(content)[0].content.count(b"E0") == 2


def test_a_cell_far_below_and_far_to_the_right_takes_no_memory() -> None:
    sheet = "xl/worksheets/sheet1.xml"
    stray = '<row r="1000000"><c r="XFD1000000"><v>1</v></c></row></sheetData>'
    (inside,) = read(edited(workbook(("E0", [["Div"]])), {sheet: ("</sheetData>", stray)}))
    assert inside.content.startswith(b"Div")
    assert len(inside.content) < 10_000_000


def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = workbook(("E0", [["Div"]]))
    monkeypatch.setattr(containers, "LARGEST_WORKBOOK", 100)
    assert error(content) == f"unpacked it has more than 0 MB; {SAVE}"


def test_a_workbook_whose_entities_multiply_is_refused() -> None:
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "x" * 100}">' for i in range(12))
    sheet = "xl/worksheets/sheet1.xml"
    content = workbook(("E0", [[1]]))
    changes = {sheet: ("<worksheet", f"<!DOCTYPE w [{entities}]><worksheet")}
    bomb = edited(edited(content, changes), {sheet: ("<v>1</v>", "<v>&e11;</v>")})
    assert error(bomb).startswith("the workbook is damaged (")


@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml", "[Content_Types].xml"]
)
def test_a_workbook_with_a_broken_part_is_damaged(part: str) -> None:
    assert error(edited(workbook(("E0", [["Div"]])), {part: (">", "")})).startswith("the workbook is damaged (")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"[Content_Types].xml": "", "xl/workbook.bin": ""}, f"a workbook in another format than .xlsx; {SAVE}"),
        (
            {"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": ""},
            f"a workbook in another format than .xlsx; {SAVE}",
        ),
    ],
)
def test_workbooks_of_other_programs_are_named(files: dict[str, str], reason: str) -> None:
    assert error(zipped(files)) == reason


def test_documents_are_no_containers_of_matches() -> None:
    assert read(zipped({"[Content_Types].xml": "", "word/document.xml": ""})) == []
    assert read(zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": ""})) == []
    assert read(OLE + b"WordDocument") == []


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        ("Workbook", f"a workbook in the format of Excel before 2007; {SAVE}"),
        ("EncryptedPackage", f"it is encrypted; open it with its password, and {SAVE}"),
    ],
)
def test_old_and_encrypted_workbooks_are_named(stream: str, reason: str) -> None:
    assert error(OLE + bytes(500) + stream.encode("utf-16-le")) == reason


@pytest.mark.parametrize("seed", range(60))
def test_whatever_bytes_are_broken_an_archive_is_read_or_named(seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray((workbook(("E0", [["Div", 1.5]])), zipped({"a/E0.csv": "Div,Date\n" * 50}))[seed % 2])
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(4, len(content))] = chance.randrange(256)
    for inside in read(bytes(content)):
        assert inside.error == "" or inside.content == b""


PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("form", PACK)
def test_a_compressed_file_is_read_as_the_file_that_it_holds(form):
    assert read(PACK[form](b"Div,Date"), f"2020/E0.csv.{form}") == [
        ContainedFile(f"2020/E0.csv.{form}/E0.csv", b"Div,Date")
    ]


@pytest.mark.parametrize("form", PACK)
def test_archives_and_compressed_files_lie_in_one_another(form):
    content = PACK[form](zipped({"E0.csv": "Div"}))
    assert read(content, f"a.zip.{form}") == [ContainedFile(f"a.zip.{form}/a.zip/E0.csv", b"Div")]
    assert names(zipped({f"E0.csv.{form}": PACK[form](b"Div")})) == [f"a.zip/E0.csv.{form}/E0.csv"]


@pytest.mark.parametrize("form", PACK)
@pytest.mark.parametrize("spoil", [lambda content: content[:-5], lambda content: content[:12] + b"xxxx" + content[16:]])
def test_a_damaged_compressed_file_is_named(form, spoil):
    (found,) = read(spoil(PACK[form](b"Div,Date\n" * 1000)), f"E0.csv.{form}")
    assert (found.name, found.content) == (f"E0.csv.{form}", b"")
    assert found.error.startswith("it is damaged (")


@pytest.mark.parametrize("form", PACK)
def test_a_bomb_is_not_unpacked_to_its_end(form, monkeypatch):
    monkeypatch.setattr(containers, "LARGEST_FILE", 1000)
    (found,) = read(PACK[form](b"\0" * 10_000_000), f"E0.csv.{form}")
    assert len(found.content) == 1001


def test_a_tar_archive_says_what_to_do():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("E0.csv"))
    (found,) = read(buffer.getvalue(), "season.tar.gz")
    assert found.error == "a tar archive; unpack it, and import the folder"


def test_compressed_files_have_a_deepest_level():
    content = b"Div"
    for _ in range(DEEPEST + 1):
        content = gzip.compress(content)
    (found,) = read(content, "a.csv.gz.gz.gz.gz")
    assert "inside more than" in found.error
