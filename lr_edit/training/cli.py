"""LightningCLI as this project uses it: a mistake in options or YAML is one line."""

from argparse import ArgumentError

from lightning.pytorch.cli import LightningCLI

from lr_edit.errors import UserError
from lr_edit.training.explain import explained


def run(arguments: list[str] | None = None) -> None:
    """Parse the command line (or `arguments`) and run the subcommand.

    Raises UserError for what cannot be meant; it names the closest option or class there is.
    """
    try:
        LightningCLI(
            auto_configure_optimizers=False,
            save_config_kwargs={"overwrite": True},
            parser_kwargs={"default_env": False, "exit_on_error": False},
            trainer_defaults={
                "plugins": [{"class_path": "lr_edit.training.saving.WholeCheckpoints"}],
                "use_distributed_sampler": False,  # TabletopData deals out the samples itself
            },
            args=arguments,
        )
    except ArgumentError as error:
        raise UserError(explained(str(error))) from error
