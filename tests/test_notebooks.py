"""Every notebook runs from top to bottom, with small settings."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))

SMALL = {"STEPS, COUNT": "2, 1", "STEPS, SCENES, WIDTH": "2, 6, 16"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(path, as_version=4)
    settings = next(cell for cell in notebook.cells if cell.cell_type == "code")
    names = settings.source.partition(" = ")[0]
    settings.source = f"{names} = {SMALL[names]}"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": path.parent}}).execute()
    errors = [o for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert not errors
