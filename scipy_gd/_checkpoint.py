"""A state on disk: a NumPy archive, written completely or not at all, and read without pickle.

The content of a state (arrays, numbers, strings, and dicts, lists and tuples of them) becomes one
text and a list of arrays.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = 1
"""Increased when older versions can no longer read the format."""
HEAD = "scipy_gd"
READING = threading.Lock()
"""NumPy reads headers by `ast`, which fails now and then in several threads of Python 3.11."""


class Saved(dict[str, Any]):
    """A state that was read from the file `path`."""

    path: Path


def write(path: Path, state: Any) -> None:
    """Replace the file by a state, in one step.

    Raises
    ------
    OSError
        If that is not possible. The old file is then unchanged.
    """
    path = Path(os.path.realpath(path))
    arrays: list[NDArray[Any]] = []
    head = json.dumps({"format": FORMAT, "state": _packed(state, arrays)})
    members: dict[str, Any] = {f"array_{k}": each for k, each in enumerate(arrays)}
    members[HEAD] = np.array(head)
    temporary = _temporary(path)
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **members)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            said = f"cannot write the checkpoint ({error.strerror})"
            raise OSError(error.errno, said, str(path)) from error
        raise
    _sync_folder(path.parent)


def read(path: Path) -> Saved:
    """The state in a file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a checkpoint, is damaged, or was written by a newer version.
    """
    try:
        with READING, open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            head = json.loads(str(archive[HEAD]))
            newer = head["format"] > FORMAT
            count = 0 if newer else len(archive.files) - 1
            arrays = [archive[f"array_{k}"] for k in range(count)]
            state = {} if newer else _unpacked(head["state"], arrays)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # there is no telling what a damaged archive raises
        raise ValueError(f"{path} is not a scipy_gd checkpoint, or is damaged") from error
    if newer:
        raise ValueError(f"{path} was written by a newer version of scipy_gd")
    saved = Saved(state)
    saved.path = path
    return saved


@contextlib.contextmanager
def blamed(state: Any) -> Iterator[None]:
    """Name the file in errors about a state that was read from it."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if isinstance(state, Saved):
            raise ValueError(f"{state.path}: {error}") from None
        raise


def writable(path: Path) -> Saved | None:
    """Check before a run whether its checkpoints can be written to a path; return what is there.

    Raises
    ------
    OSError
        If the folder is missing or not writable.
    ValueError
        If the existing file is not a checkpoint and would be lost.
    """
    there = read(path) if path.exists() else None
    temporary = _temporary(Path(os.path.realpath(path)))
    with open(temporary, "wb"):
        pass
    temporary.unlink()
    return there


def _temporary(path: Path) -> Path:
    """A name that no other run writes to, in this process or in another one."""
    return path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident():x}.tmp")


def _sync_folder(folder: Path) -> None:
    """Make a new file name durable, if the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _packed(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """A value for JSON; arrays go to the list."""
    if isinstance(value, np.ndarray | np.void):
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list):
        return [_packed(each, arrays) for each in value]
    if isinstance(value, tuple):
        return {"tuple": [_packed(each, arrays) for each in value]}
    if hasattr(value, "items"):
        return {"dict": [[key, _packed(each, arrays)] for key, each in value.items()]}
    return value


def _unpacked(value: Any, arrays: list[NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_unpacked(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        return arrays[content]
    if kind == "tuple":
        return tuple(_unpacked(each, arrays) for each in content)
    return {key: _unpacked(each, arrays) for key, each in content}
