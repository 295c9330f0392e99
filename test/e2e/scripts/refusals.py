"""Asks for the experiments with each of the credentials given as JSON in argv[1]; prints what was raised."""

import json
import os
import sys

from mlflow import MlflowClient
from mlflow.exceptions import RestException


def refusal(credentials):
    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        os.environ.pop(f"MLFLOW_TRACKING_{name}", None)
    os.environ.update(credentials)
    try:
        return [entry.name for entry in MlflowClient().search_experiments()]
    except RestException as fault:
        return {"code": fault.error_code, "message": fault.message}


print(json.dumps([refusal(credentials) for credentials in json.loads(sys.argv[1])]))
