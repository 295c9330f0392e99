"""Models of an experiment that is closed to whoever serves them; prints what came of it as JSON.

argv: `seed` makes an experiment with models in it and registers them; `serve` NAMES loads them.
"""

import json
import sys
import warnings

warnings.filterwarnings("ignore")

import mlflow
from mlflow import MlflowClient

client = MlflowClient()
is_3 = int(mlflow.__version__.split(".")[0]) >= 3


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


ARGUMENTS = {"python_model": Doubler(), "pip_requirements": ["mlflow-skinny"]}


def register(name, uri):
    return mlflow.register_model(uri, name).version


def seed():
    experiment_id = client.create_experiment("beta/closed")
    mlflow.set_experiment(experiment_id=experiment_id)
    with mlflow.start_run() as run:
        mlflow.log_text("nobody else's business", "notes.txt")
        mlflow.log_text("nobody else's business", "files-of-another/MLmodel")
        mlflow.pyfunc.save_model("saved", **ARGUMENTS)
        mlflow.log_artifacts("saved", "files")
        place = {"name": "model"} if is_3 else {"artifact_path": "model"}
        logged = mlflow.pyfunc.log_model(**place, **ARGUMENTS)
        place = {"name": "unpublished"} if is_3 else {"artifact_path": "unpublished"}
        hidden = mlflow.pyfunc.log_model(**place, **ARGUMENTS)
    with mlflow.start_run() as other:
        mlflow.log_text("nobody else's business", "files/MLmodel")
    register("served-files", f"runs:/{run.info.run_id}/files")
    register("served-logged", logged.model_uri)
    register("unserved", hidden.model_uri)
    # As scripts of old do it: the version names the run, not where its files are.
    client.create_registered_model("served-raw")
    client.create_model_version("served-raw", f"runs:/{run.info.run_id}/files", run.info.run_id)
    for name in ("served-files", "served-logged"):
        client.copy_model_version(f"models:/{name}/1", f"{name}-copy")
        client.copy_model_version(f"models:/{name}-copy/1", f"{name}-copied-again")
    client.set_registered_model_alias("served-logged", "champion", "1")
    if is_3:
        # Of no run: only its own name tells which versions were made from it.
        runless = mlflow.pyfunc.log_model(name="runless", **ARGUMENTS)
        register("served-runless", runless.model_uri)
        client.copy_model_version("models:/served-runless/1", "served-runless-copy")
    return {
        "experiment_id": experiment_id,
        "run_id": run.info.run_id,
        "other_run_id": other.info.run_id,
        "model_id": getattr(logged, "model_id", None),
        "hidden_model_id": getattr(hidden, "model_id", None),
    }


def attempt(uri):
    try:
        return mlflow.pyfunc.load_model(uri).predict(21)
    except Exception as error:
        return str(error)


print(json.dumps(seed() if sys.argv[1] == "seed" else {uri: attempt(uri) for uri in sys.argv[2:]}))
