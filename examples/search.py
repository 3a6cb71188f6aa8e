"""Searches for settings with optuna: python examples/search.py DATA [TRIALS [EPOCHS]]

Needs optuna (pip install optuna). Each trial trains a run in search/; hopeless ones are ended
early, by their validation loss in nats per character. The search goes on where it stopped.
"""

import sys

import optuna  # pyright: ignore[reportMissingImports]

from s2s_jax import train


def objective(trial: optuna.Trial) -> float:
    """The best validation loss that some settings reach."""

    def prune(metrics: dict) -> None:
        trial.report(metrics["val_nats_per_character"], metrics["epoch"])
        if trial.should_prune():
            raise optuna.TrialPruned

    run = train(
        data,
        out=f"search/{trial.number}",
        overwrite=True,
        epochs=epochs,
        recipe="translator",
        learning_rate=trial.suggest_float("learning_rate", 1e-3, 2e-2, log=True),
        dropout=trial.suggest_float("dropout", 0.0, 0.5),
        latent_dim=trial.suggest_int("latent_dim", 64, 512, step=64),
        callbacks=[prune],
    )
    return min(epoch["val_nats_per_character"] for epoch in run.history)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    data = sys.argv[1]
    trials, epochs = (
        int(sys.argv[place]) if len(sys.argv) > place else default
        for place, default in ((2, 20), (3, 6))
    )
    study = optuna.create_study(study_name=data, storage="sqlite:///search.db", load_if_exists=True)
    study.optimize(objective, n_trials=trials)
    print(f"the best: search/{study.best_trial.number}, {study.best_value:.4f} nats a character")
    print(study.best_params)
