"""PGM streams as all-sky cameras write them."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

Words = Mapping[str, str] | Iterable[tuple[str, str]]


def frame(pixels: NDArray[np.generic], words: Words = (), maxval: int = 65_535, bare: int = 0) -> bytes:
    """One frame: comment lines, bare ones last, then the pixels, the high byte first."""
    pairs = words.items() if isinstance(words, Mapping) else words
    comments = "".join(f'#"{key}" {value}\n' for key, value in pairs) + "#\n" * bare
    height, width = pixels.shape
    data = pixels.astype(">u2" if maxval > 255 else "u1").tobytes()
    return f"P5\n{comments}{width} {height}\n{maxval}\n".encode() + data


def minute(pixels: NDArray[np.generic], start: str = "2014-03-10T06:00", step_s: int = 3) -> bytes:
    """Frames (time, y, x), one each step; the first also names the site."""
    begin = np.datetime64(start, "us")
    stream = b""
    for number, image in enumerate(pixels):
        instant = str(begin + np.timedelta64(number * step_s, "s")).replace("T", " ")
        first = {"Site unique ID": "gill"} if number == 0 else {}
        stream += frame(image, first | {"Mode sequence number": str(number), "Image request start": f"{instant} UTC"})
    return stream
