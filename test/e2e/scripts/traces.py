"""Works with traces as scripts do. Prints what came of each step as JSON.

argv: what to be (`editor` makes them, `other` tries them), experiment name, and for `other` the trace and the experiment.
"""

import json
import os
import sys

import mlflow
from mlflow import MlflowClient
from mlflow.entities import AssessmentSource

role, name = sys.argv[1:3]
client = MlflowClient()


def make():
    mlflow.set_experiment(name)

    @mlflow.trace
    def inner(x):
        return x + 1

    @mlflow.trace(name="outer")
    def outer(x):
        return inner(x) * 2

    answer = outer(20)
    trace_id = mlflow.get_last_active_trace_id()
    mlflow.flush_trace_async_logging()
    experiment_id = mlflow.get_experiment_by_name(name).experiment_id
    client.set_trace_tag(trace_id, "colour", "green")
    feedback = mlflow.log_feedback(
        trace_id=trace_id,
        name="good",
        value=True,
        source=AssessmentSource(source_type="HUMAN", source_id="somebody"),
    )
    mlflow.update_assessment(trace_id=trace_id, assessment_id=feedback.assessment_id, assessment=mlflow.entities.Feedback(name="good", value=False))
    found = mlflow.search_traces(locations=[experiment_id], return_type="list")
    trace = client.get_trace(trace_id)
    with mlflow.start_run() as run:
        client.link_traces_to_run([trace_id], run.info.run_id)
    return {
        "experiment_id": experiment_id,
        "trace_id": trace_id,
        "answer": answer,
        "found": [each.info.trace_id for each in found],
        "spans": sorted(span.name for span in trace.data.spans),
        "tag": trace.info.tags.get("colour"),
        "feedback": [(each.name, each.value) for each in trace.info.assessments if each.valid is not False],
    }


def attempt(step):
    try:
        return {"ok": step()}
    except Exception as fault:
        return {"kind": type(fault).__name__, "code": getattr(fault, "error_code", None), "message": str(fault)[:200]}


def try_all():
    trace_id, experiment_id = sys.argv[3:5]
    steps = {
        "search": lambda: [
            each.info.trace_id for each in mlflow.search_traces(locations=[experiment_id], return_type="list")
        ],
        "get": lambda: sorted(span.name for span in client.get_trace(trace_id, display=False).data.spans),
        "set_tag": lambda: client.set_trace_tag(trace_id, "colour", "red"),
        "delete_tag": lambda: client.delete_trace_tag(trace_id, "colour"),
        "log_feedback": lambda: mlflow.log_feedback(trace_id=trace_id, name="bad", value=True).name,
        "delete": lambda: client.delete_traces(experiment_id, trace_ids=[trace_id]),
    }
    return {key: attempt(step) for key, step in steps.items()}


print(json.dumps(make() if role == "editor" else try_all()), flush=True)
os._exit(0)
