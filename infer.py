"""Edit a picture: python infer.py --image a.png --replace "the mug" --with "a cat" --output out"""

import io
import os
import sys

from lr_edit.cli.main import main

if __name__ == "__main__":
    # torch keeps large tensors in large pages, which cost the system less to hand out.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names need not be of its encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())
