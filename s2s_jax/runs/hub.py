"""Run folders on the Hugging Face Hub: hf://user/name, or hf://user/name@revision."""

from __future__ import annotations

import re
from pathlib import Path

from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

_ADDRESS = re.compile(r"hf:/{1,2}(?P<repository>[^/@]+/[^/@]+)(@(?P<revision>[^/@]+))?/?")
"""With one slash where it has been a `Path`."""

_FILES = ["*.json", "*.jsonl", "*.model", "*.bin", "*.tsv", "README.md", "curves.png", "steps/*"]
"""What a run folder holds; whatever else lies beside it stays where it is."""


def local_folder(run: str | Path) -> Path:
    """The folder of a run on this machine, for one on the Hub after it has been fetched.

    The library keeps what it has fetched, and finds it again without a network. What is fetched is
    a stranger's: `read_run` and `restore_params` check it as they check any folder.

    Raises:
      UserError: for an address of another form, and when the run cannot be fetched.
    """
    if not str(run).startswith("hf:/"):
        return Path(run)
    found = _ADDRESS.fullmatch(str(run))
    if not found:
        address = re.sub("^hf:/+", "hf://", str(run))
        raise UserError(f"a run on the Hub is named hf://user/name, not {shown(address)}.")
    try:
        from huggingface_hub import errors, snapshot_download  # Here: it is an extra.
    except ImportError:
        raise UserError(
            "runs on the Hub need huggingface_hub; install it with: pip install huggingface_hub"
        ) from None
    repository, revision = found["repository"], found["revision"]
    failures = (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, ValueError, OSError)
    try:
        folder = snapshot_download(repository, revision=revision, allow_patterns=_FILES)
    except failures as error:
        raise UserError(
            f"hf://{repository} cannot be fetched: {shown(' '.join(str(error).split()))}"
        ) from None
    return Path(folder)
