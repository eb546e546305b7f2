"""Draws are NumPy's Philox, and belong to their events."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from lake.kernels.draws import draws, observation_word, philox4x64

words = st.integers(0, 2**64 - 1)


@given(counter=st.tuples(st.integers(0, 2**64 - 2), words, words, words), key=st.tuples(words, words))
def test_a_block_is_the_one_numpy_draws_for_that_counter_and_key(counter, key):
    theirs = np.random.Philox(counter=np.array(counter, np.uint64), key=np.array(key, np.uint64)).random_raw(4)
    following = (counter[0] + 1, *counter[1:])
    ours = philox4x64(tuple(np.uint64(word) for word in following), tuple(np.uint64(word) for word in key))
    assert [int(word[0]) for word in ours] == theirs.tolist()


@given(ids=st.lists(st.integers(0, 2**63 - 1), max_size=50), seed=st.integers(-(2**63), 2**63 - 1), data=st.data())
def test_an_event_draws_the_same_in_any_company(ids, seed, data):
    order = data.draw(st.permutations(range(len(ids))))
    whole = draws(seed, np.array(ids, np.int64))
    assert (draws(seed, np.array([ids[k] for k in order], np.int64)) == whole[order]).all()
    assert ((whole > 0) & (whole < 1)).all()


def test_draws_are_uniform_and_unlike_for_other_seeds_and_observations():
    ids = np.arange(100_000)
    sets = [
        draws(seed, ids, observation_word(obs_id))
        for seed, obs_id in [(1, "chandra-1"), (2, "chandra-1"), (1, "chandra-2")]
    ]
    assert all(kstest(one, "uniform").pvalue > 1e-6 for one in sets)
    assert (np.abs(np.corrcoef(sets)[~np.eye(3, dtype=bool)]) < 5 / np.sqrt(len(ids))).all()


def test_observations_may_differ_row_by_row():
    observation = np.array([observation_word("a"), observation_word("b")])
    both = draws(7, [3, 3], observation)
    assert both.tolist() == [draws(7, [3], word)[0] for word in observation]
    assert both[0] != both[1]


def test_draws_stay_what_they_were():
    expected = np.random.Philox(counter=[41, 0, 0, 0], key=np.array([5, 0], np.uint64)).random_raw(1) >> np.uint64(12)
    assert draws(5, [42])[0] == (float(expected[0]) + 0.5) / 2**52
    assert observation_word("chandra-10027") == 0xCE4A1572132FA307


def test_no_events_draw_nothing():
    assert draws(1, []).shape == (0,)
