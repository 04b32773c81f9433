"""Drives a running zohosim with Zoho's official Python SDK 8.0: auth, metadata, records, bulk write, bulk read.

    READY=... SCRATCH=... python check.py

READY is a file with the line zohosim --json prints, SCRATCH an empty folder. What the SDK reports is compared with what the simulator stored, which the
admin side (/_sim/) tells.
"""

import csv
import datetime
import io
import json
import os
import pathlib
import sys
import traceback
import urllib.request
import zipfile

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.file_store import FileStore
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, Initializer, ParameterMap, SDKConfig
from zohocrmsdk.src.com.zoho.crm.api import bulk_read, bulk_write, coql, fields, modules, org, record, users
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.util import Choice, StreamWrapper

sim = json.loads(pathlib.Path(os.environ["READY"]).read_text())
scratch = pathlib.Path(os.environ["SCRATCH"])


def admin(path, data=None):
    """Ask the simulator itself."""
    with urllib.request.urlopen(sim["base_url"] + path, data=data) as answer:
        return answer.read().decode()


def stored(module):
    """All live records of a module, their values as canonical text."""
    return [json.loads(line) for line in admin("/_sim/records/" + module).splitlines()]


def mints():
    return json.loads(admin("/_sim/counters"))["token_mints"]


def equal(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def connect(name, **credentials):
    """Make the SDK use these credentials, with a token store and a field cache of their own."""
    home = scratch / name
    home.mkdir()
    token = OAuthToken(client_id=sim["client_id"], client_secret=sim["client_secret"], **credentials)
    base = sim["base_url"]
    Initializer.initialize(
        environment=DataCenter.Environment(base, base + "/oauth/v2/token", base), token=token,
        store=FileStore(str(home / "tokens.txt")), resource_path=str(home),
        sdk_config=SDKConfig(auto_refresh_fields=False, pick_list_validation=True, read_timeout=30, connect_timeout=10))
    return token


def ok(answer, status):
    """Insist on a status and return the model the SDK parsed."""
    equal((answer.get_status_code(), type(answer.get_object()).__name__ == "APIException"), (status, False))
    return answer.get_object()


def value(v):
    return v.get_value() if isinstance(v, Choice) else v


def success(model, package):
    """Insist that each element was parsed as a success and return the details of each."""
    for e in model.get_data():
        assert isinstance(e, package.SuccessResponse), f"want a success, the SDK parsed {type(e).__name__}"
        equal(value(e.get_status()), "success")
    return [e.get_details() for e in model.get_data()]


def auth():
    before = mints()
    granted = connect("grant", grant_token=sim["grant_code"], redirect_url=sim["base_url"] + "/done")
    organisation = ok(org.OrgOperations().get_organization(), 200).get_org()[0]
    equal(organisation.get_zgid(), sim["org_id"])
    assert granted.get_refresh_token(), "no refresh token from the grant code"
    assert granted.get_user_signature(), "the SDK did not find the user of the token"
    equal(mints(), before + 1)

    OAuthToken.revoke_refresh_token(granted.get_refresh_token(), sim["base_url"] + "/oauth/v2/token/revoke")
    try:
        connect("revoked", refresh_token=granted.get_refresh_token())
        ok(org.OrgOperations().get_organization(), 200)
        raise AssertionError("a revoked refresh token still works")
    except SDKException as e:
        assert "invalid_code" in str(e), e

    refreshed = connect("refresh", refresh_token=sim["refresh_token"])
    ok(org.OrgOperations().get_organization(), 200)
    assert refreshed.get_access_token()
    equal(mints(), before + 2)


def metadata():
    listed = ok(modules.ModulesOperations().get_modules(), 200).get_modules()
    equal(sorted(m.get_api_name() for m in listed), sorted(m["api_name"] for m in json.loads(admin("/_sim/state"))["modules"]))
    assert next(m for m in listed if m.get_api_name() == "Accounts").get_api_supported()
    equal(ok(modules.ModulesOperations().get_module_by_api_name("Accounts"), 200).get_modules()[0].get_api_name(), "Accounts")

    params = ParameterMap()
    params.add(fields.GetFieldsParam.module, "Accounts")
    described = ok(fields.FieldsOperations().get_fields(params), 200).get_fields()
    types = {f.get_api_name(): f.get_data_type() for f in described}
    for name, want in {"Account_Name": "text", "Markets": "multiselectpicklist", "Parent_Account": "lookup", "Last_Audit": "datetime",
                       "Service_Items": "subform", "Contract": "fileupload"}.items():
        equal(types[name], want)
    equal([f.get_api_name() for f in described if f.get_system_mandatory()], ["Account_Name"])
    assert ok(users.UsersOperations().get_users(), 200).get_users()


def account(**values):
    r = record.Record()
    for k, v in values.items():
        r.add_key_value(k, v)
    return r


def body(*records):
    b = record.BodyWrapper()
    b.set_data(list(records))
    return b


def records():
    ops = record.RecordOperations("Accounts")
    parent = success(ok(ops.create_records(body(account(Account_Name="Parent", External_Key="py-p"))), 201), record)[0]
    parent_id = int(parent["id"])
    link = record.Record()
    link.set_id(parent_id)
    audit = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    made = success(ok(ops.create_records(body(account(
        Account_Name="Müller & Söhne", External_Key="py-1", Account_Type=Choice("Customer"), Annual_Revenue=1234.5, Employees=7,
        Is_Key_Account=True, Founded_On=datetime.date(1999, 12, 31), Last_Audit=audit, Markets=[Choice("EMEA"), Choice("APAC")],
        Parent_Account=link))), 201), record)[0]
    record_id = int(made["id"])
    row = next(r for r in stored("Accounts") if r.get("External_Key") == "py-1")
    want = {"id": str(record_id), "Account_Name": "Müller & Söhne", "Account_Type": "Customer", "Annual_Revenue": "1234.5", "Employees": "7",
            "Is_Key_Account": "true", "Founded_On": "1999-12-31", "Last_Audit": "2026-01-02T03:04:05Z", "Markets": "EMEA;APAC",
            "Parent_Account": str(parent_id)}
    equal({k: row.get(k) for k in want}, want)

    got = ok(ops.get_record(record_id), 200).get_data()[0]
    equal((got.get_id(), got.get_key_value("Account_Name"), got.get_key_value("Annual_Revenue")), (record_id, "Müller & Söhne", 1234.5))
    equal((got.get_key_value("Last_Audit"), got.get_key_value("Founded_On")), (audit, datetime.date(1999, 12, 31)))
    equal(sorted(value(m) for m in got.get_key_value("Markets")), ["APAC", "EMEA"])
    equal(got.get_key_value("Parent_Account").get_id(), parent_id)
    assert isinstance(got.get_created_time(), datetime.datetime)

    params = ParameterMap()
    params.add(record.GetRecordsParam.fields, "Account_Name,External_Key")
    params.add(record.GetRecordsParam.per_page, 1)
    page = ok(ops.get_records(params), 200)
    equal((len(page.get_data()), page.get_info().get_more_records()), (1, True))

    success(ok(ops.update_record(record_id, body(account(Employees=8))), 200), record)
    equal(next(r for r in stored("Accounts") if r.get("External_Key") == "py-1")["Employees"], "8")

    upsert = body(account(External_Key="py-1", Account_Name="Renamed"), account(External_Key="py-2", Account_Name="New"))
    upsert.set_duplicate_check_fields(["External_Key"])
    both = ok(ops.upsert_records(upsert), 200)
    details = success(both, record)
    equal([value(e.get_action()) for e in both.get_data()], ["update", "insert"])
    equal(int(details[0]["id"]), record_id)
    second = int(details[1]["id"])

    mixed = ok(ops.create_records(body(account(External_Key="py-3"), account(Account_Name="Fine"))), 207).get_data()
    equal([type(e).__name__ for e in mixed], ["APIException", "SuccessResponse"])
    equal(value(mixed[0].get_code()), "MANDATORY_NOT_FOUND")

    query = coql.BodyWrapper()
    query.set_select_query("select Account_Name, Employees from Accounts where External_Key = 'py-1' limit 0, 10")
    found = ok(coql.CoqlOperations().get_records(query), 200).get_data()
    equal([r.get_key_value("Account_Name") for r in found], ["Renamed"])

    success(ok(ops.delete_record(second), 200), record)
    params = ParameterMap()
    params.add(record.DeleteRecordsParam.ids, f"{record_id},{mixed[1].get_details()['id']}")
    success(ok(ops.delete_records(params), 200), record)
    equal([r["External_Key"] for r in stored("Accounts") if r.get("External_Key", "").startswith("py-")], ["py-p"])
    gone = ok(ops.get_deleted_records(), 200).get_data()
    assert (record_id, "Renamed") in [(d.get_id(), d.get_display_name()) for d in gone]
    equal(ops.get_record(record_id).get_status_code(), 204)


def until(ask, state, terminal):
    """Ask for a job's details until its state is terminal; jobs of this run end at a poll, not by time."""
    for _ in range(20):
        job = ask()
        if value(state(job)) in terminal:
            return job
    raise AssertionError("the job did not finish in 20 polls")


def unzip(answer):
    """Read the only file of a downloaded zip as dicts, and its header."""
    wrapper = ok(answer, 200).get_file()
    assert wrapper.get_name().endswith(".zip"), wrapper.get_name()
    content = b"".join(wrapper.get_stream())
    with zipfile.ZipFile(io.BytesIO(content)) as z:
        equal(len(z.namelist()), 1)
        reader = csv.DictReader(io.StringIO(z.read(z.namelist()[0]).decode("utf-8")))
        return list(reader), reader.fieldnames


def accounts_module():
    m = modules.MinifiedModule()
    m.set_api_name("Accounts")
    return m


def bulk_writes():
    columns = ["External_Key", "Account_Name", "Employees"]
    rows = [["py-b1", 'Bulk, "One"', "1"], ["py-b2", "Bulk Two", "2"], ["py-p", "Parent again", ""], ["py-b4", "", "4"]]
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    path = scratch / "accounts.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("accounts.csv", text.getvalue())
    upload = bulk_write.FileBodyWrapper()
    upload.set_file(StreamWrapper(file_path=str(path)))
    headers = HeaderMap()
    headers.add(bulk_write.UploadFileHeader.feature, "bulk-write")
    headers.add(bulk_write.UploadFileHeader.x_crm_org, sim["org_id"])
    ops = bulk_write.BulkWriteOperations()
    uploaded = ok(ops.upload_file(upload, headers), 200)
    equal(type(uploaded).__name__, "SuccessResponse")

    mappings = []
    for index, name in enumerate(columns):
        m = bulk_write.FieldMapping()
        m.set_api_name(name)
        m.set_index(index)
        mappings.append(m)
    resource = bulk_write.Resource()
    resource.set_type(Choice("data"))
    resource.set_module(accounts_module())
    resource.set_file_id(str(uploaded.get_details()["file_id"]))
    resource.set_file_names(["accounts.csv"])
    resource.set_find_by("External_Key")
    resource.set_ignore_empty(True)
    resource.set_field_mappings(mappings)
    request = bulk_write.RequestWrapper()
    request.set_character_encoding("UTF-8")
    request.set_operation(Choice("upsert"))
    request.set_resource([resource])
    created = ok(ops.create_bulk_write_job(request), 201)
    equal(type(created).__name__, "SuccessResponse")
    job_id = str(created.get_details()["id"])

    job = until(lambda: ok(ops.get_bulk_write_job_details(job_id), 200), lambda j: j.get_status(), ["COMPLETED", "FAILED"])
    equal((type(job).__name__, value(job.get_status()), job.get_id()), ("BulkWriteResponse", "COMPLETED", job_id))
    counted = job.get_resource()[0].get_file()
    equal((counted.get_added_count(), counted.get_updated_count(), counted.get_skipped_count(), counted.get_total_count()), (2, 1, 1, 4))

    lines, _ = unzip(ops.download_bulk_write_result(job.get_result().get_download_url()))
    equal([line["STATUS"] for line in lines], ["ADDED", "ADDED", "UPDATED", "SKIPPED"])
    now = {r.get("External_Key"): r for r in stored("Accounts")}
    equal((now["py-b1"]["Account_Name"], now["py-b1"]["Employees"]), ('Bulk, "One"', "1"))
    equal(now["py-b2"]["id"], lines[1]["RECORD_ID"])
    equal(now["py-p"]["Account_Name"], "Parent again")
    assert "py-b4" not in now


def bulk_reads():
    field = fields.MinifiedField()
    field.set_api_name("External_Key")
    criteria = bulk_read.Criteria()
    criteria.set_field(field)
    criteria.set_comparator(Choice("starts_with"))
    criteria.set_value("py-b")
    query = bulk_read.Query()
    query.set_module(accounts_module())
    query.set_fields(["External_Key", "Account_Name", "Employees"])
    query.set_page(1)
    query.set_criteria(criteria)
    request = bulk_read.BodyWrapper()
    request.set_query(query)
    ops = bulk_read.BulkReadOperations()
    job_id = int(success(ok(ops.create_bulk_read_job(request), 201), bulk_read)[0]["id"])

    job = until(lambda: ok(ops.get_bulk_read_job_details(job_id), 200).get_data()[0], lambda j: j.get_state(), ["COMPLETED", "FAILURE"])
    equal((type(job).__name__, value(job.get_state()), int(job.get_id())), ("JobDetail", "COMPLETED", job_id))
    equal((job.get_result().get_count(), job.get_result().get_more_records()), (2, False))

    lines, columns = unzip(ops.download_result(job_id))
    equal(columns[0], "Id")
    equal(sorted((line["External_Key"], line["Account_Name"]) for line in lines), [("py-b1", 'Bulk, "One"'), ("py-b2", "Bulk Two")])
    equal(sorted(line["Id"] for line in lines), sorted(r["id"] for r in stored("Accounts") if r.get("External_Key", "").startswith("py-b")))


for check in (auth, metadata, records, bulk_writes, bulk_reads):
    try:
        check()
    except Exception:
        print(f"not ok - python: {check.__name__}", file=sys.stderr)
        traceback.print_exc()
        sys.exit(1)
    print(f"ok - python: {check.__name__}", flush=True)
