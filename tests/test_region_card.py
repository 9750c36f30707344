"""The region network in a folder and on the hub: its card, what is uploaded, what goes wrong."""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import HfApi, ModelCard
from huggingface_hub.errors import (
    HfHubHTTPError,
    HTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
)
from region_fakes import SIDE, network

from lr_edit.backbones.checks import write_card
from lr_edit.errors import UserError
from lr_edit.regions.card import MARK
from lr_edit.regions.learned import load_region_network
from lr_edit.regions.network import RegionNetwork
from lr_edit.regions.trained import TrainedProposer

LINES = (
    "open_clip width 768 patch 16 weights 0a1b2c3d layers 4,8,12 side 256",
    "dino width 768 patch 14 weights 4e5f6071 layers 6,12 side 252",
)
FILES = {"README.md", "config.json", "model.safetensors"}


def wide() -> RegionNetwork:
    """A tiny network that names real backbones."""
    torch.manual_seed(0)
    return RegionNetwork([768] * 5, 512, LINES, width=16, heads=2, mixers=1, side=SIDE)


def call(text: str) -> ast.Call:
    """The proposer made in the example of a card, which is Python of three lines."""
    lines = text.partition("```python\n")[2].partition("```")[0].strip().splitlines()
    assert len(lines) == 3
    (made,) = (n for n in ast.walk(ast.parse(lines[1])) if isinstance(n, ast.Call))
    return made


def test_a_folder_holds_card_weights_and_config_and_comes_back_equal(tmp_path: Path) -> None:
    net = network()
    net.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    for again in (RegionNetwork.from_pretrained(tmp_path), load_region_network(tmp_path)):
        assert again.backbones == ("colours",) and not again.training
        for name, value in net.state_dict().items():
            assert torch.equal(again.state_dict()[name], value)


def test_weights_that_lack_something_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    network().save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    state.pop("queries")
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(RuntimeError, match="queries"):
        RegionNetwork.from_pretrained(tmp_path)


def test_the_card_tells_what_a_stranger_needs(tmp_path: Path) -> None:
    net = wide()
    net.save_pretrained(tmp_path, model_card_kwargs={"name": "me/region"})
    card = ModelCard.load(tmp_path / "README.md")
    told = card.data.to_dict()
    assert told["license"] == "mit" and told["library_name"] == "lr_edit"
    assert told["pipeline_tag"] == "image-segmentation"
    assert "referring-expression-segmentation" in told["tags"]
    count = sum(p.numel() for p in net.parameters())
    for part in (*LINES, "# me/region", f"| parameters | {count / 1e6:.2f} M |", "512 channels"):
        assert part in card.text
    assert f"| pixels a side | {SIDE} |" in card.text and "None came with" in card.text
    assert "\n\n\n" not in card.text and "{" not in card.text
    yaml.safe_load(card.content.split("---")[1])


def test_the_example_of_the_card_can_be_run() -> None:
    given = {"name": "me/region", "clip": "ViT-B-16-quickgelu", "pretrained": "openai"}
    text = wide().generate_model_card(**given, dino="facebook/dinov2-base").text
    made = call(text)
    options = {word.arg: ast.literal_eval(word.value) for word in made.keywords}
    assert ast.literal_eval(made.args[0]) == "me/region"
    assert options == {
        "clip": "ViT-B-16-quickgelu", "pretrained": "openai", "clip_layers": [4, 8, 12],
        "clip_side": 256, "dino": "facebook/dinov2-base", "dino_layers": [6, 12], "dino_side": 252,
    }  # fmt: skip
    assert set(options) <= set(TrainedProposer.__init__.__annotations__)
    assert "Put in the names" not in text
    bare = RegionNetwork([768], 512, LINES[1:], width=16, heads=2, side=SIDE).generate_model_card()
    assert {"clip_maps", "dino_side"} <= {word.arg for word in call(bare.text).keywords}
    assert "Put in the names" in bare.text


def test_the_example_tells_through_which_windows_clip_sees() -> None:
    line = "open_clip width 192 patch 8 weights 0a1b2c3d layers 2,4,6 side 128 stride 64"
    net = RegionNetwork([192] * 3, 192, [line], width=16, heads=2, mixers=1, side=SIDE)
    given = {
        w.arg: ast.literal_eval(w.value) for w in call(net.generate_model_card().text).keywords
    }
    assert (given["clip_side"], given["clip_stride"]) == (128, 64)
    assert set(given) <= set(TrainedProposer.__init__.__annotations__)


def test_a_network_that_reads_what_things_become_says_so() -> None:
    for wishes in (True, False):
        assert ("`region.change`" in network(wishes=wishes).generate_model_card().text) == wishes


def test_figures_of_a_folder_come_along(tmp_path: Path) -> None:
    wide().save_pretrained(tmp_path / "run")
    figures = {"miou": 0.51239, "phrases": 2048}
    write_card(
        tmp_path / "run", name="region", steps=1200, recipe="configs/region_photo.yaml",
        figures=figures, curve="loss.png",
    )  # fmt: skip
    RegionNetwork.from_pretrained(tmp_path / "run").save_pretrained(tmp_path / "copy")
    text = (tmp_path / "copy" / "README.md").read_text()
    for line in ("| miou | 0.5124 |", "| phrases | 2048 |", "| steps | 1200 |"):
        assert line in text
    assert "| recipe | configs/region_photo.yaml |" in text and "None came with" not in text
    assert not (tmp_path / "copy" / "card.json").exists()


def test_a_card_of_earlier_weights_is_replaced_and_someones_own_stays(tmp_path: Path) -> None:
    wide().save_pretrained(tmp_path)
    network().save_pretrained(tmp_path)
    readme = tmp_path / "README.md"
    assert "`colours`" in readme.read_text() and LINES[0] not in readme.read_text()
    readme.write_text(readme.read_text().replace(MARK, "") + "\nMine.\n")
    wide().save_pretrained(tmp_path)
    assert readme.read_text().endswith("Mine.\n")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been uploaded: options and the files' bytes by name."""
    uploads: list[dict[str, Any]] = []

    def create_repo(self: HfApi, **options: Any) -> SimpleNamespace:
        return SimpleNamespace(repo_id=options["repo_id"])

    def upload_folder(self: HfApi, **options: Any) -> str:
        folder = Path(options["folder_path"])
        options["files"] = {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        uploads.append(options)
        return "https://hub/commit"

    monkeypatch.setattr(HfApi, "create_repo", create_repo)
    monkeypatch.setattr(HfApi, "upload_folder", upload_folder)
    return uploads


def test_three_files_are_pushed_and_nothing_pickled(hub: list[dict[str, Any]]) -> None:
    assert wide().push_to_hub("me/region", commit_message="First") == "https://hub/commit"
    (upload,) = hub
    assert upload["files"].keys() == FILES == set(upload["allow_patterns"])
    assert upload["repo_id"] == "me/region" and upload["commit_message"] == "First"
    assert b"# me/region" in upload["files"]["README.md"]
    assert b"TrainedProposer('me/region'" in upload["files"]["README.md"]
    for content in upload["files"].values():
        # Neither a pickle (protocol 2 and later) nor a zip, as torch.save writes.
        assert not content.startswith((b"\x80", b"PK"))


def refusal(status: int) -> HfHubHTTPError:
    response = SimpleNamespace(status_code=status, headers={}, request=None)
    return HfHubHTTPError("Refused\nRequest ID: 1", response=response)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (refusal(401), "nobody is logged in; run hf auth login"),
        (LocalTokenNotFoundError("Token is required"), "nobody is logged in; run hf auth login"),
        (refusal(403), "the token may not write there"),
        (refusal(409), r"it refuses \(Refused Request ID: 1\)"),
        (OfflineModeIsEnabled("offline"), "HF_HUB_OFFLINE is set; unset it"),
        (HTTPError("no route to host"), "it cannot be reached; check the network"),
        (OSError(28, "No space left on device"), "No space left on device; check the disk"),
    ],
)
def test_what_goes_wrong_is_one_line(
    hub: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, raised: Exception, told: str
) -> None:
    def create_repo(self: HfApi, **options: Any) -> None:
        raise raised

    monkeypatch.setattr(HfApi, "create_repo", create_repo)
    with pytest.raises(UserError, match=f"'me/region' was not pushed .*: .*{told}") as caught:
        network().push_to_hub("me/region")
    assert "\n" not in str(caught.value) and not hub


def test_a_name_that_cannot_be_is_refused_before_anything_is_sent(hub: list[Any]) -> None:
    with pytest.raises(UserError, match=r"it refuses .*check the name"):
        network().push_to_hub("me/region/of/mine")
    assert not hub
