"""LightningCLI as this project uses it: a mistake in options, YAML or weights is one line."""

from argparse import ArgumentError
from pathlib import Path
from zipfile import is_zipfile

from lightning.pytorch.cli import LightningCLI

from lr_edit.errors import UserError
from lr_edit.explain import explained


class Commands(LightningCLI):
    """LightningCLI whose options count beside --ckpt_path, too: it gives weights, not settings."""

    def _parse_ckpt_path(self) -> None:
        # Lightning would put what the checkpoint remembers before YAML and command line.
        path = self.config.get(self.config.get("subcommand"), {}).get("ckpt_path")
        if path and Path(path).is_file() and not is_zipfile(path):
            raise UserError(
                f"the checkpoint {path!r} is damaged or cut short: give another --ckpt_path"
            )


def run(arguments: list[str] | None = None) -> None:
    """Parse the command line (or `arguments`) and run the subcommand.

    Raises UserError for what cannot be meant; it names the closest option or class there is. What a
    class refuses that the YAML names, such as missing weights, comes out as its own UserError.
    """
    try:
        Commands(
            auto_configure_optimizers=False,
            save_config_kwargs={"overwrite": True},
            parser_kwargs={"default_env": False, "exit_on_error": False},
            trainer_defaults={
                "plugins": [{"class_path": "lr_edit.training.saving.WholeCheckpoints"}],
                "use_distributed_sampler": False,  # TabletopData deals out the samples itself
            },
            args=arguments,
        )
    except (ArgumentError, TypeError, ValueError) as error:
        refused = refusal(error)
        if refused is not None:
            raise refused from refused.__cause__
        if isinstance(error, ArgumentError):
            raise UserError(explained(str(error))) from error
        raise


def refusal(error: BaseException | None) -> UserError | None:
    """The UserError that an error is, or that it was raised from; None where there is none.

    jsonargparse wraps what a constructor raises, with the whole configuration around it.
    """
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__
    return error
