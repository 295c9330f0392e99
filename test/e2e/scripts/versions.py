"""A day's work with whatever version of MLflow runs this; prints what came of each step as JSON.

argv: `editor` NAME makes everything in the experiment alpha/NAME; `reader` NAME MADE tries all of it, MADE being what
the editor printed. A step that this version of the client does not have is left out.
"""

import json
import os
import sys
import warnings

warnings.filterwarnings("ignore")

import mlflow
from mlflow import MlflowClient

role, name = sys.argv[1:3]
made = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
major, minor = (int(part) for part in mlflow.__version__.split(".")[:2])
version = (major, minor)
client = MlflowClient()
experiment_name = f"alpha/{name}"
model_name = f"alpha-{name}"
copy_name = f"alpha-{name}-copy"
prompt_name = f"alpha-{name}-prompt"
# From 3.0 on; in 2.22 they are functions of `mlflow` itself.
genai = getattr(mlflow, "genai", None) if version >= (3, 0) else None
prompts = genai if genai is not None else mlflow
# What a trace was called before 3.0.
TRACE_IDS = "trace_ids" if version >= (3, 0) else "request_ids"


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


def tracking():
    experiment = mlflow.set_experiment(experiment_name)
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_params({"rate": 0.1})
        mlflow.log_metric("loss", 0.4, step=1)
        mlflow.set_tag("stage", "trial")
        mlflow.log_dict({"answer": 42}, "answer.json")
        mlflow.log_input(mlflow.data.from_pandas(frame(), name="numbers"), context="training")
    made.update(experiment_id=experiment.experiment_id, run_id=run.info.run_id)
    return read_tracking()


def frame():
    import pandas

    return pandas.DataFrame({"x": [1, 2], "y": [2, 4]})


def read_tracking():
    run = client.get_run(made["run_id"])
    found = client.search_runs([made["experiment_id"]], "metrics.loss < 0.5 and attributes.run_name = 'first'")
    return {
        "by_name": client.get_experiment_by_name(experiment_name).experiment_id == made["experiment_id"],
        "user": run.data.tags["mlflow.user"],
        "params": run.data.params,
        "loss": [metric.value for metric in client.get_metric_history(made["run_id"], "loss")],
        "files": [entry.path for entry in client.list_artifacts(made["run_id"])],
        "answer": mlflow.artifacts.load_dict(f"runs:/{made['run_id']}/answer.json"),
        "inputs": [each.dataset.name for each in run.inputs.dataset_inputs],
        "found": [each.info.run_id for each in found] == [made["run_id"]],
    }


def model():
    arguments = {"name": "model"} if version >= (3, 0) else {"artifact_path": "model"}
    with mlflow.start_run(run_id=made["run_id"]):
        info = mlflow.pyfunc.log_model(
            python_model=Doubler(), pip_requirements=["mlflow-skinny"], **arguments
        )
    registered = mlflow.register_model(info.model_uri, model_name)
    client.set_registered_model_alias(model_name, "champion", registered.version)
    copied = client.copy_model_version(f"models:/{model_name}/1", copy_name)
    made.update(model_uri=info.model_uri, model_id=getattr(info, "model_id", None))
    return {"version": registered.version, "copied": copied.version, **read_model()}


def read_model():
    load = mlflow.pyfunc.load_model
    return {
        "by_version": load(f"models:/{model_name}/1").predict(21),
        "by_alias": load(f"models:/{model_name}@champion").predict(21),
        "of_the_copy": load(f"models:/{copy_name}/1").predict(21),
        "by_uri": load(made["model_uri"]).predict(21),
        "found": sorted(each.name for each in client.search_registered_models(f"name LIKE '{model_name}%'") if "prompt" not in each.name),
        "versions": [each.version for each in client.search_model_versions(f"name = '{model_name}'")],
    }


def logged_model():
    client.set_logged_model_tags(made["model_id"], {"colour": "green"})
    return read_logged_model()


def read_logged_model():
    found = client.search_logged_models([made["experiment_id"]])
    stored = client.get_logged_model(made["model_id"])
    return {
        "found": [each.model_id for each in found] == [made["model_id"]],
        "status": str(stored.status).split(".")[-1],
        "tag": stored.tags.get("colour"),
    }


def trace():
    mlflow.set_experiment(experiment_name)

    @mlflow.trace
    def inner(x):
        return x + 1

    @mlflow.trace(name="outer")
    def outer(x):
        return inner(x) * 2

    answer = outer(20)
    trace_id = mlflow.get_last_active_trace_id() if version >= (3, 0) else mlflow.get_last_active_trace().info.request_id
    mlflow.flush_trace_async_logging()
    made.update(trace_id=trace_id)
    client.set_trace_tag(trace_id, "colour", "green")
    return {"answer": answer, **read_trace()}


def read_trace():
    arguments = {"locations": [made["experiment_id"]]} if version >= (3, 10) else {"experiment_ids": [made["experiment_id"]]}
    found = client.search_traces(**arguments)
    stored = client.get_trace(made["trace_id"], display=False)
    return {
        "found": made["trace_id"] in [getattr(each.info, "trace_id", None) or each.info.request_id for each in found],
        "spans": sorted(span.name for span in stored.data.spans),
        "tag": stored.info.tags.get("colour"),
    }


def feedback():
    mlflow.log_feedback(trace_id=made["trace_id"], name="good", value=True)
    return read_feedback()


def read_feedback():
    assessments = client.get_trace(made["trace_id"], display=False).info.assessments
    return [(each.name, each.feedback.value) for each in assessments]


def prompt():
    prompts.register_prompt(name=prompt_name, template="Say {{word}}.")
    again = prompts.register_prompt(name=prompt_name, template="Say {{word}}!")
    prompts.set_prompt_alias(prompt_name, alias="live", version=again.version)
    return read_prompt()


def read_prompt():
    return {
        "by_version": prompts.load_prompt(f"prompts:/{prompt_name}/1").template,
        "by_alias": prompts.load_prompt(f"prompts:/{prompt_name}@live").template,
    }


def dataset():
    from mlflow.genai import datasets

    created = datasets.create_dataset(name=f"alpha/{name}-set", experiment_id=[made["experiment_id"]], tags={"colour": "green"})
    created.merge_records([{"inputs": {"x": 1}, "expectations": {"y": 2}}, {"inputs": {"x": 2}, "expectations": {"y": 4}}])
    made.update(dataset_id=created.dataset_id)
    return read_dataset()


def read_dataset():
    from mlflow.genai import datasets

    found = datasets.get_dataset(dataset_id=made["dataset_id"])
    return {
        "name": found.name,
        "records": len(found.to_df()),
        "listed": [each.dataset_id for each in datasets.search_datasets(experiment_ids=[made["experiment_id"]])] == [made["dataset_id"]],
    }


def evaluation():
    from mlflow.genai.scorers import scorer

    @scorer
    def exact(outputs, expectations):
        return outputs == expectations["y"]

    mlflow.set_experiment(experiment_name)
    result = mlflow.genai.evaluate(
        data=[{"inputs": {"x": 1}, "expectations": {"y": 2}}, {"inputs": {"x": 2}, "expectations": {"y": 5}}],
        predict_fn=lambda x: x * 2,
        scorers=[exact],
    )
    made.update(evaluation_run_id=result.run_id)
    return read_evaluation()


def read_evaluation():
    run = client.get_run(made["evaluation_run_id"])
    return {"mean": run.data.metrics["exact/mean"]}


def change():
    """What somebody who may only read must not get done."""
    steps = {
        "create_run": lambda: client.create_run(made["experiment_id"]),
        "log_metric": lambda: client.log_metric(made["run_id"], "loss", 9.0),
        "set_tag": lambda: client.set_tag(made["run_id"], "stage", "mine"),
        "upload": lambda: client.log_text(made["run_id"], "mine", "mine.txt"),
        "rename": lambda: client.rename_experiment(made["experiment_id"], "alpha/mine"),
        "delete_run": lambda: client.delete_run(made["run_id"]),
        "set_alias": lambda: client.set_registered_model_alias(model_name, "champion", "1"),
        "copy": lambda: client.copy_model_version(f"models:/{model_name}/1", "alpha-mine"),
        "delete_version": lambda: client.delete_model_version(model_name, "1"),
        "tag_trace": lambda: client.set_trace_tag(made["trace_id"], "colour", "red"),
        "delete_trace": lambda: client.delete_traces(made["experiment_id"], **{TRACE_IDS: [made["trace_id"]]}),
        "register_prompt": lambda: prompts.register_prompt(name=prompt_name, template="Mine."),
        "delete_experiment": lambda: client.delete_experiment(made["experiment_id"]),
    }
    if version >= (3, 0):
        steps["tag_model"] = lambda: client.set_logged_model_tags(made["model_id"], {"colour": "red"})
    if version >= (3, 2):
        steps["feedback"] = lambda: mlflow.log_feedback(trace_id=made["trace_id"], name="bad", value=True)
    return {key: attempt(step) for key, step in steps.items()}


def attempt(step):
    try:
        return {"ok": step()}
    except Exception as fault:
        response = getattr(fault, "response", None)
        code = getattr(fault, "error_code", None) or getattr(response, "status_code", None)
        return {"kind": type(fault).__name__, "code": code, "message": str(fault)[:300]}


# Each with the first version whose tracking server has what it needs.
STEPS = [
    ("tracking", (2, 22), tracking, read_tracking),
    ("model", (2, 22), model, read_model),
    ("logged_model", (3, 0), logged_model, read_logged_model),
    ("trace", (2, 22), trace, read_trace),
    ("feedback", (3, 2), feedback, read_feedback),
    ("prompt", (2, 22), prompt, read_prompt),
    ("dataset", (3, 4), dataset, read_dataset),
    ("evaluation", (3, 4), evaluation, read_evaluation),
]

steps = {key: attempt(make if role == "editor" else look) for key, since, make, look in STEPS if version >= since}
report = {"version": mlflow.__version__, "steps": steps, "made": made}
if role == "reader":
    report["changes"] = change()
print(json.dumps(report, default=str), flush=True)
os._exit(0)
