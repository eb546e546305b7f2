"""What befalls files: each damage takes the bytes of a file and a Generator, and gives other bytes."""

import bz2
import gzip
import re
import struct
import zlib
from collections.abc import Callable

import numpy as np

from tests.builders.cdf import records

Damage = Callable[[bytes, np.random.Generator], bytes]

SEED = 20_250_301
# Where the structures of the formats begin; what looks like one elsewhere is as good a place.
MARKS = re.compile(
    rb"XTENSION|END {77}|P5\n|IHDR|IDAT|IEND|tEXt|\xff[\xc0-\xdf]|\xff[\x4f-\x5f\x90\x93]|jp2[hc]|ihdr|xml "
    rb"|OHDR|OCHK|TREE|SNOD|HEAP|GCOL|FRHP|FHDB|FADB|EADB|BTHD|BTLF|\0\0\0[\x0a-\x0c]\0\0\0"
)
MOST_MARKS = 125
CARD = re.compile(rb"[A-Z][A-Z0-9_-]{0,7} *= +[^ ][^/]{0,19}")
STRUCTURE = re.compile(
    rb"Z?(BITPIX|NAXIS|TILE|PCOUNT|GCOUNT|VAL)|T(FORM|DIM|FIELDS|SCAL|ZERO|NULL|HEAP|BCOL)|B(SCALE|ZERO)|BLANK"
)
PGM = re.compile(rb"P5\n(?:#.*\n)*(\d+) (\d+)\n(\d+)\n")
NO_NUMBERS = (b"NaN", b"-nan", b"INF", b"1E999", b"-1E-999", b"'ten'", b"T", b"", b"1.5")


def marks(data: bytes) -> list[int]:
    """Where structures begin: at most 125 places, spread over the file."""
    found = {m.start() for m in MARKS.finditer(data)} | {m.end() for m in PGM.finditer(data)}
    if data.startswith(b"SIMPLE"):
        found |= set(range(2880, len(data), 2880))
    if data.startswith(b"\xcd\xf3\0\1"):
        found |= {place for place, _ in records(data)}
    places = sorted(found - {0}) or [len(data) // 2]
    return places[:: -(-len(places) // MOST_MARKS)]


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(1, len(data))]


def cut_near_the_end(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: -int(rng.integers(1, min(len(data), 40)))]


def flip_a_bit(data: bytes, rng: np.random.Generator) -> bytes:
    return _put(data, at := _place(data, rng), bytes([data[at] ^ 1 << int(rng.integers(8))]))


def flip_bits(data: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(rng.integers(2, 9)):
        data = flip_a_bit(data, rng)
    return data


def noise(data: bytes, rng: np.random.Generator) -> bytes:
    return _put(data, _place(data, rng), rng.bytes(int(rng.integers(1, 33))))


def blank(data: bytes, rng: np.random.Generator) -> bytes:
    """A run of one byte, as a lost sector leaves it."""
    return _put(data, _place(data, rng), bytes(rng.choice([0, 255], 1).astype("u1")) * int(rng.integers(1, 600)))


def lie(data: bytes, rng: np.random.Generator) -> bytes:
    """A whole number of 1 to 8 bytes made huge, negative, zero or off by one, near the start of a structure."""
    near = int(rng.choice([0, *marks(data)])) + int(rng.integers(0, 48))
    code = str(rng.choice(["B", ">H", "<H", ">I", "<I", ">Q", "<Q"]))
    size = struct.calcsize(code)
    at = min(near, len(data) - size)
    return _put(data, at, struct.pack(code, _lie(struct.unpack_from(code, data, at)[0], 8 * size, rng)))


def swap(data: bytes, rng: np.random.Generator) -> bytes:
    """Two neighbouring blocks, each in the other's place."""
    a, b, c = _blocks(data, rng)
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def double(data: bytes, rng: np.random.Generator) -> bytes:
    a, b, _ = _blocks(data, rng)
    return data[:b] + data[a:]


def drop(data: bytes, rng: np.random.Generator) -> bytes:
    a, b, _ = _blocks(data, rng)
    return data[:a] + data[b:]


def append(data: bytes, rng: np.random.Generator) -> bytes:
    """Garbage, zeros, or the file once more."""
    n = int(rng.integers(1, 6000))
    return data + (rng.bytes(n), bytes(n), data)[rng.integers(3)]


def compress(data: bytes, rng: np.random.Generator) -> bytes:
    """Once, which is read through, or twice, which isn't."""
    once = (gzip.compress, bz2.compress)[rng.integers(2)](data, 1)
    return once if rng.random() < 0.5 else gzip.compress(once, 1)


def damage_compressed(data: bytes, rng: np.random.Generator) -> bytes:
    return ANY[str(rng.choice(["cut", "flip_a_bit", "noise"]))](compress(data, rng), rng)


def lie_in_a_card(data: bytes, rng: np.random.Generator) -> bytes:
    """The value of a FITS keyword, mostly of one that readers build on, made another number or none."""
    found = [m for m in CARD.finditer(data) if m.start() % 80 == 0]
    named = [m for m in found if STRUCTURE.match(m[0])]
    chosen = named if named and rng.random() < 0.8 else found
    if not chosen:
        return noise(data, rng)
    card = chosen[rng.integers(len(chosen))]
    key, _, value = card[0].partition(b"=")
    if rng.random() < 0.3:
        word = NO_NUMBERS[rng.integers(len(NO_NUMBERS))]
    elif value.strip().lstrip(b"-").isdigit():
        word = str(_lie(int(value), int(rng.choice([8, 16, 18, 32, 40, 64])), rng) * int(rng.choice([1, 1, 1, -1])))
        word = word.encode("ascii")
    else:
        word = re.sub(rb"\d+", lambda m: str(_lie(int(m[0]), 12, rng)).encode("ascii"), value.strip(), count=1)
    return _put(data, card.start(), (key.ljust(8) + b"= " + word.rjust(20)).ljust(80)[:80])


def lie_in_a_pgm(data: bytes, rng: np.random.Generator) -> bytes:
    """Width, height or maximum of a frame."""
    frames = list(PGM.finditer(data))
    if not frames:
        return noise(data, rng)
    frame, group = frames[rng.integers(len(frames))], int(rng.integers(1, 4))
    word = b"-1" if rng.random() < 0.1 else str(_lie(int(frame[group]), int(rng.choice([8, 16, 32, 64])), rng)).encode()
    return data[: frame.start(group)] + word + data[frame.end(group) :]


def lie_in_a_chunk(data: bytes, rng: np.random.Generator) -> bytes:
    """A chunk of a PNG other than it was, or its pixels fewer or more, with a checksum that says it is well."""
    chunks = _chunks(data)
    at = int(rng.integers(len(chunks)))
    kind, body = chunks[at]
    if kind == b"IDAT" and rng.random() < 0.7:
        rows = zlib.decompress(b"".join(b for k, b in chunks if k == b"IDAT"))
        body = zlib.compress(rows + rows if rng.random() < 0.3 else rows[: rng.integers(len(rows))])
    elif body:
        body = (noise, flip_a_bit, lie, cut)[rng.integers(4)](body.ljust(8, b"\0"), rng)[: len(body)]
    chunks[at] = kind, body
    packed = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)
    return data[:8] + b"".join(packed)


def damage_within(data: bytes, rng: np.random.Generator) -> bytes:
    """What a compressed file holds, damaged and compressed again."""
    number = int(rng.integers(1 << 30))
    if data[:2] == b"\x1f\x8b":
        return gzip.compress(damaged(gzip.decompress(data), number)[1], 1)
    return bz2.compress(damaged(bz2.decompress(data), number)[1], 1)


def close_early(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut, with the mark of the end put behind."""
    return cut(data, rng) + b"\xff\xd9"


ANY: dict[str, Damage] = {
    f.__name__: f
    for f in (
        cut, cut_near_the_end, flip_a_bit, flip_bits, noise, blank, lie, swap, double, drop, append, compress,
        damage_compressed,
    )
}  # fmt: skip
CARDS: dict[str, Damage] = {"lie_in_a_card": lie_in_a_card, "lie_in_another_card": lie_in_a_card}
PGMS: dict[str, Damage] = {"lie_in_a_pgm": lie_in_a_pgm}
CHUNKS: dict[str, Damage] = {"lie_in_a_chunk": lie_in_a_chunk}
WITHIN: dict[str, Damage] = {"damage_within": damage_within}
CLOSED: dict[str, Damage] = {"close_early": close_early}


def damaged(data: bytes, number: int) -> tuple[str, bytes]:
    """The n-th damage of a file, by name: they take turns, and each fourth is a cut at a mark until all had one."""
    places = marks(data)
    if number % 4 == 0 and number // 4 < len(places):
        order = np.random.default_rng(SEED).permutation(len(places))
        return "cut_at_a_mark", data[: places[order[number // 4]]]
    damages = ANY | _own(data)
    name = list(damages)[number % len(damages)]
    return name, damages[name](data, np.random.default_rng((SEED, number)))


def _own(data: bytes) -> dict[str, Damage]:
    """Damages that only this format knows."""
    known = (
        (b"SIMPLE", CARDS), (b"P5", PGMS), (b"\x89PNG", CHUNKS), (b"\x1f\x8b", WITHIN), (b"BZh", WITHIN),
        (b"\xff\xd8", CLOSED), (b"\0\0\0\x0cjP", CLOSED),
    )  # fmt: skip
    return next((own for magic, own in known if data.startswith(magic)), {})


def _place(data: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(len(data)))


def _put(data: bytes, at: int, other: bytes) -> bytes:
    """Other bytes in the place of as many."""
    return data[:at] + other[: len(data) - at] + data[at + len(other) :]


def _lie(number: int, bits: int, rng: np.random.Generator) -> int:
    lies = (
        0,
        1,
        number - 1,
        number + 1,
        2 * number,
        number // 2,
        (1 << bits) - 1,
        1 << (bits - 1),
        (1 << (bits - 1)) - 1,
    )
    return lies[rng.integers(len(lies))] % (1 << bits)


def _blocks(data: bytes, rng: np.random.Generator) -> tuple[int, int, int]:
    """The ends of two blocks beside each other."""
    ends = sorted({0, *marks(data), len(data)})
    at = int(rng.integers(max(len(ends) - 2, 1)))
    return ends[at], ends[at + 1], ends[min(at + 2, len(ends) - 1)]


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and content of each chunk of a PNG."""
    found, place = [], 8
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        found.append((kind, data[place + 8 : place + 8 + length]))
        place += 12 + length
    return found
