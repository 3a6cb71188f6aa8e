"""Where the page of decode.py --web is served."""

import dataclasses

from s2s_jax.config.options import Config, option


@dataclasses.dataclass(frozen=True)
class WebConfig(Config):
    """Only this machine reaches the page unless `host` says otherwise."""

    host: str = option(
        "127.0.0.1", metavar="NAME",
        help="address to listen on; 0.0.0.0 = all, for a network that you trust",
    )  # fmt: skip
    port: int = option(8000, least=0, most=65535, metavar="N", help="port; 0 takes a free one")
    share: bool = option(False, help="in Colab, open the page in a window of your browser")
