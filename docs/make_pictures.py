"""Makes the pictures of docs/pictures.md: python docs/make_pictures.py RUN [RUN ...]

The first run answers, and all of them are drawn side by side. Needs matplotlib.
"""

import sys
from pathlib import Path

from s2s_jax import DecodeConfig, Translator
from s2s_jax.pictures.answers import explain
from s2s_jax.pictures.curves import draw_curves, read_curves
from s2s_jax.pictures.drawing import write_figure
from s2s_jax.pictures.heatmap import draw
from s2s_jax.pictures.models import write_model

IMAGES = Path(__file__).parent / "images"
TEXT = "She is eating a red apple with my sister."

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folders = [Path(name) for name in sys.argv[1:]]
    translator = Translator.load(folders[0])
    (found,) = translator.translate([TEXT], DecodeConfig(scores=True))
    write_figure(draw(explain(translator, found)), IMAGES / "attention.png")
    curves = [read_curves(folder)._replace(name=folder.name) for folder in folders]
    write_figure(draw_curves(curves), IMAGES / "curves.png")
    write_model(translator.run.config.model, IMAGES / "model.png")
