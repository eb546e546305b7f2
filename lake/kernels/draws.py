"""Random numbers that belong to events: the same for an event wherever, whenever and with whom it is drawn."""

from hashlib import sha256

import numpy as np
from numpy.typing import ArrayLike, NDArray

Words = NDArray[np.uint64]

MULTIPLIERS = (np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157))
WEYL = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B))
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
# Events at a time: their words stay in the processor's cache.
BLOCK = 1 << 14


def draws(seed: int, event_id: ArrayLike, observation: ArrayLike = 0) -> NDArray[np.float64]:
    """Uniform draws of events, each a pure function of seed, observation and event.

    Parameters
    ----------
    seed : int
        Taken modulo 2^64. Different purposes need different seeds, else their draws are the same numbers.
    event_id : int64, shape (n,)
        Row of the event in its list.
    observation : uint64, shape (n,) or ()
        `observation_word` of the list it is in; lists that share it draw alike.

    Returns
    -------
    float64, shape (n,)
        Above 0 and below 1: the middles of 2^52 equal steps, all exact, so neither end is ever drawn.
    """
    event = np.ascontiguousarray(event_id, np.int64).reshape(-1).view(np.uint64)
    key = np.broadcast_to(np.asarray(observation, np.uint64), event.shape)
    word = np.uint64(seed % (1 << 64))
    out = np.empty(event.shape, np.float64)
    for start in range(0, event.size, BLOCK):
        part = slice(start, start + BLOCK)
        # 52 bits and not 53: a half added to 2^53 - 1 would round up, to a draw of 1
        first = philox4x64((event[part],), (word, key[part]))[0]
        out[part] = ((first >> np.uint64(12)).astype(np.float64) + 0.5) / 4503599627370496.0
    return out


def observation_word(obs_id: str) -> np.uint64:
    """A 64-bit word for an observation: the first eight bytes of the SHA-256 of its name."""
    return np.uint64(int.from_bytes(sha256(obs_id.encode()).digest()[:8], "big"))


def philox4x64(
    counter: tuple[ArrayLike, ...], key: tuple[ArrayLike, ArrayLike], rounds: int = 10
) -> tuple[Words, Words, Words, Words]:
    """Blocks of the counter-based generator Philox-4x64.

    Parameters
    ----------
    counter : one to four uint64, shape (n,)
        Words of the counter, lowest first; those left out are 0.
    key : two uint64, shape (n,) or ()
        Words of the key.
    rounds : int
        10 is what its authors recommend and NumPy has.

    Returns
    -------
    four uint64, shape (n,)
        Words of the block. NumPy's bit generator counts up before it draws: its first block is that of `counter + 1`.

    References
    ----------
    Salmon, Moraes, Dror & Shaw (2011), Proc. SC11, "Parallel random numbers: as easy as 1, 2, 3", section 3.3.
    """
    words = [np.atleast_1d(np.asarray(word, np.uint64)) for word in (*counter, 0, 0, 0)[:4]]
    k0, k1 = (np.atleast_1d(np.asarray(word, np.uint64)) for word in key)
    x0, x1, x2, x3 = np.broadcast_arrays(*words)
    for _ in range(rounds):
        high0, low0 = _product(x0, MULTIPLIERS[0])
        high1, low1 = _product(x2, MULTIPLIERS[1])
        x0, x1, x2, x3 = high1 ^ x1 ^ k0, low1, high0 ^ x3 ^ k1, low0
        k0, k1 = k0 + WEYL[0], k1 + WEYL[1]
    return x0, x1, x2, x3


def _product(word: Words, factor: np.uint64) -> tuple[Words, Words]:
    """High and low words of a 128-bit product, by schoolbook halves."""
    low, high = word & LOW, word >> HALF
    factor_low, factor_high = factor & LOW, factor >> HALF
    middle = high * factor_low + ((low * factor_low) >> HALF)
    carry = low * factor_high + (middle & LOW)
    return high * factor_high + (middle >> HALF) + (carry >> HALF), word * factor
