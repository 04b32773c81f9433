// Drives a running zohosim with Zoho's official Node SDK 8.0: auth, metadata, records, bulk write, bulk read.
//
//	READY=... SCRATCH=... node check.mjs
//
// READY is a file with the line zohosim --json prints, SCRATCH an empty folder. What the SDK reports is compared with what the simulator stored, which
// the admin side (/_sim/) tells.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import * as sdk from "@zohocrm/nodejs-sdk-8.0";

const { READY, SCRATCH: scratch } = process.env;
const sim = JSON.parse(readFileSync(READY, "utf8"));

/** admin asks the simulator itself; records come as NDJSON, their values as canonical text. */
async function admin(path, method = "GET") {
	const answer = await fetch(sim.base_url + "/_sim" + path, { method });
	assert.equal(answer.status, 200, `${method} /_sim${path}`);
	return answer.text();
}
const adminJSON = async (path, method) => JSON.parse(await admin(path, method));
const stored = async module => (await admin("/records/" + module)).split("\n").filter(Boolean).map(l => JSON.parse(l));

/** connect makes the SDK use these credentials, with a token store and a field cache of their own. */
async function connect(name, credentials) {
	const dir = join(scratch, name);
	mkdirSync(dir);
	const token = new sdk.OAuthBuilder().clientId(sim.client_id).clientSecret(sim.client_secret);
	credentials(token);
	const built = token.build();
	const environment = new sdk.Environment(sim.base_url, sim.base_url + "/oauth/v2/token", sim.base_url);
	await (await new sdk.InitializeBuilder())
		.environment(environment).token(built).store(new sdk.FileStore(join(dir, "tokens.txt"))).resourcePath(dir)
		.SDKConfig(new sdk.SDKConfigBuilder().autoRefreshFields(false).pickListValidation(true).build())
		.initialize();
	return built;
}

/** ok insists on a status and returns the model the SDK parsed. */
function ok(answer, status) {
	const model = answer?.getObject();
	assert.equal(answer?.getStatusCode(), status, `status; the SDK parsed ${model?.constructor?.name} ${plain(model)}`);
	return model;
}
const plain = model => JSON.stringify(model, (_, v) => typeof v === "bigint" ? String(v) : v instanceof Map ? [...v] : v);
const value = v => v instanceof sdk.Choice ? v.getValue() : v;

/** success insists that each element was parsed as a success and returns the details of each. */
function success(model, of) {
	return model.getData().map(e => {
		assert.ok(e instanceof of.SuccessResponse, `want a success, the SDK parsed ${e.constructor.name} ${plain(e)}`);
		assert.equal(value(e.getStatus()), "success");
		return e.getDetails();
	});
}

async function auth() {
	const before = (await adminJSON("/counters")).token_mints;
	const granted = await connect("grant", t => t.grantToken(sim.grant_code).redirectURL(sim.base_url + "/done"));
	const org = ok(await new sdk.Org.OrgOperations().getOrganization(), 200).getOrg()[0];
	assert.equal(org.getZgid(), sim.org_id);
	assert.ok(granted.getRefreshToken(), "no refresh token from the grant code");
	assert.equal((await adminJSON("/counters")).token_mints, before + 1);
	assert.ok(granted.getUserSignature(), "the SDK did not find the user of the token");

	// The SDK's own revoke throws before it sends (2.0.0), so this sends the form it would.
	const form = new FormData();
	form.append("token", granted.getRefreshToken());
	const revoked = await fetch(sim.base_url + "/oauth/v2/token/revoke", { method: "POST", body: form });
	assert.deepEqual([revoked.status, await revoked.json()], [200, { status: "success" }]);
	await assert.rejects(connect("revoked", t => t.refreshToken(granted.getRefreshToken())), { message: "invalid_code" });

	const refreshed = await connect("refresh", t => t.refreshToken(sim.refresh_token));
	ok(await new sdk.Org.OrgOperations().getOrganization(), 200);
	assert.equal((await adminJSON("/counters")).token_mints, before + 2);
	assert.ok(refreshed.getAccessToken());
}

async function metadata() {
	const modules = ok(await new sdk.Modules.ModulesOperations().getModules(), 200).getModules();
	const accounts = modules.find(m => m.getAPIName() === "Accounts");
	assert.ok(accounts?.getAPISupported());
	assert.deepEqual(modules.map(m => m.getAPIName()).sort(), (await adminJSON("/state")).modules.map(m => m.api_name).sort());
	const one = ok(await new sdk.Modules.ModulesOperations().getModuleByAPIName("Accounts"), 200).getModules();
	assert.equal(one[0].getAPIName(), "Accounts");

	const params = new sdk.ParameterMap();
	await params.add(sdk.Fields.GetFieldsParam.MODULE, "Accounts");
	const fields = ok(await new sdk.Fields.FieldsOperations().getFields(params), 200).getFields();
	const types = Object.fromEntries(fields.map(f => [f.getAPIName(), f.getDataType()]));
	assert.equal(types.Account_Name, "text");
	assert.equal(types.Markets, "multiselectpicklist");
	assert.equal(types.Parent_Account, "lookup");
	assert.equal(types.Last_Audit, "datetime");
	const mandatory = fields.filter(f => f.getSystemMandatory()).map(f => f.getAPIName());
	assert.deepEqual(mandatory, ["Account_Name"]);

	const users = ok(await new sdk.Users.UsersOperations().getUsers(), 200).getUsers();
	assert.ok(users.length >= 1);
}

function account(values) {
	const r = new sdk.Record.Record();
	for (const [k, v] of Object.entries(values)) r.addKeyValue(k, v);
	return r;
}
function body(...records) {
	const b = new sdk.Record.BodyWrapper();
	b.setData(records);
	return b;
}

async function records() {
	const { Record, Choice, ParameterMap, HeaderMap } = sdk;
	const ops = new Record.RecordOperations("Accounts");
	const [parent] = success(ok(await ops.createRecords(body(account({ Account_Name: "Parent", External_Key: "node-p" }))), 201), Record);
	const parentID = BigInt(parent.get("id"));
	const link = new Record.Record();
	link.setId(parentID);
	const [made] = success(ok(await ops.createRecords(body(account({
		Account_Name: "Müller & Söhne", External_Key: "node-1", Account_Type: new Choice("Customer"), Annual_Revenue: 1234.5, Employees: 7,
		Is_Key_Account: true, Founded_On: new Date("1999-12-31"), Last_Audit: new Date("2026-01-02T03:04:05Z"),
		Markets: [new Choice("EMEA"), new Choice("APAC")], Parent_Account: link,
	}))), 201), Record);
	const id = BigInt(made.get("id"));
	const row = (await stored("Accounts")).find(r => r.External_Key === "node-1");
	const { id: rowID, Account_Name, Account_Type, Annual_Revenue, Employees, Is_Key_Account, Founded_On, Last_Audit, Markets, Parent_Account } = row;
	assert.deepEqual({ rowID, Account_Name, Account_Type, Annual_Revenue, Employees, Is_Key_Account, Founded_On, Last_Audit, Markets, Parent_Account }, {
		rowID: String(id), Account_Name: "Müller & Söhne", Account_Type: "Customer", Annual_Revenue: "1234.5", Employees: "7", Is_Key_Account: "true",
		Founded_On: "1999-12-31", Last_Audit: "2026-01-02T03:04:05Z", Markets: "EMEA;APAC", Parent_Account: String(parentID),
	});

	const got = ok(await ops.getRecord(id), 200).getData()[0];
	assert.equal(got.getId(), id);
	assert.equal(got.getKeyValue("Account_Name"), "Müller & Söhne");
	assert.equal(got.getKeyValue("Annual_Revenue"), 1234.5);
	assert.equal(got.getKeyValue("Last_Audit").getTime(), Date.parse("2026-01-02T03:04:05Z"));
	assert.deepEqual(got.getKeyValue("Markets").map(value).sort(), ["APAC", "EMEA"]);
	assert.equal(got.getKeyValue("Parent_Account").getId(), parentID);
	assert.ok(got.getCreatedTime() instanceof Date);

	const params = new ParameterMap();
	await params.add(Record.GetRecordsParam.FIELDS, "Account_Name,External_Key");
	await params.add(Record.GetRecordsParam.PER_PAGE, 1);
	const page = ok(await ops.getRecords(params), 200);
	assert.equal(page.getData().length, 1);
	assert.equal(page.getInfo().getMoreRecords(), true);

	success(ok(await ops.updateRecord(id, body(account({ Employees: 8 }))), 200), Record);
	assert.equal((await stored("Accounts")).find(r => r.External_Key === "node-1").Employees, "8");

	const upsert = body(account({ External_Key: "node-1", Account_Name: "Renamed" }), account({ External_Key: "node-2", Account_Name: "New" }));
	upsert.setDuplicateCheckFields(["External_Key"]);
	const both = ok(await ops.upsertRecords(upsert), 200);
	success(both, Record);
	assert.deepEqual(both.getData().map(e => [e.getAction()].map(value)[0]), ["update", "insert"]);
	assert.equal(both.getData()[0].getDetails().get("id"), String(id));
	const second = BigInt(both.getData()[1].getDetails().get("id"));

	const mixed = ok(await ops.createRecords(body(account({ External_Key: "node-3" }), account({ Account_Name: "Fine" }))), 207).getData();
	assert.ok(mixed[0] instanceof Record.APIException, plain(mixed[0]));
	assert.equal(value(mixed[0].getCode()), "MANDATORY_NOT_FOUND");
	assert.ok(mixed[1] instanceof Record.SuccessResponse, plain(mixed[1]));

	const coql = new sdk.Coql.BodyWrapper();
	coql.setSelectQuery("select Account_Name, Employees from Accounts where External_Key = 'node-1' limit 0, 10");
	const found = ok(await new sdk.Coql.CoqlOperations().getRecords(coql), 200).getData();
	assert.equal(found.length, 1);
	assert.equal(found[0].getKeyValue("Account_Name"), "Renamed");

	success(ok(await ops.deleteRecord(second), 200), Record);
	const del = new ParameterMap();
	await del.add(Record.DeleteRecordsParam.IDS, `${id},${mixed[1].getDetails().get("id")}`);
	success(ok(await ops.deleteRecords(del), 200), Record);
	assert.deepEqual((await stored("Accounts")).filter(r => (r.External_Key ?? "").startsWith("node-")).map(r => r.External_Key), ["node-p"]);
	const gone = ok(await ops.getDeletedRecords(null, new HeaderMap()), 200).getData();
	assert.ok(gone.some(d => d.getId() === id && d.getDisplayName() === "Renamed"), plain(gone));
	assert.equal((await ops.getRecord(id)).getStatusCode(), 204);
}

/** until asks for a job's details until its state is terminal; jobs of this run end at a poll, not by time. */
async function until(ask, state, terminal) {
	for (let poll = 0; poll < 20; poll++) {
		const job = await ask();
		if (terminal.includes(value(state(job)))) return job;
	}
	assert.fail("the job did not finish in 20 polls");
}

/** unzip reads the only file of a downloaded zip as rows of cells (these checks use no quoted cells). */
async function unzip(answer) {
	const wrapper = (await ok(answer, 200)).getFile(); // of a file the model is a promise
	const files = Object.values(unzipSync(wrapper.getStream()));
	assert.match(wrapper.getName(), /\.zip$/);
	assert.equal(files.length, 1);
	return strFromU8(files[0]).trim().split(/\r?\n/).map(line => line.split(","));
}

async function bulkWrite() {
	const { BulkWrite, Choice, StreamWrapper, HeaderMap } = sdk;
	const file = join(scratch, "accounts.zip");
	const rows = [["External_Key", "Account_Name", "Employees"], ["node-b1", "Bulk One", "1"], ["node-b2", "Bulk Two", "2"], ["node-p", "Parent again", ""], ["node-b4", "", "4"]];
	writeFileSync(file, zipSync({ "accounts.csv": strToU8(rows.map(r => r.join(",")).join("\n") + "\n") }));
	const upload = new BulkWrite.FileBodyWrapper();
	upload.setFile(new StreamWrapper(null, null, file));
	const headers = new HeaderMap();
	await headers.add(BulkWrite.UploadFileHeader.FEATURE, "bulk-write");
	await headers.add(BulkWrite.UploadFileHeader.X_CRM_ORG, sim.org_id);
	const ops = new BulkWrite.BulkWriteOperations();
	const uploaded = ok(await ops.uploadFile(upload, headers), 200);
	assert.ok(uploaded instanceof BulkWrite.SuccessResponse, plain(uploaded));
	const fileID = String(uploaded.getDetails().get("file_id")); // a BigInt, but setFileId wants text

	const resource = new BulkWrite.Resource();
	resource.setType(new Choice("data"));
	const module = new sdk.Modules.MinifiedModule();
	module.setAPIName("Accounts");
	resource.setModule(module);
	resource.setFileId(fileID);
	resource.setFileNames(["accounts.csv"]);
	resource.setFindBy("External_Key");
	resource.setIgnoreEmpty(true);
	resource.setFieldMappings(rows[0].map((name, index) => {
		const m = new BulkWrite.FieldMapping();
		m.setAPIName(name);
		m.setIndex(index);
		return m;
	}));
	const request = new BulkWrite.RequestWrapper();
	request.setCharacterEncoding("UTF-8");
	request.setOperation(new Choice("upsert"));
	request.setResource([resource]);
	const created = ok(await ops.createBulkWriteJob(request), 201);
	assert.ok(created instanceof BulkWrite.SuccessResponse, plain(created));
	const jobID = String(created.getDetails().get("id"));

	const job = await until(async () => ok(await ops.getBulkWriteJobDetails(jobID), 200), j => j.getStatus(), ["COMPLETED", "FAILED"]);
	assert.ok(job instanceof BulkWrite.BulkWriteResponse, plain(job));
	assert.equal(value(job.getStatus()), "COMPLETED");
	assert.equal(job.getId(), jobID);
	const counted = job.getResource()[0].getFile();
	assert.deepEqual([counted.getAddedCount(), counted.getUpdatedCount(), counted.getSkippedCount(), counted.getTotalCount()], [2, 1, 1, 4]);

	const [head, ...lines] = await unzip(await ops.downloadBulkWriteResult(job.getResult().getDownloadUrl()));
	const status = head.indexOf("STATUS"), id = head.indexOf("RECORD_ID");
	assert.deepEqual(lines.map(l => l[status]), ["ADDED", "ADDED", "UPDATED", "SKIPPED"]);
	const now = new Map((await stored("Accounts")).map(r => [r.External_Key, r]));
	assert.equal(now.get("node-b1").Employees, "1");
	assert.equal(now.get("node-b2").id, lines[1][id]);
	assert.equal(now.get("node-p").Account_Name, "Parent again");
	assert.ok(!now.has("node-b4"));
}

async function bulkRead() {
	const { BulkRead, Choice } = sdk;
	const query = new BulkRead.Query();
	const module = new sdk.Modules.MinifiedModule();
	module.setAPIName("Accounts");
	query.setModule(module);
	query.setFields(["External_Key", "Account_Name", "Employees"]);
	query.setPage(1);
	const criteria = new BulkRead.Criteria();
	const field = new sdk.Fields.MinifiedField();
	field.setAPIName("External_Key");
	criteria.setField(field);
	criteria.setComparator(new Choice("starts_with"));
	criteria.setValue("node-b");
	query.setCriteria(criteria);
	const request = new BulkRead.BodyWrapper();
	request.setQuery(query);
	const ops = new BulkRead.BulkReadOperations();
	const [details] = success(ok(await ops.createBulkReadJob(request), 201), BulkRead);
	const jobID = BigInt(details.get("id"));

	const job = await until(async () => ok(await ops.getBulkReadJobDetails(jobID), 200).getData()[0], j => j.getState(), ["COMPLETED", "FAILURE"]);
	assert.ok(job instanceof BulkRead.JobDetail, plain(job));
	assert.equal(value(job.getState()), "COMPLETED");
	assert.equal(job.getResult().getCount(), 2);
	assert.equal(job.getResult().getMoreRecords(), false);

	const [head, ...lines] = await unzip(await ops.downloadResult(jobID));
	const key = head.indexOf("External_Key"), name = head.indexOf("Account_Name");
	assert.equal(head[0], "Id");
	assert.deepEqual(lines.map(l => [l[key], l[name]]).sort(), [["node-b1", "Bulk One"], ["node-b2", "Bulk Two"]]);
	const ids = (await stored("Accounts")).filter(r => (r.External_Key ?? "").startsWith("node-b")).map(r => r.id);
	assert.deepEqual(lines.map(l => l[0]).sort(), ids.sort());
}

for (const check of [auth, metadata, records, bulkWrite, bulkRead]) {
	try {
		await check();
	} catch (e) {
		console.error(`not ok - node: ${check.name}`);
		console.error(e, plain(e));
		process.exit(1);
	}
	console.log(`ok - node: ${check.name}`);
}
