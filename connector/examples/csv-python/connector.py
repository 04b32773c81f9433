"""A connector for a folder of CSV files, both ways."""

import asyncio
import datetime
import itertools
import json
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "gen"))

from files import KEY, NAME, columns_of, rows_of, table_of, write
from serving import fail, heard, serve
from sluice.connector.v1 import api_limits_pb2, configuration_pb2, connection_pb2, connector_service_pb2_grpc, error_pb2, form_pb2
from sluice.connector.v1 import inbound_pb2, manifest_pb2, outbound_pb2, outcome_pb2, progress_pb2, record_pb2, schema_pb2, stream_pb2

AHEAD = 4  # batches asked for ahead
ROWS = 1000  # in a batch of an inbound stream
LOCK = asyncio.Lock()  # a file is read, changed and written by one run at a time


def answer(answers, field, default=""):
    return next((a.values[0] for a in answers if a.field == field and a.values), default)


async def folder_of(connection, context):
    if connection.method != "folder":
        await fail(context, "there is one connection method, folder", "method")
    folder = answer(connection.answers, "folder")
    if not folder or not os.path.isdir(folder):
        await fail(context, "the folder does not exist" if folder else "name a folder", "folder")
    return pathlib.Path(folder)


async def file_of(folder, name, context, field):
    if not re.fullmatch(NAME, name):
        await fail(context, "name a file with letters, digits, _, - and ., without its .csv", field)
    return folder / f"{name}.csv"


async def columns(path, context):
    try:
        return columns_of(path)
    except (OSError, ValueError) as e:
        await fail(context, told(e), "file")


def told(e):
    """What to say of an error; the system's own would name folders."""
    return e.strerror if isinstance(e, OSError) else str(e)


def apply(path, names, batch):
    """Applies a batch of records; returns what became of them."""
    columns, rows = table_of(path)
    nulls = [set(values.nulls) for values in batch.columns]
    exceptions = invalid(names, batch)
    for i, key in enumerate(batch.identifiers):
        if i in exceptions:
            continue
        if batch.action == "Delete":
            rows.pop(key, None)
        elif batch.action == "Update" and key not in rows:
            exceptions[i] = refused(i, outcome_pb2.OUTCOME_STATUS_REJECTED, "NOT_FOUND", f"{path.name} has no row with this {KEY}")
        else:
            values = {name: None if i in nulls[c] else batch.columns[c].texts[i] for c, name in enumerate(names)}
            rows[key] = {**rows.get(key, {}), KEY: key, **values}
    write(path, list(dict.fromkeys([*columns, KEY, *names])), rows.values())
    return outcome_pb2.Outcomes(seqs=batch.seqs, app_identifiers=batch.identifiers, exceptions=[exceptions[i] for i in sorted(exceptions)])


def invalid(names, batch):
    """What cannot be written, by row."""
    found = {}
    for name, texts in [(KEY, batch.identifiers), *zip(names, (values.texts for values in batch.columns))]:
        for i, text in enumerate(texts):
            if "\0" in text:
                found[i] = refused(i, outcome_pb2.OUTCOME_STATUS_INVALID, "NUL", f"{name} holds a NUL, which no text file does")
    return found


def refused(row, status, code, message):
    return outcome_pb2.RowOutcome(row=row, status=status, error=error(error_pb2.ERROR_CLASS_REJECTED, code, message))


def error(kind, code, message):
    return error_pb2.Error(**{"class": kind}, code=code, message=message)


class Connector(connector_service_pb2_grpc.ConnectorServiceServicer):
    async def Manifest(self, request, context):
        strategy = manifest_pb2.Strategy
        return manifest_pb2.ManifestResponse(manifest=manifest_pb2.Manifest(
            id="csv", name="Folder of CSV files", version="0.1.0", inbound=True,
            features=[manifest_pb2.FEATURE_FORM_OPTIONS, manifest_pb2.FEATURE_VALIDATE_RECORDS],
            strategies=[
                strategy(name="Upsert", on_new="Create", on_changed="Update"),
                strategy(name="Update", on_new="Update", on_changed="Update"),
                strategy(name="Mirror", on_new="Create", on_changed="Update", on_removed="Delete"),
            ],
        ))

    async def ConnectionForm(self, request, context):
        folder = form_pb2.Field(name="folder", kind=form_pb2.FIELD_KIND_INPUT, label="Folder", required=True, help="Where the files are.")
        method = connection_pb2.ConnectionMethod(name="folder", form=form_pb2.Form(fields=[folder]))
        return connection_pb2.ConnectionFormResponse(methods=[method])

    async def NetworkAddresses(self, request, context):
        return connection_pb2.NetworkAddressesResponse()  # none: it talks to nobody

    async def Connect(self, request, context):
        folder = await folder_of(request.connection, context)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            await fail(context, "the folder may not be read and written", "folder")
        return connection_pb2.ConnectResponse(account=f"{len(list(folder.glob('*.csv')))} files in {folder.name}")

    async def ApiLimits(self, request, context):
        await folder_of(request.connection, context)
        return api_limits_pb2.ApiLimitsResponse(limits={})

    async def OutboundConfigurationForm(self, request, context):
        await folder_of(request.connection, context)
        pattern, form = form_pb2.Validation(pattern=NAME, pattern_message="letters, digits, _, - and ."), form_pb2.Form()
        as_input = {"kind": form_pb2.FIELD_KIND_INPUT, "reload_on_change": True}
        form.fields.add(name="file", label="File", required=True, validation=pattern, help="Without its .csv; made if it does not exist.", **as_input)
        form.fields.add(name="columns", label="New columns", help="Columns that the file does not have yet, separated by commas.", **as_input)
        if answer(request.answers, "file"):
            form.mapper.fields.option_source = "columns"
        return configuration_pb2.OutboundConfigurationFormResponse(form=form)

    async def InboundConfigurationForm(self, request, context):
        await folder_of(request.connection, context)
        form, kind = form_pb2.Form(), form_pb2.FIELD_KIND_NUMBER
        form.fields.add(name="checkpoint_rows", kind=kind, label="Rows between checkpoints", default_values=["10000"], validation={"min": 1})
        return configuration_pb2.InboundConfigurationFormResponse(form=form)

    async def FormOptions(self, request, context):
        folder = await folder_of(request.connection, context)
        if request.source != "columns":
            await fail(context, "there is one option source, columns", "source")
        found, name = [], answer(request.answers, "file")
        if name:
            found = await columns(await file_of(folder, name, context, "file"), context)
        new = [column.strip() for column in answer(request.answers, "columns").split(",")]
        names = [n for n in dict.fromkeys([*found, *new]) if n not in ("", KEY) and request.search.lower() in n.lower()]
        begin, size = int(request.page_token or 0), request.page_size or 200
        following = str(begin + size) if begin + size < len(names) else ""
        options = [form_pb2.Option(value=n, type_icon="string") for n in names[begin : begin + size]]
        return configuration_pb2.FormOptionsResponse(options=options, next_page_token=following)

    async def StreamList(self, request, context):
        folder = await folder_of(request.connection, context)
        response, there = stream_pb2.StreamListResponse(), sorted(p.stem for p in folder.glob("*.csv") if re.fullmatch(NAME, p.stem))
        for name in request.names or there:
            if name not in there:
                await fail(context, "there is no such file in the folder", "names")
            stream = response.streams.add(name=name, modes=[stream_pb2.READ_MODE_FULL_REFRESH])
            if request.names:
                names = await columns(folder / f"{name}.csv", context)
                stream.key.extend([KEY] if KEY in names else [])
                stream.json_schema = json.dumps({"type": "object", "properties": {c: {"type": ["string", "null"]} for c in names}})
        return response

    async def ValidateRecords(self, request, context):
        names = [column.name for column in request.schema.columns]
        found = invalid(names, request.batch)
        return outbound_pb2.ValidateRecordsResponse(findings=[found[i] for i in sorted(found)])

    async def SyncOutbound(self, requests, context):
        respond, schemas, path, settled = outbound_pb2.SyncOutboundResponse, {}, None, 0
        start = (await anext(aiter(requests))).start
        folder = await folder_of(start.connection, context)
        path = await file_of(folder, answer(start.sync.answers, "file"), context, "file")
        deadline = start.sync.deadline.ToDatetime(datetime.timezone.utc) if start.sync.HasField("deadline") else None
        waiting = {"activity": f"waiting for records for {path.name}", "waiting": progress_pb2.WAITING_HOST}
        yield respond(progress=progress_pb2.Progress(**waiting))
        yield respond(demand=outbound_pb2.Demand(batches=AHEAD))
        async for message in heard(requests, deadline):
            match message and message.WhichOneof("message"):
                case None:
                    yield respond(progress=progress_pb2.Progress(done=settled, **waiting))
                case "schema":
                    schemas[message.schema.id] = [column.name for column in message.schema.columns]
                case "batch":
                    try:
                        async with LOCK:
                            outcomes = await asyncio.to_thread(apply, path, schemas[message.batch.schema_id], message.batch)
                    except (OSError, ValueError) as e:
                        await fail(context, told(e), "file")
                    settled += len(outcomes.seqs)
                    yield respond(outcomes=outcomes)
                    yield respond(demand=outbound_pb2.Demand(batches=1))
                case "end_of_records" | "stop":
                    break
        yield respond(done=outbound_pb2.OutboundDone(settled=settled))

    async def SyncInbound(self, requests, context):
        respond, messages, stopped = inbound_pb2.SyncInboundResponse, aiter(requests), asyncio.Event()
        start = (await anext(messages)).start
        folder = await folder_of(start.connection, context)
        every = int(answer(start.sync.answers, "checkpoint_rows", "10000"))

        async def listen():
            async for message in messages:
                if message.HasField("stop"):
                    stopped.set()

        listening = asyncio.create_task(listen())
        try:
            for number, selection in enumerate(start.sync.streams):
                path = await file_of(folder, selection.name, context, "streams")
                yield respond(progress=progress_pb2.Progress(activity=f"reading {path.name}", stream=selection.name))
                try:
                    async for message in read(path, selection, f"c{number}", every, stopped):
                        yield respond(**message)
                except (OSError, ValueError) as e:
                    failed = error(error_pb2.ERROR_CLASS_REJECTED, "UNREADABLE", told(e))
                    yield respond(stream_done=inbound_pb2.StreamDone(stream=selection.name, error=failed))
        finally:
            listening.cancel()
        yield respond(done=inbound_pb2.InboundDone(streams=len(start.sync.streams)))


async def read(path, selection, schema_id, every, stopped):
    """The messages of one stream. Its state says how many rows are durable, of which version of the file."""
    stream, about = selection.name, path.stat()
    stamp, state = [about.st_size, about.st_mtime_ns], json.loads(selection.state_json or "{}")
    done = state.get("rows", 0) if state.get("file") == stamp else 0  # another file is read from the beginning
    lines, number, sent = rows_of(path), 0, 0
    columns = [c for c in next(lines) if not selection.fields or c in selection.fields or c == KEY]
    text = schema_pb2.LogicalType(kind=schema_pb2.KIND_STRING)
    yield {"schema": schema_pb2.Schema(id=schema_id, columns=[schema_pb2.Column(name=c, type=text) for c in columns])}
    lines = itertools.islice(lines, done, None)
    while rows := list(itertools.islice(lines, min(ROWS, every))):
        if stopped.is_set():
            cut = error(error_pb2.ERROR_CLASS_CANCELLED, "CANCELLED", "the read was stopped")
            yield {"stream_done": inbound_pb2.StreamDone(stream=stream, error=cut)}
            return
        batch = record_pb2.RecordBatch(schema_id=schema_id, stream=stream, rows=len(rows))
        batch.app_identifiers.extend(row[KEY] or "" for row in rows if KEY in row)
        for name in columns:
            batch.columns.add(texts=[row[name] or "" for row in rows], nulls=[i for i, row in enumerate(rows) if row[name] is None])
        yield {"batch": batch}
        done, sent = done + len(rows), sent + len(rows)
        if sent >= every:
            number, sent = number + 1, 0
            yield {"checkpoint": inbound_pb2.Checkpoint(stream=stream, number=number, state_json=json.dumps({"file": stamp, "rows": done}))}
    yield {"stream_done": inbound_pb2.StreamDone(stream=stream, state_json="{}")}


if __name__ == "__main__":
    asyncio.run(serve(lambda server: connector_service_pb2_grpc.add_ConnectorServiceServicer_to_server(Connector(), server)))
