"""Sends requests made from Zoho's OpenAPI files to a running zohosim and fails on any 5xx or lost connection.

    READY=... SCRATCH=... ZOHO_OAS_DIR=... EXAMPLES=25 python fuzz.py

READY is a file with the line zohosim --json prints, SCRATCH an empty folder, ZOHO_OAS_DIR the folder of the OpenAPI files.

schemathesis makes the requests, valid and invalid ones. The files know neither the organisation's modules nor its ids,
so texts of these are narrowed to names, ids, a file and a job that exist, and a few odd ones; otherwise nearly every
request would end at "no such module". Operations the simulator does not serve are left out.
"""

import collections
import csv
import io
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile

sim = json.loads(pathlib.Path(os.environ["READY"]).read_text())
scratch = pathlib.Path(os.environ["SCRATCH"])
files = {p.name: p for p in sorted(pathlib.Path(os.environ["ZOHO_OAS_DIR"]).glob("*.json"))}
examples = os.environ["EXAMPLES"]
base = sim["base_url"]

MODULES = ["Accounts", "Deals", "Leads", "Vehicles", "Service_Items", "Notes", "Functions__s"]
ODD = ["", "no such thing", "Größe;'%\\", "9" * 40, "-1", "null"]
UNSERVED = re.compile(r"photo|mass_update|territories|fetch_full_data|clone|/search|/files|associated_groups|users/actions|\{external_field_value\}|^/\{download_url\}")
READ_ONLY = re.compile(r"/settings/|/users|/org")
COUNTS = {"page": 3, "per_page": 200, "index": 2, "parent_column_index": 2}
# What a value of a field is made of, by its JSON type; anything for the others.
VALUES = {"string": {"type": "string", "maxLength": 30}, "integer": {"type": "integer"}, "double": {"type": "number"}, "boolean": {"type": "boolean"}}
# What a request needs to get past the first look at it.
REQUIRED = {
    ("bulk_read.json", "Request_Wrapper"): ["query"], ("bulk_read.json", "Query"): ["module"], ("bulk_write.json", "Request_Wrapper"): ["operation", "resource"],
    ("bulk_write.json", "Resource"): ["type", "module", "file_id"], ("modules.json", "Minified_Module"): ["api_name"],
    ("fields.json", "Minified_Field"): ["api_name"], ("coql.json", "Body_Wrapper"): ["select_query"], ("record.json", "Body_Wrapper"): ["data"],
}
CONDITION = (r"((Account_Name|External_Key) (=|!=|like) '[a%]{0,4}'|Employees (=|>|<=) -?[0-9]{1,9}|(Employees|Markets) is (not )?null"
             r"|Account_Name (not )?in \('a', 'b'\)|Employees between [0-9] and [0-9])")
QUERY = (r"^select (count\(id\)|(id|Account_Name|Parent_Account\.Account_Name)(, (Employees|Owner|Markets)){0,2}) from Accounts where "
         + CONDITION + "( (and|or) " + CONDITION + r")?( order by (Employees|id) (asc|desc))?( limit [0-9]{1,4}(, ?[0-9]{1,3})?)?$")


def call(method, path, body=None, **headers):
    request = urllib.request.Request(base + path, data=body, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def access_token():
    form = urllib.parse.urlencode({"grant_type": "refresh_token", **{k: sim[k] for k in ("client_id", "client_secret", "refresh_token")}})
    return call("POST", "/oauth/v2/token", form.encode(), Content_Type="application/x-www-form-urlencoded")["access_token"]


def upload(authorization):
    """Upload a zip of one CSV and return its file id."""
    text, packed, boundary = io.StringIO(), io.BytesIO(), "fuzz-boundary"
    csv.writer(text).writerows([["Account_Name", "External_Key", "Employees"], ["A", "f1", "1"], ["", "f2", "x"], ["B", "f1", ""]])
    with zipfile.ZipFile(packed, "w") as z:
        z.writestr("accounts.csv", text.getvalue())
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'.encode()
            + packed.getvalue() + f"\r\n--{boundary}--\r\n".encode())
    return call("POST", "/crm/v8/upload", body, Authorization=authorization, feature="bulk-write", X_CRM_ORG=sim["org_id"],
                Content_Type=f"multipart/form-data; boundary={boundary}")["details"]["file_id"]


def known_values(authorization):
    """What exists, by the name of a parameter or property."""
    rows = [json.loads(line) for line in urllib.request.urlopen(base + "/_sim/records/Accounts").read().splitlines()]
    job = call("POST", "/crm/bulk/v8/read", b'{"query":{"module":{"api_name":"Accounts"}}}', Authorization=authorization,
               Content_Type="application/json")["data"][0]["details"]["id"]
    ids = [r["id"] for r in rows[:5]]
    described = call("GET", "/crm/v8/settings/fields?module=Accounts", Authorization=authorization)["fields"]
    names = [f["api_name"] for f in described if not f["read_only"]]
    return {
        "module_api_name": MODULES, "module": MODULES, "api_name": names, "id": ids, "ids": ids + [",".join(ids)],
        "external_field_value": ids, "field": [f["id"] for f in described[:5]], "job_id": [job], "file_id": [upload(authorization)],
        "file_names": ["accounts.csv"], "find_by": ["External_Key", "id"] + names[:4], "fields": names + [",".join(names[:5])], "sort_by": names,
        "duplicate_check_fields": names, "feature": ["bulk-write"], "X-CRM-ORG": [sim["org_id"]],
    }, {f["api_name"]: VALUES.get(f["json_type"], {}) for f in described if not f["read_only"] and f["api_name"] != "id"}


def narrow(schema, name, known):
    """Narrow a schema of text to known values."""
    if not isinstance(schema, dict) or "$ref" in schema:
        return schema
    if schema.get("type") == "array" and name in known:
        return {**schema, "items": narrow(schema.get("items", {}), name, known), "minItems": 1}
    if schema.get("type") == "integer" and name in COUNTS:
        return {"type": "integer", "minimum": int("page" in name), "maximum": COUNTS[name]}
    if schema.get("type") == "string" and name == "select_query":
        return {"type": "string", "pattern": QUERY}
    if schema.get("type") in (None, "string") and name in known:
        odd = random.Random(name).sample(ODD, max(1, len(known[name]) // 3) if len(known[name]) < 12 else len(ODD))
        return {"type": "string", "enum": known[name] + odd}
    return schema


def sharpen(node, known):
    """Walk an OpenAPI document: make references local, and narrow to known values wherever a name fits. Callbacks go: the simulator
    would call whatever address is made up."""
    if isinstance(node, list):
        return [sharpen(n, known) for n in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return local(node["$ref"])
    node = {k: sharpen(v, known) for k, v in node.items()}
    if "in" in node and "schema" in node:
        node["schema"] = narrow(node["schema"], node["name"], known)
    if isinstance(node.get("properties"), dict):
        node["properties"] = {k: narrow(v, k, known) for k, v in node["properties"].items() if k != "callback"}
    return node


def local(ref):
    """A reference within the folder, or no constraint where the file it names is not there."""
    place, pointer = ref.split("#", 1)
    name = place.rsplit("/", 1)[-1]
    if place and name not in files:
        return {}
    return {"$ref": (name if place else "") + "#" + pointer}


def prepare(known, account_fields):
    """Write the files to test to the scratch folder and return the names of those with operations."""
    tested = []
    for name, path in files.items():
        document = sharpen(json.loads(path.read_text()), {**known, "api_name": MODULES} if name == "modules.json" else known)
        schemas = document.get("components", {}).get("schemas", {})
        for (file, schema), keys in REQUIRED.items():
            if file == name:
                schemas[schema]["required"] = keys
        if name == "bulk_read.json":
            del schemas["Query"]["properties"]["file_type"]  # the file knows only ics, which the simulator does not serve
            criterion = {**schemas["Criteria"]["properties"], "value": {}}  # an object, says the file; scalars and lists, says the documentation
            group = {k: criterion.pop(k) for k in ("group", "group_operator")}
            schemas["Criteria"] = {"anyOf": [{"type": "object", "properties": criterion, "required": ["field", "comparator", "value"]},
                                             {"type": "object", "properties": group, "required": ["group", "group_operator"]}]}
        if name == "bulk_write.json":
            mappings = schemas["Resource"]["properties"]["field_mappings"]
            mappings["minItems"], mappings["items"]["required"] = 1, ["api_name", "index"]
        if name == "record.json":
            schemas["Record"].update(additionalProperties=False, required=["Account_Name"])
            schemas["Record"]["properties"] = {"id": schemas["Record"]["properties"]["id"], **account_fields}
        document["paths"] = {p: {m: o for m, o in ops.items() if m == "get" or not READ_ONLY.search(p)}
                             for p, ops in document.get("paths", {}).items() if p.startswith("/crm") and not UNSERVED.search(p)}
        if document["paths"]:
            tested.append(name)
        (scratch / name).write_text(json.dumps(document))
    return tested


def main():
    authorization = "Zoho-oauthtoken " + access_token()
    known, account_fields = known_values(authorization)
    failed = []
    for name in prepare(known, account_fields):
        run = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", name, "--url", base, "--header", "Authorization: " + authorization,
             "--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing", "--max-examples", examples, "--seed", "1",
             "--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off", "--request-timeout", "30", "--no-color"],
            cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"})
        print(f"{'ok' if run.returncode == 0 else 'not ok'} - fuzz: {name}")
        if run.returncode != 0:
            failed.append(name)
            print(run.stdout, file=sys.stderr)
    counters = json.loads(urllib.request.urlopen(base + "/_sim/counters").read())
    kinds = collections.Counter()
    for status, n in counters["status"].items():
        kinds[status[0] + "xx"] += n
    routes = {r: n for r, n in counters["requests"].items() if r != "unmatched"}
    print(f"fuzz: {sum(kinds.values())} requests on {len(routes)} endpoints: " + ", ".join(f"{n} {k}" for k, n in sorted(kinds.items())))
    if failed or kinds["5xx"]:
        sys.exit(f"fuzz: failed for {', '.join(failed) or 'a 5xx'}")
    if kinds["2xx"] < 100 or len(routes) < 20:
        sys.exit("fuzz: too few requests got through to prove anything; the files or schemathesis changed")


main()
