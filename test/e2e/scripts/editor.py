"""What a person with EDIT on `alpha/*` and `alpha-*` does all day. argv: a suffix that no earlier call has used."""

import json
import sys

import mlflow
from mlflow import MlflowClient

suffix = sys.argv[1]
client = MlflowClient()


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


experiment = mlflow.set_experiment(f"alpha/{suffix}")
with mlflow.start_run(run_name="first") as run:
    run_id = run.info.run_id
    mlflow.log_params({"rate": 0.1, "depth": 3})
    mlflow.log_metric("loss", 0.9, step=0)
    mlflow.log_metric("loss", 0.4, step=1)
    mlflow.log_metrics({"accuracy": 0.8, "recall": 0.7}, step=1)
    mlflow.set_tag("stage", "trial")
    mlflow.log_dict({"answer": 42}, "answer.json")
    with open("notes.txt", "w") as file:
        file.write("seen by the editor\n")
    mlflow.log_artifact("notes.txt", "notes")
    model = mlflow.pyfunc.log_model(
        name="model", python_model=Doubler(), pip_requirements=["mlflow-skinny"]
    )
version = mlflow.register_model(model.model_uri, f"alpha-{suffix}")
client.set_registered_model_alias(f"alpha-{suffix}", "champion", version.version)

again = mlflow.set_experiment(f"alpha/{suffix}")
stored = client.get_run(run_id)
with open(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="notes/notes.txt")) as file:
    notes = file.read()
found = mlflow.search_runs(
    experiment_names=[f"alpha/{suffix}"], filter_string="metrics.loss < 0.5", output_format="list"
)
loaded = mlflow.pyfunc.load_model(f"models:/alpha-{suffix}@champion")

print(
    json.dumps(
        {
            "experiment_id": experiment.experiment_id,
            "same_experiment": again.experiment_id == experiment.experiment_id,
            "run_id": run_id,
            "user_id": stored.info.user_id,
            "user_tag": stored.data.tags["mlflow.user"],
            "status": stored.info.status,
            "params": stored.data.params,
            "metrics": stored.data.metrics,
            "history": [metric.value for metric in client.get_metric_history(run_id, "loss")],
            "artifacts": sorted(entry.path for entry in client.list_artifacts(run_id)),
            "notes": notes,
            "found": [entry.info.run_id for entry in found],
            "version": version.version,
            "prediction": loaded.predict(21),
        }
    )
)
