"""Groups of near duplicates, found by banding: only files that agree in a band are compared."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Same = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Places of files [pairs] and of others [pairs] → whether they are near duplicates [pairs]."""
_MOST_BEHIND = 4_096
_MOST_PAIRS = 4_000_000
_MINHASH_BANDS = 16


def hamming_groups(signatures: np.ndarray, distance: int) -> np.ndarray:
    """Components of images whose signatures differ in at most `distance` bits: [files], a number each.

    Exact by the pigeonhole principle: two signatures that differ in d bits agree in one of d + 1 bands
    (Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007).

    Args:
        signatures: uint8 [files, 16].
        distance: Bits.
    """
    words = np.ascontiguousarray(signatures).view("<u8")
    return _collapsed(words, lambda unique: _hamming(unique, distance))


def jaccard_groups(signatures: np.ndarray, similarity: float) -> np.ndarray:
    """Components of texts whose MinHash signatures agree in at least a share of their numbers.

    16 bands of 4: a pair of similarity s is compared with probability 1 − (1 − s⁴)¹⁶, which is 0.9998 at 0.8
    and 0.64 at 0.5 (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4).

    Args:
        signatures: uint8 [files, 256], of `minhash`.
        similarity: Share of the 64 numbers.
    """
    numbers = np.ascontiguousarray(signatures).view("<u4")
    return _collapsed(numbers, lambda unique: _jaccard(unique, similarity))


def _collapsed(lines: np.ndarray, group: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Group the different lines only: equal ones belong together without a comparison."""
    if not len(lines):
        return np.empty(0, dtype=np.int64)
    packed = np.ascontiguousarray(lines).view(np.dtype((np.void, lines.dtype.itemsize * lines.shape[1])))
    _, first, inverse = np.unique(packed.ravel(), return_index=True, return_inverse=True)
    return group(lines[first])[inverse]


def _hamming(words: np.ndarray, distance: int) -> np.ndarray:
    if distance == 0:
        return np.arange(len(words))

    def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(np.bitwise_count(words[a] ^ words[b]).sum(axis=1) <= distance)

    bands = distance + 1
    keys = [
        (words[:, half] >> np.uint64(begin)) & np.uint64((1 << (end - begin)) - 1)
        for half, count in ((0, bands - bands // 2), (1, bands // 2))
        for begin, end in _cuts(count)
    ]
    return _components(len(words), keys, same)


def _cuts(count: int) -> list[tuple[int, int]]:
    """64 bits in `count` bands of nearly equal width."""
    edges = [64 * k // count for k in range(count + 1)]
    return list(pairwise(edges))


def _jaccard(numbers: np.ndarray, similarity: float) -> np.ndarray:
    def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray((numbers[a] == numbers[b]).mean(axis=1) >= similarity)

    rows = numbers.shape[1] // _MINHASH_BANDS
    keys = []
    for band in range(_MINHASH_BANDS):
        key = np.zeros(len(numbers), dtype=np.uint64)
        for column in numbers[:, band * rows : (band + 1) * rows].T:
            key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(32)
        keys.append(key)
    return _components(len(numbers), keys, same)


def _components(count: int, keys: list[np.ndarray], same: Same) -> np.ndarray:
    labels = np.arange(count)
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    held = 0
    for key in keys:
        for a, b in _pairs(key):
            apart = labels[a] != labels[b]
            near = same(a[apart], b[apart])
            waiting.append((a[apart][near], b[apart][near]))
            held += int(near.sum())
            if held > _MOST_PAIRS:
                labels, waiting, held = _joined(labels, waiting), [], 0
        labels, waiting, held = _joined(labels, waiting), [], 0
    return labels


def _pairs(key: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of places with the same key, by growing distance in their order.

    A place is compared with at most 4,096 others of its key: so many files that agree in a band by chance
    are near duplicates of a few, and those are found through other bands.
    """
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    at = np.arange(len(order))
    for behind in range(1, min(len(order), _MOST_BEHIND + 1)):
        at = at[at + behind < len(order)]
        at = at[sorted_key[at] == sorted_key[at + behind]]
        if not len(at):
            return
        yield order[at], order[at + behind]


def _joined(labels: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The labels after joining pairs, each component named by its first place."""
    count = len(labels)
    a = np.concatenate([labels, *(p[0] for p in pairs)])
    b = np.concatenate([np.arange(count), *(p[1] for p in pairs)])
    if len(a) == count:
        return labels
    graph = coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(count, count))
    found = connected_components(graph, directed=False)[1]
    first = np.full(found.max() + 1, count)
    np.minimum.at(first, found, np.arange(count))
    return np.asarray(first[found])
