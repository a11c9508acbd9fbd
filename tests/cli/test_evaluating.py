"""An eval file in CI: what each exit code means, what the reports say, and that a run can be taken up again."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from core import clock, ids
from core.datasets import actions as datasets
from core.datasets.rules import Entry, Example, Kind
from core.datasets.tables import Dataset, DatasetItem
from core.db.engine import Database
from core.db.process import Process
from core.evals import files
from core.experiments.tables import Experiment, ExperimentCell
from core.people.rules import CLI
from core.prompts import files as prompt_files
from core.prompts import versions
from core.prompts.files import PromptFile
from core.prompts.rules import Message, Speaker
from core.prompts.versions import Content
from tests.cli.evaluating import ALL, DOUBLE, EXACT, HEAD, ITEMS, double, every, ready, write
from tests.cli.test_cli import Run, run
from tests.support import program, upstream
from tests.support.house import standing

__all__ = ["double", "ready", "run"]

FIFTY = Path(__file__).parent.parent / "evals" / "data" / "help_desk.yaml"


def test_a_run_that_meets_its_thresholds_ends_with_0_and_tells_programs_so(
    ready: Run, tmp_path: Path, store_url: str
) -> None:
    file = write(tmp_path, HEAD + DOUBLE + ITEMS + EXACT + ALL)
    junit, result = tmp_path / "out.xml", tmp_path / "out.json"
    code, out, err = ready("eval", file, "--junit", str(junit), "--json", str(result))
    assert (code, "2 of 2 cells" in err) == (0, True)
    assert "\x1b" not in err
    assert "\r" not in err
    assert "A        right   1.000" in out
    assert "ok    A  “right” is met: 2 of 2 passed" in out
    told = json.loads(result.read_bytes())
    assert (told["version"], told["exit_code"], told["cells"]["answered"]) == (1, 0, 2)
    assert told["url"] == f"http://127.0.0.1:8501/experiments?experiment={told['run']}"
    assert out.strip().endswith(told["url"])
    (scorer,) = told["variants"][0]["scorers"]
    assert (scorer["passed"], scorer["mean"]["value"], scorer["mean"]["low"] < 1) == (2, 1.0, True)
    suites = ElementTree.fromstring(junit.read_bytes())
    assert [case.get("name") for case in suites.iter("testcase")] == ["“one”", "“two”", "1. right: pass share"]
    assert suites.get("failures") == "0"
    (row,) = every(store_url, Experiment)
    assert (row.name, row.state, row.passed) == ("Echoes", "done", True)


def test_examples_of_a_file_are_a_dataset_that_has_a_new_version_only_when_something_changed(
    ready: Run, tmp_path: Path, store_url: str
) -> None:
    file = write(tmp_path, HEAD + DOUBLE + ITEMS + EXACT + ALL)
    for _ in range(2):
        assert ready("eval", file)[0] == 0
    (dataset,) = every(store_url, Dataset)
    assert (dataset.name, dataset.version) == (f"{tmp_path.name}/echoes.yaml"[-64:], 1)
    write(tmp_path, HEAD + DOUBLE + ITEMS.replace("two", "three") + EXACT + ALL)
    assert ready("eval", file)[0] == 0
    (dataset,) = every(store_url, Dataset)
    assert dataset.version == 2
    assert [row.dataset_version for row in every(store_url, Experiment)] == [1, 1, 2]
    assert len(every(store_url, DatasetItem)) == 3  # the one that stayed is the one it was


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + DOUBLE + ITEMS + EXACT + "threshold: []\n", "Line 8, threshold: this is not known here"),
        (HEAD + DOUBLE + ITEMS + EXACT.replace("scorers", "scorrers"), "scorrers: this is not known here"),
        (HEAD + ITEMS + EXACT + "variants:\n  - {model: m, temperature: 1}\n", "Line 8, variants 1, temperature: this"),
        (HEAD + DOUBLE + ITEMS + "scorers:\n  - {kind: exakt, name: x}\n", "Line 8, scorers 1: The scorer “x” cannot"),
        (HEAD + DOUBLE + ITEMS + EXACT + ALL.replace("right", "wrong"), "there is no scorer “wrong”"),
        (HEAD + DOUBLE + ITEMS + EXACT + "repeats: many\n", "Line 8, repeats: input should be a valid integer"),
        (HEAD + DOUBLE + EXACT, "names its examples once"),
        (HEAD + DOUBLE + ITEMS + EXACT + "baseline: yesterday\n", "Line 8, baseline: write “last passing”"),
        (HEAD + DOUBLE + "items: [{input: [{role: nobody}]}]\n" + EXACT, "Line 4, items 1: Message 1 has no role"),
        (HEAD + DOUBLE + "dataset: Gone\n" + EXACT, "There is no dataset named 'Gone'"),
        (HEAD + DOUBLE + "file: gone.jsonl\n" + EXACT, "gone.jsonl cannot be read"),
        (HEAD + "variants: [{prompt: gone}]\n" + ITEMS + EXACT, "There is no prompt named 'gone'"),
        (HEAD + DOUBLE + ITEMS + "scorers: [{kind: human, name: h, queue: q}]\n", "people cannot be waited for"),
        ('{\t"greenroom": "eval/1", "name": 7}', "name: input should be a valid string"),
        ("hello: world\n", "is no eval file"),
        ("- 1\n- [", "The file is not YAML: line 2"),
    ],
)
def test_a_file_that_is_wrong_ends_with_2_and_says_where(run: Run, tmp_path: Path, text: str, said: str) -> None:
    code, out, err = run("eval", write(tmp_path, text))
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [("--resume", "exp_1"), ("--max-cost", "much"), ("--nonsense",)])
def test_a_command_that_is_wrong_ends_with_2(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert run("eval", write(tmp_path, HEAD + DOUBLE + ITEMS + EXACT), *words)[0] == 2


def test_a_dry_run_counts_cells_and_keeps_nothing(run: Run, tmp_path: Path, store_url: str) -> None:
    (tmp_path / "some.csv").write_text("question,answer\none,1\ntwo,2\nthree,3\n")
    text = HEAD + "variants: [{model: builtin/rules}, {model: b/m}]\nfile: some.csv\nrepeats: 2\n" + EXACT
    run("key", "create", "app")
    code, out, err = run("eval", write(tmp_path, text), "--dry-run")
    assert code == 0
    assert "3 examples × 2 variants × 2 times = 12 cells" in out
    assert "an unknown cost" in out
    assert "b/m" in err
    assert every(store_url, Dataset) == every(store_url, Experiment) == []


PROMPTFOO = """\
description: Shop
prompts:
  - 'Say {{greeting}} to {{name}}.'
providers: ['openai:chat:double/m']
tests:
  - description: A greeting
    vars: {greeting: hello, name: Ann}
    assert:
      - {type: contains, value: 'Say {{greeting}} to Ann'}
      - {type: equals, value: 'echo: Say hello to Ann.'}
  - description: A farewell
    vars: {greeting: goodbye, name: Bo}
    assert: [{type: icontains, value: GOODBYE}]
"""


def test_a_promptfoo_file_runs_as_it_is(ready: Run, tmp_path: Path, store_url: str) -> None:
    file = write(tmp_path, PROMPTFOO, "promptfooconfig.yaml")
    code, out, err = ready("eval", file, "--junit", str(tmp_path / "out.xml"))
    assert code == 0, err
    assert "A  “Say {{greeting}} to {{name}}.” on double/m" in out
    assert "assertions" in out
    names = [case.get("name") for case in ElementTree.fromstring((tmp_path / "out.xml").read_bytes()).iter("testcase")]
    assert names[:2] == ["A greeting", "A farewell"]
    (row,) = every(store_url, Experiment)
    assert row.name == "Shop"
    write(tmp_path, PROMPTFOO.replace("GOODBYE", "hello"), "promptfooconfig.yaml")
    code, out, _ = ready("eval", file, "--junit", str(tmp_path / "out.xml"))
    assert code == 1
    assert "1 icontains: It does not contain “hello”." in (tmp_path / "out.xml").read_text()


def test_assertions_that_all_tests_share_are_scorers_of_the_run(ready: Run, tmp_path: Path) -> None:
    text = "prompts: ['{{q}}']\nproviders: [double/m]\ndefaultTest: {assert: [{type: contains, value: echo}]}\n"
    file = write(tmp_path, text + "tests: [{vars: {q: [one, two]}}]\n")
    code, out, err = ready("eval", file)
    assert code == 0, err
    assert "1 contains" in out
    assert "2 of 2 passed" in out


def test_what_is_not_understood_of_a_promptfoo_file_is_named_and_ends_with_2_unless_lenient(
    ready: Run, tmp_path: Path, store_url: str
) -> None:
    file = write(tmp_path, PROMPTFOO + "      \nsharing: true\nscenarios: []\n")
    code, out, err = ready("eval", file)
    assert (code, out) == (2, "")
    assert "Line 15, the file: “sharing” is not understood." in err
    assert "Line 16, the file: “scenarios” is not understood." in err
    assert "Not all of the promptfoo file is understood. Change them" in err
    assert every(store_url, Experiment) == []
    assert ready("eval", file, "--lenient")[0] == 0


def test_the_example_of_the_help_is_a_file_that_can_be_read(run: Run) -> None:
    code, out, _ = run("eval", "--help")
    text = (files.__doc__ or "").partition("strict.")[2].rpartition("A mistake")[0]
    wanted = files.read(files.document("\n".join(line[4:] for line in text.split("\n"))))
    assert (code, wanted.dataset, wanted.version, wanted.takes_last_passing) == (0, "Refunds, approved", 3, True)
    assert "greenroom: eval/1" in out


@pytest.mark.long
@pytest.mark.anyio
async def test_beside_a_server_an_interrupted_run_stops_and_goes_on_in_the_commands_own_process(
    store_url: str, tmp_path: Path
) -> None:
    slow = "".join(f"  - {{input: 'number {n} double(latency_s=0.2)'}}\n" for n in range(25))
    scorer = "scorers: [{kind: contains, name: right, texts: [number]}]\n"
    file = write(tmp_path, HEAD + DOUBLE + "at_once: 2\nitems:\n" + slow + scorer + ALL)
    async with upstream.running() as double, standing(tmp_path / "data", store_url, double):
        env = program.environment(tmp_path / "data", store_url)
        command = [program.GREENROOM, "eval", file]
        child = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert child.stderr is not None
        shown = (await asyncio.to_thread(child.stderr.readline)).partition(":")[0]
        assert "of 25 cells" in await asyncio.to_thread(child.stderr.readline)
        child.send_signal(signal.SIGINT)
        _, err = await asyncio.to_thread(child.communicate, None, 60)
        assert child.returncode == 130, err
        assert f"go on with --resume {shown}" in err
        (row,) = await asyncio.to_thread(every, store_url, Experiment)
        assert (row.state, 0 < row.done < 25) == ("stopped", True)
        ended = await asyncio.to_thread(program.run, "eval", file, "--resume", shown, env=env)
        assert ended.returncode == 0, ended.stderr
        cells = await asyncio.to_thread(every, store_url, ExperimentCell)
        processes = await asyncio.to_thread(every, store_url, Process)
    assert len({cell.call_id for cell in cells}) == 25
    own = {one.id for one in processes if one.kind == "eval"}
    assert {cell.call_id >> 10 & 0xFFF for cell in cells} <= own


def keep_questions(store_url: str) -> None:
    """A dataset that people made: a version with two examples, of which one is a test."""
    db, at = Database(store_url), clock.now()
    with db.write() as session:
        row = datasets.create(session, project_id=1, name="Questions", by=CLI, at=at)
        for number, split in enumerate(("train", "test"), 1):
            example = Example(Kind.ITEM, {"variables": {"topic": f"topic {number}"}})
            told: dict[str, Any] = {"by": CLI, "at": at, "ids": ids.Ids(9)}
            datasets.write(session, dataset_id=row.id or 0, entry=Entry(example, split=split), **told)
        datasets.keep(session, dataset_id=row.id or 0, note="", by=CLI, at=at)
    db.close()


def test_a_prompt_of_the_library_is_asked_the_examples_of_a_split(ready: Run, tmp_path: Path, store_url: str) -> None:
    content = Content("double/m", (Message(Speaker.USER, "Tell of {{topic}}.", mark=1),))
    told = prompt_files.to_yaml(PromptFile("teller", versions.with_variables(content)))
    assert ready("prompt", "push", write(tmp_path, told, "teller.yaml"), "--label", "staging")[0] == 0
    keep_questions(store_url)
    text = HEAD + "dataset: Questions@1\nsplit: test\nvariants: [{prompt: teller@staging}]\n"
    text += "scorers: [{kind: contains, name: right, texts: [Tell of topic 2.]}]\n" + ALL
    code, out, err = ready("eval", write(tmp_path, text))
    assert (code, "1 examples × 1 variants = 1 cells" in err) == (0, True), err
    assert "A  teller, version 1" in out
    code, _, err = ready("eval", write(tmp_path, text.replace("@1", "@2")))
    assert (code, "'Questions' has no version 2" in err) == (2, True)


def test_examples_of_people_are_never_replaced_by_those_of_a_file(ready: Run, tmp_path: Path, store_url: str) -> None:
    ready("key", "create", "app")
    keep_questions(store_url)
    code, _, err = ready("eval", write(tmp_path, HEAD + DOUBLE + ITEMS + EXACT), "--dataset", "Questions")
    assert (code, "examples that are not from this file" in err) == (2, True)
    assert len(every(store_url, DatasetItem)) == 2


def test_our_fifty_questions_are_asked_of_the_embedded_models(run: Run) -> None:
    code, out, err = run("eval", str(FIFTY))
    assert code == 0, err
    assert "50 examples × 2 variants = 100 cells" in err
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert any(line.startswith("A says it 0.") for line in lines)
    assert "nano" not in out
    assert not any(" -" in line for line in lines)  # no amount is below zero
