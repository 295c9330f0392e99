"""What the demo shows, made by two people through the gateway, as any script would."""

import json
import math
import os
import struct
import time
import zlib

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param


def act_as(name):
    os.environ["MLFLOW_TRACKING_TOKEN"] = os.environ[f"TOKEN_OF_{name.upper()}"]


def png(width, height, pixel):
    """A small picture without a drawing library."""
    rows = b"".join(
        b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height)
    )

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def curve(losses):
    def pixel(x, y):
        loss = losses[x * len(losses) // 240]
        return (10, 90, 168) if y > 140 - loss * 130 else (244, 246, 250)

    return png(240, 140, pixel)


def log_run(client, experiment_id, name, rate, depth):
    with mlflow.start_run(experiment_id=experiment_id, run_name=name) as run:
        losses = [math.exp(-rate * step) + 0.02 * math.sin(step * depth) ** 2 for step in range(40)]
        now = int(time.time() * 1000)
        client.log_batch(
            run.info.run_id,
            params=[Param("learning_rate", str(rate)), Param("depth", str(depth))],
            metrics=[Metric("loss", loss, now, step) for step, loss in enumerate(losses)]
            + [Metric("accuracy", 1 - loss / 1.2, now, step) for step, loss in enumerate(losses)],
        )
        mlflow.log_text(f"# {name}\n\nTrained with rate {rate} and depth {depth}.\n", "notes.md")
        mlflow.log_text(f"<h1>{name}</h1><p>Final loss {losses[-1]:.4f}</p>", "report.html")
        mlflow.log_text(json.dumps({"rate": rate, "depth": depth}, indent=2), "settings.json")
        with open("loss.png", "wb") as picture:
            picture.write(curve(losses))
        mlflow.log_artifact("loss.png", "plots")
        return run.info.run_id


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


def log_model(run_id, registered_name):
    with mlflow.start_run(run_id=run_id):
        mlflow.pyfunc.log_model(
            name="model",
            python_model=Doubler(),
            pip_requirements=["mlflow-skinny"],
            registered_model_name=registered_name,
        )


def seed(client, experiment, model, runs):
    experiment_id = client.create_experiment(experiment)
    ids = [log_run(client, experiment_id, *run) for run in runs]
    if model:
        log_model(ids[0], model)


act_as("editor")
client = MlflowClient()
seed(client, "alpha/churn", "alpha-churn", [("gentle", 0.08, 3), ("bold", 0.2, 5), ("rash", 0.4, 8)])
seed(client, "alpha/forecast", None, [("weekly", 0.1, 4), ("daily", 0.15, 6)])
act_as("admin")
seed(client, "beta/secret", "beta-model", [("classified", 0.3, 7)])
