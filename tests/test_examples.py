"""The examples, as their first lines say to run them."""

from itertools import islice

import pytest
from s2s_testing import run_script, write_pairs

from s2s_jax.data.embedded import embedded_pairs


@pytest.mark.slow
def test_a_search_names_its_best_run_and_goes_on_where_it_stopped(tmp_path):
    pytest.importorskip("optuna")
    write_pairs(tmp_path / "fra.txt", list(islice(embedded_pairs(7), 300)))
    for trials in (1, 2):
        done = run_script("examples/search.py", "fra.txt", 1, 1, cwd=tmp_path, timeout=400)
        assert done.returncode == 0, done.stderr
        assert "the best: search/" in done.stdout and "latent_dim" in done.stdout
        assert len(list((tmp_path / "search").glob("*/evaluation.json"))) == trials


def test_a_search_without_data_says_how_to_run_it(tmp_path):
    pytest.importorskip("optuna")
    done = run_script("examples/search.py", cwd=tmp_path)
    assert done.returncode == 1 and "python examples/search.py DATA" in done.stderr
