"""The twin of src/core/random.h: the same numbers from (seed, purpose, step, index), so that references know what an
optimizer drew. Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011."""

import numpy as np

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def philox(counter, key):
    """Ten rounds. counter: four arrays (or numbers) of 32 bits, key: two numbers; returns four arrays."""
    c = [np.asarray(word, np.uint64) for word in counter]
    k0, k1 = (int(word) for word in key)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> HALF) ^ c[1] ^ np.uint64(k0), p1 & LOW, (p0 >> HALF) ^ c[3] ^ np.uint64(k1), p0 & LOW]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def fnv1a(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


class Random:
    def __init__(self, seed, purpose, step=0):
        h = fnv1a(purpose)
        words = philox((h & 0xFFFFFFFF, h >> 32, 0, 0), (seed & 0xFFFFFFFF, seed >> 32))
        self.key = int(words[0]), int(words[1])
        self.step = step & 0xFFFFFFFF, step >> 32

    def words(self, blocks):
        """Four words of each block."""
        blocks = np.asarray(blocks, np.uint64)
        step = [np.full(blocks.shape, word, np.uint64) for word in self.step]
        return philox((blocks & LOW, blocks >> HALF, *step), self.key)

    def uniform(self, count):
        """[0, 1) with 53 bits, of indices 0 .. count - 1."""
        a, b = self._pairs(count)
        return np.stack([a, b], -1).reshape(-1)[:count]

    def normal(self, count, first=0):
        """Standard normal, of indices first (even) .. first + count - 1: Box and Muller's pairs."""
        a, b = self._pairs(count, first // 2)
        radius, angle = np.sqrt(-2 * np.log1p(-a)), 2 * np.pi * b
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).reshape(-1)[:count]

    def _pairs(self, count, block=0):
        w = self.words(block + np.arange((count + 1) // 2))
        unit = lambda high, low: (((high << HALF) | low) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return unit(w[0], w[1]), unit(w[2], w[3])


def check():
    """The vectors that the generator's authors publish with it (Random123, kat_vectors)."""
    known = [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ]
    for counter, key, expected in known:
        assert " ".join(f"{int(word):08x}" for word in philox(counter, key)) == expected
