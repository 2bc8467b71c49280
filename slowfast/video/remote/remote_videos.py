"""Videos by the URL of their folder: fetched whole into a bounded folder of this machine, and read from there."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from slowfast.video.reader import VIDEO_EXTENSIONS, VideoFiles
from slowfast.video.remote.kept_files import KeptFiles
from slowfast.video.remote.store import CHUNK, FetchError, RemoteFile, Store
from slowfast.video.source import ClipReadError


class RemoteVideos(VideoFiles):
    """As VideoFiles, of a store. What cannot be fetched within the store's tries is a ClipReadError that names the URL.

    store, kept: where videos come from, and where they lie while they are read
    extensions:  tried in order where names have none; a web server, which tells no list, is asked for the last one that it
                 had first, and then for each until it has one
    """

    near = False

    def __init__(
        self, store: Store, kept: KeptFiles, *, extensions: tuple[str, ...] = VIDEO_EXTENSIONS, threads: int = 0
    ) -> None:
        super().__init__(kept.folder, extensions=extensions, threads=threads)
        self.store, self.kept = store, kept
        self._found: dict[str, RemoteFile] = {}
        self._listings: dict[str, dict[str, RemoteFile]] = {}
        self._usual = extensions[0]  # of names without one
        self._compared: set[str] = set()  # kept files whose bytes were compared, because they could not be read

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_listings": {}}  # of thousands of files, to every loader process

    def path(self, video: str) -> Path:
        """Fetches the video, which may be removed again; `held` keeps it."""
        with self.held(video) as path:
            return path

    def check(self, video: str) -> None:
        self._file(video)

    def identity(self, video: str) -> dict[str, object]:
        file = self._file(video)
        return {"path": self._shown(file), "size": file.size, "mtime_ns": file.tag}

    @contextmanager
    def held(self, video: str) -> Iterator[Path]:
        file = self._file(video)
        url = self._shown(file)
        assert file.size is not None  # _file sees to it
        name, damaged = self._name(file), False
        try:
            with self.kept.hold(name, file.size, partial(self.store.fetch, file)) as path:
                try:
                    yield path
                except ClipReadError as error:
                    reason, damaged = error.reason.replace(str(path), url), self._is_damaged(path, file)
                    if damaged:
                        reason += "; the fetched file is not what the store has any more, and is fetched again"
                    raise ClipReadError(url, error.at, reason, error.unit) from error
        except FetchError as error:
            self._found.pop(video, None)  # it may have changed at the store: the next read asks anew
            self._listings.clear()
            self.store.forget()
            raise ClipReadError(url, None, f"not fetched: {error}") from error
        finally:
            if damaged:
                self.kept.drop(name)

    def _is_damaged(self, path: Path, file: RemoteFile) -> bool:
        """Whether the bytes of a kept file differ from the store's checksum, where it gives one; asked once for a file."""
        if not file.md5 or path.name in self._compared:
            return False
        self._compared.add(path.name)
        found = hashlib.md5(usedforsecurity=False)
        with open(path, "rb") as kept:
            while chunk := kept.read(CHUNK):
                found.update(chunk)
        return found.hexdigest() != file.md5

    def _name(self, file: RemoteFile) -> str:
        """In the folder of fetched files: another state of the file has another one."""
        state = f"{self._shown(file)}|{file.start}|{file.size}|{file.tag}"
        return f"{hashlib.sha256(state.encode()).hexdigest()[:32]}{PurePosixPath(file.member or file.name).suffix}"

    def _shown(self, file: RemoteFile) -> str:
        url = self.store.address.of(file.name)
        return f"{url}, member {file.member}" if file.member else url

    def _file(self, video: str) -> RemoteFile:
        """Raises ClipReadError: the store does not answer, has no such video, several, or tells no size."""
        if video not in self._found:
            url = self.store.address.of(video)
            try:
                file = self._look_for(video)
            except FetchError as error:
                raise ClipReadError(url, None, f"not found out whether it is there: {error}") from error
            if file.size is None:
                raise ClipReadError(url, None, "the store does not tell how large it is, so nothing could be compared")
            self.kept.check(file.size, self._shown(file))
            self._found[video] = file
        return self._found[video]

    def _look_for(self, video: str) -> RemoteFile:
        tried, url = f", with none of the extensions {' '.join(self.extensions)}", self.store.address.of(video)
        candidates = [f"{video}{e}" for lower in self.extensions for e in (lower, lower.upper())]
        if PurePosixPath(video).suffix.lower() in self.extensions:
            found, tried = [file for file in [self.store.info(video)] if file is not None], ""
        elif self.store.lists:
            found = self._listed([video, *candidates])
        else:
            found = self._asked_for(video, candidates)
        if len(found) > 1:
            names = ", ".join(PurePosixPath(file.name).name for file in found)
            raise ClipReadError(url, None, f"several files have this name: {names}; keep one")
        if not found:
            raise ClipReadError(
                url, None, f"no such file{tried}; is {self.store.address.shown} the folder of the videos?"
            )
        return found[0]

    def _listed(self, names: list[str]) -> list[RemoteFile]:
        """Those of `names`, all of one folder, that its list has; the first alone where it has that."""
        folder = str(PurePosixPath(names[0]).parent)
        folder = "" if folder == "." else folder
        if folder not in self._listings:
            self._listings[folder] = self.store.listing(folder)
        there = self._listings[folder]
        found = [there[base] for base in (PurePosixPath(name).name for name in names) if base in there]
        return found[:1] if PurePosixPath(names[0]).name in there else found

    def _asked_for(self, video: str, candidates: list[str]) -> list[RemoteFile]:
        for name in dict.fromkeys([f"{video}{self._usual}", *candidates]):
            file = self.store.info(name)
            if file is not None:
                self._usual = name.removeprefix(video)
                return [file]
        return []
