"""Makes what MLflow's interface shows: an experiment with runs, traces and models, a registered model and a prompt.

argv: for each of two sides the name of the experiment, and how the names of its other things begin. Prints ids as JSON.
"""

import json
import sys
import warnings

warnings.filterwarnings("ignore")

import mlflow
from mlflow import MlflowClient
from mlflow.entities import AssessmentSource

client = MlflowClient()


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


def make(experiment, prefix):
    experiment_id = client.create_experiment(experiment, tags={"mlflow.note.content": f"about {experiment}"})
    mlflow.set_experiment(experiment_id=experiment_id)
    for name in ("first", "second"):
        with mlflow.start_run(run_name=f"{prefix}-{name}") as run:
            mlflow.log_params({"rate": 0.1, "of": prefix})
            for step in range(5):
                mlflow.log_metric("loss", 1 / (step + 1), step=step)
            mlflow.log_text(f"notes of {experiment}", "notes.txt")
            model = mlflow.pyfunc.log_model(
                name=f"{prefix}-logged", python_model=Doubler(), pip_requirements=["mlflow-skinny"]
            )
    version = mlflow.register_model(model.model_uri, f"{prefix}-model")
    client.set_registered_model_alias(f"{prefix}-model", "champion", version.version)
    mlflow.genai.register_prompt(name=f"{prefix}-prompt", template=f"Say {{{{what}}}} about {prefix}")

    @mlflow.trace(name=f"{prefix}-span")
    def answer(question):
        return f"an answer to {question}"

    answer(f"a question of {prefix}")
    trace_id = mlflow.get_last_active_trace_id()
    mlflow.flush_trace_async_logging()
    source = AssessmentSource(source_type="HUMAN", source_id=f"{prefix}-person")
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True, source=source)
    return {
        "experiment_id": experiment_id,
        "run_id": run.info.run_id,
        "model_id": model.model_id,
        "trace_id": trace_id,
    }


arguments = sys.argv[1:]
print(json.dumps([make(*arguments[at : at + 2]) for at in range(0, len(arguments), 2)]))
