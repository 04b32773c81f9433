// What this host is asked to do: write companies to Zoho CRM, read them back,
// stop in the midst of a job, and go on.
//
//   node dist/job.js --simulator FILE --launch PROGRAM [--plaintext]
//   node dist/job.js --simulator FILE --dial HOST:PORT --ca FILE --token-file FILE
//
// FILE is the line that zohosim --json prints.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import * as grpc from '@grpc/grpc-js';

import type { Answer } from './gen/sluice/connector/v1/Answer.js';
import type { ConnectRequest } from './gen/sluice/connector/v1/ConnectRequest.js';
import type { ConnectResponse__Output } from './gen/sluice/connector/v1/ConnectResponse.js';
import type { Connection } from './gen/sluice/connector/v1/Connection.js';
import type { ConnectorServiceClient } from './gen/sluice/connector/v1/ConnectorService.js';
import type { ManifestRequest } from './gen/sluice/connector/v1/ManifestRequest.js';
import type { ManifestResponse__Output } from './gen/sluice/connector/v1/ManifestResponse.js';
import type { RecordBatch } from './gen/sluice/connector/v1/RecordBatch.js';
import type { Ticket, Ticket__Output } from './gen/sluice/connector/v1/Ticket.js';
import * as host from './host.js';

const columns = ['External_Key', 'Account_Name', 'Description'];
const [count, perBatch, perJob] = [3000, 250, 1000];

type Records = Map<number, host.Row>;

const answers = (values: Record<string, string>): Answer[] => Object.entries(values).map(([field, value]) => ({ field, values: [value] }));

/** 3,000 companies by record number; each thousandth has no name, which Zoho does not take. */
function companies(version: string): Records {
  return new Map(Array.from({ length: count }, (_, i) => i + 1).map((n) => [n, {
    External_Key: `C${String(n).padStart(5, '0')}`, Account_Name: n % 1000 ? `Company "${n}", Ångström & Söhne` : null, Description: version,
  }]));
}

function cut(records: Records, action: string, ticketId = ''): RecordBatch[] {
  const rows = [...records].sort(([a], [b]) => a - b);
  const batches = [];
  for (let i = 0; i < rows.length; i += perBatch) batches.push(host.batchOf(rows.slice(i, i + perBatch), columns, action, ticketId));
  return batches;
}

const inApp = (records: Records) => new Map([...records.values()].filter((r) => r.Account_Name !== null).map((r) => [r.External_Key, r]));

const only = (records: Records, seqs: Iterable<number>): Records => new Map([...seqs].map((seq) => [seq, records.get(seq)!]));

const submitted = (ticket: Ticket) => ticket.state === 'TICKET_STATE_SUBMITTED';

function counts(result: host.Result): Record<string, number> {
  const found: Record<string, number> = {};
  for (const status of result.outcomes.values()) found[status] = (found[status] ?? 0) + 1;
  return found;
}

class Job {
  constructor(private service: ConnectorServiceClient, private connection: Connection, private journal: FileHandle) {}

  async connect() {
    const s = this.service;
    const { manifest } = await host.ask<ManifestRequest, ManifestResponse__Output>((q, done) => s.manifest(q, done), {});
    const connected = await host.ask<ConnectRequest, ConnectResponse__Output>((q, done) => s.connect(q, done), { connection: this.connection });
    this.connection.parameters = connected.parameters; // and secrets, which replace those of the same name
    console.log(`${manifest!.name} ${manifest!.version}, connected to ${connected.account}`);
  }

  async write(run: string, batches: RecordBatch[], how: { tickets?: Ticket__Output[]; stopAt?: host.Writing['stopAt']; patience?: number } = {}) {
    const mapping = columns.map((name) => ({ name, type: { kind: 'KIND_STRING' as const } }));
    const began = performance.now();
    const result = await host.write(this.service, {
      connection: this.connection, batches, schema: { id: 's1', columns: mapping }, stopAt: how.stopAt, patience: how.patience,
      sync: {
        syncId: 'companies', runId: run, keepsTickets: true, records: count, tickets: how.tickets, mapping,
        strategy: { name: 'Upsert', onNew: 'Create', onChanged: 'Update' },
        answers: answers({ module: 'Accounts', unique_field: 'External_Key', path: 'bulk', batch_size: String(perJob) }),
      },
      journal: async (ticket) => {
        await this.journal.appendFile(JSON.stringify(ticket) + '\n');
        await this.journal.datasync();
      },
    });
    const seconds = (performance.now() - began) / 1000;
    console.log(`run ${run}: ${grpc.status[result.code]} after ${seconds.toFixed(1)} s: ${JSON.stringify(counts(result))}, open tickets: ${result.tickets.size}`);
    return { ...result, counts: counts(result), seconds };
  }

  /** Reads Accounts in full; rows and state would go into one transaction. */
  async read(): Promise<Map<string, host.Row>> {
    const stored: host.Row[] = [];
    const failed = await host.read(this.service, this.connection, {
      syncId: 'accounts', runId: 'in', acksCheckpoints: true, startedAt: { seconds: Math.floor(Date.now() / 1000) },
      streams: [{ name: 'Accounts', mode: 'READ_MODE_FULL_REFRESH', fields: columns }],
    }, async (_, rows) => { stored.push(...rows); });
    assert.equal(failed.size, 0, JSON.stringify([...failed]));
    const rows = new Map(stored.map((row) => [row.External_Key!, Object.fromEntries(columns.map((name) => [name, row[name]]))]));
    console.log(`read ${stored.length} rows of Accounts, ${rows.size} keys`);
    assert.equal(rows.size, stored.length, 'a row was read twice');
    return rows;
  }
}

async function run(job: Job) {
  await job.connect();

  // Write all, and read back what was written.
  let result = await job.write('1', cut(companies('one'), 'Create'));
  assert.deepEqual(result.counts, { SUCCEEDED: count - 3, REJECTED: 3 });
  console.log('for instance:', result.reasons.get(1000)?.code, result.reasons.get(1000)?.message);
  assert.equal(result.tickets.size, 0);
  assert.deepEqual(await job.read(), inApp(companies('one')), "the app's content is not what was written");

  // Stop when the first job is submitted; the connector ends by itself.
  const two = companies('two');
  result = await job.write('2', cut(two, 'Update'), { stopAt: submitted });
  assert.ok(result.code === grpc.status.OK && result.outcomes.size === count && result.seconds < 10);
  assert.ok(result.counts.DELAYED && result.tickets.size, 'nothing was left to do');

  // Go on where it was: tickets that were submitted are handed back, with their records first.
  const left = new Set([...result.outcomes].filter(([, status]) => ['DELAYED', 'RETRY'].includes(status)).map(([seq]) => seq));
  const tickets = [...result.tickets.values()].filter(submitted);
  const batches: RecordBatch[] = [];
  for (const ticket of tickets) {
    const held = [...left].filter((seq) => ticket.seqs.some((r) => r.first <= seq && seq <= r.last));
    batches.push(...cut(only(two, held), 'Update', ticket.id));
    for (const seq of held) left.delete(seq);
  }
  result = await job.write('2', [...batches, ...cut(only(two, left), 'Update')], { tickets });
  assert.ok(!result.tickets.size && Object.keys(result.counts).every((status) => ['SUCCEEDED', 'REJECTED'].includes(status)));
  assert.deepEqual(await job.read(), inApp(two), "the app's content is not what was written");

  // Cancel without patience: what became of the records is told by the journal.
  result = await job.write('3', cut(companies('three'), 'Update'), { stopAt: submitted, patience: 0 });
  assert.ok(result.code === grpc.status.CANCELLED && result.outcomes.size === count && result.seconds < 10);
}

const { values: flags } = parseArgs({ options: {
  simulator: { type: 'string' }, launch: { type: 'string' }, plaintext: { type: 'boolean' },
  dial: { type: 'string' }, ca: { type: 'string' }, 'token-file': { type: 'string' },
} });
const simulator = JSON.parse(readFileSync(flags.simulator!, 'utf8'));
const folder = await mkdtemp(join(tmpdir(), 'job-'));
const journal = await open(join(folder, 'journal.ndjson'), 'a');
const reached = flags.launch
  ? await host.launch(flags.launch, !flags.plaintext)
  : host.dial(flags.dial!, readFileSync(flags.ca!), readFileSync(flags['token-file']!, 'utf8').trim());
try {
  await run(new Job(reached.service, {
    id: 'crm', method: 'self_client',
    answers: answers({ data_center: 'US', client_id: simulator.client_id, endpoint_url: simulator.base_url }),
    secrets: answers({ client_secret: simulator.client_secret, refresh_token: simulator.refresh_token }),
  }, journal));
  console.log('ok');
} finally {
  await reached.close();
  await journal.close();
  await rm(folder, { recursive: true });
}
