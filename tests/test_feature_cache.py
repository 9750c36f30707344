"""The feature cache: computed once, the same ever after, even if killed, whoever else writes."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_fakes import Scenes
from lightning import Callback, LightningDataModule, Trainer
from region_fakes import SIDE, Simple, batch, network

from lr_edit.data.mixture import Part
from lr_edit.data.module import PhraseData
from lr_edit.data.phrased import PhraseSamples
from lr_edit.errors import UserError
from lr_edit.regions.feature_cache import FeatureCache
from lr_edit.regions.feature_shards import Shards, append, record, whole_keys
from lr_edit.regions.features import FrozenFeatures
from lr_edit.training.objectives.base import Learner
from lr_edit.training.objectives.captions import CaptionObjective
from lr_edit.training.objectives.masks import MaskObjective
from lr_edit.training.region import RegionRecipe

ROOT = Path(__file__).parents[1]
WIDTH = 3 * 4 * 4


class Other(Simple):
    """Another backbone."""

    identity = "other colours"


def frozen(cache: Path | str = "", encoder: Simple | None = None) -> FrozenFeatures:
    return FrozenFeatures(encoder or Simple(), cache=str(cache))  # type: ignore[arg-type]


def calls(features: FrozenFeatures) -> int:
    return features.pictures[0].calls  # type: ignore[attr-defined]


def pictures(count: int = 5, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, SIDE, SIDE, generator=generator) * 2 - 1


def files(folder: Path, ending: str) -> list[Path]:
    return sorted(folder.rglob(f"*.{ending}"))


def test_maps_are_computed_once_and_are_the_same_ever_after(tmp_path: Path) -> None:
    images, first = pictures(), frozen(tmp_path)
    plain = frozen().maps(images)
    made = first.maps(images[[0, 1, 1, 2]])
    for one, expected in zip(made, plain, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, expected[[0, 1, 1, 2]], rtol=1e-3, atol=1e-3)
    assert calls(first) == 1
    mixed = first.maps(images[[3, 2, 4, 0]])  # some are there, some are not
    assert calls(first) == 2
    second = frozen(tmp_path)
    for order in ([0, 1, 1, 2], [3, 2, 4, 0]):
        (again,) = second.maps(images[order])
        assert torch.equal(again, (made if order[0] == 0 else mixed)[0])
    assert calls(second) == 0


def test_pictures_fill_files_of_a_fixed_number(tmp_path: Path) -> None:
    cache, simple = FeatureCache(str(tmp_path), ["colours"], per_file=2), Simple()
    given = cache.maps(pictures(5), simple.patch_features)[0]
    sizes = [path.stat().st_size for path in files(tmp_path, "f16")]
    assert sizes == [4 * WIDTH, 4 * WIDTH, 2 * WIDTH]
    again = FeatureCache(str(tmp_path), ["colours"], per_file=2)
    assert torch.equal(again.maps(pictures(5), simple.patch_features)[0], given)
    assert simple.calls == 1


def test_another_backbone_and_another_picture_do_not_read_it(tmp_path: Path) -> None:
    frozen(tmp_path).maps(pictures())
    other = frozen(tmp_path, Other())
    other.maps(pictures())
    assert calls(other) == 1
    same = frozen(tmp_path)
    changed = pictures()
    changed[0, 0, 0, 0] += 1e-3
    same.maps(changed)
    assert calls(same) == 1 and len(files(tmp_path, "f16")) == 3


def test_values_too_large_stay_finite_and_autocast_does_not_blur(tmp_path: Path) -> None:
    cache = FeatureCache(str(tmp_path), ["large"])
    weight = torch.full((1, 3), 1.0 + 2**-9)

    def compute(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        seen = images.mean((2, 3)) @ weight.T
        return (seen[:, :, None, None], torch.full((len(images), 2, 1, 2), 1e6))

    images = torch.ones(2, 3, SIDE, SIDE) / 3
    with torch.autocast("cpu", torch.bfloat16):
        small, large = cache.maps(images, compute)
    torch.testing.assert_close(small.flatten(), torch.full((2,), 1.0 + 2**-9), atol=1e-4, rtol=0)
    assert large.shape == (2, 2, 1, 2) and torch.isfinite(large).all()


def test_losses_with_and_without_a_cache_agree(tmp_path: Path) -> None:
    for _ in range(2):  # the second time from the disk
        plain, kept = (
            MaskObjective().terms(
                Learner(network(), features), batch(), torch.Generator().manual_seed(0)
            )
            for features in (frozen(), frozen(tmp_path))
        )
        for name, value in plain.items():
            torch.testing.assert_close(kept[name], value, rtol=2e-3, atol=2e-3)


def still(mixture: Any, length: int) -> PhraseSamples:
    return PhraseSamples(mixture, length, SIDE, 2, cropped=0, gray_share=0, jitter=0)


def varied(mixture: Any, length: int) -> PhraseSamples:
    return PhraseSamples(mixture, length, SIDE, 2)


class Watch(Callback):
    """Notes how often the backbone was called after every epoch, and the losses."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.losses: list[float] = []

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
        self.losses.append(float(outputs["loss"]))

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self.calls.append(calls(module.frozen[0]))


def fit(cache: Path | str, samples: Any = still, epochs: int = 2) -> Watch:
    """A training on eight pictures, four steps of two an epoch."""
    torch.manual_seed(0)
    small = {"width": 16, "heads": 2, "mixers": 1, "side": SIDE}
    recipe = RegionRecipe(MaskObjective(), frozen(cache), small)
    eight = [Part(Scenes(8))]
    data = PhraseData(samples, eight, eight, None, still, 2, 4, validation_samples=8)
    watch = Watch()
    Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=[watch], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0, reload_dataloaders_every_n_epochs=1,
    ).fit(recipe, datamodule=data)  # fmt: skip
    return watch


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_second_epoch_calls_no_backbone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = fit(here / "kept")
    # One for the size of a picture and four for the pictures; validation's are the same.
    assert first.calls == [5, 5]
    line = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("feature cache"))
    assert "96 bytes a picture, for at most 16 pictures 1.5 kB; kept so far: 1, free" in line
    assert fit(here / "kept", epochs=1).calls == [0]
    np.testing.assert_allclose(first.losses, fit("").losses, rtol=0.02)


def test_pictures_that_change_every_time_are_refused(here: Path) -> None:
    said = r"cropped is 0\.5 and jitter is 0\.12.*dataset\.init_args\.cropped 0 .*jitter 0"
    with pytest.raises(UserError, match=said) as caught:
        fit(here / "kept", varied)
    assert "\n" not in str(caught.value)


def test_other_data_are_refused(here: Path) -> None:
    from lr_edit.training.region import pictures_shown

    with pytest.raises(UserError, match="LightningDataModule, whose pictures are others"):
        pictures_shown(LightningDataModule())


def test_captions_use_it_as_well(tmp_path: Path) -> None:
    class Judge:
        """Colours as embeddings of pictures, letters as those of phrases."""

        def encode_image(self, images: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.normalize(images.mean((2, 3)), dim=1)

        def encode_text(self, phrases: list[str]) -> torch.Tensor:
            codes = torch.tensor([[float(ord(p[-1])), float(len(p)), 1.0] for p in phrases])
            return torch.nn.functional.normalize(codes.sin(), dim=1)

    features = frozen(tmp_path)
    objective = CaptionObjective(Judge())  # type: ignore[arg-type]
    for _ in range(2):
        objective.terms(Learner(network(), features), batch(), torch.Generator())
    assert calls(features) == 1


# What follows is about the files alone: row k is full of k.


def key(number: int) -> bytes:
    return number.to_bytes(16, "little")


def rows(*numbers: int) -> np.ndarray:
    return np.repeat(np.array(numbers, np.float16)[:, None], WIDTH, 1)


WRITER = f"""
import sys
from pathlib import Path
import numpy as np
from lr_edit.regions.feature_shards import Shards
shards = Shards(Path(sys.argv[1]), {WIDTH}, 8)
print("ready", flush=True)
for k in range(int(sys.argv[2]), int(sys.argv[3]), 2):
    keys = [n.to_bytes(16, "little") for n in (k, k + 1)]
    shards.add(keys, np.repeat(np.array([k, k + 1], np.float16)[:, None], {WIDTH}, 1))
    print(k, flush=True)
"""


def writer(folder: Path, start: int, stop: int) -> subprocess.Popen[str]:
    """A process that adds the rows of those numbers, two at a time, and tells of each."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(start), str(stop)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def check(shards: Shards, expected: set[int]) -> None:
    """Those rows are there, every one with what belongs to it."""
    found = shards.rows([key(k) for k in range(2000)])
    for name, row in found.items():
        assert (row == int.from_bytes(name, "little")).all()
    assert expected <= {int.from_bytes(name, "little") for name in found}


def test_a_process_killed_while_it_writes_leaves_what_it_had(tmp_path: Path) -> None:
    process = writer(tmp_path, 0, 2000)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(12)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    done = {int(line) for line in told[1:]}
    shards = Shards(tmp_path, WIDTH, 8)
    check(shards, {k + n for k in done for n in (0, 1)})
    assert len(shards) < 2000
    shards.add([key(1998), key(1999)], rows(1998, 1999))  # and the next one goes on
    check(Shards(tmp_path, WIDTH, 8), {0, 1, 1998, 1999})


def test_two_processes_write_at_once_and_read_each_other(tmp_path: Path) -> None:
    mine = Shards(tmp_path, WIDTH, 8)
    both = [writer(tmp_path, 0, 40), writer(tmp_path, 20, 60)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert all(output.endswith(f"{last}\n") for output, last in zip(outputs, (38, 58), strict=True))
    assert mine.rows([key(0)]) == {}
    mine.refresh()
    assert len(mine) == 60
    check(mine, set(range(60)))
    assert len(files(tmp_path, "index")) == 2


def test_an_index_cut_anywhere_gives_whole_keys_only(tmp_path: Path) -> None:
    data = b"".join(record(key(k)) for k in range(3))
    for length in range(len(data) + 1):
        assert whole_keys(data[:length]) == [key(k) for k in range(length // 20)]
    assert whole_keys(data[:20] + bytes(40)) == [key(0)]  # zeros that a crash of the machine left


def test_rows_whose_file_is_gone_or_cut_are_not_known(tmp_path: Path) -> None:
    Shards(tmp_path, WIDTH, 2).add([key(k) for k in range(5)], rows(*range(5)))
    first, second, _ = files(tmp_path, "f16")
    first.unlink()
    os.truncate(second, 3 * WIDTH)  # a row and a half
    shards = Shards(tmp_path, WIDTH, 2)
    check(shards, {2, 4})
    assert len(shards) == 2


def full(path: Path, data: bytes) -> None:
    """Half of it fits."""
    append(path, data[: len(data) // 2])
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_one_line_and_what_is_there_stays_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    features = frozen(tmp_path)
    features.maps(pictures(2))
    with monkeypatch.context() as patched:
        patched.setattr("lr_edit.regions.feature_shards.append", full)
        for seed in (1, 2):
            given = features.maps(pictures(3, seed))
            torch.testing.assert_close(
                given, frozen().maps(pictures(3, seed)), atol=1e-3, rtol=1e-3
            )
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "cannot grow (No space left on device): its 2 pictures" in said[0]
    again = frozen(tmp_path)
    again.maps(pictures(2))
    assert calls(again) == 0
    again.maps(pictures(3, 1))
    assert calls(again) == 1
    last = frozen(tmp_path)
    assert torch.equal(last.maps(pictures(3, 1))[0], again.maps(pictures(3, 1))[0])
    assert calls(last) == 0


def test_a_process_whose_write_failed_goes_on_in_another_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = Shards(tmp_path, WIDTH, 8)
    shards.add([key(0)], rows(0))
    with monkeypatch.context() as patched, pytest.raises(OSError):
        patched.setattr("lr_edit.regions.feature_shards.append", full)
        shards.add([key(1)], rows(1))
    shards.add([key(2)], rows(2))
    check(shards, {0, 2})
    assert len(Shards(tmp_path, WIDTH, 8)) == 2


def test_damaged_and_forbidden_folders_are_told_in_a_line(tmp_path: Path) -> None:
    features = frozen(tmp_path)
    features.maps(pictures(1))
    (about,) = files(tmp_path, "json")
    about.write_text("{}")
    with pytest.raises(UserError, match=r"about\.json' is damaged: remove the folder"):
        frozen(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be made"):
        frozen(tmp_path / "file")
    assert features.cache is not None
    with pytest.raises(UserError, match="cannot be used"):
        features.cache.maps(pictures(1, 9), lambda images: (images,))
