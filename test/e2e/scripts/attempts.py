"""Tries every read and every write there is for scripts on what somebody else made. Prints what came of each as JSON.

argv: experiment id, experiment name, run id, registered model.
"""

import json
import sys
import time

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException, RestException
from requests.exceptions import HTTPError

experiment_id, experiment_name, run_id, model = sys.argv[1:]
client = MlflowClient()
now = int(time.time() * 1000)
with open("mine.txt", "w") as file:
    file.write("mine\n")

READS = {
    "get_experiment": lambda: client.get_experiment(experiment_id).name,
    "get_run": lambda: client.get_run(run_id).info.run_name,
    "get_metric_history": lambda: len(client.get_metric_history(run_id, "loss")),
    "list_artifacts": lambda: len(client.list_artifacts(run_id)),
    "download_artifacts": lambda: bool(
        mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="notes/notes.txt")
    ),
    "get_registered_model": lambda: client.get_registered_model(model).name,
    "get_model_version": lambda: client.get_model_version(model, "1").version,
    "get_model_version_by_alias": lambda: client.get_model_version_by_alias(model, "champion").version,
    "get_model_version_download_uri": lambda: bool(client.get_model_version_download_uri(model, "1")),
    "load_model": lambda: mlflow.pyfunc.load_model(f"models:/{model}/1").predict(21),
}
# The client makes None of "there is no such experiment", which is what one that is hidden has to look like.
LISTS = {
    "get_experiment_by_name": lambda: [
        entry.experiment_id for entry in [client.get_experiment_by_name(experiment_name)] if entry
    ],
    "search_experiments": lambda: [entry.name for entry in client.search_experiments()],
    "search_runs": lambda: [entry.info.run_id for entry in client.search_runs([experiment_id])],
    "search_registered_models": lambda: [entry.name for entry in client.search_registered_models()],
    "search_model_versions": lambda: [entry.name for entry in client.search_model_versions()],
}
WRITES = {
    "create_experiment": lambda: client.create_experiment("alpha/by-somebody"),
    "rename_experiment": lambda: client.rename_experiment(experiment_id, "alpha/renamed"),
    "set_experiment_tag": lambda: client.set_experiment_tag(experiment_id, "k", "v"),
    "delete_experiment_tag": lambda: client.delete_experiment_tag(experiment_id, "k"),
    "delete_experiment": lambda: client.delete_experiment(experiment_id),
    "restore_experiment": lambda: client.restore_experiment(experiment_id),
    "create_run": lambda: client.create_run(experiment_id),
    "update_run": lambda: client.update_run(run_id, name="renamed"),
    "set_terminated": lambda: client.set_terminated(run_id, "FAILED"),
    "delete_run": lambda: client.delete_run(run_id),
    "restore_run": lambda: client.restore_run(run_id),
    "log_metric": lambda: client.log_metric(run_id, "loss", 9.9),
    "log_param": lambda: client.log_param(run_id, "p", "v"),
    "log_batch": lambda: client.log_batch(
        run_id, [Metric("m", 1.0, now, 0)], [Param("q", "v")], [RunTag("t", "v")]
    ),
    "set_tag": lambda: client.set_tag(run_id, "k", "v"),
    "delete_tag": lambda: client.delete_tag(run_id, "stage"),
    "log_artifact": lambda: client.log_artifact(run_id, "mine.txt"),
    "log_inputs": lambda: client.log_inputs(run_id, []),
    "create_registered_model": lambda: client.create_registered_model("alpha-by-somebody"),
    "update_registered_model": lambda: client.update_registered_model(model, "changed"),
    "rename_registered_model": lambda: client.rename_registered_model(model, "alpha-renamed"),
    "set_registered_model_tag": lambda: client.set_registered_model_tag(model, "k", "v"),
    "delete_registered_model_tag": lambda: client.delete_registered_model_tag(model, "k"),
    "set_registered_model_alias": lambda: client.set_registered_model_alias(model, "other", "1"),
    "delete_registered_model_alias": lambda: client.delete_registered_model_alias(model, "champion"),
    "create_model_version": lambda: client.create_model_version(model, f"runs:/{run_id}/model", run_id),
    "update_model_version": lambda: client.update_model_version(model, "1", "changed"),
    "transition_model_version_stage": lambda: client.transition_model_version_stage(
        model, "1", "Archived"
    ),
    "set_model_version_tag": lambda: client.set_model_version_tag(model, "1", "k", "v"),
    "delete_model_version_tag": lambda: client.delete_model_version_tag(model, "1", "k"),
    "delete_model_version": lambda: client.delete_model_version(model, "1"),
    "delete_registered_model": lambda: client.delete_registered_model(model),
}


def attempt(call):
    try:
        return {"ok": call()}
    except RestException as fault:
        return {"kind": "RestException", "code": fault.error_code, "message": fault.message}
    except HTTPError as fault:
        # What the artifact client raises: it never looks for MLflow's error body.
        return {"kind": "HTTPError", "code": fault.response.status_code, "message": str(fault)}
    except MlflowException as fault:
        return {"kind": "MlflowException", "code": fault.error_code, "message": fault.message}


print(
    json.dumps(
        {
            group: {name: attempt(call) for name, call in calls.items()}
            for group, calls in {"reads": READS, "lists": LISTS, "writes": WRITES}.items()
        }
    )
)
