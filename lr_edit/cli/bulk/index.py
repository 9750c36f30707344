"""The two lists that a batch leaves: results.jsonl, every line; errors.jsonl, those that failed."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from lr_edit.cli.bulk.manifest import Failure, Line
from lr_edit.cli.bulk.store import Store
from lr_edit.output import ESCAPED


def write_index(store: Store, lines: Sequence[Line], failures: Iterable[Failure]) -> list[Failure]:
    """Writes both lists in the order of the manifest, and returns all failures in that order.

    results.jsonl: id, line, status (done, failed, "nothing fits", changed), scores, seconds;
    errors.jsonl: line, id, error, and no such file without errors. failures: those that are known;
    a line that neither failed nor has its edit joins them.
    """
    failed = {failure.number: failure for failure in failures}
    for line in lines:
        if line.number not in failed and store.state(line) != "done":
            failed[line.number] = _not_made(store, line)
    done = [line for line in lines if line.number not in failed]
    rows = {line.number: _row(line, "done", store.made(line)) for line in done}
    rows |= {number: _row(failure, failure.status, {}) for number, failure in failed.items()}
    ordered = [failed[number] for number in sorted(failed)]
    errors = [{"line": one.number, "id": one.id, "error": one.error} for one in ordered]
    _write(store, "results.jsonl", [rows[number] for number in sorted(rows)])
    _write(store, "errors.jsonl", errors)
    return ordered


def _row(one: Line | Failure, status: str, made: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": one.id, "line": one.number, "status": status, "scores": made.get("scores"),
        "seconds": made.get("seconds"),
    }  # fmt: skip


def _not_made(store: Store, line: Line) -> Failure:
    """Why a line that did not fail has no edit."""
    state = store.state(line)
    reason = {
        "changed": "holds an edit of another line or other options: --overwrite redoes it",
        "foreign": "is there and no edit of a batch: move it away, or choose another id",
    }.get(state, "is not there: let all processes write to one folder, and start again")
    status = "changed" if state == "changed" else "failed"
    return Failure(line.number, line.id, f"{str(store.root / line.id)!r} {reason}", status)


def _write(store: Store, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Replaces the list at once; one without rows goes."""
    with store.unfinished() as path:
        if not rows:
            (store.root / name).unlink(missing_ok=True)
            return
        text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        path.write_text(text, encoding="utf-8", errors=ESCAPED)
        path.replace(store.root / name)
