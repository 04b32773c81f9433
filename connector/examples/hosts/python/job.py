"""What this host is asked to do: write companies to Zoho CRM, read them back, stop in the midst of a job, and go on.

    python job.py --simulator FILE --launch PROGRAM [--plaintext]
    python job.py --simulator FILE --dial HOST:PORT --ca FILE --token-file FILE

FILE is the line that zohosim --json prints.
"""

import argparse
import asyncio
import collections
import json
import os
import pathlib
import tempfile
import time

import host
from google.protobuf import json_format
from sluice.connector.v1 import answer_pb2, connection_pb2, inbound_pb2, manifest_pb2, outbound_pb2, schema_pb2, stream_pb2, ticket_pb2

COLUMNS = ["External_Key", "Account_Name", "Description"]
COUNT, PER_BATCH, PER_JOB = 3000, 250, 1000


def answers(**values):
    return [answer_pb2.Answer(field=name, values=[value]) for name, value in values.items()]


def companies(version):
    """3,000 companies by record number; each thousandth has no name, which Zoho does not take."""
    return {
        n: {"External_Key": f"C{n:05d}", "Account_Name": None if n % 1000 == 0 else f'Company "{n}", Ångström & Söhne', "Description": version}
        for n in range(1, COUNT + 1)
    }


def cut(records, action, ticket_id=""):
    rows = sorted(records.items())
    return [host.batch_of(rows[i : i + PER_BATCH], COLUMNS, action, ticket_id) for i in range(0, len(rows), PER_BATCH)]


class Job:
    def __init__(self, service, simulator, folder):
        self.service, self.journal_file = service, open(folder / "journal.ndjson", "a")
        self.connection = connection_pb2.Connection(
            id="crm", method="self_client",
            answers=answers(data_center="US", client_id=simulator["client_id"], endpoint_url=simulator["base_url"]),
            secrets=answers(client_secret=simulator["client_secret"], refresh_token=simulator["refresh_token"]),
        )

    def journal(self, ticket):
        self.journal_file.write(json_format.MessageToJson(ticket, indent=None) + "\n")
        self.journal_file.flush()
        os.fsync(self.journal_file.fileno())

    async def connect(self):
        manifest = (await self.service.Manifest(manifest_pb2.ManifestRequest())).manifest
        connected = await self.service.Connect(connection_pb2.ConnectRequest(connection=self.connection))
        self.connection.parameters.extend(connected.parameters)  # and secrets, which replace those of the same name
        print(f"{manifest.name} {manifest.version}, connected to {connected.account}")

    def sync(self, run, tickets=()):
        return outbound_pb2.OutboundSync(
            sync_id="companies", run_id=run, keeps_tickets=True, records=COUNT, tickets=tickets,
            strategy=manifest_pb2.Strategy(name="Upsert", on_new="Create", on_changed="Update"),
            answers=answers(module="Accounts", unique_field="External_Key", path="bulk", batch_size=str(PER_JOB)),
            mapping=self.schema().columns,
        )

    def schema(self):
        text = schema_pb2.LogicalType(kind=schema_pb2.KIND_STRING)
        return schema_pb2.Schema(id="s1", columns=[schema_pb2.Column(name=name, type=text) for name in COLUMNS])

    async def write(self, run, batches, tickets=(), **how):
        began = time.monotonic()
        result = await host.write(self.service, self.connection, self.sync(run, tickets), self.schema(), batches, self.journal, **how)
        seconds, counts = time.monotonic() - began, dict(collections.Counter(result.outcomes.values()))
        print(f"run {run}: {result.code.name} after {seconds:.1f} s: {counts}, open tickets: {len(result.tickets)}")
        return result, counts, seconds

    async def read(self):
        """Reads Accounts in full; rows and state would go into one transaction."""
        stored = []
        sync = inbound_pb2.InboundSync(
            sync_id="accounts", run_id="in", acks_checkpoints=True,
            streams=[inbound_pb2.StreamSelection(name="Accounts", mode=stream_pb2.READ_MODE_FULL_REFRESH, fields=COLUMNS)],
        )
        sync.started_at.GetCurrentTime()
        failed = await host.read(self.service, self.connection, sync, lambda stream, rows, state: stored.extend(rows))
        assert not failed, failed
        rows = {row["External_Key"]: {name: row[name] for name in COLUMNS} for row in stored}
        print(f"read {len(stored)} rows of Accounts, {len(rows)} keys")
        assert len(rows) == len(stored), "a row was read twice"
        return rows


def in_app(records):
    return {row["External_Key"]: row for row in records.values() if row["Account_Name"] is not None}


async def run(service, simulator, folder):
    job = Job(service, simulator, folder)
    await job.connect()

    # Write all, and read back what was written.
    result, counts, _ = await job.write("1", cut(companies("one"), "Create"))
    assert counts == {"SUCCEEDED": COUNT - 3, "REJECTED": 3}, counts
    print("for instance:", result.reasons[1000].code, result.reasons[1000].message)
    assert not result.tickets
    assert await job.read() == in_app(companies("one")), "the app's content is not what was written"

    # Stop when the first job is submitted; the connector ends by itself.
    submitted = lambda ticket: ticket.state == ticket_pb2.TICKET_STATE_SUBMITTED
    two = companies("two")
    result, counts, seconds = await job.write("2", cut(two, "Update"), stop_at=submitted)
    assert result.code.name == "OK" and len(result.outcomes) == COUNT and seconds < 10, counts
    assert counts.get("DELAYED") and result.tickets, "nothing was left to do"

    # Go on where it was: tickets that were submitted are handed back, with their records first.
    left = {n for n, status in result.outcomes.items() if status in ("DELAYED", "RETRY")}
    tickets = [ticket for ticket in result.tickets.values() if submitted(ticket)]
    batches = []
    for ticket in tickets:
        held = {n for n in left if any(r.first <= n <= r.last for r in ticket.seqs)}
        batches += cut({n: two[n] for n in held}, "Update", ticket.id)
        left -= held
    result, _, _ = await job.write("2", batches + cut({n: two[n] for n in left}, "Update"), tickets)
    assert not result.tickets and set(result.outcomes.values()) <= {"SUCCEEDED", "REJECTED"}
    assert await job.read() == in_app(two), "the app's content is not what was written"

    # Cancel without patience: what became of the records is told by the journal.
    result, counts, seconds = await job.write("3", cut(companies("three"), "Update"), stop_at=submitted, patience=0)
    assert result.code.name == "CANCELLED" and len(result.outcomes) == COUNT and seconds < 10, counts


async def main():
    flags = argparse.ArgumentParser()
    flags.add_argument("--simulator", type=pathlib.Path, required=True)
    flags.add_argument("--launch")
    flags.add_argument("--plaintext", action="store_true")
    flags.add_argument("--dial")
    flags.add_argument("--ca", type=pathlib.Path)
    flags.add_argument("--token-file", type=pathlib.Path)
    f = flags.parse_args()
    if f.launch:
        reached = host.launch(f.launch, tls=not f.plaintext)
    else:
        reached = host.dial(f.dial, f.ca.read_bytes(), f.token_file.read_text().strip())
    with tempfile.TemporaryDirectory() as folder:
        async with reached as service:
            await run(service, json.loads(f.simulator.read_text()), pathlib.Path(folder))
    print("ok")


if __name__ == "__main__":
    asyncio.run(main())
