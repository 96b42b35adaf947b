from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import faiss
import pytest

from selavpr_core.retrieval.one_thread import OneThread


@pytest.fixture(autouse=True)
def _three_threads():
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3)
    yield
    faiss.omp_set_num_threads(before)


def test_faiss_has_one_thread_inside_and_its_own_number_after() -> None:
    with OneThread():
        assert faiss.omp_get_max_threads() == 1
    assert faiss.omp_get_max_threads() == 3


def test_the_number_is_restored_after_an_exception() -> None:
    with pytest.raises(KeyError), OneThread():
        raise KeyError
    assert faiss.omp_get_max_threads() == 3


def test_other_threads_keep_theirs() -> None:
    with ThreadPoolExecutor(1) as other:
        other.submit(faiss.omp_set_num_threads, 2).result()
        with OneThread():
            assert other.submit(faiss.omp_get_max_threads).result() == 2
