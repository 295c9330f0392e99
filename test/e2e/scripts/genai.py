"""Works with evaluation datasets, scorers, prompts and evaluations. Prints what came of each step as JSON.

argv: `make` and an experiment's name, or `try` and what somebody made: experiment id, dataset id, prompt.
"""

import json
import sys

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.genai import datasets
from mlflow.genai.judges import make_judge
from mlflow.genai.scorers import delete_scorer, get_scorer, list_scorers, scorer
from mlflow.tracking._tracking_service.utils import _get_store

mode, *args = sys.argv[1:]
RECORDS = [
    {"inputs": {"question": "1+1", "user_id": 9007199254740993}, "expectations": {"expected_response": "2"}},
    {"inputs": {"question": "2+2", "user_id": 1}, "expectations": {"expected_response": "4"}, "tags": {"t": "v"}},
]


def judge(name):
    return make_judge(name=name, instructions="Is {{ outputs }} right for {{ inputs }}?", model="openai:/none")


@scorer
def exact(outputs, expectations):
    return outputs == expectations["expected_response"]


def answer(question, user_id):
    return str(eval(question))


def make(name):
    experiment_id = mlflow.set_experiment(name).experiment_id
    made = datasets.create_dataset(name="alpha-set", experiment_id=[experiment_id], tags={"kind": "sums"})
    made.merge_records(RECORDS)
    made.merge_records(RECORDS)
    datasets.set_dataset_tags(made.dataset_id, {"stage": "test", "gone": "1"})
    datasets.delete_dataset_tag(made.dataset_id, "gone")
    found = datasets.search_datasets(experiment_ids=[experiment_id])
    again = datasets.get_dataset(dataset_id=made.dataset_id)
    rows = again.to_df()
    records, _ = _get_store()._load_dataset_records(made.dataset_id)
    result = mlflow.genai.evaluate(data=again, scorers=[exact], predict_fn=answer)
    registered = judge("relevance").register(experiment_id=experiment_id)
    judge("relevance").register(experiment_id=experiment_id)
    judge("a/b é").register(experiment_id=experiment_id)
    prompt = mlflow.genai.register_prompt("alpha-greeting", template="Hello {{ name }}")
    return {
        "experiment_id": experiment_id,
        "dataset_id": made.dataset_id,
        "created_by": again.created_by,
        "tags": again.tags,
        "found": [each.dataset_id for each in found],
        "records": len(rows),
        "record_authors": sorted({str(each.created_by) for each in records}),
        "large": [str(each) for each in sorted(each["user_id"] for each in rows["inputs"])],
        "metrics": result.metrics,
        "run_id": result.run_id,
        "scorers": sorted(each.name for each in list_scorers(experiment_id=experiment_id)),
        "scorer": get_scorer(name="relevance", experiment_id=experiment_id).name,
        "versions": len(_get_store().list_scorer_versions(experiment_id, "relevance")),
        "registered": registered.name,
        "prompt": mlflow.genai.load_prompt("prompts:/alpha-greeting/1").template,
        "prompt_version": prompt.version,
    }


def attempt(experiment_id, dataset_id, prompt):
    store = _get_store()
    steps = {
        "get_dataset": lambda: datasets.get_dataset(dataset_id=dataset_id).name,
        "records": lambda: len(datasets.get_dataset(dataset_id=dataset_id).to_df()),
        "search_datasets": lambda: [
            each.name for each in datasets.search_datasets(experiment_ids=[experiment_id])
        ],
        "list_scorers": lambda: sorted(each.name for each in list_scorers(experiment_id=experiment_id)),
        "get_scorer": lambda: get_scorer(name="relevance", experiment_id=experiment_id).name,
        "get_odd_scorer": lambda: get_scorer(name="a/b é", experiment_id=experiment_id).name,
        "load_prompt": lambda: mlflow.genai.load_prompt(f"prompts:/{prompt}/1").template,
        "create_dataset": lambda: datasets.create_dataset(name="x", experiment_id=[experiment_id]).name,
        "merge_records": lambda: bool(
            datasets.get_dataset(dataset_id=dataset_id).merge_records(RECORDS)
        ),
        "set_tags": lambda: datasets.set_dataset_tags(dataset_id, {"a": "b"}),
        "remove": lambda: datasets.remove_dataset_from_experiments(dataset_id, [experiment_id]).name,
        "delete_dataset": lambda: datasets.delete_dataset(dataset_id=dataset_id),
        "register": lambda: judge("mine").register(experiment_id=experiment_id).name,
        "online": lambda: store.upsert_online_scoring_config(experiment_id, "relevance", 0.0).sample_rate,
        "delete_version": lambda: delete_scorer(name="relevance", experiment_id=experiment_id, version=1),
        "delete_scorer": lambda: delete_scorer(name="relevance", experiment_id=experiment_id, version="all"),
    }
    return {name: outcome(step) for name, step in steps.items()}


def outcome(step):
    try:
        return {"ok": step()}
    except MlflowException as fault:
        return {"kind": type(fault).__name__, "code": fault.error_code, "message": str(fault)[:300]}


print(json.dumps(make(*args) if mode == "make" else attempt(*args)))
