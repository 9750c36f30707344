"""Where and with what figures were made, and how much memory that took; it knows no edits."""

import os
import platform
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from lr_edit.backbones.folders import ROOT

_PROCESS = Path("/proc/self")


def provenance(device: torch.device) -> dict[str, Any]:
    """What a reader needs to make the same figures again: commit, machine kind and versions."""
    return {
        "commit": commit(),
        "machine": machine(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def commit(folder: Path = ROOT) -> str:
    """The commit of a checkout, "+" behind it where files have been changed; or "unknown"."""
    try:
        head = _git(folder, "rev-parse", "--short=12", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return head + ("+" if changed else "")


def machine(device: torch.device) -> str:
    """The kind of machine, in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {os.cpu_count()} cores"


def peak_rss_mb() -> float:
    """The peak resident size of this process in MiB, since the last `forget_peak`."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", (_PROCESS / "status").read_text())
    except OSError:
        found = None
    if found:
        return round(int(found[1]) / 1024, 1)
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def forget_peak() -> bool:
    """Lets the peak begin anew, so that the next row has its own; False where that cannot be."""
    try:
        (_PROCESS / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _git(folder: Path, *words: str) -> str:
    result = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=20
    )
    return result.stdout.strip()
