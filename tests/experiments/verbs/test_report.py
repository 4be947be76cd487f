"""The page says what was run and found, fits its size, and damaged runs are told clearly."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup
from torch.utils.tensorboard.writer import SummaryWriter

from armillary import plugins
from armillary.errors import PluginError
from armillary.experiments.films.drawing import write_gif, write_png
from tests.experiments.conftest import Command
from tests.experiments.pages.reader import Reader
from tests.experiments.pages.report_runs import benchmark, evaluation, film, page_of, record


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "pages" / "page.html"


def text_of(html: str) -> str:
    return " ".join(" ".join(Reader(html).text).split())


def edit(directory: Path, change: Callable[[dict], None], name: str = "results.json") -> None:
    content = json.loads((directory / name).read_text())
    change(content)
    (directory / name).write_text(json.dumps(content))


def test_one_evaluation_says_everything(tmp_path: Path, output: Path) -> None:
    run = evaluation(tmp_path / "slots", level=25.0, side=32, metrics=("psnr", "lpips"))
    html = page_of([run], output)
    text = text_of(html)
    found = json.loads((run / "results.json").read_text())
    for tier in ("best", "median", "random", "worst", "mean"):
        stats = found["metrics"]["psnr"][tier]
        assert f"{tier} rollout" in text or f"{tier} over rollouts" in text
        assert "{:.2f} to {:.2f}".format(*stats["ci95"]) in text
    recall = found["objects"]["recall_at"]["0.5"]
    for part in ("copying the last frame", "mean image", "FG-ARI", "mIoU", f"{recall:.3f}"):
        assert part in text
    for part in (
        "armillary evaluate output=slots",
        "0123456789abcdef",
        "torch 2.13.0",
        "5 min 3 s",
    ):
        assert part in text
    for part in ("push.h5", "16 videos", "100 rollouts", "2 context frames", "verb: evaluate"):
        assert part in text
    attributes = Reader(html).attributes
    alts = [value for tag, name, value in attributes if (tag, name) == ("img", "alt")]
    assert len(alts) == 3
    assert all("truth" in alt and "masks" in alt for alt in alts)
    assert len({alt for alt in alts}) == 3


def test_the_page_takes_nothing_from_elsewhere(tmp_path: Path, output: Path) -> None:
    html = page_of([evaluation(tmp_path / "a", side=32), evaluation(tmp_path / "b")], output)
    reader = Reader(html)
    sources = [value for _, name, value in reader.attributes if name in ("src", "srcset")]
    assert len(sources) == 6
    assert all(source.startswith("data:image/") for source in sources)
    links = {value for _, name, value in reader.attributes if name == "href"}
    anchors = {value for _, name, value in reader.attributes if name == "id"}
    assert links == {"#run-1", "#run-2"}
    assert links == {f"#{anchor}" for anchor in anchors}
    assert not {"script", "link", "iframe"} & {tag for tag, _, _ in reader.attributes}
    assert "http" not in html.replace("http-equiv", "")


def test_headers_of_tables_are_marked(tmp_path: Path, output: Path) -> None:
    html = page_of([evaluation(tmp_path / "a"), evaluation(tmp_path / "b")], output)
    heads = [(t, n, v) for t, n, v in Reader(html).attributes if t == "th"]
    assert len(heads) == html.count("<th ")
    assert {value for _, _, value in heads} == {"row", "col"}


@pytest.mark.parametrize(("other", "marks"), [(20.0, True), (24.5, False)])
def test_the_best_run_is_marked_only_where_intervals_separate(
    tmp_path: Path, output: Path, other: float, marks: bool
) -> None:
    runs = [evaluation(tmp_path / "a", level=25.0), evaluation(tmp_path / "b", level=other)]
    html = page_of(runs, output)
    table = html[html.index("Imagined frames: best rollout") :]
    row = table[table.index("</svg>a<") : table.index("</svg>b<")]
    assert ('class="best"' in row) == marks
    assert ("no clear lead" in text_of(html)) == (not marks)


def test_runs_on_other_data_are_not_compared(tmp_path: Path, output: Path) -> None:
    runs = [evaluation(tmp_path / "a", level=25.0), evaluation(tmp_path / "b", horizon=6)]
    html = page_of(runs, output)
    assert "Comparison of evaluations" not in html
    assert "Not compared, because no other run has the same data and sizes: a, b." in html
    assert 'class="best"' not in html


def test_curves_of_all_runs_share_a_chart(tmp_path: Path, output: Path) -> None:
    html = page_of([evaluation(tmp_path / name) for name in ("a", "b", "c")], output)
    chart = re.search(r'aria-label="PSNR \(dB\): best rollout">(.*?)</svg>', html)
    assert chart
    assert len(re.findall("<polyline", chart[1])) == 3 + 2, "the runs and two baselines"
    assert len(re.findall("<polygon", chart[1])) == 3, "a band for each run"


def test_success_rates_of_several_benchmarks_stand_in_one_table(
    tmp_path: Path, output: Path
) -> None:
    runs = [
        benchmark(tmp_path / "first", {"random": 1, "oracle": 50, "slots": 45}),
        benchmark(tmp_path / "second", {"op3": 12}),
    ]
    html = page_of(runs, output)
    table = html[html.index("Comparison of success") : html.index("Run by run")]
    assert table.count('class="rate"') == 4
    assert re.findall(r'row">(\w+) <span class="best"', table) == ["slots"], "not the oracle"
    assert "45 of 50" in table
    assert "79 to 96 %" in table
    assert table.count('data-name="s a plan">0.14<') == 3
    assert table.count('data-name="s alone">0.61<') == 3
    assert table.count('data-name="evaluations">3000<') == 3


def test_curves_of_training_are_compared_and_a_running_run_is_told(
    tmp_path: Path, output: Path
) -> None:
    runs = [record(tmp_path / "done", "train"), record(tmp_path / "going", "train", "running")]
    for index, directory in enumerate(runs):
        with SummaryWriter(str(directory / "tb")) as log:
            for step in (100, 200):
                log.add_scalar("validation/open_loop_psnr", 20 + index + step / 100, step)
    content = {"steps": 200, "seconds": 63.0, "metrics": {"open_loop_psnr": 22.0, "x/1": 1.0}}
    content["remarks"] = ["It is worse than copying."]
    (runs[0] / "results.json").write_text(json.dumps(content))
    html = page_of(runs, output)
    text = text_of(html)
    assert "going did not finish: it was killed." in text
    assert "1 min 3 s" in text
    assert "It is worse than copying." in text
    comparison = html[html.index("Comparison of training") : html.index("Run by run")]
    assert comparison.count("<polyline") == 2
    assert "done: 22 at 200" in comparison
    assert "going: 23 at 200" in comparison


def test_films_of_plans_and_renders_are_shown(tmp_path: Path, output: Path) -> None:
    plan = benchmark(tmp_path / "plan", {"slots": 1}, episodes=8)
    edit(plan, lambda run: run.update(verb="plan"), "run.json")
    played = [{"seed": seed, "success": seed == 2, "steps": 9} for seed in range(8)]
    edit(plan, lambda found: found.update(episodes=played))
    render = record(tmp_path / "render", "render")
    found = {"checkpoint": "runs/slots", "data": "push.h5", "split": "test", "episode": 0}
    (render / "results.json").write_text(json.dumps(found))
    for seed in range(8):
        film(plan / f"episode_{seed}.gif", 32, 3, 0, False, seed)
    for name in ("rollout", "slots", "plan"):
        picture = np.full((40, 900, 3), len(name), np.uint8)
        write_gif(render / f"{name}.gif", [picture, picture + 9], 2)
        write_png(render / f"{name}.png", picture)
    html = page_of([plan, render], output)
    assert html.count("<img ") == 6 + 3
    assert "The first 6 of 8 films" in html
    assert "It reached the goal, in 9 steps." in html
    assert html.count('<picture class="wide">') == 3


@pytest.mark.parametrize("verb", ["collect", "convert", "something_new"])
def test_any_verb_has_a_page(tmp_path: Path, output: Path, verb: str) -> None:
    run = record(tmp_path / "run", verb)
    assert f"armillary {verb} output=run" in page_of([run], output)
    (run / "results.json").write_text('{"fvd": {"mean": 12.25}, "values": [1, 2]}')
    text = text_of(page_of([run], output))
    assert "fvd.mean 12.25" in text
    assert "values [1, 2]" in text


@pytest.mark.parametrize("status", ["failed", "interrupted", "refused", "odd"])
def test_a_run_that_did_not_finish_is_told(tmp_path: Path, output: Path, status: str) -> None:
    for verb in ("evaluate", "train", "benchmark", "plan", "render"):
        run = record(tmp_path / verb, verb, status)
        assert f"{verb} did not finish: " in text_of(page_of([run], output))


def test_text_cannot_become_markup(tmp_path: Path, output: Path) -> None:
    evil = "<script>alert(1)</script>&\"'"
    run = evaluation(tmp_path / "a", model=evil, side=32)
    edit(run, lambda found: found["data"].update(split=evil))
    edit(run, lambda found: found["baselines"].update({evil: found["baselines"]["mean_image"]}))
    edit(run, lambda found: found["examples"][0].update(tier=evil))
    edit(
        run, lambda kept: kept.update(command=evil, commit=evil, versions={evil: evil}), "run.json"
    )
    html = page_of([run, evaluation(tmp_path / "b", model=evil)], output, title=evil)
    assert "<script" not in html
    assert "".join(Reader(html).text).count(evil) >= 8


def test_names_are_as_long_as_it_takes(tmp_path: Path, output: Path) -> None:
    runs = [evaluation(tmp_path / "one" / "test"), evaluation(tmp_path / "two" / "test")]
    text = text_of(page_of(runs, output))
    assert "one/test" in text
    assert "two/test" in text
    assert str(tmp_path.name + "/one") not in text.split("Run by run")[0]


def test_twenty_runs_fit_into_the_size_that_is_asked_for(tmp_path: Path, output: Path) -> None:
    runs = [
        evaluation(tmp_path / f"run{i}", side=32, noise=True, seed=i, horizon=2) for i in range(20)
    ]
    films = sum(path.stat().st_size for path in tmp_path.rglob("*.gif"))
    megabytes = 1.2 + films / 3e6
    html = page_of(runs, output, megabytes=megabytes)
    assert output.stat().st_size < megabytes * 1e6 < films
    assert html.count("<img ") == 60
    with pytest.raises(ValueError, match=r"give more megabytes=\.\.\. or fewer runs"):
        page_of(runs[:1], output, megabytes=0.04)
    with pytest.raises(ValueError, match="MB without any film, more than megabytes=0"):
        page_of(runs[:1], output, megabytes=0.01)
    assert output.read_text() == html, "what was there is kept"


def test_small_films_leave_their_share_to_large_ones(tmp_path: Path, output: Path) -> None:
    runs = [
        evaluation(tmp_path / "small", side=32),
        evaluation(tmp_path / "large", side=64, noise=True),
    ]
    whole = page_of(runs, output)
    small = page_of(runs, output, megabytes=len(whole) * 0.8 / 1e6)
    images = [re.findall('<img src="(.*?)"', html) for html in (whole, small)]
    same = [before == after for before, after in zip(*images, strict=True)]
    assert sum(same) == 3, "films that fit are not touched"


def test_films_that_are_missing_damaged_or_shown_twice_are_told(
    tmp_path: Path, output: Path
) -> None:
    run = evaluation(tmp_path / "a", side=32)
    examples = run / "examples"
    (examples / "best.gif").unlink()
    data = (examples / "median.gif").read_bytes()
    (examples / "median.gif").write_bytes(data[: len(data) // 3])
    twin = evaluation(tmp_path / "b", side=32)
    shutil.copy(examples / "worst.gif", twin / "examples" / "best.gif")
    (twin / "examples" / "median.gif").write_text("no image")
    html = page_of([run, twin], output)
    text = text_of(html)
    assert "a: the video imagined best: no picture, because best.gif is missing" in text
    assert "b: the median video: no picture, because the file is damaged" in text
    assert "b: the video imagined best: the same film as a: the video imagined worst" in text
    assert "a: the median video: no picture, because the file is damaged" in text


def drop(*keys: str) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return change


def put(value: object, *keys: str) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (drop("metrics"), "has no 'metrics'"),
        (put({}, "metrics"), "metrics must hold at least one metric"),
        (drop("metrics", "psnr", "best"), "metrics.psnr has no 'best'"),
        (drop("metrics", "psnr", "best", "mean"), "metrics.psnr.best has no 'mean'"),
        (put("x", "metrics", "psnr", "best", "mean"), "psnr.best.mean must be a number, got"),
        (put([2.0], "metrics", "psnr", "best", "ci95"), "psnr.best.ci95 must be an interval"),
        (put([1.0], "metrics", "psnr", "best", "per_frame"), "each of 8 frames, got 1"),
        (put(float("nan"), "metrics", "ssim", "mean", "mean"), "must be a finite number"),
        (drop("data", "path"), "data has no 'path'"),
        (put("many", "videos"), "videos must be a whole number"),
        (put(7, "objects"), "objects must be a dictionary"),
        (put([{"tier": "best"}], "examples"), "examples.0 has no 'video'"),
        (put("../../x.gif", "gif"), "must name a file below"),
    ],
)
def test_damaged_results_are_named(
    tmp_path: Path, output: Path, change: Callable[[dict], None], told: str
) -> None:
    run = evaluation(tmp_path / "a")
    outside = told == "must name a file below"
    edit(run, (lambda found: change(found["examples"][0])) if outside else change)
    with pytest.raises(ValueError, match=re.escape(str(run / "results.json"))) as error:
        page_of([run], output)
    assert told in str(error.value)
    assert not output.exists()


def test_numbers_that_are_not_known_are_left_out(tmp_path: Path, output: Path) -> None:
    run = evaluation(tmp_path / "a")

    def forget(found: dict) -> None:
        found["objects"] = None
        best = found["metrics"]["psnr"]["best"]
        best |= {"mean": None, "ci95": [None, None], "per_frame_ci95": [[None, None]] * 8}
        best["per_frame"][3] = None
        found["metrics"]["ssim"]["best"]["ci95"] = None

    edit(run, forget)
    html = page_of([run, evaluation(tmp_path / "b")], output)
    assert "not known" in html
    assert "nan" not in text_of(html).lower()


@pytest.mark.parametrize(
    ("row", "told"),
    [({"successes": 51}, "at least one episode"), ({"ci95": [0.9, 0.95]}, "an interval around")],
)
def test_impossible_success_rates_are_refused(
    tmp_path: Path, output: Path, row: dict, told: str
) -> None:
    run = benchmark(tmp_path / "a", {"slots": 20})
    edit(run, lambda found: found["rows"][0].update(row))
    with pytest.raises(ValueError, match=told):
        page_of([run], output)


def test_directories_that_are_no_runs_are_told(tmp_path: Path, output: Path) -> None:
    empty, file = tmp_path / "empty", tmp_path / "file"
    empty.mkdir()
    file.touch()
    good = evaluation(tmp_path / "good")
    torn, bare = evaluation(tmp_path / "torn"), evaluation(tmp_path / "bare")
    (torn / "results.json").write_text('{"verb": "eval')
    (bare / "results.json").unlink()
    odd = evaluation(tmp_path / "odd")
    edit(odd, drop("command"), "run.json")
    late = evaluation(tmp_path / "late")
    edit(late, put("yesterday", "started"), "run.json")
    for runs, told in (
        ([], "report needs at least one run"),
        ([tmp_path / "none"], f"{tmp_path / 'none'} is not there"),
        ([file], f"{file} is a file"),
        ([good, empty], f"{empty} is no directory of a run, or a damaged one: it has no run.json"),
        ([good, good], f"{good} is given twice"),
        ([good, torn], f"{torn / 'results.json'} is damaged"),
        ([bare], f"{bare} is damaged: run.json says that evaluate finished, but there is no res"),
        ([odd], f"{odd / 'run.json'} has no 'command'"),
        ([late], 'started must be a time with its zone, got "yesterday"'),
    ):
        with pytest.raises(ValueError, match=re.escape(told)):
            page_of(runs, output)
    assert not output.exists()


def test_the_page_goes_only_where_a_page_belongs(tmp_path: Path) -> None:
    run = evaluation(tmp_path / "a")
    (tmp_path / "folder.html").mkdir()
    for name in ("page.pdf", "page", "folder.html"):
        with pytest.raises(ValueError, match="output must be a page such as"):
            page_of([run], tmp_path / name)
    with pytest.raises(ValueError, match="megabytes must be above 0"):
        page_of([run], tmp_path / "page.html", megabytes=0)


def test_the_same_runs_make_the_same_page(tmp_path: Path, output: Path) -> None:
    runs = [evaluation(tmp_path / "a", side=32), evaluation(tmp_path / "b", side=32, seed=1)]
    assert page_of(runs, output) == page_of(runs, output)
    assert [path.name for path in output.parent.iterdir()] == ["page.html"]


def test_the_command_line_takes_runs_by_position(armillary: Command) -> None:
    evaluation(Path("a"))
    evaluation(Path("b"))
    done = armillary("report", "a", "b", "output=page.html")
    assert done.code == 0, done.err
    assert "page.html  2 runs" in done.out
    assert "2 runs: evaluate" in Path("page.html").read_text()
    assert armillary("report", "a", "output=page.html").code == 0, "a page of its own"
    Path("page.html").write_text("<html>My notes</html>")
    again = armillary("report", "a", "output=page.html")
    assert again.code == 2
    assert "output=page.html exists; choose another page or add overwrite=true" in again.err
    assert armillary("report", "a", "output=page.html", "overwrite=true").code == 0
    wrong = armillary("report", "a", "missing", "output=other.html")
    assert wrong.code == 2
    assert "missing is not there; report needs the directory of a run" in wrong.err
    assert not list(Path.cwd().glob("other*"))


def configured(directory: Path, **settings: object) -> Path:
    """Writes the resolved configuration of a run."""
    (directory / "config.yaml").write_text(json.dumps(settings))
    return directory


SEARCH = {"_target_": "CEM", "samples": 300, "iterations": 5, "std": 0.7}


def problems(
    blocks: int = 3, horizon: int = 12, samples: int = 300, **more: object
) -> dict[str, object]:
    return {
        "task": {
            "environment": {"id": "x", "image_size": 32, "num_blocks": blocks},
            "max_steps": 20,
        },
        "horizon": horizon,
        "planner": {**SEARCH, "samples": samples},
        **more,
    }


def test_a_page_of_several_verbs_opens_with_the_numbers(tmp_path: Path, output: Path) -> None:
    trained = record(tmp_path / "trained", "train")
    found = {"steps": 200, "seconds": 63.0, "metrics": {"open_loop_psnr": 22.04}}
    (trained / "results.json").write_text(json.dumps(found))
    runs = [
        evaluation(tmp_path / "eval", level=25.0),
        benchmark(tmp_path / "bench", {"random": 1, "slots": 45}),
        trained,
    ]
    html = page_of(runs, output)
    opening = text_of(html[: html.index("<section>")] + "</main></body></html>")
    psnr = json.loads((runs[0] / "results.json").read_text())["metrics"]["psnr"]["best"]["mean"]
    for part in (f"{psnr:.2f}", "45 of 50", "22.0 dB", "PSNR (dB), best of 100", "goals: slots"):
        assert part in opening
    assert "1 evaluation, 1 benchmark and 1 training run." in opening
    assert not re.search(
        r"\b1 (runs|evaluations|benchmarks|episodes|problems|steps)\b", text_of(html)
    )
    rows = re.findall(r'<td class="figure">(.*?)</td>', html)
    assert [row.split(" (")[0] for row in rows][1:] == ["45 of 50", "22.0 dB"]


def test_a_benchmarks_sentence_stands_once(tmp_path: Path, output: Path) -> None:
    run = configured(benchmark(tmp_path / "a", {"random": 1, "slots": 45}), **problems())
    other = configured(benchmark(tmp_path / "b", {"slots": 40}, episodes=44), **problems())
    sentence = (
        "Task push_blocks (image size 32, num blocks 3), 50 problems of at most 20 steps with "
        "seeds from 0; plans look 12 steps ahead, searched with 300 samples and 5 iterations."
    )
    twin = configured(benchmark(tmp_path / "c", {"op3": 9}), **problems())
    for runs in ([run], [run, other], [run, twin]):
        assert text_of(page_of(runs, output)).count(sentence) == 1
    assert text_of(page_of([run], output)).count("50 problems") == 1


def test_goals_of_ones_own_are_problems_of_their_own(tmp_path: Path, output: Path) -> None:
    runs = []
    for name, items in (("a", None), ("b", [{"color": "red", "to": [0.7, 0.3]}])):
        run = benchmark(tmp_path / name, {"slots": 45})
        settings = problems()
        if items:
            results = json.loads((run / "results.json").read_text())
            results["rows"][0]["success_by"] = "true places"
            (run / "results.json").write_text(json.dumps(results))
            settings |= {"goal": {"items": items}}
        runs.append(configured(run, **settings))
    text = text_of(page_of(runs, output))
    assert "Comparison of success" not in text
    assert "success is named objects at their places, by true places" in text


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (problems(blocks=4), "num blocks 4"),
        (problems(horizon=6), "horizon 6"),
        (problems(samples=30), "search samples 30"),
        (problems(replan_interval=3), "replan interval 3"),
        (problems(planner={**SEARCH, "std": 0.1}), "search std 0.1"),
        (problems(planner={**SEARCH, "_target_": "own.CEM"}), "search own.CEM"),
        (
            problems(objective={"terms": {"pixel": {"cost": {"_target_": "x.Pixel"}}}}),
            "objective pixel.cost x.Pixel",
        ),
        (problems(simulator={"particles": 4}), "simulator particles 4"),
        (problems(goal={"_target_": "x.Goal"}), "goal x.Goal"),
    ],
)
def test_unlike_problems_are_never_in_one_table(
    tmp_path: Path, output: Path, settings: dict, told: str
) -> None:
    runs = [
        configured(benchmark(tmp_path / "a", {"slots": 45}), **problems()),
        configured(benchmark(tmp_path / "b", {"slots": 20}), **settings),
    ]
    html = page_of(runs, output)
    assert "Comparison of success" not in html
    assert "no other run met the same problems with the same search: a, b." in html
    assert f"b: {told}." in html
    assert 'class="best"' not in html
    more = [configured(benchmark(tmp_path / name, {"op3": 9}), **settings) for name in "cd"]
    titles = re.findall("<h2>(Comparison of success.*?)</h2>", page_of([*runs, *more], output))
    assert titles == [f"Comparison of success: {told}"]


def test_files_of_one_name_and_other_content_are_other_data(tmp_path: Path, output: Path) -> None:
    runs = [evaluation(tmp_path / name) for name in "abc"]
    for run, digest in zip(runs, ("1" * 64, "2" * 64, "2" * 64), strict=True):
        edit(run, put(digest, "data", "digest"))
    html = page_of(runs, output)
    assert "Comparison of evaluations: data push.h5 [22222222]" in html
    assert "no other run has the same data and sizes: a." in html
    assert "a: data push.h5 [11111111]." in html


def test_a_copy_of_the_data_is_the_same_data(tmp_path: Path, output: Path) -> None:
    runs = [evaluation(tmp_path / name) for name in "ab"]
    for run in runs:
        edit(run, put("1" * 64, "data", "digest"))
        edit(run, put(f"{run.name}.h5", "data", "path"))
    assert "Comparison of evaluations" in page_of(runs, output)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda found: found.update(identity={"stride": 2}), "stride 2"),
        (lambda found: found.update(identity={"lpips": "12345678abc"}), "LPIPS by 12345678"),
        (lambda found: found.update(config={"data": {"scale": [-1, 1]}}), r"scale [-1, 1]"),
        (lambda found: found.update(config={"data": {"layout": "reference"}}), "layout reference"),
    ],
)
def test_unlike_evaluations_are_never_in_one_table(
    tmp_path: Path, output: Path, change: Callable[[dict], None], told: str
) -> None:
    runs = [evaluation(tmp_path / name) for name in "ab"]
    edit(runs[1], change)
    html = page_of(runs, output)
    assert "Comparison of evaluations" not in html
    assert f"b: {told}." in html


def test_a_run_that_lost_its_configuration_is_known_by_its_results(
    tmp_path: Path, output: Path
) -> None:
    runs = []
    for name, blocks in (("a", 1), ("b", 4)):
        runs.append(benchmark(tmp_path / name, {"slots": 45}))
        edit(runs[-1], put(problems(blocks), "config"))
        (runs[-1] / "config.yaml").unlink()
    html = page_of(runs, output)
    assert "Comparison of success" not in html
    assert "b: num blocks 4." in html


def test_trainings_with_other_validations_are_not_compared(tmp_path: Path, output: Path) -> None:
    runs = [record(tmp_path / name, "train") for name in "ab"]
    for run, horizon in zip(runs, (5, 10), strict=True):
        configured(run, trainer={"validation_horizon": horizon})
        found = {"steps": 2, "seconds": 6.0, "metrics": {"open_loop_psnr": 22.0}}
        (run / "results.json").write_text(json.dumps(found))
    html = page_of(runs, output)
    assert "Comparison of training" not in html
    assert "b: validation horizon 10." in html


def test_trainings_on_other_data_are_not_compared(tmp_path: Path, output: Path) -> None:
    runs = [record(tmp_path / name, "train") for name in "abc"]
    for run, digest in zip(runs, ("1" * 64, "2" * 64, "2" * 64), strict=True):
        found = {"steps": 2, "seconds": 6.0, "metrics": {"open_loop_psnr": 22.0}}
        found["data"] = {"path": "data/push.h5", "digest": digest}
        (run / "results.json").write_text(json.dumps(found))
    html = page_of(runs, output)
    table = html[html.index("Comparison of training: data push.h5 [22222222]") :]
    assert re.findall('row"><svg.*?</svg>(.)<', table[: table.index("Run by run")]) == ["b", "c"]
    assert "no other run was trained on the same data: a." in html


def test_distances_between_videos_are_told(tmp_path: Path, output: Path) -> None:
    run = record(tmp_path / "a", "fvd")
    found = {
        "distances": {"fvd": {"mean": 123.456, "std": 2.5, "network": {"weights": "i3d.pt"}}},
        "populations": 2,
        "videos": {"real": 256, "generated": 256},
        "frames": 10,
        "image_size": [64, 64],
        "files": {},
    }
    (run / "results.json").write_text(json.dumps(found))
    text = text_of(page_of([run], output))
    for part in ("123.5 FVD", "standard deviation 2.5", "i3d.pt", "2 populations of 256 real"):
        assert part in text


def test_a_bench_is_told_row_by_row(tmp_path: Path, output: Path) -> None:
    run = record(tmp_path / "a", "bench")
    numbers = {"rate": 1234.0, "seconds": 0.01, "spread": 0.25, "ratio": 1.5, "share": 0.5}
    row = {"group": "search", "name": "cem", "settings": {"problems": 2}, "unit": "solves"}
    row |= {"ceiling": "copy", "measured": numbers, "note": "quick"}
    row |= {"targets": [{"of": "ratio", "least": 5.0}], "reached": [False]}
    found = {
        "machine": {"processor": "a chip", "processors": 2, "threads": 1, "device": "cpu"},
        "identity": "1",
        "seed": 0,
        "rows": [row],
        "growth": [{"name": "solves of cem", "by": "H", "values": [3, 6], "exponent": 1.5}],
    }
    (run / "results.json").write_text(json.dumps(found))
    text = text_of(page_of([run], output))
    for part in (
        "a chip, 1 thread, cpu.",
        "cem, problems 2",
        "1,234 solves a second, spread 25%; 1.50 times as fast as plain; 50.0% of a copy; quick",
        "ratio at least 5.0: no",
        "solves of cem, by H",
    ):
        assert part in text


def test_a_plugins_metric_is_shown_as_it_says(tmp_path: Path, output: Path) -> None:
    runs = [evaluation(tmp_path / name, level=level) for name, level in (("a", 25.0), ("b", 9.0))]
    for run in runs:
        found = json.loads((run / "results.json").read_text())
        edit(run, put(found["metrics"]["psnr"], "metrics", "grey"))
        how = {"label": "mean error", "unit": "grey", "digits": 1, "higher_is_better": False}
        edit(run, lambda found, how=how: found.update(measures={"grey": how}))
    html = page_of(runs, output)
    table = html[html.index("Imagined frames: best rollout") :]
    assert "mean error (grey)" in table
    best = [
        [cell.count('class="best"') for cell in re.findall("<td>(.*?)</td>", row)]
        for row in re.findall('row"><svg.*?</th>(.*?)</tr>', table)[:2]
    ]
    assert best == [[1, 1, 0], [0, 0, 1]], "lower is better in the last column"


def test_sections_of_plugins_follow_the_results(
    tmp_path: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(plugins._TABLES, "section", {})
    plugins.register("section", "my_words", by="my_pack")(
        lambda directory, verb, results: f"<b>{verb}</b> {len(results['rows'])}"
    )
    plugins.register("section", "marked", by="my_pack")(lambda *_: Markup("<em>ours</em>"))
    plugins.register("section", "silent", by="my_pack")(lambda *_: None)
    html = page_of([benchmark(tmp_path / "a", {"slots": 4})], output)
    assert "<h3>my words</h3><p>&lt;b&gt;benchmark&lt;/b&gt; 1</p>" in html
    assert "<p><em>ours</em></p>" in html
    assert "silent" not in html
    plugins.register("section", "wrong", by="my_pack")(lambda *_: 7)
    with pytest.raises(PluginError, match="the section 'wrong' must be a text or None"):
        page_of([tmp_path / "a"], output)
