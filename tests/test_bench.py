"""The arithmetic of the measurements, without any peer."""

import argparse
import json
import sys

import pytest

import ablations
import scaling
import translator
from flops import training_flops
from processes import ROOT, Failed, missing, run
from report import (
    Grid,
    markdown,
    median,
    ratio_text,
    ratios,
    shown_command,
    with_problems,
    write_json,
    write_section,
)
from s2s_jax.config import DataConfig, ModelConfig, TrainConfig
from s2s_jax.training.request import request_for
from time_to_loss import first_below, first_reached, loss_of_line
from training import OURS, PEERS, figures, tokens_note


def test_medians_leave_out_rounds_that_failed():
    rounds = [{"a": 3.0}, None, {"a": 1.0}, {"a": 2.0}, {}]
    assert median(rounds, "a") == 2.0
    assert median([None], "a") is None


def test_ratios_are_taken_within_a_round():
    # The machine is half as fast in the second round, for both: the ratio stays.
    ours, peer = [{"a": 8.0}, {"a": 4.0}], [{"a": 2.0}, {"a": 1.0}]
    assert ratios(ours, peer, "a") == [4.0, 4.0]
    assert ratios(ours, [None, {"a": 2.0}], "a") == [2.0]
    assert ratio_text([2.0, 1.0, 12.0]) == "2.00x (1.00 to 12.0)"
    assert ratio_text([]) == ""


def test_flops_are_those_of_the_products_written_out():
    rows, source, target, units, vocab = 3, 5, 7, 4, 11

    def product(n, k, m):
        return 2 * n * k * m

    step = product(rows, units, 4 * units) + product(rows, 4 * units, units)
    step += product(units, rows, 4 * units)
    dense = product(rows, units, vocab) + product(rows, vocab, units) + product(units, rows, vocab)
    expected = (source + target) * step + target * dense
    assert training_flops(rows, source, target, units, vocab) == expected


def test_speed_leaves_the_first_epoch_out():
    done = type("Done", (), {"peak_mb": 100.0})
    epochs = [{"seconds": s, "val_loss": v} for s, v in ((9.0, 3.0), (2.0, 2.0), (4.0, 1.0))]
    result = figures(epochs, [15.0, 18.0, 21.0], 600, done)
    assert result["tokens_per_second"] == 200.0
    assert result["epoch_seconds"] == 3.0
    assert result["startup_seconds"] == 12.0
    assert result["val_loss"] == 1.0


def test_peers_that_count_other_tokens_are_named():
    same = {OURS: [{"target_tokens": 1000}], "peer": [{"target_tokens": 1000}]}
    assert "the same for all" in tokens_note(same)
    assert "DIFFER: s2s_jax 1,000, peer 1,100" in tokens_note(
        same | {"peer": [{"target_tokens": 1100}]}
    )


def test_losses_are_read_from_both_kinds_of_lines():
    ours = "epoch   3/100  loss 2.1  accuracy 0.4  val_loss 1.3876  val_accuracy 0.5  4.1 s"
    assert loss_of_line(ours) == 1.3876
    assert loss_of_line('{"epoch": 1, "seconds": 2, "val_loss": 1.5}') == 1.5
    assert loss_of_line("Data fra.txt") is None
    curve = [[10.0, 2.0], [20.0, 1.4], [30.0, 1.3]]
    assert first_below(curve, 1.4) == 20.0
    assert first_below(curve, 1.2) is None
    rising = [[10.0, 20.0], [20.0, 55.0], [30.0, 60.0]]
    assert first_reached(rising, 55) == 20.0
    assert first_reached(rising, 61) is None


def test_a_section_is_replaced_and_the_rest_left_alone(tmp_path):
    page = tmp_path / "RESULTS.md"
    write_section(page, "a", "first")
    write_section(page, "b", "second")
    page.write_text(page.read_text() + "\nBy hand.\n")
    write_section(page, "a", "third")
    text = page.read_text()
    assert "first" not in text
    assert text.index("third") < text.index("second") < text.index("By hand.")


def test_figures_of_other_tables_are_kept(tmp_path):
    path = tmp_path / "results.json"
    write_json(path, "a", 1)
    write_json(path, "b", 2)
    write_json(path, "a", 3)
    assert json.loads(path.read_text()) == {"a": 3, "b": 2}


def test_a_row_without_figures_says_why():
    grid = Grid("Title", ("", "x", "y"), [("a", "1", "2"), ("b", "", "")], ("A note.",))
    shown = with_problems(grid, {"a": None, "b": "not installed: torch"})
    assert markdown(shown, "Below.") == (
        "## Title\n\n|  | x | y |\n| --- | --: | --: |\n| a | 1 | 2 |\n"
        "| b | not installed: torch |  |\n\nA note.\n\nBelow."
    )


def test_the_share_of_the_peak_is_of_the_same_process():
    figures = dict.fromkeys(("pairs", "mean_source", "mean_target", "tokens_per_second"), 10)
    figures |= {"epoch_seconds": 2.0, "peak_mb": 500, "padded_gflops": 60, "useful_gflops": 45}
    figures |= {"peak_gflops": 120, "step_gflops": 90}
    results = {"measured": [figures], "failed": [None], "to come": []}
    measured, *rest = scaling.grid(results).rows
    assert measured[-3:] == ("60 (45)", "120 / 90", "50% (38%)")
    assert all(row[-1] == "" for row in rest)


def test_commands_name_no_folders_of_a_machine():
    assert shown_command("x.py", ["--data", "/home/me/fra.txt"]) == "python x.py --data fra.txt"


def test_a_process_is_timed_stopped_and_its_failure_told(tmp_path):
    script = tmp_path / "peer.py"
    script.write_text("print('{\"a\": 1}')\nprint('stop', flush=True)\nwhile True: pass")
    done = run([script], until=lambda seconds, line: line == "stop")
    assert done.records == [{"a": 1}]
    assert 0 < done.lines[0][0] <= done.seconds
    assert done.peak_mb > 1
    script.write_text("raise SystemExit('no such luck')")
    with pytest.raises(Failed, match="no such luck"):
        run([script])


def test_packages_that_are_not_there_are_named():
    assert missing(("json", "no_such_package")) == "not installed: no_such_package"
    assert missing(("json",)) is None
    assert missing(("json",), "/no/such/python") == "/no/such/python does not run"


def test_sources_for_validation_keep_all_their_targets_and_teach_nothing(tmp_path):
    data = tmp_path / "pairs.tsv"
    lines = [f"source {n}\ttarget {m} of {n}\tignored" for n in range(40) for m in range(3)]
    data.write_text("\n".join([*lines, lines[0], ""]), "utf-8")
    parts = translator.prepare(argparse.Namespace(data=data, num_samples=0), tmp_path)
    train, validation = (
        [line.split("\t") for line in file.read_text("utf-8").splitlines()]
        for file in (parts.train, parts.validation)
    )
    assert len(train) == parts.pairs == 108
    assert len(validation) == 12
    assert len({source for source, _ in validation}) == 4
    assert not {source for source, _ in train} & {source for source, _ in validation}


def test_translators_are_compared_by_epochs_after_the_first():
    done = type("Done", (), {"peak_mb": 100.0, "records": []})
    for epoch, (seconds, took, chrf) in enumerate(((30, 20, 10), (40, 9, 50), (52, 11, 60)), 1):
        line = {"epoch": epoch, "seconds": seconds, "epoch_seconds": took, "chrf": chrf}
        done.records.append(line | {"tokens_per_second": 1000 / took})
    ours = translator.figures(done, translator.Parts(None, None, 100))
    assert ours["pairs_per_second"] == 10.0
    peer = ours | {"pairs_per_second": 5.0, "curve": [[30, 10], [60, 20]]}
    flags = argparse.Namespace(to_chrf=55, epochs=3)
    (first, second) = translator.grid({OURS: [ours], "peer": [peer]}, flags).rows
    assert first[4] == "52"
    assert first[-1] == ""
    assert second[4] == "not reached"
    assert second[-1] == "2.00x"


@pytest.mark.parametrize("name", ablations.VARIATIONS)
def test_a_variation_changes_the_recipe_and_is_a_run_that_can_be_asked_for(name):
    asked, plain = (
        request_for({"data": "fra.txt", "recipe": "translator", **settings})
        for settings in ({"ema": 0.999, **ablations.VARIATIONS[name]}, {"ema": 0.999})
    )
    assert (asked == plain) == (name == "all of it")
    DataConfig(**asked.data), ModelConfig(9, 9, **asked.model), TrainConfig(**asked.train)


def test_a_table_of_ablations_has_a_row_for_each_variation_asked_for():
    found = {"step": 30, "epochs": 1, "chrf_1": 50.04, "bleu_1": 30, "chrf_5": 51, "bleu_5": 31}
    grid = ablations.table({"no dropout": found}, ["all of it", "no dropout"])
    assert grid.rows[0] == ("all of it", *[""] * 6)
    assert grid.rows[1] == ("no dropout", "30", "1", "50.0", "30.0", "51.0", "31.0")


def test_peers_run_with_the_python_that_has_them():
    flags = argparse.Namespace(torch_python="/other/python", joeynmt_python="/third/python")
    assert translator.PEERS["torch-translator"].python(flags) == "/other/python"
    assert translator.PEERS["joeynmt"].python(flags) == "/third/python"
    assert PEERS["flax-naive"].python(flags) == sys.executable


def test_the_chart_has_a_line_for_each_round(tmp_path):
    pytest.importorskip("matplotlib")
    rounds = {OURS: [{"curve": [[1, 2.0], [2, 3.0]]}, None], "peer": [{"curve": [[1, 1.0]]}]}
    write_json(tmp_path / "r.json", "translator", {"hardware": "here", "rounds": rounds})
    command = [ROOT / "bench" / "chart.py", "--json", tmp_path / "r.json"]
    run([*command, "--out", tmp_path / "chart.png"])
    assert (tmp_path / "chart.png").read_bytes()[1:4] == b"PNG"
    with pytest.raises(Failed, match=r"run compare\.py translator first"):
        run([*command, "--json", tmp_path / "none.json"])


@pytest.mark.slow
def test_the_accelerator_table_is_made_on_any_device():
    script = ROOT / "bench" / "accelerator.py"
    command = [script, "--batch-sizes", 4, "--dispatch", 2, "--units", 8]
    done = run([*command, "--seconds", 0.1, "--rounds", 1], {"COLUMNS": "200"})
    rows = [line for _, line in done.lines if line.startswith("│ 4")]
    assert len(rows) == 2
    for row in rows:
        cells = [cell.strip() for cell in row.split("│")]
        assert float(cells[4].replace(",", "")) > 0
