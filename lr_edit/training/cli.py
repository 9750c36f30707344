"""LightningCLI as this project uses it; it knows no recipe."""

from lightning.pytorch.cli import LightningCLI


def run(arguments: list[str] | None = None) -> None:
    """Parse the command line (or `arguments`) and run the subcommand."""
    LightningCLI(
        auto_configure_optimizers=False,
        save_config_kwargs={"overwrite": True},
        parser_kwargs={"default_env": False},
        args=arguments,
    )
