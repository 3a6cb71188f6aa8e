"""What a run keeps for MLflow, read back."""

import pytest
from s2s_pictures import make_translator, save_run

from s2s_jax import train
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import RunWarning
from s2s_jax.pictures import CARD
from s2s_jax.pictures.tracking import DATABASE, MLflow
from s2s_jax.runs.folder import write_evaluation


def read_back(folder):
    """A client of the database in a folder, and the runs in it."""
    mlflow = pytest.importorskip("mlflow", reason="needs pip install -e '.[mlflow]'")
    client = mlflow.MlflowClient(f"sqlite:///{folder / DATABASE}")
    experiment = client.get_experiment_by_name("s2s_jax")
    return client, client.search_runs([experiment.experiment_id], order_by=["start_time"])


@pytest.mark.slow
def test_a_run_is_kept_beside_its_folder(tmp_path):
    pytest.importorskip("mlflow", reason="needs pip install -e '.[mlflow]'")
    folder = save_run(tmp_path / "run", make_translator())
    write_evaluation(folder, {"sentences": 2, "exact": 1, "cer": 0.25})
    (folder / CARD).write_text("# The card\n")
    log, translator = MLflow(folder), Translator.load(folder)
    log.on_end(translator)
    assert not (tmp_path / DATABASE).exists()  # Nothing was trained.
    log.on_epoch({"epoch": 1, "loss": 1.0, "val_loss": None})
    log.on_epoch({"epoch": 2, "loss": 0.5, "val_loss": 2.0})
    log.on_end(translator)
    MLflow(folder).on_epoch({"epoch": 3, "loss": 0.25})  # Of a run that is resumed.
    client, (first, second) = read_back(tmp_path)
    history = client.get_metric_history(first.info.run_id, "loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 1.0), (2, 0.5)]
    assert first.data.metrics == {"loss": 0.5, "val_loss": 2.0, "best/cer": 0.25}
    assert first.data.params["latent_dim"] == str(translator.run.config.model.latent_dim)
    assert (first.info.run_name, first.info.status) == ("run", "FINISHED")
    (card,) = client.list_artifacts(first.info.run_id)
    assert card.path == CARD and list((tmp_path / "mlflow").rglob(CARD))
    assert second.data.metrics == {"loss": 0.25}


@pytest.mark.slow
def test_a_database_that_cannot_be_written_does_not_end_the_run(tmp_path):
    pytest.importorskip("mlflow", reason="needs pip install -e '.[mlflow]'")
    (tmp_path / DATABASE).write_text("no database" * 500)
    with pytest.warns(RunWarning, match=rf"{DATABASE} cannot be written \(.*training goes on"):
        MLflow(tmp_path / "run").on_epoch({"epoch": 1, "loss": 1.0})


@pytest.mark.slow
def test_train_listens(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="needs pip install -e '.[mlflow]'")
    monkeypatch.chdir(tmp_path)
    pairs = [(f"{a}{b}", f"{b}{a}") for a in "abc" for b in "de"]
    run = train(pairs, epochs=1, latent_dim=4, batch_size=4, mlflow=True)
    _, (kept,) = read_back(run.folder.absolute().parent)
    assert {"loss", "val_loss", "best/cer"} <= set(kept.data.metrics)
