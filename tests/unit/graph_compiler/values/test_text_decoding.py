import codecs

import pytest

from graph_compiler.values.text_decoding import BadText, Encoding, decoded, decoded_text, known_charset, text_of


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        ("grün €".encode(), None),
        (codecs.BOM_UTF8 + "grün €".encode(), None),
        (codecs.BOM_UTF16_LE + "grün €".encode("utf-16-le"), None),
        (codecs.BOM_UTF16_BE + "grün €".encode("utf-16-be"), None),
        (codecs.BOM_UTF32_LE + "grün €".encode("utf-32-le"), None),
        (codecs.BOM_UTF32_BE + "grün €".encode("utf-32-be"), None),
        (codecs.BOM_UTF8 + "grün €".encode(), "UTF-8"),
        ("grün €".encode("cp1252"), " Windows-1252 "),
        ("grün €".encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + "grün €".encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_text_is_read_by_its_charset_or_its_mark_and_comes_without_the_mark(content: bytes, charset: str) -> None:
    assert text_of(content, charset) == "grün €"


@pytest.mark.parametrize(
    ("content", "charset", "said", "byte"),
    [
        (b"ab\xff", None, "it is not text in utf-8 (byte 2)", 2),
        (codecs.BOM_UTF8 + b"ab\xff", None, "it is not text in utf-8 (byte 5)", 5),
        (b"ab\xe4", "ASCII", "it is not text in ASCII (byte 2)", 2),
        (b"ab", "rot13", "the charset 'rot13' is not known here", 0),
        (b"ab", "idna", "the charset 'idna' is not known here", 0),
        (b"ab", "a\x00b", "the charset 'a\\x00b' is not known here", 0),
    ],
)
def test_what_is_no_text_is_refused_with_its_first_wrong_byte(
    content: bytes, charset: str | None, said: str, byte: int
) -> None:
    with pytest.raises(BadText) as caught:
        text_of(content, charset)
    assert (str(caught.value), caught.value.byte) == (said, byte)


def test_a_charset_has_the_name_that_python_gives_it() -> None:
    assert [known_charset(name) for name in ("UTF8", "Latin1", "windows-1252")] == ["utf-8", "iso8859-1", "cp1252"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_text_in_portions_is_the_text_of_the_whole(encoding: Encoding) -> None:
    codec = {"utf-16": "utf-16-be"}.get(encoding, encoding)
    marks = {"utf-8": codecs.BOM_UTF8, "utf-16": codecs.BOM_UTF16_BE, "utf-16-le": codecs.BOM_UTF16_LE}
    content = marks[encoding] + "grün €".encode(codec)
    assert "".join(decoded([content[place : place + 1] for place in range(len(content))], encoding)) == "grün €"
    assert decoded_text(content, encoding) == text_of(content)
