"""Near duplicates by banding against a comparison of all pairs."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from evergreen.media.minhash import minhash
from evergreen.media.nearness import hamming_groups, jaccard_groups


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


@given(st.integers(0, 2**32), st.integers(2, 60), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_bits_are_grouped_as_all_pairs_would(seed, count, distance):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (max(1, count // 4), 16), dtype=np.uint8)
    signatures = base[rng.integers(0, len(base), count)].copy()
    for line in signatures:
        for bit in rng.choice(128, rng.integers(0, 24), replace=False):
            line[bit // 8] ^= 1 << (bit % 8)
    apart = np.unpackbits(signatures[:, None] ^ signatures[None], axis=2).sum(axis=2)
    wanted = connected_components(apart <= distance, directed=False)[1]
    assert same_partition(hamming_groups(signatures, distance), wanted)


def test_many_alike_do_not_cost_their_square():
    rng = np.random.default_rng(0)
    alike = np.zeros((20_000, 16), dtype=np.uint8)
    alike[:10_000, 0] = np.arange(10_000) % 7
    alike[10_000:] = rng.integers(0, 256, (10_000, 16), dtype=np.uint8)
    groups = hamming_groups(alike, 8)
    assert len(set(groups[:10_000].tolist())) == 1 and len(set(groups[10_000:].tolist())) > 9_990


def test_minhash_estimates_the_share_of_runs_in_common():
    rng = np.random.default_rng(1)
    words = [f"w{k}" for k in rng.integers(0, 5_000, 20_000)]
    for changed in (0, 200, 1_000, 4_000):
        other = list(words)
        for place in rng.choice(len(words), changed, replace=False):
            other[place] = f"x{place}"
        sets = [{tuple(t[i : i + 3]) for i in range(len(t) - 2)} for t in (words, other)]
        truth = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        a, b = (np.frombuffer(minhash(t), dtype="<u4") for t in (words, other))
        assert abs((a == b).mean() - truth) < 0.2
    assert minhash(["too", "few"]) is None


def test_texts_are_grouped_by_their_runs():
    rng = np.random.default_rng(2)
    signatures = []
    for _ in range(50):
        words = [f"w{k}" for k in rng.integers(0, 3_000, 600)]
        near = [*words[:300], "new", *words[301:]]
        signatures += [minhash(words), minhash(near), minhash([f"v{k}" for k in rng.integers(0, 3_000, 600)])]
    groups = jaccard_groups(np.frombuffer(b"".join(signatures), dtype=np.uint8).reshape(-1, 256), 0.8)
    assert (groups[0::3] == groups[1::3]).all() and len(set(groups.tolist())) == 100
    assert jaccard_groups(np.empty((0, 256), dtype=np.uint8), 0.8).tolist() == []
