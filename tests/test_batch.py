"""infer.py batch: what it leaves, and that no kill or crowd spoils it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from editor_fakes import picture
from forked import forking, free_port
from infer_calls import as_words
from tiny_models import tiny_models

from lr_edit.cli import results
from lr_edit.cli.bulk import predict
from lr_edit.cli.bulk.launch import TrainerOptions
from lr_edit.cli.bulk.store import Store
from lr_edit.cli.main import main
from lr_edit.errors import UserError
from lr_edit.images import to_pil

ROOT = Path(__file__).parents[1]
APPLE = {"image": "0.png", "replace": "the red apple", "with": "an orange"}
PICTURES = 8


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny models; to the learned proposer nothing ever fits."""
    return tiny_models(tmp_path_factory.mktemp("models"), threshold=1.0)


@pytest.fixture
def options(tmp_path, models, monkeypatch):
    """Quick options of a batch in a folder with pictures 0.png, 1.png, …; None drops one."""
    monkeypatch.chdir(tmp_path)
    for number in range(PICTURES):
        to_pil(picture(32, 40, number))[0].save(tmp_path / f"{number}.png")

    def words(**changes: Any) -> list[str]:
        values = {
            "manifest": "edits.jsonl", "output": "out", "models": models, "count": 1, "steps": 1,
            "threads": 1, "ranking.copies": 1, "augment.copies": 1, "trainer.accelerator": "cpu",
            "proposer": "segformer_clip",
        } | changes  # fmt: skip
        return as_words(values)

    return words


@pytest.fixture
def batch(options, capsys):
    """Runs a batch of these lines in this process; gives status, stdout, stderr."""

    def run(lines, **changes: Any) -> tuple[int, str, str]:
        write_manifest(lines)
        capsys.readouterr()
        status = main(["batch", *options(**changes)])
        return status, *capsys.readouterr()

    return run


def write_manifest(lines) -> None:
    """Each a dict, or text as it is."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    Path("edits.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")


def rows(name: str = "results", folder: str = "out") -> list[dict[str, Any]]:
    text = Path(folder, f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def files(folder: str) -> dict[str, bytes]:
    """All files; those with wall times in them without content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.suffix == ".png" else b""
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


# What a batch leaves


def test_each_edit_is_what_infer_py_makes_of_it(batch, options):
    lines = [APPLE | {"id": "a", "seed": 3}, APPLE | {"image": "1.png", "region_only": True}]
    status, out, err = batch(lines)
    assert (status, err) == (0, "") and out.startswith("2 edits are in out; ")
    others = {"manifest": None, "trainer.accelerator": None, "device": "cpu", "output": "alone"}
    assert main(options(**APPLE, **others, seed=3)) == 0
    assert files("out/a") == files("alone")
    assert {path.name for path in Path("out/2").glob("*.png")} >= {"region.png", "sheet.png"}
    first, second = rows()
    assert (first["id"], first["line"], first["status"]) == ("a", 1, "done")
    assert first["scores"].keys() == {"confidence", "score", "text", "found", "seam"}
    assert second["id"] == "2" and second["scores"].keys() == {"confidence"}
    assert all(row["seconds"] > 0 for row in rows())
    assert not Path("out/errors.jsonl").exists()


def test_lines_that_fail_at_work_are_listed_and_the_rest_is_made(batch):
    Path("broken.png").write_bytes(Path("0.png").read_bytes()[:90])
    bad = [{"image": "none.png"}, {"image": "broken.png"}, {"proposer": "learned"}]
    status, out, err = batch([*(APPLE | one for one in bad), "no JSON", APPLE])
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert err.startswith("infer.py: 4 of 5 lines failed, the first is line 1: ")
    assert [row["status"] for row in rows()] == [
        "failed", "failed", "nothing fits", "failed", "done",
    ]  # fmt: skip
    errors = rows("errors")
    assert [(error["line"], error["id"]) for error in errors] == [(n, str(n)) for n in (1, 2, 3, 4)]
    told = ("does not exist", "damaged or cut short", "fits 'the red apple'", "no JSON")
    assert all(text in error["error"] for text, error in zip(told, errors, strict=True))
    to_pil(picture())[0].save("none.png")
    Path("broken.png").write_bytes(Path("0.png").read_bytes())
    good = APPLE | {"proposer": "learned", "force": True}
    status, out, _ = batch([APPLE | bad[0], APPLE | bad[1], good, APPLE, APPLE])
    assert status == 0 and "5 edits are in out, 1 of them from before" in out
    assert not Path("out/errors.jsonl").exists()


def test_a_finished_edit_stays_until_its_request_changes_and_it_may_go(batch, monkeypatch):
    lines = [APPLE, APPLE | {"image": "1.png"}]
    assert batch(lines)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*/report.json")}
    assert "2 of them from before" in batch(lines)[1]
    lines[1] |= {"seed": 1}
    status, _, err = batch(lines)
    assert status == 2 and "1 of 2 lines failed" in err and "--overwrite redoes it" in err
    assert [row["status"] for row in rows()] == ["done", "changed"]
    assert before == {path: path.stat().st_mtime_ns for path in before}
    status, out, _ = batch(lines, overwrite=True)
    assert status == 0 and "1 of them from before" in out
    assert [path.stat().st_mtime_ns == then for path, then in sorted(before.items())] == [
        True, False,
    ]  # fmt: skip


def test_what_is_no_edit_is_never_touched(batch):
    Path("out/1").mkdir(parents=True)
    Path("out/1/thesis.txt").write_text("years of work")
    status, _, err = batch([APPLE, APPLE], overwrite=True)
    assert status == 2 and "is there and no edit of a batch" in err
    assert Path("out/1/thesis.txt").read_text() == "years of work"
    assert [row["status"] for row in rows()] == ["failed", "done"]


def test_an_edit_appears_whole_or_not_at_all(batch, monkeypatch):
    write = predict.write_results

    def interrupted(folder, *rest):
        told = write(folder, *rest)
        if len(list(Path("out").glob("[0-9]"))) == 1:
            raise KeyboardInterrupt
        return told

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(predict, "write_results", interrupted)
    status, out, err = batch([APPLE] * 3)
    signal.signal(signal.SIGINT, handler)
    assert (status, out, err) == (130, "", "infer.py: interrupted\n")
    assert {path.name for path in Path("out").iterdir()} == {"1"}


# What ends a batch at once


@pytest.mark.parametrize(
    ("lines", "changes", "message"),
    [
        ([], {}, "'edits.jsonl' is empty"),
        ([APPLE], {"manifest": "none.jsonl"}, "'none.jsonl' cannot be read"),
        ([APPLE], {"manifest": "."}, "'.' cannot be read"),
        ([APPLE], {"bogus": "1"}, "--bogus"),
        ([APPLE], {"trainer.strategy": "magic"}, "trainer.strategy is 'magic'"),
        ([APPLE], {"config": "null.yaml", "trainer.accelerator": None}, "--trainer is null"),
        ([APPLE], {"trainer.devices": "0"}, "--trainer options"),
        ([APPLE], {"trainer.accelerator": "abacus"}, "--trainer options"),
        ([APPLE], {"models": "unloadable.yaml", "weights.lpips": 0}, "missing weights"),
        ([APPLE], {"output": "0.png"}, "cannot be made"),
    ],
)
def test_mistakes_of_the_whole_are_told_at_once(batch, lines, changes, message):
    Path("null.yaml").write_text("trainer: null\n")
    Path("unloadable.yaml").write_text(
        "segmenter: {class_path: lr_edit.backbones.segformer.SegformerSegmenter, "
        "init_args: {name: /none}}\n"
        "diffusion: {class_path: lr_edit.backbones.diffusion.UNetDiffusion, "
        "init_args: {folder: /none}}\n"
        "clip: {class_path: lr_edit.backbones.open_clip.OpenClipEncoder, "
        "init_args: {name: 'local-dir:/none'}}\n"
    )
    status, out, err = batch(lines, **changes)
    assert (status, out) == (2, "") and message in err and err.count("\n") == 1
    assert not Path("out").exists()


def test_what_the_models_lack_fails_alone(batch, models):
    less = "".join(Path(models).read_text().partition("region:")[0])
    Path("less.yaml").write_text(less)
    status, _, err = batch([APPLE | {"proposer": "learned"}, APPLE], models="less.yaml")
    assert status == 2 and "1 of 2 lines failed" in err and "has no region" in err
    assert [row["status"] for row in rows()] == ["failed", "done"]


def test_what_memory_is_too_small_for_fails_alone(batch, monkeypatch):
    read, lay = predict.load_picture, results.composite

    def reading(path: str) -> Any:
        if path.endswith("1.png"):
            raise MemoryError
        return read(path)

    def laying(given: Any, *rest: Any) -> Any:
        if given.size == (64, 48):
            raise MemoryError
        return lay(given, *rest)

    monkeypatch.setattr(predict, "load_picture", reading)
    monkeypatch.setattr(results, "composite", laying)
    to_pil(picture(48, 64))[0].save("2.png")
    status, _, err = batch([APPLE | {"image": f"{number}.png"} for number in (1, 2, 3)])
    assert status == 2 and "2 of 3 lines failed" in err and err.count("\n") == 1
    assert [row["status"] for row in rows()] == ["failed", "failed", "done"]
    assert all("ran out of memory: scale the picture" in row["error"] for row in rows("errors"))
    assert {path.name for path in Path("out").iterdir()} == {"3", "results.jsonl", "errors.jsonl"}


def test_a_disk_that_refuses_ends_all(batch, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(predict, "write_results", full)
    status, out, err = batch([APPLE, APPLE])
    assert (status, out) == (2, "") and "No space left" in err and err.count("\n") == 1
    assert list(Path("out").iterdir()) == []


def test_two_runs_do_not_share_a_folder(batch, tmp_path):
    with Store("out").claimed():
        status, _, err = batch([APPLE])
    assert status == 2 and "another run is at work in 'out'" in err
    assert list(Path("out").iterdir()) == []


def test_devices_and_machines_are_checked():
    with pytest.raises(UserError, match="num_nodes is 0"):
        TrainerOptions(num_nodes=0)
    with pytest.raises(UserError, match="num_nodes is None; give 1 or more"):
        TrainerOptions(num_nodes=None)  # type: ignore[arg-type]


def test_help_is_quick_and_tells_of_batches():
    code = (
        "import sys\nfrom lr_edit.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: print(end.code, {'torch', 'lightning'} & {*sys.modules})"
    )
    for words, told in (["--help"], "infer.py batch"), (["batch", "--help"], "--trainer.devices"):
        run = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True
        )
        assert run.stdout.endswith("0 set()\n") and told in " ".join(run.stdout.split())


# Processes that are killed, and several at once


def test_a_process_ends_with_the_one_that_started_it():
    code = "from lr_edit.cli.bulk.launch import *\nend_with_parent()\ntime.sleep(60)"
    environment = os.environ | {"LOCAL_RANK": "1", "LR_EDIT_BATCH_PARENT": "1"}
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, timeout=50)
    assert run.returncode == 1


def killed_in_two(words: list[str], moment: int, alive: Connection) -> None:
    """The first of two processes, killed before its `moment`-th step of writing (0: never).

    It starts the second one, as Lightning does; `alive` stays open while either lives.
    """
    environ = {"NODE_RANK": "0", "WORLD_SIZE": "2", "LR_EDIT_BATCH_PARENT": str(os.getpid())}
    os.environ.update(environ, LOCAL_RANK=str(int(os.fork() == 0)))
    left = [moment * (os.environ["LOCAL_RANK"] == "0")]

    def before(work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return work(*arguments)

        return counted

    predict.write_results = before(predict.write_results)
    Path.replace = before(Path.replace)
    os._exit(main(["batch", *words]))


def test_two_processes_killed_again_and_again_make_each_edit_once(batch, options, monkeypatch):
    forked = forking()
    assert batch([APPLE | {"image": f"{k}.png", "seed": k} for k in range(4)])[0] == 0
    Path("out").rename("whole")
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    made = {}
    for moment in (2, 4, 3, 0):
        monkeypatch.setenv("MASTER_PORT", free_port())
        ended, alive = forked.Pipe(duplex=False)
        two = options(**{"trainer.devices": 2})
        first = forked.Process(target=killed_in_two, args=(two, moment, alive))
        first.start()
        alive.close()
        assert ended.poll(300), "both have ended"
        first.join()
        assert first.exitcode == (-signal.SIGKILL if moment else 0)
        assert made == {path: path.stat().st_mtime_ns for path in made}
        done = list(Path("out").glob("[0-9]*"))
        assert all(files(str(one)) == files(f"whole/{one.name}") for one in done)
        assert Path("out/results.jsonl").exists() == (moment == 0)
        made = {one / "report.json": (one / "report.json").stat().st_mtime_ns for one in done}
    assert files("out") == files("whole")


def test_a_killed_run_goes_on_in_two_processes_and_nothing_is_lost_or_twice(options):
    forked = forking()
    quick = {"proposer": "whole", "count": 1, "steps": 1, "augment": {"copies": 1}}
    pictures = [APPLE | quick | {"image": f"{k}.png", "seed": k} for k in range(PICTURES)]
    write_manifest(pictures)
    whole = as_words({"manifest": "edits.jsonl", "output": "whole", "trainer.accelerator": "cpu"})
    assert main(["batch", *whole]) == 0
    command = ["batch", "--manifest", "edits.jsonl", "--output", "out/"]
    command += ["--trainer.accelerator", "cpu"]

    killed = forked.Process(target=main, args=(command,))
    killed.start()
    until = time.monotonic() + 300
    while not (made := list(Path("out").glob("[0-9]*"))) and time.monotonic() < until:
        time.sleep(0.002)
    killed.kill()
    killed.join()
    assert made and killed.exitcode == -signal.SIGKILL
    made = list(Path("out").glob("[0-9]*"))
    assert len(made) < PICTURES and not Path("out/results.jsonl").exists()
    times = {path: (path / "report.json").stat().st_mtime_ns for path in made}
    Path("out/.unfinished-left").mkdir(exist_ok=True)
    Path("out/.unfinished-left/edit.png").write_bytes(b"half")

    write_manifest([*pictures, APPLE | {"image": "none.png"}, "no JSON"])
    done = subprocess.run(
        [sys.executable, str(ROOT / "infer.py"), *command, "--trainer.devices", "2"],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr[-2000:]
    failed = [PICTURES + 1, PICTURES + 2]
    assert f"2 of {PICTURES + 2} lines failed" in done.stderr and done.stderr.count("\n") == 1
    assert [row["line"] for row in rows("errors")] == failed
    assert [(row["line"], row["status"]) for row in rows()] == [
        *((k + 1, "done") for k in range(PICTURES)), *((k, "failed") for k in failed),
    ]  # fmt: skip
    assert times == {path: (path / "report.json").stat().st_mtime_ns for path in made}
    assert files("out") == files("whole") | {"errors.jsonl": b""}
