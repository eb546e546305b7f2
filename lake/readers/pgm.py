"""PGM: frames of all-sky cameras, one after another in a file, each with its own comment lines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lake.errors import Malformed, TooLarge
from lake.source import Content, Part, Problem

MOST_SIDE = 16_384
MOST_FRAMES = 100_000
MOST_KEYS = 1_000
MOST_HEADER_LINES = 1_000
MOST_LINE = 65_536
MOST_SEARCHES = 100
INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?: ?UTC|Z)?")
START = "Image request start"


@dataclass(frozen=True)
class Frame:
    """One frame's header, and where its pixels lie."""

    width: int
    height: int
    maxval: int
    words: dict[str, str] = field(repr=False)
    begin: int = 0

    @property
    def kind(self) -> tuple[int, int, int]:
        """What all frames of a file have in common."""
        return self.height, self.width, self.maxval

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a pixel as the file has it: one byte up to 255, then two, the high one first."""
        return np.dtype(">u2" if self.maxval > 255 else "u1")

    @property
    def end(self) -> int:
        """The first byte after the pixels."""
        return self.begin + self.width * self.height * self.dtype.itemsize


def recognises(head: bytes) -> bool:
    """Whether a file starts as a binary PGM does."""
    return head[:2] == b"P5" and head[2:3] in (b"\n", b"\r", b" ", b"\t")


def read(stream: BinaryIO, name: str) -> Content:
    """The frames of a PGM file, rows and columns as they lie in it.

    Parameters
    ----------
    stream : the inflated file.
    name : for messages.

    Returns
    -------
    Content
        The comments of the first frame as header, and one part: pixels uint16 or uint8 (time, y, x), a column of
        strings for each comment key, and `time`, the start of the exposure, where the camera states it. A key that
        only the first frame has holds for all; one that later frames have too is null where a frame lacks it.
        Frames that are cut short, or of another size than the first, are left out and named as problems.

    Raises
    ------
    Malformed
        Not one frame is whole.
    TooLarge
        There are more frames, or more different comment keys, than any camera writes.
    """
    buffer = stream.read()
    frames: list[Frame] = []
    problems: list[Problem] = []
    for number, found in enumerate(_frames(buffer)):
        if number >= MOST_FRAMES:
            raise TooLarge(name, "pgm-frames", f"found more than {MOST_FRAMES} frames")
        if isinstance(found, Frame) and frames and found.kind != frames[0].kind:
            found = f"found {_size(found)}, expected {_size(frames[0])} as in the first frame"
        if isinstance(found, Frame):
            frames.append(found)
        else:
            problems.append(Problem(f"frame {number}", found))
    if not frames:
        first = problems[0]
        raise Malformed(name, "pgm-frames", f"no whole frame; {first.place}: {first.reason}")
    if len(_keys(frames)) > MOST_KEYS:
        raise TooLarge(name, "pgm-keys", f"found {len(_keys(frames))} comment keys, expected up to {MOST_KEYS}")
    part = Part(header={"maxval": frames[0].maxval}, columns=_columns(frames), pixels=_pixels(buffer, frames))
    return Content(frames[0].words, (part,), tuple(problems))


# Python and NumPy alone decode it.
read_plain = read


def _frames(buffer: bytes) -> Iterator[Frame | str]:
    """Each frame, or what is wrong with it; after damage the next header of the first frame's size is looked for."""
    place, first = 0, None
    while buffer[place : place + 64].strip():
        found = _frame(buffer, place)
        first = first or (found if isinstance(found, Frame) else None)
        if isinstance(found, Frame) and found.end > len(buffer):
            n_bytes = found.end - found.begin
            yield f"found {len(buffer) - found.begin} bytes of pixels, expected {n_bytes} ({_size(found)})"
            return
        yield found
        if isinstance(found, Frame):
            place = found.end
        elif first is None or not (place := _next_header(buffer, place + 1, first)):
            return


def _frame(buffer: bytes, start: int) -> Frame | str:
    """The frame whose header starts here, or why there is none."""
    found = buffer[start : start + 2]
    if found != b"P5":
        return f"found {found!r} at byte {start}, expected P5"
    place, numbers, words = start + 2, list[int](), dict[str, str]()
    for _ in range(MOST_HEADER_LINES):
        end = buffer.find(b"\n", place, place + MOST_LINE)
        if end < 0:
            return f"header at byte {start} ends after {len(numbers)} of 3 numbers"
        line, place = buffer[place:end], end + 1
        if line.startswith(b"#"):
            _note(words, line)
            continue
        for word in line.partition(b"#")[0].split():
            if not word.isdigit() or len(word) > 9:
                return f"found {word[:20]!r} in the header at byte {start}, expected a number"
            numbers.append(int(word))
        if len(numbers) >= 3:
            return _checked(numbers, words, place)
    return f"header at byte {start} has more than {MOST_HEADER_LINES} lines"


def _checked(numbers: list[int], words: dict[str, str], begin: int) -> Frame | str:
    if len(numbers) > 3:
        return f"found {len(numbers)} numbers in a header, expected width, height, maxval"
    width, height, maxval = numbers
    if not (1 <= width <= MOST_SIDE and 1 <= height <= MOST_SIDE):
        return f"found {width} x {height} pixels, expected 1 to {MOST_SIDE} a side"
    if not 1 <= maxval <= 65_535:
        return f"found maxval {maxval}, expected 1 to 65535"
    return Frame(width, height, maxval, words, begin)


def _note(words: dict[str, str], line: bytes) -> None:
    """Keep a `#"key" value` line; of a repeated key the last holds and the earlier ones are numbered."""
    mark, _, rest = line.decode("utf-8", "replace").partition('"')
    key, quote, value = rest.partition('"')
    if mark != "#" or not quote:
        return
    if key in words:
        earlier = next(n for n in range(1, MOST_HEADER_LINES) if f"{key} {n}" not in words)
        words[f"{key} {earlier}"] = words[key]
    words[key] = value.strip()


def _next_header(buffer: bytes, start: int, first: Frame) -> int:
    """Where the next header of the same size starts, or 0; pixels may look like one a few times."""
    for _ in range(MOST_SEARCHES):
        start = buffer.find(b"P5", start)
        if start < 0:
            return 0
        found = _frame(buffer, start)
        if isinstance(found, Frame) and found.kind == first.kind:
            return start
        start += 1
    return 0


def _size(frame: Frame) -> str:
    return f"{frame.width} x {frame.height} up to {frame.maxval}"


def _pixels(buffer: bytes, frames: list[Frame]) -> NDArray[Any]:
    """All frames in one array, bytes in this machine's order."""
    first = frames[0]
    pixels = np.empty((len(frames), first.height, first.width), first.dtype.newbyteorder("="))
    for image, frame in zip(pixels, frames, strict=True):
        image[:] = np.frombuffer(buffer, frame.dtype, image.size, frame.begin).reshape(image.shape)
    return pixels


def _keys(frames: list[Frame]) -> list[str]:
    """All comment keys, in the order of their first frame."""
    return list(dict.fromkeys(key for frame in frames for key in frame.words))


def _columns(frames: list[Frame]) -> dict[str, NDArray[Any]]:
    """The comments as columns, and the start of each exposure as an instant."""
    inherited = frames[0].words.keys() - {key for frame in frames[1:] for key in frame.words}
    columns: dict[str, NDArray[Any]] = {}
    for key in _keys(frames):
        given = [frames[0].words[key]] * len(frames) if key in inherited else [f.words.get(key) for f in frames]
        columns[key] = _masked(given, "", object)
    if START in columns:
        columns["time"] = _masked([_instant(f.words.get(START, "")) for f in frames], 0, "M8[us]")
    return columns


def _masked(given: list[Any], fill: Any, dtype: Any) -> NDArray[Any]:
    """The values as an array, a masked one where some are None."""
    values = np.array([fill if value is None else value for value in given], dtype)
    absent = [value is None for value in given]
    return np.ma.MaskedArray(values, absent) if any(absent) else values


def _instant(text: str) -> np.datetime64 | None:
    """A UTC instant from the camera's spelling; None where it is not one."""
    if not (found := INSTANT.fullmatch(text)):
        return None
    try:
        return np.datetime64("T".join(found.groups()), "us")
    except ValueError:
        return None
