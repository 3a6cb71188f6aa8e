from types import SimpleNamespace

import jax
import numpy as np
import pytest
from s2s_testing import compilations

from s2s_jax.data.preparation import load_corpus
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.runs.folder import read_run
from s2s_jax.training import repeated
from s2s_jax.training.planning import configure
from s2s_jax.training.repeated import carry_out_runs
from s2s_jax.training.request import Request


@pytest.fixture
def request_for(data_file, tmp_path):
    def make(**settings):
        train = {"epochs": 1, "batch_size": 4, "seed": 3}
        data = {"data": str(data_file)}
        return Request(data, {"latent_dim": 8}, train, {}, tmp_path / "r", **settings)

    return make


@pytest.mark.slow
def test_runs_differ_in_their_seed_alone_and_answer_together(request_for, tmp_path, capsys, caplog):
    carry_out_runs(request_for(), 1)
    with compilations(caplog) as names:
        found = carry_out_runs(request_for(resume=True), 2)
    assert capsys.readouterr().out.count("Nothing to do") == 1
    assert not {"_gradient_step", "_update_step"} & set(names)  # Of the first run.
    folders = [run.folder for run in found]
    assert folders == [tmp_path / "r-seed3", tmp_path / "r-seed4"]
    one, other = (read_run(folder) for folder in folders)
    assert (one.config.train.seed, other.config.train.seed) == (3, 4)
    assert one.config.data_hash == other.config.data_hash  # The same pairs are held out.
    weights = [jax.tree.leaves(run.translator.params) for run in found]
    assert any(not np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert Translator.load(folders).origins == tuple(run.translator.origins[0] for run in found)
    printed = carry_out_runs(request_for(resume=True), 2) and capsys.readouterr().out
    command = f"decode.py --checkpoint {folders[0]} --checkpoint {folders[1]}"
    assert printed.splitlines()[-1].endswith(command)


def test_the_data_are_read_once(request_for, monkeypatch):
    reads, seeds = [], []

    def load(*arguments):
        reads.append(arguments)
        return load_corpus(*arguments)

    def carry_out(request, report):
        config, prepared, _ = configure(request, None, progress=False)
        seeds.append((config.train.seed, prepared.data_hash))
        return SimpleNamespace(folder=request.out)

    monkeypatch.setattr(repeated, "load_corpus", load)
    monkeypatch.setattr(repeated, "carry_out", carry_out)
    carry_out_runs(request_for(), 3)
    assert len(reads) == 1
    assert [seed for seed, _ in seeds] == [3, 4, 5]
    assert len({data for _, data in seeds}) == 1


def test_there_is_at_least_one_run(request_for):
    with pytest.raises(UserError, match="`runs` must be a whole number of at least 1, not 0"):
        carry_out_runs(request_for(), 0)
