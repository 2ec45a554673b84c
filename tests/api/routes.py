"""Every route of the service: read from the tables in its source, and as it describes itself."""

import re
from dataclasses import dataclass

from surehook import ROOT

# What a token of each scope may use, by the marks of http/request.h.
ROLES = {
    "ACCESS_PUBLIC": None,
    "ACCESS_READ": {"admin", "read", "app"},
    "ACCESS_INGEST": {"admin", "ingest"},
    "ACCESS_APP": {"admin", "app"},
    "ACCESS_APP_SECRET_VIEW": {"admin", "app"},
    "ACCESS_APP_SECRET": {"admin", "app"},
    "ACCESS_APP_ATTEMPT": {"admin", "app"},
    "ACCESS_APP_TRANSFORMATION": {"admin", "app"},
    "ACCESS_APP_ANY": {"admin", "app"},
    "ACCESS_ADMIN": {"admin"},
    "ACCESS_READ_ORG": {"admin", "read"},
    "ACCESS_READ_TYPES": {"admin", "read", "app"},
}


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    operation: str
    roles: frozenset | None  # None: open to all

    @property
    def parameters(self):
        return re.findall(r"\{(\w+)\}", self.path)


def _path(expression, macros):
    parts = re.findall(r'"([^"]*)"|(\w+)', expression)
    return "".join(text or _path(macros[name], macros) for text, name in parts)


def from_source():
    found = []
    for file in sorted([*ROOT.glob("admin/*.c"), *ROOT.glob("ingest/*.c")]):
        text = file.read_text()
        macros = dict(re.findall(r"^#define (\w+) (.*)$", text, re.MULTILINE))
        row = r'\{\s*METHOD_(\w+),\s*([^,]+),\s*(ACCESS_\w+),[^,]+,[^,]+,\s*"([\w.]+)"\s*\}'
        for method, path, access, operation in re.findall(row, text):
            roles = ROLES[access]
            found.append(
                Route(method, _path(path, macros), operation, roles and frozenset(roles))
            )
    return found


def of(service):
    """As the running service describes itself; a test compares the two."""
    found = []
    for path, methods in service.get("/openapi.json", api="").json()["paths"].items():
        for method, operation in methods.items():
            security = operation["security"]
            roles = frozenset(security[0]["token"]) if security else None
            found.append(Route(method.upper(), path, operation["operationId"], roles))
    return found
