// A host: reaches a connector, and holds the two conversations with it.
//
// A connector is launched as a subprocess (with or without TLS) or dialed where
// it is served standalone. `write` sends records and returns what became of
// each; `read` stores streams of records. The README tells the flow message by
// message.

import { type ChildProcess, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import * as grpc from '@grpc/grpc-js';
import * as loader from '@grpc/proto-loader';
import { generate } from 'selfsigned';

import type { ProtoGrpcType } from './gen/connector_service.js';
import type { Connection } from './gen/sluice/connector/v1/Connection.js';
import type { ConnectorServiceClient } from './gen/sluice/connector/v1/ConnectorService.js';
import type { Error__Output } from './gen/sluice/connector/v1/Error.js';
import type { InboundSync } from './gen/sluice/connector/v1/InboundSync.js';
import type { Outcomes__Output } from './gen/sluice/connector/v1/Outcomes.js';
import type { OutboundSync } from './gen/sluice/connector/v1/OutboundSync.js';
import type { RecordBatch, RecordBatch__Output } from './gen/sluice/connector/v1/RecordBatch.js';
import type { Schema } from './gen/sluice/connector/v1/Schema.js';
import type { SyncInboundRequest } from './gen/sluice/connector/v1/SyncInboundRequest.js';
import type { SyncInboundResponse__Output } from './gen/sluice/connector/v1/SyncInboundResponse.js';
import type { SyncOutboundRequest } from './gen/sluice/connector/v1/SyncOutboundRequest.js';
import type { SyncOutboundResponse__Output } from './gen/sluice/connector/v1/SyncOutboundResponse.js';
import type { Ticket__Output } from './gen/sluice/connector/v1/Ticket.js';

const cookie = { SLUICE_CONNECTOR: 'a-connector-is-a-program-that-serves-the-contract' };
// Both ends take messages of up to 16 MiB; gRPC's own bound is 4 MiB.
const bounds = { 'grpc.max_receive_message_length': 16 << 20, 'grpc.max_send_message_length': 16 << 20 };
// A connector that says nothing for so many milliseconds is dead: it has to say something every 10 seconds.
const stall = 60_000;

export type Row = Record<string, string | null>;

/** A connector that was reached; close ends what was begun to reach it. */
export interface Reached {
  service: ConnectorServiceClient;
  close(): Promise<void>;
}

function client(address: string, credentials: grpc.ChannelCredentials, options: grpc.ChannelOptions): ConnectorServiceClient {
  const definition = loader.loadSync('sluice/connector/v1/connector_service.proto', {
    includeDirs: [process.env.PROTO ?? '../../../../proto'], longs: Number, enums: String, defaults: true, oneofs: true,
  });
  const { ConnectorService } = (grpc.loadPackageDefinition(definition) as unknown as ProtoGrpcType).sluice.connector.v1;
  return new ConnectorService(address, credentials, { ...bounds, ...options });
}

/** Starts a connector program. */
export async function launch(path: string, tls = true): Promise<Reached> {
  const sockets = await mkdtemp(join(tmpdir(), 'host-')); // of mode 0700
  const own = tls ? await makeCertificate() : undefined;
  // Its own group, since Ctrl-C is for the host; logs go to the host's stderr.
  const program = spawn(path, {
    env: { PATH: process.env.PATH, PLUGIN_UNIX_SOCKET_DIR: sockets, ...cookie, ...(own && { PLUGIN_CLIENT_CERT: own.certificate }) },
    stdio: ['ignore', 'pipe', 'inherit'], detached: true,
  });
  const ended = new Promise<void>((resolve) => program.once('close', () => resolve()));
  const close = async () => {
    program.kill('SIGTERM'); // it settles what it can, and ends
    const late = setTimeout(() => program.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(late);
    await rm(sockets, { recursive: true });
  };
  try {
    const line = await firstLine(program);
    const [core, version, network, address, protocol, theirs] = line.split('|');
    if (core !== '1' || version !== '1' || network !== 'unix' || protocol !== 'grpc') {
      throw new Error(`${path} speaks another protocol: ${line}`);
    }
    const options: grpc.ChannelOptions = { 'grpc.default_authority': 'localhost' };
    let credentials = grpc.credentials.createInsecure();
    if (own) {
      const root = new X509Certificate(Buffer.from(theirs, 'base64')).toString();
      credentials = grpc.credentials.createSsl(Buffer.from(root), Buffer.from(own.key), Buffer.from(own.certificate));
      options['grpc.ssl_target_name_override'] = 'localhost';
    }
    const service = client(`unix:${address}`, credentials, options);
    return { service, close: () => { service.close(); return close(); } };
  } catch (error) {
    await close();
    throw error;
  }
}

async function firstLine(program: ChildProcess): Promise<string> {
  const lines = createInterface(program.stdout!)[Symbol.asyncIterator]();
  const failed = new Promise<never>((_, reject) => program.once('error', reject));
  const late = sleep(stall, undefined, { ref: false }).then(() => { throw new Error('the connector did not answer in time'); });
  const { value, done } = await Promise.race([lines.next(), failed, late]);
  if (done) throw new Error('the connector ended before it answered');
  return value;
}

/** Reaches a connector that was started with serve --listen. */
export function dial(address: string, ca: Buffer, token: string): Reached {
  // Credentials of a call go with TLS only, so that a token never travels in the clear.
  const bearer = grpc.credentials.createFromMetadataGenerator((_, done) => {
    const metadata = new grpc.Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    done(null, metadata);
  });
  const service = client(address, grpc.credentials.combineChannelCredentials(grpc.credentials.createSsl(ca), bearer), {});
  return { service, close: async () => service.close() };
}

/** A certificate for one launch, as PEM, and its key. */
async function makeCertificate(): Promise<{ certificate: string; key: string }> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec', curve: 'P-256', algorithm: 'sha256',
    extensions: [{ name: 'basicConstraints', cA: true, critical: true }, { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  });
  return { certificate: made.cert, key: made.private };
}

/** One unary call. */
export function ask<Q, R>(method: (request: Q, done: grpc.requestCallback<R>) => unknown, request: Q): Promise<R> {
  return new Promise((resolve, reject) => method(request, (error, answer) => (error ? reject(error) : resolve(answer!))));
}

/** The messages of a call, until it ends or says nothing for too long. Reading no further holds the other side back. */
async function* heard<Sent, Got>(call: grpc.ClientDuplexStream<Sent, Got>): AsyncGenerator<Got> {
  const silence = setTimeout(() => call.destroy(new Error('the connector says nothing any more')), stall);
  try {
    for await (const message of call) {
      silence.refresh();
      yield message as Got;
    }
  } finally {
    clearTimeout(silence);
  }
}

/** What became of the records of an outbound run. */
export class Result {
  outcomes = new Map<number, string>(); // by record number: a status without its prefix
  reasons = new Map<number, Error__Output>(); // by record number: why one did not succeed
  tickets = new Map<string, Ticket__Output>(); // those that are not DONE
  code = grpc.status.OK; // how the call ended
}

export interface Writing {
  connection: Connection;
  sync: OutboundSync;
  schema: Schema;
  batches: RecordBatch[];
  /** Returns when the ticket is durable. */
  journal(ticket: Ticket__Output): Promise<void>;
  /** Says that the run is to stop; the connector then has patience, in milliseconds, to end. */
  stopAt?(ticket: Ticket__Output): boolean;
  patience?: number;
}

/** Writes batches of records. */
export async function write(service: ConnectorServiceClient, w: Writing): Promise<Result> {
  const result = new Result();
  const batches = [...w.batches];
  const waiting = new Set(batches.flatMap((b) => b.seqs as number[])); // records without an outcome
  const returned = (w.sync.tickets ?? []).map((t) => t.id!); // handed back, and the end of their records not said
  const sent = new Set<number>();
  const call = service.syncOutbound();
  const send = (message: SyncOutboundRequest) => { call.write(message); };
  let stopping: NodeJS.Timeout | undefined;
  let ended = false;

  const endTickets = (following?: string) => {
    while (returned.length && returned[0] !== following) send({ ticketRecordsEnd: { ticketId: returned.shift() } });
  };
  /** Sends as many batches as were asked for; those of tickets come first. */
  const feed = (count: number) => {
    for (const batch of batches.splice(0, count)) {
      endTickets(batch.ticketId);
      for (const seq of batch.seqs as number[]) sent.add(seq);
      send({ batch });
    }
    if (!batches.length && !ended) {
      ended = true;
      endTickets();
      send({ endOfRecords: {} });
    }
  };
  const stop = () => {
    const patience = w.patience ?? 5000;
    const deadline = Date.now() + patience;
    send({ stop: { mode: 'STOP_MODE_NOW', deadline: { seconds: Math.floor(deadline / 1000), nanos: (deadline % 1000) * 1e6 } } });
    stopping = setTimeout(() => call.cancel(), patience);
  };
  const settle = (outcomes: Outcomes__Output) => {
    const exceptions = new Map(outcomes.exceptions.map((e) => [e.row, e]));
    outcomes.seqs.forEach((seq, row) => {
      if (!waiting.delete(seq)) throw new Error(`record ${seq} is settled twice, or was not sent`);
      const exception = exceptions.get(row);
      result.outcomes.set(seq, (exception?.status ?? 'OUTCOME_STATUS_SUCCEEDED').replace('OUTCOME_STATUS_', ''));
      if (exception?.error) result.reasons.set(seq, exception.error);
    });
  };
  const handle = async (m: SyncOutboundResponse__Output) => {
    switch (m.message) {
      case 'demand':
        if (!stopping) feed(m.demand!.batches);
        break;
      case 'outcomes':
        settle(m.outcomes!);
        break;
      case 'ticket': {
        const ticket = m.ticket!;
        await w.journal(ticket);
        if (ticket.state === 'TICKET_STATE_DONE') result.tickets.delete(ticket.id);
        else result.tickets.set(ticket.id, ticket);
        send({ ticketAck: { id: ticket.id, state: ticket.state } });
        if (!stopping && w.stopAt?.(ticket)) stop();
        break;
      }
      case 'done':
        if (m.done!.settled !== result.outcomes.size) throw new Error(`the connector counts ${m.done!.settled} outcomes, the host ${result.outcomes.size}`);
        break;
      case 'grantRequest':
        throw new Error('the connector asks for budget, though this host keeps no ledger');
    }
  };

  send({ start: { connection: w.connection, sync: w.sync } });
  send({ schema: w.schema });
  try {
    for await (const message of heard(call)) await handle(message);
  } catch (error) {
    if (typeof (error as grpc.ServiceError).code !== 'number') throw error; // not the end of the call, but the host's own
    result.code = (error as grpc.ServiceError).code;
  } finally {
    clearTimeout(stopping);
    call.cancel();
  }
  const lost = [...sent].filter((seq) => waiting.has(seq)).length;
  if (result.code === grpc.status.OK && lost && !stopping) throw new Error(`the connector lost ${lost} records`);
  for (const seq of waiting) result.outcomes.set(seq, left(seq, sent, result));
  return result;
}

/** What a record without an outcome is: the journal knows. */
function left(seq: number, sent: Set<number>, result: Result): string {
  for (const ticket of result.tickets.values()) {
    if (!ticket.seqs.some((r) => r.first <= seq && seq <= r.last)) continue;
    if (ticket.state === 'TICKET_STATE_SUBMITTED') return 'DELAYED'; // the ticket is handed back in the next run
    return ticket.idempotent ? 'RETRY' : 'IN_DOUBT';
  }
  return sent.has(seq) && result.code !== grpc.status.OK ? 'RETRY' : 'DELAYED';
}

/**
 * Reads the selected streams. store makes rows and state durable together.
 * Returns the errors of streams that failed.
 */
export async function read(
  service: ConnectorServiceClient, connection: Connection, sync: InboundSync,
  store: (stream: string, rows: Row[], state: string) => Promise<void>,
): Promise<Map<string, Error__Output>> {
  const schemas = new Map<string, string[]>();
  const rows = new Map<string, Row[]>((sync.streams ?? []).map((s) => [s.name!, []]));
  const failed = new Map<string, Error__Output>();
  const call = service.syncInbound();
  const send = (message: SyncInboundRequest) => { call.write(message); };
  const of = (stream: string) => {
    const found = rows.get(stream);
    if (!found) throw new Error(`the connector sent something of ${stream}, which was not selected or has ended`);
    return found;
  };
  const handle = async (m: SyncInboundResponse__Output) => {
    switch (m.message) {
      case 'schema':
        schemas.set(m.schema!.id, m.schema!.columns.map((c) => c.name));
        break;
      case 'batch':
        of(m.batch!.stream).push(...rowsOf(m.batch!, schemas.get(m.batch!.schemaId)!));
        break;
      case 'tombstones':
        of(m.tombstones!.stream).push(...m.tombstones!.appIdentifiers.map((id) => ({ id, deleted: 'true' })));
        break;
      case 'checkpoint': {
        const { stream, number, stateJson } = m.checkpoint!;
        await store(stream, of(stream), stateJson);
        rows.set(stream, []);
        send({ checkpointAck: { stream, number } });
        break;
      }
      case 'streamDone': {
        const { stream, stateJson, error } = m.streamDone!;
        if (error) failed.set(stream, error); // the rows since the last checkpoint are dropped
        else await store(stream, of(stream), stateJson);
        rows.delete(stream);
      }
    }
  };
  send({ start: { connection, sync } });
  try {
    for await (const message of heard(call)) await handle(message);
  } finally {
    call.cancel();
  }
  if (rows.size) throw new Error(`the call ended without an end of ${[...rows.keys()]}`);
  return failed;
}

function rowsOf(batch: RecordBatch__Output, columns: string[]): Row[] {
  const nulls = batch.columns.map((c) => new Set(c.nulls));
  return Array.from({ length: batch.rows }, (_, row) =>
    Object.fromEntries(columns.map((name, i) => [name, nulls[i].has(row) ? null : batch.columns[i].texts[row]])));
}

/** A batch of rows by record number; the first column is the identifier. */
export function batchOf(rows: [number, Row][], columns: string[], action: string, ticketId = ''): RecordBatch {
  return {
    schemaId: 's1', action, ticketId, rows: rows.length,
    seqs: rows.map(([seq]) => seq), identifiers: rows.map(([, row]) => row[columns[0]]!),
    columns: columns.map((name) => ({
      texts: rows.map(([, row]) => row[name] ?? ''),
      nulls: rows.flatMap(([, row], i) => (row[name] === null ? [i] : [])),
    })),
  };
}
