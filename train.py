"""Train, validate, test, predict: python train.py fit --config configs/tabletop/diffusion.yaml"""

import sys


def main() -> int:
    """Run LightningCLI; a user's mistake is one line and its exit status, mostly 2."""
    from lr_edit.errors import UserError
    from lr_edit.training.cli import run

    try:
        run()
    except UserError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
