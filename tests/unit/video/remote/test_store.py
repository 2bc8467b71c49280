import base64
import hashlib
import io
import pickle

import fsspec
import pytest

from slowfast.utils.missing import MissingPackageError
from slowfast.video.remote.address import Address, is_url
from slowfast.video.remote.store import FetchError, RemoteFile, Store, StoreError
from tests.unit.video.remote.faulty_store import Failing, Hanging, md5

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def store(faulty):
    faulty.put("videos/a.mp4", CONTENT)
    return Store("faulty://videos", tries=3, seconds=5)


def fetched(store: Store, name: str = "a.mp4") -> bytes:
    file, sink = store.info(name), io.BytesIO()
    assert file is not None
    store.fetch(file, sink)
    return sink.getvalue()


def test_urls():
    assert all(is_url(url) for url in ("s3://b/v", "gs://b", "https://h/v", "file:///v", "memory://v"))
    assert not any(is_url(path) for path in ("data/ava", "/data", "C://videos", "", "a:b"))
    address = Address("https://h/videos?sig=$TOKEN")
    assert address.of("c/a.mp4") == "https://h/videos/c/a.mp4?sig=$TOKEN" and address.protocol == "https"
    assert Address("s3://b/v/").of("a.mp4") == "s3://b/v/a.mp4"


def test_a_file_and_what_is_told_of_it(store, faulty):
    assert fetched(store) == CONTENT
    assert store.info("a.mp4").size == len(CONTENT) and store.info("b.mp4") is None and store.info("") is None
    faulty.put("videos/c/b.avi", b"12")
    assert set(store.listing("")) == {"a.mp4"} and store.listing("c")["b.avi"].name == "c/b.avi"
    assert store.listing("nowhere") == {}
    before = store.info("a.mp4").tag
    faulty.put("videos/a.mp4", CONTENT)
    assert store.info("a.mp4").tag != before  # written anew


def test_a_request_is_tried_again(store, faulty, waits):
    faulty.before = Failing("read", 2, ConnectionResetError("reset by peer"))
    assert fetched(store) == CONTENT and waits == [1.0, 2.0]


def test_tries_have_an_end_and_others_have_one_until_the_store_is_back(store, faulty, waits):
    faulty.before = Failing("open", 9, ConnectionResetError("reset by peer"))
    with pytest.raises(
        FetchError, match=r"^given up after 3 tries \(DATA.REMOTE_TRIES\): ConnectionResetError: reset by"
    ):
        fetched(store)
    asked = len(faulty.asked)
    with pytest.raises(FetchError, match=r"after 1 try \("):
        store.fetch(RemoteFile("a.mp4", len(CONTENT), ""), io.BytesIO())
    assert len(faulty.asked) == asked + 1
    faulty.before = None
    assert fetched(store) == CONTENT
    faulty.before = Failing("read", 2, ConnectionResetError("reset by peer"))
    assert fetched(store) == CONTENT  # three tries again


@pytest.mark.parametrize("kind", ["open", "read", "info"])
def test_a_store_that_does_not_answer(store, faulty, kind):
    store.tries, store.seconds, file = 2, 0.05, store.info("a.mp4")
    faulty.before = Hanging(kind)
    try:
        with pytest.raises(FetchError, match=r"after 2 tries .*no answer for 0.05 s \(DATA.REMOTE_TIMEOUT\)"):
            store.info("a.mp4") if kind == "info" else store.fetch(file, io.BytesIO())
    finally:
        faulty.before.released.set()


def test_what_another_try_does_not_change_is_not_tried(store, faulty, waits):
    file = store.info("a.mp4")
    faulty.before = Failing("open", 1, PermissionError("Access Denied"))
    with pytest.raises(FetchError, match=r"^PermissionError: Access Denied"):
        store.fetch(file, io.BytesIO())
    faulty().rm("faulty://videos/a.mp4")
    with pytest.raises(FetchError, match="FileNotFoundError"):
        store.fetch(file, io.BytesIO())
    assert waits == []


def test_bytes_that_are_missing_or_changed(store, faulty):
    file = store.info("a.mp4")
    faulty.damage = lambda content: content[:100]
    with pytest.raises(FetchError, match=f"100 bytes came of {len(CONTENT)}"):
        store.fetch(file, io.BytesIO())
    seen = []
    faulty.damage = lambda content: seen.append(1) or (b"x" + content[1:] if len(seen) == 1 else content)
    for sums in (
        lambda content: {"md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode()},
        lambda content: {"content_settings": {"content_md5": bytearray(hashlib.md5(content).digest())}},
        lambda content: {"ETag": f'"{md5(content)}"'},
    ):
        faulty.checksums = sums
        seen.clear()
        assert fetched(store) == CONTENT and len(seen) == 2  # noticed, and fetched again


def test_a_wrong_checksum_is_an_error_but_for_an_etag_that_is_none(store, faulty):
    faulty.checksums = lambda content: {"md5Hash": base64.b64encode(bytes(16)).decode()}
    with pytest.raises(FetchError, match=f"its checksum is {md5(CONTENT)}, and the store says {'0' * 32}"):
        fetched(store)
    faulty.checksums = lambda content: {"ETag": '"' + "0" * 32 + '"'}  # as S3 gives for files encrypted with KMS
    assert fetched(store) == CONTENT
    faulty.checksums = lambda content: {"ETag": '"' + "0" * 32 + '-7"'}  # of a file that was sent in parts
    assert store.info("a.mp4").md5 == "" and fetched(store) == CONTENT


def test_connecting(store, faulty, monkeypatch):
    store.connect()
    with pytest.raises(StoreError, match=r"^faulty://other: the store answers, and has nothing there"):
        Store("faulty://other").connect()
    faulty.before = Failing("exists", 9, ConnectionRefusedError("refused"))
    with pytest.raises(StoreError, match=r"^faulty://videos: given up after 3 tries .* refused"):
        store.connect()
    with pytest.raises(StoreError, match=r"^nothing://b: Protocol not known: nothing"):
        Store("nothing://b").connect()

    def missing(url):
        raise ImportError("Install it")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    for url, package in (("s3://b/v", "s3fs"), ("gs://b/v", "gcsfs"), ("https://h/v", '"fsspec.http."')):
        with pytest.raises(MissingPackageError, match=f"^{url}: .* not installed: pip install {package}$"):
            Store(url).connect()


class _Answered(Exception):
    def __init__(self, status):
        super().__init__(f"{status}, message='...'")
        self.status = status


def no_file(cause):
    error = FileNotFoundError("https://h/v/a.mp4")
    error.__cause__ = cause
    return error


def test_a_web_server_that_is_gone_is_not_one_without_the_file(store, faulty, monkeypatch):
    """fsspec raises FileNotFoundError for both."""
    for cause in (ConnectionRefusedError("refused"), _Answered(503)):
        faulty.before = Failing("info", 2, no_file(cause))
        assert store.info("a.mp4").size == len(CONTENT)
    faulty.before = Failing("info", 1, no_file(_Answered(404)))
    assert store.info("a.mp4") is None
    monkeypatch.setattr(Store, "lists", False)
    faulty.before = Failing("info", 9, no_file(ConnectionRefusedError("refused")))
    with pytest.raises(StoreError, match=r"^faulty://videos: given up after 3 tries .*ConnectionRefusedError: refused"):
        store.connect()
    faulty.before = Failing("info", 1, no_file(_Answered(403)))
    store.connect()  # it has no page for the folder


def test_a_part_of_a_file(store, faulty):
    assert store.read("a.mp4", 512, 600) == CONTENT[512:600] and store.read("a.mp4") == CONTENT
    with pytest.raises(FetchError, match=r"0 bytes came where bytes 20000 to 20512 were asked for: .*HTTP ranges"):
        store.read("a.mp4", 20000, 20512)
    sink = io.BytesIO()
    store.fetch(RemoteFile("a.mp4", 88, "", start=512, member="m"), sink)
    assert sink.getvalue() == CONTENT[512:600]


def test_secrets_stay_out_of_messages(faulty, monkeypatch):
    monkeypatch.setenv("VIDEO_TOKEN", "hunter2")
    faulty.put("videos/hunter2/a.mp4", CONTENT)
    store = Store("faulty://videos/$VIDEO_TOKEN", tries=1)
    assert fetched(store) == CONTENT
    text = "GET https://me:pw1@h/v/hunter2/a.mp4?X-Amz-Signature=abc&dl=1 failed"
    faulty.before = Failing("info", 1, RuntimeError(text))
    with pytest.raises(FetchError) as failed:
        store.info("a.mp4")
    assert "GET https://...@h/v/$VIDEO_TOKEN/a.mp4?X-Amz-Signature=...&dl=... failed" in str(failed.value)
    monkeypatch.delenv("VIDEO_TOKEN")
    with pytest.raises(FetchError, match=r"videos/\$VIDEO_TOKEN: the environment has no variable VIDEO_TOKEN"):
        store.info("a.mp4")


def test_another_process_opens_its_own_connection(store):
    store.connect()
    assert pickle.loads(pickle.dumps(store))._fs is None
