"""
Calls the methods of AuthServiceClient that versions before 3.17 had for one user's permission on one experiment (argv[1])
and one registered model; argv[2] is the name of a user who has signed in. Prints what each call gave or raised.
"""

import json
import os
import sys
import types

# The client lies in the package of the server's auth app, which wants this at import; the client has no use for it.
sys.modules["flask_wtf"] = types.ModuleType("flask_wtf")
sys.modules["flask_wtf.csrf"] = types.ModuleType("flask_wtf.csrf")
sys.modules["flask_wtf.csrf"].CSRFProtect = None

from mlflow.exceptions import RestException
from mlflow.server.auth.client import AuthServiceClient

experiment_id, somebody = sys.argv[1:]
client = AuthServiceClient(os.environ["MLFLOW_TRACKING_URI"])
report = []


def call(method, *args):
    try:
        result = getattr(client, method)(*args)
        report.append([method, None if result is None else [result.user_id, result.permission]])
    except RestException as fault:
        report.append([method, fault.error_code])


for kind, key in (("experiment", experiment_id), ("registered_model", "some-model")):
    call(f"create_{kind}_permission", key, somebody, "READ")
    call(f"create_{kind}_permission", key, somebody, "READ")
    call(f"get_{kind}_permission", key, somebody)
    call(f"update_{kind}_permission", key, somebody, "NO_PERMISSIONS")
    call(f"get_{kind}_permission", key, somebody)
    call(f"delete_{kind}_permission", key, somebody)
    call(f"get_{kind}_permission", key, somebody)
print(json.dumps(report))
