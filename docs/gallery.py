"""The cookbook: the order of its recipes, and the files that they write."""

from pathlib import Path

ORDER = [
    "decay",
    "poisson",
    "spectra",
    "lifetime_image",
    "units",
    "named_parameters",
    "slow_simulation",
    "logistic_dataframe",
    "learning_rate",
    "gaussian_process",
    "jax_objective",
    "torch_objective",
    "race",
]


def order(name):
    return ORDER.index(Path(name).stem)


def files(block, scope, conf):
    """Move what a block has written into the page: a GIF as a picture, a PDF as a download."""
    from sphinx_gallery.scrapers import figure_rst

    rst = ""
    for file in sorted(Path().glob("*.gif")):
        picture = Path(next(scope["image_path_iterator"])).with_suffix(".gif")
        file.replace(picture)
        rst += figure_rst([picture], conf["src_dir"], file.stem)
    for file in sorted(Path().glob("*.pdf")):
        folder = Path(scope["target_file"]).parent
        file.replace(folder / file.name)
        rst += f"\n:download:`{file.name} <{file.name}>`\n"
    return rst
