"""Trains a sequence-to-sequence model from tab-separated sentence pairs; see --help."""

import dataclasses
from pathlib import Path

from s2s_jax.command_line import Parser, main
from s2s_jax.config import DataConfig, ModelConfig, TrainConfig


def parser() -> Parser:
    p = Parser(
        prog="train.py",
        description="Train an LSTM sequence-to-sequence model from tab-separated sentence pairs.",
        epilog="examples:\n"
        "  python train.py                          the embedded English-French corpus\n"
        "  python train.py --data fra.txt           the Keras tutorial's settings\n"
        "  python train.py --data fra.txt --resume  go on where a run stopped\n"
        "  python train.py --data cmn.txt --optimizer adam --batch-size 256 --latent-dim 128",
    )
    _add_data(p.add_argument_group("data"))
    _add_model(p.add_argument_group("model"))
    _add_training(p.add_argument_group("training"))
    _add_run(p.add_argument_group("run"))
    _add_devices(p.add_argument_group("devices", "all that JAX finds, unless something is said"))
    return p


def _add_data(data) -> None:
    data.add_argument("--data", metavar="PATH|URL|NAME",
        help="source<TAB>target lines in .txt, .tsv, .gz or .zip; a URL; or a name such as "
        "fra-eng (manythings.org); without it: the embedded corpus")  # fmt: skip
    data.add_argument("--num-samples", type=int, metavar="N",
        help="the first N pairs; 0 = all (default: 10000; embedded corpus: 30000)")  # fmt: skip
    data.add_argument("--swap", action="store_true", default=None, help="translate the other way")
    data.add_argument(
        "--tokens",
        choices=["char", "word"],
        help="unit of text (default: char; embedded corpus: word)",
    )
    for side in ("source", "target"):
        data.add_argument(f"--max-{side}-length", type=int, metavar="N",
            help="skip pairs with more characters on this side; 0 = none (default: 500)",
        )  # fmt: skip
    data.add_argument("--validation-split", type=float, metavar="SHARE",
        help="share of the pairs to judge by, never trained on; 0 = none "
        "(default: 0.2; embedded corpus: 0.05)")  # fmt: skip
    data.add_argument("--split", choices=["source", "tail"],
        help="source: whole source sentences drawn at random; tail: the last pairs, as the "
        "tutorial does (default: source)")  # fmt: skip


def _add_model(model) -> None:
    model.add_argument("--latent-dim", type=int, metavar="N", help="LSTM units (default: 256)")
    model.add_argument("--embedding-dim", type=int, metavar="N",
        help="size of token embeddings; 0 = one-hot (default: 0)")  # fmt: skip


def _add_training(train) -> None:
    train.add_argument("--epochs", type=int, metavar="N",
        help="train until epoch N; a finished run that is resumed goes on for N more "
        "(default: 100; embedded corpus: 7)")  # fmt: skip
    train.add_argument("--batch-size", type=int, metavar="N", help="(default: 64)")
    train.add_argument("--optimizer", choices=["rmsprop", "adam", "adamw", "sgd"],
        help="(default: rmsprop; embedded corpus: adam)")  # fmt: skip
    train.add_argument("--learning-rate", type=float, metavar="RATE",
        help="(default: 0.001, sgd 0.01; embedded corpus: 0.002)")  # fmt: skip
    train.add_argument("--clip-norm", type=float, metavar="NORM",
        help="bound on the gradient's norm; 0 = none (default: 0)")  # fmt: skip
    train.add_argument("--patience", type=int, metavar="N",
        help="stop after N epochs without a better validation loss; 0 = never (default: 0)",
    )  # fmt: skip
    train.add_argument("--save-every", type=int, metavar="N",
        help="save after every N optimizer steps too; 0 = at the end of each epoch (default: 0)",
    )  # fmt: skip
    train.add_argument("--precision", choices=["float32", "bfloat16"],
        help="of matrix products; bfloat16 suits TPUs and GPUs (default: float32)")  # fmt: skip
    train.add_argument("--seed", type=int, metavar="N", help="(default: 0)")


def _add_run(run) -> None:
    run.add_argument("--out", type=Path, metavar="DIR",
        help="run folder (default: checkpoints/<name of the data>)")  # fmt: skip
    run.add_argument("--resume", action="store_true",
        help="go on with the run in that folder, if there is one")  # fmt: skip
    run.add_argument("--overwrite", action="store_true", help="replace the run in that folder")
    run.add_argument("--summary", action="store_true", help="print the model and stop")


def _add_devices(devices) -> None:
    devices.add_argument("--platform", choices=["cpu", "gpu", "tpu"], help="compute on this kind")
    devices.add_argument("--devices", type=int, metavar="N",
        help="so many (in each process); the batch size is that of all together")  # fmt: skip
    devices.add_argument("--coordinator", metavar="HOST:PORT",
        help="train in several processes, which meet at process 0's address; TPU pods and SLURM "
        "need no flags")  # fmt: skip
    devices.add_argument("--num-processes", type=int, metavar="N", help="how many there are")
    devices.add_argument("--process-id", type=int, metavar="K", help="which one this is, from 0")


def run() -> int:
    flags = {
        name: value for name, value in vars(parser().parse_args()).items() if value is not None
    }

    def given(config: type) -> dict:
        names = [field.name for field in dataclasses.fields(config)]
        return {name: flags[name] for name in names if name in flags}

    from s2s_jax.runtime.devices import DeviceRequest  # After --help, which needs no JAX.
    from s2s_jax.training.planning import Request
    from s2s_jax.training.report import TrainingReport
    from s2s_jax.training.run import summarize, train

    request = Request(
        data=given(DataConfig),
        model=given(ModelConfig),
        train=given(TrainConfig),
        out=flags.get("out"),
        resume=flags["resume"],
        overwrite=flags["overwrite"],
        devices=DeviceRequest(**{name: flags.get(name) for name in DeviceRequest._fields}),
    )
    return (summarize if flags["summary"] else train)(request, TrainingReport())


if __name__ == "__main__":
    main(run)
