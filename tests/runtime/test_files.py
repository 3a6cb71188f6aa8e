import pytest

from s2s_jax.runtime.files import stand_in


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b"\xef\xbb\xbf\r\n <HTML lang='en'>", "web page"),
        (b"\x89HDF\r\n\x1a\n", ""),
        (b"Go.\tVa !\n", ""),
        (b"<html\tshort for hypertext\n"[:4], ""),
        (b"", ""),
    ],
)
def test_pointers_and_web_pages_are_known_by_their_first_bytes(start, words):
    assert (words in stand_in(start)) and bool(stand_in(start)) == bool(words)
