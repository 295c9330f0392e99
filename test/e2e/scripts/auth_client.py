"""
Calls every method of AuthServiceClient, in an order in which an administrator succeeds; argv[1] is the id of an
experiment, argv[2] the name of a user who has signed in. Prints what each call gave, or the error it raised.
"""

import inspect
import json
import os
import sys

from mlflow.exceptions import RestException
from mlflow.server.auth.client import AuthServiceClient

experiment_id, somebody = sys.argv[1:]
client = AuthServiceClient(os.environ["MLFLOW_TRACKING_URI"])
report, called = [], set()


def plain(value):
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.to_json() if hasattr(value, "to_json") else value


def call(method, *args, **kwargs):
    """The result, or None for a refusal; either is reported under the method's name."""
    called.add(method)
    try:
        result = getattr(client, method)(*args, **kwargs)
    except RestException as fault:
        report.append([method, {"code": fault.error_code, "message": fault.message}])
        return None
    report.append([method, plain(result)])
    return result


def id_of(made):
    return 1 if made is None else made.id


call("create_user", "newcomer", "a pass phrase of some length")
call("get_user", "newcomer")
call("update_user_admin", "newcomer", False)
call("update_user_admin", "newcomer", True)
call("update_user_password", "newcomer", "another pass phrase")

role = id_of(call("create_role", "default", "crew", description="of the ship"))
call("get_role", role)
call("update_role", role, name="crew two")
permission = id_of(call("add_role_permission", role, "experiment", experiment_id, "READ"))
call("update_role_permission", permission, "EDIT")
call("list_role_permissions", role)
call("assign_role", somebody, role)
call("list_user_roles", somebody)
call("list_role_users", role)
call("list_roles", "default")
call("list_all_roles")
call("get_user_permission", somebody, "experiment", experiment_id)
call("unassign_role", somebody, role)
call("remove_role_permission", permission)
call("delete_role", role)

call("grant_user_permission", somebody, "experiment", experiment_id, "MANAGE")
call("get_user_permission", somebody, "experiment", experiment_id)
call("revoke_user_permission", somebody, "experiment", experiment_id)
call("get_user_permission", somebody, "experiment", experiment_id)
call("delete_user", "newcomer")

methods = {
    name
    for name, _ in inspect.getmembers(AuthServiceClient, inspect.isfunction)
    if not name.startswith("_")
}
print(json.dumps({"report": report, "left_out": sorted(methods - called)}))
