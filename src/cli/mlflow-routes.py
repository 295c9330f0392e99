"""Prints, as JSON, the version of the MLflow that is installed here and every route that its tracking server serves.

Nothing is started and no database is opened. Works with 2.22 (Flask alone) to 3.17 (FastAPI in front of it); HEAD and
OPTIONS, which the frameworks add by themselves, are left out.
"""

import json
import os
import sys
import warnings

warnings.filterwarnings("ignore")
# Some routes are there only for a server that passes artifacts on, which is what `mlflow server` does.
os.environ.setdefault("_MLFLOW_SERVER_SERVE_ARTIFACTS", "true")

ADDED = {"HEAD", "OPTIONS"}


def of_flask(app):
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - ADDED:
            yield method, rule.rule, rule.endpoint


def of_starlette(routes, prefix=""):
    """Routers can be mounted below each other, and newer FastAPI keeps an included one as it is."""
    for route in routes:
        path = prefix + getattr(route, "path", "")
        methods = getattr(route, "methods", None)
        included = getattr(route, "original_router", None)
        if methods:
            for method in set(methods) - ADDED:
                yield method, path, getattr(route, "name", "")
        elif included is not None:
            below = getattr(getattr(route, "include_context", None), "prefix", "")
            yield from of_starlette(included.routes, path + below)
        else:
            # The whole of Flask is mounted so too; it has no `routes`.
            yield from of_starlette(getattr(route, "routes", None) or [], path)


def served():
    from mlflow.server import app

    yield from of_flask(app)
    try:
        from mlflow.server.fastapi_app import app as front
    except ModuleNotFoundError as error:
        if error.name != "mlflow.server.fastapi_app":
            raise
        return
    yield from of_starlette(front.routes)


def main():
    # Whatever a module says while it is loaded must not get into the answer.
    answer, sys.stdout = sys.stdout, sys.stderr
    import mlflow.version

    routes = sorted(set(served()))
    json.dump(
        {
            "mlflow": mlflow.version.VERSION,
            "routes": [{"method": method, "path": path, "endpoint": name} for method, path, name in routes],
        },
        answer,
    )


main()
