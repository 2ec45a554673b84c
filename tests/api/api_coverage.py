"""What of the official SDK's surface the service has: the SDK's own code against /openapi.json.

docs/api-coverage.md is this page; a test fails when it is stale."""

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections import Counter
from dataclasses import dataclass

import pydantic
import svix.api
from svix.api.common import ApiBaseSync

# Groups that stay out, by the beginning of the SDK's class.
NEVER = {
    "Streaming": "streams are another product than the sending of webhooks",
    "Ingest": "the receiving side: Surehook sends",
    "Connector": "templates of the hosted portal's user interface",
    "Integration": "grants of the hosted service to other vendors",
    "Destination": "batches for warehouses, buckets and queues: not webhooks",
    "AutoconfigSubscription": "set-up of receivers by the hosted portal",
}
# Operations that stay out although their group is ours, by what is in their path.
NEVER_PATHS = {"stream": NEVER["Streaming"]}


@dataclass(frozen=True)
class Operation:
    group: str
    name: str
    method: str
    path: str
    parameters: tuple  # of the query
    members: tuple  # of the body

    @property
    def reason(self):
        """Why it stays out; None: it does not."""
        for prefix, reason in NEVER.items():
            if self.group.startswith(prefix):
                return reason
        for part, reason in NEVER_PATHS.items():
            if re.search(rf"/{part}[-/]", self.path):
                return reason
        return None


def _parsed(function):
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def _request(function):
    """The method and path that an SDK's function sends; None: it sends nothing itself."""
    for node in ast.walk(_parsed(function)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_request_sync":
            words = {word.arg: word.value for word in node.keywords}
            return words["method"].value.upper(), words["path"].value
    return None


def _query_names(options):
    if not hasattr(options, "_query_params"):
        return ()
    dicts = [n for n in ast.walk(_parsed(options._query_params)) if isinstance(n, ast.Dict)]
    return tuple(key.value for found in dicts for key in found.keys)


def _inputs(function):
    """Names of query parameters and of members of the body."""
    parameters, members = (), ()
    for parameter in inspect.signature(function).parameters.values():
        kind = parameter.annotation
        if inspect.isclass(kind) and issubclass(kind, pydantic.BaseModel):
            members = tuple(f.alias or name for name, f in kind.model_fields.items())
        elif parameter.name == "options":
            parameters = _query_names(kind)
    return parameters, members


def sdk_operations():
    found = {}
    for info in pkgutil.iter_modules(svix.api.__path__):
        if info.ispkg:
            continue
        module = importlib.import_module(f"svix.api.{info.name}")
        for group, kind in inspect.getmembers(module, inspect.isclass):
            if not issubclass(kind, ApiBaseSync) or kind.__module__ != module.__name__:
                continue
            for name, function in inspect.getmembers(kind, inspect.isfunction):
                request = None if name.startswith("_") else _request(function)
                if request:
                    found[group, name] = Operation(group, name, *request, *_inputs(function))
    return [found[key] for key in sorted(found)]


def _shape(path):
    return re.sub(r"\{\w+\}", "{}", path)


def _described(document):
    """(method, shape of the path) → names of query parameters and of members of the body."""
    found = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            query = {p["name"] for p in operation["parameters"] if p.get("in") == "query"}
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
            shape = document["components"]["schemas"].get(name, {})
            found[method.upper(), _shape(path)] = query, {*shape.get("properties", {})}
    return found


def page(document):
    ours = _described(document)
    rows, counts = [], Counter()
    for operation in sdk_operations():
        has = ours.get((operation.method, _shape(operation.path)))
        missing = []
        if has:
            state = "yes"
            missing = [p for p in operation.parameters if p not in has[0]]
            missing += [m for m in operation.members if m not in has[1]]
        elif operation.reason:
            state = f"never: {operation.reason}"
        else:
            state = "not yet"
        counts[state.partition(":")[0]] += 1
        names = ", ".join(f"`{name}`" for name in missing)
        call = f"`{operation.group}.{operation.name}`"
        route = f"`{operation.method} {operation.path}`"
        rows.append(f"| {call} | {route} | {state} | {names} |")
    return "\n".join(
        [
            "# Coverage of the Svix API",
            "",
            f"Every operation that the Svix SDK for Python ({svix.__version__}) can call, against",
            "the running service's `/openapi.json`. The last column names the query parameters and",
            "members of the body that a covered operation does not have yet: it refuses them with",
            "422. The page is computed; a test fails when it is stale:",
            "`SUREHOOK_UPDATE_DOCS=1 .venv/bin/pytest tests/api/test_openapi.py` renews it.",
            "",
            f"{counts['yes']} covered, {counts['not yet']} not yet, {counts['never']} never.",
            "",
            "| Operation | Route | Covered | Not yet in it |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )
