"""Files, and damage done to them: what a disk, an editor or somebody who means harm may make of one."""

from hypothesis import strategies as st

# What a parser stumbles over, put anywhere into a file.
TOKENS = [
    *(b"", b"\0", b"\n", b'"', b"'", b",", b"{", b"}", b"[", b"]", b":", b"<", b"-1", b"1.5", b"1e3", b"1e400"),
    *(b"NaN", b"Infinity", b"null", b"true", b"9" * 30, b"9" * 5000, b"[" * 3000, b'"a' * 50, b"../../x", b"/x"),
    *(b"\xff\xfe", b"\xe9", b"\x1f\x8b", b"\xef\xbb\xbf", b"# ", b"id: 1", b"\\", b"\xd9\xa3", b"\r", b" ", b"0"),
]


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """`good` after one to four of: a changed bit, a part taken out, a part twice, a token put in, an end cut off."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        what = draw(st.sampled_from(["bit", "out", "twice", "token", "token", "end"]))
        if what == "bit" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif what == "token":
            end = place + draw(st.sampled_from([0, 0, 1, 4]))
            data[place:end] = draw(st.sampled_from(TOKENS))
        elif what == "end":
            del data[place:]
        else:
            part = data[place : place + draw(st.integers(1, 30))]
            data[place : place + len(part)] = b"" if what == "out" else part + part
    return bytes(data)
