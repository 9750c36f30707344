"""Names of devices."""

import pytest
import torch

from lr_edit.backbones.devices import device_named
from lr_edit.errors import UserError


def test_auto_is_the_cpu_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named("auto") == torch.device("cpu")


@pytest.mark.parametrize(("rank", "own"), [(None, 0), ("0", 0), ("1", 1), ("5", 1)])
def test_every_process_of_a_machine_has_its_own_gpu(
    monkeypatch: pytest.MonkeyPatch, rank: str | None, own: int
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert device_named("auto") == torch.device("cuda", own)


@pytest.mark.parametrize("name", ["abacus", "cuda:99", "", "meta", "cpu:3"])
def test_a_device_that_is_not_there(name: str) -> None:
    with pytest.raises(UserError, match="cannot be used here"):
        device_named(name)


def test_no_device_at_all_is_told_as_well() -> None:
    with pytest.raises(UserError, match="device None cannot be used here"):
        device_named(None)  # type: ignore[arg-type]
