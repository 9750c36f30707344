"""Edit a picture: python infer.py --image a.png --replace "the mug" --with "a cat" --output out"""

import sys

from lr_edit.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
