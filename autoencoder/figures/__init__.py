"""Figures for slides, all in one house style. NumPy arrays, on the host; needs matplotlib.

Every figure is a ``matplotlib.figure.Figure`` made without pyplot: nothing opens a window, nothing
global is changed, and a figure that is let go of is freed.
"""

from typing import TYPE_CHECKING

from autoencoder import looked_up

if TYPE_CHECKING:  # for editors and type checkers
    from autoencoder.figures.charts import bar_chart, epoch_chart, line_chart, table
    from autoencoder.figures.images import image_grid, image_panels, rows_of_images
    from autoencoder.figures.latents import latent_marginals, latent_pairs
    from autoencoder.figures.networks import network_diagram
    from autoencoder.figures.plane import (
        draw_arrows,
        draw_curve,
        draw_density,
        draw_points,
        draw_points_by_value,
        plane_figure,
        shared_legend,
    )
    from autoencoder.figures.style import COLOURS, CYCLE, house_style, new_figure, save, show

__all__ = [
    "COLOURS",
    "CYCLE",
    "bar_chart",
    "draw_arrows",
    "draw_curve",
    "draw_density",
    "draw_points",
    "draw_points_by_value",
    "epoch_chart",
    "house_style",
    "image_grid",
    "image_panels",
    "latent_marginals",
    "latent_pairs",
    "line_chart",
    "network_diagram",
    "new_figure",
    "plane_figure",
    "rows_of_images",
    "save",
    "shared_legend",
    "show",
    "table",
]

# Searched in this order: a name is looked up when it is first used, since matplotlib takes long to
# import and most of what a command says needs no figure.
__getattr__ = looked_up(
    __name__, __all__, ("charts", "images", "latents", "networks", "plane", "style")
)
