"""A mistake on the command line of train.py or in its YAML: one line that names what is closest."""

from pathlib import Path

import pytest

from lr_edit.errors import UserError
from lr_edit.training.cli import run

TARGET = "    target: 0.96"
CONFIG = Path(__file__).parents[1] / "configs/region.yaml"


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """LightningCLI warns of pytest's own arguments."""
    monkeypatch.setattr("sys.argv", ["train.py"])


def changed(tmp_path: Path, old: str, new: str) -> list[str]:
    text = CONFIG.read_text()
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new))
    return ["fit", "--config", str(path)]


@pytest.mark.parametrize(
    ("old", "new", "named", "closest"),
    [
        ("gradient_clip_val:", "gradient_clip_vall:", "gradient_clip_vall", "gradient_clip_val"),
        (
            ".StepwiseObjective\n",
            ".StepwiseObjectiv\n",
            "se.StepwiseObjectiv'",
            "wise.StepwiseObjective'",
        ),
        (
            "objectives.stepwise.",
            "objectives.stepwize.",
            "ize.StepwiseObj",
            "wise.StepwiseObjective'",
        ),
        ("training.region.", "trainig.region.", "trainig.region", "'lr_edit.training.region.Reg"),
        ("lr_edit.training.region.", "lr_edt.training.region.", "lr_edt", "'lr_edit.training.reg"),
        (
            "objectives.stepwise.",
            "objektives.step.",
            "'lr_edit.training.objektives.s",
            ".stepwise.S",
        ),
        ("EarlyStopping", "EarlyStoping", "trainer.callbacks: there is no", "'EarlyStopping'"),
        ("loggers.CSVLogger", "loggers.CSVLoger", "CSVLoger'", "loggers.CSVLogger'"),
        (TARGET, "    network: {widht: 16}", "init_args.network takes no 'widht'", "'width'"),
        (TARGET, "    network: {zzz: 3}", "network takes no 'zzz'", "see --help"),
        (TARGET, "    schedule: {warmupp: 3}", "takes no 'schedule.warmupp'", "'schedule.warmup'"),
        (TARGET, "    comparison: {edit: 3}", "takes no 'comparison.edit'", "'comparison.edits'"),
        ("{alone: 0.3,", "{alon: 0.3,", "'alon'", "'alone'"),
        ("{phrases: 8,", "{phrase: 8,", "ReferringSamples takes no 'phrase'", "'phrases'"),
        ("wish_share:", "wich_share:", "takes no 'wich_share'", "'wish_share'"),
        ("ReferringSamples\n", "ReferingSamples\n", ".ReferingSamples'", ".ReferringSamples'"),
        ("tabletop.referring.", "tabletop.refering.", "'lr_edit.tabletop.refering.", "referring.R"),
        ("pair_share: 0.5", "pair_share: lots", "ReferringSamples: pair_share", "lots"),
        ("batch_size: 8", "batchsize: 8", "batchsize", "'batch_size'"),
        ("layers: [2, 4, 6]", "layer: [2, 4, 6]", "'layer'", "'layers'"),
        ("pairs: 4000", "pairs: many", "pairs", "many"),
    ],
)
def test_a_misspelt_name_in_yaml(
    tmp_path: Path, old: str, new: str, named: str, closest: str
) -> None:
    with pytest.raises(UserError) as caught:
        run(changed(tmp_path, old, new))
    line = str(caught.value)
    assert caught.value.status == 2
    assert "\n" not in line and named in line and closest in line, line


def test_a_misspelt_option() -> None:
    with pytest.raises(UserError, match=r"no option 'trainer.max_stps'.*'trainer.max_steps'"):
        run(["fit", "--config", str(CONFIG), "--trainer.max_stps", "3"])


def test_a_missing_file() -> None:
    with pytest.raises(UserError, match=r"does not exist: .*none\.yaml"):
        run(["fit", "--config", "none.yaml"])


def test_an_unknown_subcommand() -> None:
    with pytest.raises(UserError, match=r"'fitt'.*fit"):
        run(["fitt"])
