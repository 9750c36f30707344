"""Train, validate, test, predict: python train.py fit --config configs/tabletop/diffusion.yaml"""

import os
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
    # torch keeps large tensors in large pages, which cost the system less to hand out.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    sys.exit(main())
