"""A host: reaches a connector, and holds the two conversations with it.

A connector is launched as a subprocess (with or without TLS) or dialed where it
is served standalone. `write` sends records and returns what became of each;
`read` stores streams of records. The README tells the flow message by message.
"""

import asyncio
import base64
import contextlib
import datetime
import os
import subprocess
import tempfile
from dataclasses import dataclass, field

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.connector.v1 import connector_service_pb2_grpc, inbound_pb2, outbound_pb2, outcome_pb2, progress_pb2, record_pb2, ticket_pb2

COOKIE = {"SLUICE_CONNECTOR": "a-connector-is-a-program-that-serves-the-contract"}
# Both ends take messages of up to 16 MiB; gRPC's own bound is 4 MiB.
BOUNDS = [("grpc.max_receive_message_length", 16 << 20), ("grpc.max_send_message_length", 16 << 20)]
# A connector that says nothing for so many seconds is dead: it has to say something every 10.
STALL = 60


@contextlib.asynccontextmanager
async def launch(path, tls=True):
    """Starts a connector program; ends it when the block ends."""
    with tempfile.TemporaryDirectory() as sockets:  # of mode 0700
        env = {"PATH": os.environ["PATH"], "PLUGIN_UNIX_SOCKET_DIR": sockets, **COOKIE}
        if tls:
            certificate, key = make_certificate()
            env["PLUGIN_CLIENT_CERT"] = certificate.decode()
        # Its own session, since Ctrl-C is for the host; logs go to the host's stderr.
        program = subprocess.Popen([path], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        try:
            line = await asyncio.wait_for(asyncio.to_thread(program.stdout.readline), STALL)
            core, version, network, address, protocol, *rest = line.decode().strip().split("|")
            if (core, version, network, protocol) != ("1", "1", "unix", "grpc"):
                raise RuntimeError(f"{path} speaks another protocol: {line!r}")
            options = BOUNDS + [("grpc.default_authority", "localhost")]
            if tls:
                der = base64.b64decode(rest[0] + "=" * (-len(rest[0]) % 4))  # it comes without padding
                theirs = x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
                credentials = grpc.ssl_channel_credentials(theirs, key, certificate)
                options.append(("grpc.ssl_target_name_override", "localhost"))
                channel = grpc.aio.secure_channel(f"unix:{address}", credentials, options)
            else:
                channel = grpc.aio.insecure_channel(f"unix:{address}", options)
            async with channel:
                yield connector_service_pb2_grpc.ConnectorServiceStub(channel)
        finally:
            program.terminate()  # it settles what it can, and ends
            try:
                await asyncio.to_thread(program.wait, 10)
            except subprocess.TimeoutExpired:
                program.kill()


@contextlib.asynccontextmanager
async def dial(address, ca, token):
    """Reaches a connector that was started with serve --listen."""
    # Credentials of a call go with TLS only, so that a token never travels in the clear.
    credentials = grpc.composite_channel_credentials(grpc.ssl_channel_credentials(ca), grpc.access_token_call_credentials(token))
    async with grpc.aio.secure_channel(address, credentials, BOUNDS) as channel:
        yield connector_service_pb2_grpc.ConnectorServiceStub(channel)


def make_certificate():
    """A certificate for one launch, as PEM, and its key. BoringSSL, and so gRPC in Python, wants P-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    return certificate.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none)


@dataclass
class Result:
    """What became of the records of an outbound run."""

    outcomes: dict = field(default_factory=dict)  # by record number: the name of a status
    reasons: dict = field(default_factory=dict)  # by record number: the error of one that did not succeed
    tickets: dict = field(default_factory=dict)  # by id: those that are not DONE
    code: grpc.StatusCode = grpc.StatusCode.OK  # how the call ended


async def heard(call):
    """The messages of a call, until it ends or says nothing for too long."""
    while (message := await asyncio.wait_for(call.read(), STALL)) is not grpc.aio.EOF:
        yield message


async def write(service, connection, sync, schema, batches, journal, stop_at=None, patience=5.0):
    """Writes batches of records; returns a Result.

    journal(ticket) returns when the ticket is durable. stop_at(ticket) says that
    the run is to stop; the connector then has patience, in seconds, to end.
    """
    result, batches = Result(), list(batches)
    waiting = {seq for batch in batches for seq in batch.seqs}  # records without an outcome
    returned = [ticket.id for ticket in sync.tickets]  # handed back, and the end of their records not said
    call, sent, stopping, ended, cancelled = service.SyncOutbound(), set(), None, False, False

    async def send(**message):
        with contextlib.suppress(asyncio.InvalidStateError):  # the call has ended; read says how
            await call.write(outbound_pb2.SyncOutboundRequest(**message))

    async def feed(count):
        """Sends as many batches as were asked for; those of tickets come first."""
        nonlocal ended
        for _ in range(min(count, len(batches))):
            await end_tickets(batches[0].ticket_id)
            sent.update(batches[0].seqs)
            await send(batch=batches.pop(0))
        if not batches and not ended:
            ended = True
            await end_tickets("")
            await send(end_of_records=outbound_pb2.EndOfRecords())

    async def end_tickets(following):
        while returned and returned[0] != following:
            await send(ticket_records_end=outbound_pb2.TicketRecordsEnd(ticket_id=returned.pop(0)))

    async def stop():
        nonlocal cancelled
        deadline = Timestamp()
        deadline.FromDatetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=patience))
        await send(stop=progress_pb2.Stop(mode=progress_pb2.STOP_MODE_NOW, deadline=deadline))
        await asyncio.sleep(patience)
        cancelled = call.cancel()

    async def code():
        """How the call ended. Where a write was under way when it was cancelled, grpcio calls that INTERNAL."""
        return grpc.StatusCode.CANCELLED if cancelled else await call.code()

    def settle(outcomes):
        exceptions = {e.row: e for e in outcomes.exceptions}
        for row, seq in enumerate(outcomes.seqs):
            waiting.remove(seq)  # raises where a record is settled twice, or was not sent
            status = exceptions[row].status if row in exceptions else outcome_pb2.OUTCOME_STATUS_SUCCEEDED
            result.outcomes[seq] = outcome_pb2.OutcomeStatus.Name(status).removeprefix("OUTCOME_STATUS_")
            if status != outcome_pb2.OUTCOME_STATUS_SUCCEEDED:
                result.reasons[seq] = exceptions[row].error

    try:
        await send(start=outbound_pb2.OutboundStart(connection=connection, sync=sync))
        await send(schema=schema)
        async for message in heard(call):
            match message.WhichOneof("message"):
                case "demand" if not stopping:
                    await feed(message.demand.batches)
                case "outcomes":
                    settle(message.outcomes)
                case "ticket":
                    ticket = message.ticket
                    journal(ticket)
                    result.tickets[ticket.id] = ticket
                    if ticket.state == ticket_pb2.TICKET_STATE_DONE:
                        del result.tickets[ticket.id]
                    await send(ticket_ack=ticket_pb2.TicketAck(id=ticket.id, state=ticket.state))
                    if stop_at and stop_at(ticket) and not stopping:
                        stopping = asyncio.create_task(stop())
                case "done" if message.done.settled != len(result.outcomes):
                    raise RuntimeError(f"the connector counts {message.done.settled} outcomes, the host {len(result.outcomes)}")
                case "grant_request":
                    raise RuntimeError("the connector asks for budget, though this host keeps no ledger")
        result.code = await code()
    except (grpc.aio.AioRpcError, asyncio.CancelledError):
        if asyncio.current_task().cancelling():
            raise  # not the call was cancelled, but the work it is for
        result.code = await code()
    finally:
        call.cancel()
        if stopping:
            stopping.cancel()
    if result.code == grpc.StatusCode.OK and sent & waiting and not stopping:
        raise RuntimeError(f"the connector lost {len(sent & waiting)} records")
    for seq in waiting:
        result.outcomes[seq] = left(seq, sent, result)
    return result


def left(seq, sent, result):
    """What a record without an outcome is: the journal knows."""
    for ticket in result.tickets.values():
        if any(r.first <= seq <= r.last for r in ticket.seqs):
            if ticket.state == ticket_pb2.TICKET_STATE_SUBMITTED:
                return "DELAYED"  # the ticket is handed back in the next run
            return "RETRY" if ticket.idempotent else "IN_DOUBT"
    return "RETRY" if seq in sent and result.code != grpc.StatusCode.OK else "DELAYED"


async def read(service, connection, sync, store):
    """Reads the selected streams.

    store(stream, rows, state) makes rows and state durable together; a row is a
    dictionary of texts, None for null. Returns the errors of streams that failed.
    """
    schemas, rows, failed = {}, {s.name: [] for s in sync.streams}, {}
    call = service.SyncInbound()
    await call.write(inbound_pb2.SyncInboundRequest(start=inbound_pb2.InboundStart(connection=connection, sync=sync)))
    async for message in heard(call):
        match message.WhichOneof("message"):
            case "schema":
                schemas[message.schema.id] = [column.name for column in message.schema.columns]
            case "batch":
                rows[message.batch.stream] += rows_of(message.batch, schemas[message.batch.schema_id])
            case "tombstones":
                rows[message.tombstones.stream] += [{"id": id, "deleted": "true"} for id in message.tombstones.app_identifiers]
            case "checkpoint":
                point = message.checkpoint
                store(point.stream, rows[point.stream], point.state_json)
                rows[point.stream] = []
                ack = inbound_pb2.CheckpointAck(stream=point.stream, number=point.number)
                await call.write(inbound_pb2.SyncInboundRequest(checkpoint_ack=ack))
            case "stream_done":
                end = message.stream_done
                pending = rows.pop(end.stream)  # a later row of this stream is a KeyError
                if end.HasField("error"):
                    failed[end.stream] = end.error  # the rows since the last checkpoint are dropped
                else:
                    store(end.stream, pending, end.state_json)
    if await call.code() != grpc.StatusCode.OK or rows:
        raise RuntimeError(f"the read ended with {await call.code()}: {await call.details()}; without an end: {list(rows)}")
    return failed


def rows_of(batch, columns):
    nulls = [set(values.nulls) for values in batch.columns]
    return [
        {name: None if row in nulls[i] else batch.columns[i].texts[row] for i, name in enumerate(columns)}
        for row in range(batch.rows)
    ]


def batch_of(rows, columns, action, ticket_id=""):
    """A batch of rows, which are pairs of a record number and a dictionary of texts; the first column is the identifier."""
    values = [
        record_pb2.ColumnValues(
            texts=[row[name] or "" for _, row in rows], nulls=[i for i, (_, row) in enumerate(rows) if row[name] is None]
        )
        for name in columns
    ]
    return record_pb2.RecordBatch(
        schema_id="s1", action=action, ticket_id=ticket_id, rows=len(rows), columns=values,
        seqs=[seq for seq, _ in rows], identifiers=[row[columns[0]] for _, row in rows],
    )
