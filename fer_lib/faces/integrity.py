"""Whether every picture of a copy can be opened, those included that its reader passes over."""

import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import track

from fer_lib.errors import DataError
from fer_lib.faces.readers.pictures import SUFFIXES, is_litter, read_grey


def open_every_picture(files: list[Path], progress: bool = False) -> int:
    """Open all of ``files`` that are pictures, and test all archives among them; returns how many of both there are.

    Readers keep a few pictures of each sequence, and so would not notice that another is damaged. ``progress``: show a bar,
    if stderr is a terminal. Raises DataError that names the first file that cannot be read.
    """
    files = [file for file in files if file.suffix.lower() in (*SUFFIXES, ".zip") and not is_litter(file)]
    console = Console(stderr=True)
    with ThreadPoolExecutor() as threads:
        opened = threads.map(_open, files)
        hidden = not (progress and console.is_terminal)
        for _ in track(opened, "pictures", len(files), console=console, transient=True, disable=hidden):
            pass
    return len(files)


def _open(file: Path) -> None:
    if file.suffix.lower() != ".zip":
        read_grey(file)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as fault:
        raise DataError(f"{file}: not a readable zip archive ({fault})") from fault
    if damaged:
        raise DataError(f"{file}, {damaged}: damaged in the archive")
