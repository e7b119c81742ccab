"""Bodies: whole or not at all, within limits."""

from __future__ import annotations

import gzip
import io
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.api.intake import BodyError, bodies, read_body


def lines_of(content: bytes, encoding: str = "") -> list[tuple[int, bytes]]:
    body = read_body(io.BytesIO(content), length=len(content), encoding=encoding)
    return [(number, bytes(line)) for number, line in body.numbered()]


def refusal(content: bytes, *, length: int | None = None, encoding: str = "") -> tuple[int, str]:
    with pytest.raises(BodyError) as error:
        read_body(io.BytesIO(content), length=len(content) if length is None else length, encoding=encoding)
    return error.value.status, error.value.kind


def test_lines_keep_their_numbers_and_blank_ones_are_passed_over():
    assert lines_of(b"a\n\n  \r\nb\r\nc") == [(1, b"a"), (4, b"b"), (5, b"c")]
    assert lines_of(b"a\n") == [(1, b"a")]


def test_a_mark_of_byte_order_in_front_is_no_part_of_the_first_line():
    assert lines_of(b"\xef\xbb\xbfa\nb") == [(1, b"a"), (2, b"b")]


@pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\x0b", "\x0c"])
def test_nothing_but_a_line_feed_ends_a_line(separator):
    text = f"a{separator}b".encode()
    assert lines_of(text + b"\nc") == [(1, text), (2, b"c")]


@pytest.mark.parametrize("content", [b"", b"\n\n", b" \r\n\t", b"\xef\xbb\xbf"])
def test_a_body_without_a_line_is_refused(content):
    assert refusal(content) == (422, "empty-body")


@pytest.mark.parametrize("members", [1, 3])
def test_a_packed_body_is_unpacked(members):
    whole = b"".join(f"line {n}\n".encode() for n in range(9_000))
    size = len(whole) // members
    packed = b"".join(gzip.compress(whole[n * size : (n + 1) * size]) for n in range(members))
    assert lines_of(packed, "gzip") == lines_of(whole[: members * size])


def test_packing_changes_nothing_of_what_a_body_is():
    content = b"a\nb\n"
    packed = [gzip.compress(content, mtime=moment) for moment in (1, 2)]
    hashes = {read_body(io.BytesIO(each), length=len(each), encoding="gzip").sha256 for each in packed}
    assert hashes == {read_body(io.BytesIO(content), length=4, encoding="identity").sha256}


def test_a_packed_body_that_breaks_off_or_is_none_is_refused():
    packed = gzip.compress(b"a\n" * 5_000)
    for wrong in (packed[:-1], packed[:20], packed + b"rest", b"plain\n", packed[:30] + b"\xff" + packed[31:]):
        assert refusal(wrong, encoding="gzip") == (400, "broken-gzip")


def test_a_bomb_is_unpacked_no_further_than_the_limit():
    bomb = gzip.compress(b"\n" * (1024 * 1024 * 1024 // 4))
    assert len(bomb) < 300_000
    began = time.process_time()
    assert refusal(bomb, encoding="gzip") == (413, "body-too-large")
    # Processor time, which no other process uses up; unpacked whole it would be many times as much.
    assert time.process_time() - began < 30


def test_a_body_of_empty_members_is_refused_after_the_first_few(monkeypatch):
    made, make = [], zlib.decompressobj

    def noted(*how):
        made.append(make(*how))
        return made[-1]

    monkeypatch.setattr(bodies.zlib, "decompressobj", noted)
    member = gzip.compress(b"", mtime=0)
    assert refusal(member * (4 * 1024 * 1024 // len(member)), encoding="gzip") == (413, "too-many-members")
    assert len(made) == bodies.MEMBERS_LIMIT
    # What follows a member is copied once for each: no more than a piece of it.
    assert max(len(each.unused_data) for each in made) <= bodies.CHUNK


def test_as_many_members_as_are_allowed_are_unpacked(monkeypatch):
    monkeypatch.setattr(bodies, "MEMBERS_LIMIT", 3)
    packed = [gzip.compress(f"{number}\n".encode()) for number in range(4)]
    assert lines_of(b"".join(packed[:3]), "gzip") == [(1, b"0"), (2, b"1"), (3, b"2")]
    assert refusal(b"".join(packed), encoding="gzip") == (413, "too-many-members")


def test_a_body_that_announces_too_much_is_not_read():
    class Untouched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise AssertionError("it was read")

    with pytest.raises(BodyError) as error:
        read_body(Untouched(), length=bodies.BYTES_LIMIT + 1, encoding="")
    assert (error.value.status, error.value.kind) == (413, "body-too-large")


def test_limits_hold_to_the_line_and_to_the_byte(monkeypatch):
    monkeypatch.setattr(bodies, "LINES_LIMIT", 3)
    monkeypatch.setattr(bodies, "LINE_LIMIT", 5)
    monkeypatch.setattr(bodies, "BYTES_LIMIT", 12)
    assert len(lines_of(b"a\nb\nc")) == len(lines_of(b"a\nb\nc\n")) == 3
    assert refusal(b"a\nb\nc\nd") == (413, "too-many-lines")
    assert lines_of(b"12345\n12345") == [(1, b"12345"), (2, b"12345")]
    assert refusal(b"1\n123456\n") == (422, "line-too-long")
    assert lines_of(b"1\n34567\n9012") == [(1, b"1"), (2, b"34567"), (3, b"9012")]
    assert refusal(b"1\n34567\n90123") == (413, "body-too-large")
    assert refusal(gzip.compress(b"1\n34567\n90123" * 9)[:12], encoding="gzip", length=12) == (400, "broken-gzip")


def test_a_line_that_is_too_long_is_named():
    with pytest.raises(BodyError) as error:
        read_body(io.BytesIO(b"a\n" + b"b" * 70_000), length=70_002, encoding="")
    assert str(error.value) == "Line 2 has 70,000 bytes; at most 65,536 are allowed."


def test_a_body_without_an_announced_length_is_refused():
    with pytest.raises(BodyError) as error:
        read_body(io.BytesIO(b"a"), length=None, encoding="")
    assert error.value.status == 411


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate", "zstd", "\x00"])
def test_another_packing_is_refused(encoding):
    assert refusal(b"a", encoding=encoding) == (415, "unknown-encoding")


def test_a_body_that_breaks_off_is_refused():
    assert refusal(b"a\nb\n", length=5) == (400, "broken-off")


def test_a_connection_that_fails_has_broken_off():
    class Failing:
        def read(self, size: int, /) -> bytes:
            raise OSError("connection reset")

    with pytest.raises(BodyError) as error:
        read_body(Failing(), length=5, encoding="")
    assert error.value.kind == "broken-off"


@given(st.binary(max_size=300))
def test_no_line_is_lost(content):
    plain = [line.strip(b" \t\r") for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    wanted = [line for line in plain if line]
    if wanted:
        assert [line for _, line in lines_of(content)] == wanted
    else:
        assert refusal(content) == (422, "empty-body")
