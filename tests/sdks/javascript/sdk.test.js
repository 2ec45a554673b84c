// The main flows of the official SDK against a running service, each with an application and a
// receiver of its own. SVIX_PACKAGE names the SDK's major version under test: both run this file.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";
import { eventually, Receiver } from "./receiver.js";

const { Svix, Webhook, ApiException, WebhookVerificationError } = await import(
  process.env.SVIX_PACKAGE
);
const { SUREHOOK_URL: serverUrl, SUREHOOK_TOKEN: token } = process.env;
// Without the SDK's retries: they would hide what the service answers.
const connect = (bearer) => new Svix(bearer, { serverUrl, retryScheduleInMs: [] });
const svix = connect(token);
const withContent = true; // since 2.0 contents come only when asked for

// What the majors call differently. `call` binds the first method that the SDK has.
const call = (group, ...names) => group[names.find((name) => group[name])].bind(group);
const types = (names) => ({ eventTypes: names, filterTypes: names });
const typesOf = (endpoint) => endpoint.eventTypes ?? endpoint.filterTypes;

const uid = (prefix) => `${prefix}-${randomUUID()}`;
const refused = (promise, code) =>
  assert.rejects(promise, (error) => error instanceof ApiException && error.code === code);

async function newApp() {
  return (await svix.application.create({ name: "SDK", uid: uid("app") })).id;
}

async function subscribed(t, options = {}) {
  const receiver = await Receiver.open(t);
  const app = await newApp();
  const endpoint = await svix.endpoint.create(app, { url: receiver.url, ...options });
  const { key } = await svix.endpoint.getSecret(app, endpoint.id);
  return { receiver, app, endpoint: endpoint.id, key };
}

const send = (app, payload = { n: 1 }, options = {}) =>
  svix.message.create(app, { eventType: "order.placed", payload, ...options }, { withContent });

// Both sets of headers must verify, each alone.
function verify(key, { body, headers }) {
  for (const prefix of ["svix-", "webhook-"]) {
    const own = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
    assert.equal(own.length, 3);
    new Webhook(key).verify(body, Object.fromEntries(own));
  }
}

async function http(method, path, body) {
  const response = await fetch(`${serverUrl}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    body: body && JSON.stringify(body),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.json();
}

// A list to its end, `limit` at a time.
async function pages(list) {
  const ids = [];
  for (let iterator = null; ; ) {
    const page = await list({ limit: 2, iterator });
    assert.ok(page.data.length <= 2);
    ids.push(...page.data.map((row) => row.id ?? row.name));
    iterator = page.iterator;
    if (page.done) return ids;
  }
}

async function hasDied(app, endpoint, msg) {
  const path = `/app/${app}/endpoint/${endpoint}/dead-letter`;
  await eventually(async () => (await http("GET", path)).data.some((row) => row.id === msg));
}

const taskEnds = (id) =>
  eventually(() => svix.backgroundTask.get(id), (task) => task.status === "finished");

test("health answers", async () => {
  await svix.health.get();
});

test("an application is created, found, changed and deleted", async () => {
  const name = uid("shop");
  const made = await svix.application.create({ name: "Shop", uid: name, metadata: { a: "1" } });
  assert.match(made.id, /^app_[0-9A-Za-z]{27}$/);
  assert.ok(made.createdAt instanceof Date);
  assert.equal((await svix.application.get(name)).id, made.id);
  assert.equal((await svix.application.getOrCreate({ name: "Other", uid: name })).id, made.id);
  await refused(svix.application.create({ name: "Twin", uid: name }), 409);

  const patched = await svix.application.patch(made.id, { name: "Patched" });
  assert.deepEqual([patched.name, patched.uid, patched.metadata], ["Patched", name, { a: "1" }]);
  assert.equal((await svix.application.patch(made.id, { uid: null })).uid ?? null, null);
  await refused(svix.application.get(name), 404);

  const put = await call(svix.application, "upsert", "update")(made.id, { name: "Put", uid: name });
  assert.deepEqual([put.id, put.name, put.metadata], [made.id, "Put", {}]);
  await svix.application.delete(name);
  await refused(svix.application.get(made.id), 404);
});

test("applications are listed page by page in either order", async () => {
  const made = [await newApp(), await newApp(), await newApp(), await newApp(), await newApp()];
  const up = await pages((page) => svix.application.list(page));
  const down = await pages((page) => svix.application.list({ ...page, order: "descending" }));
  assert.deepEqual(up.filter((id) => made.includes(id)), made);
  assert.deepEqual(down.filter((id) => made.includes(id)), [...made].reverse());
  assert.equal(new Set(up).size, up.length);
});

test("an event type is created, changed, listed and archived", async () => {
  const name = uid("invoice.paid");
  const schemas = { 1: { type: "object", properties: { n: { type: "integer" } } } };
  await svix.eventType.create({ name, description: "Paid", schemas });
  await refused(svix.eventType.create({ name, description: "Twin" }), 409);
  assert.deepEqual((await svix.eventType.get(name)).schemas, schemas);
  assert.equal((await svix.eventType.patch(name, { description: "P" })).description, "P");
  const put = await call(svix.eventType, "upsert", "update")(name, { description: "Put" });
  assert.equal(put.description, "Put");
  assert.ok((await pages((page) => svix.eventType.list(page))).includes(name));
  await svix.eventType.delete(name);
  assert.ok(!(await pages((page) => svix.eventType.list(page))).includes(name));
  const all = await pages((page) => svix.eventType.list({ ...page, includeArchived: true }));
  assert.ok(all.includes(name));
});

test("an endpoint is created, changed, listed and deleted", async (t) => {
  const { app, receiver } = await subscribed(t);
  const type = uid("type");
  await svix.eventType.create({ name: type, description: "Of this test" });
  const made = await svix.endpoint.create(app, {
    url: receiver.url,
    uid: "billing",
    description: "Billing",
    channels: ["eu"],
    metadata: { team: "a" },
    ...types([type]),
  });
  assert.match(made.id, /^ep_[0-9A-Za-z]{27}$/);
  assert.deepEqual([typesOf(made), made.channels, made.metadata], [[type], ["eu"], { team: "a" }]);
  assert.equal((await svix.endpoint.get(app, "billing")).id, made.id);

  const patched = await svix.endpoint.patch(app, made.id, { disabled: true, ...types(null) });
  assert.deepEqual([patched.disabled, patched.channels, patched.uid], [true, ["eu"], "billing"]);
  assert.equal(typesOf(patched) ?? null, null);
  const put = await call(svix.endpoint, "upsert", "update")(app, made.id, { url: receiver.url });
  assert.deepEqual([put.id, put.disabled, put.description], [made.id, false, ""]);
  assert.equal(put.channels ?? null, null);

  const listed = await pages((page) => svix.endpoint.list(app, page));
  assert.ok(listed.length === 2 && listed.includes(made.id));
  await svix.endpoint.delete(app, made.id);
  await refused(svix.endpoint.get(app, made.id), 404);
});

test("headers of an endpoint are sent and its credentials are not shown", async (t) => {
  const { app, endpoint, receiver } = await subscribed(t);
  const set = call(svix.endpoint, "setHeaders", "updateHeaders");
  await set(app, endpoint, { headers: { "X-Tenant": "7", Authorization: "Bearer s3cret" } });
  const shown = await svix.endpoint.getHeaders(app, endpoint);
  assert.equal(shown.headers["X-Tenant"], "7");
  assert.deepEqual(shown.sensitive.map((name) => name.toLowerCase()), ["authorization"]);
  assert.ok(!JSON.stringify(shown).includes("s3cret"));
  await svix.endpoint.patchHeaders(app, endpoint, { headers: { "X-Zone": "eu" } });
  await send(app);
  const [{ headers }] = await receiver.wait();
  assert.deepEqual(
    [headers["x-tenant"], headers["x-zone"], headers.authorization],
    ["7", "eu", "Bearer s3cret"],
  );
});

test("a delivery verifies by either set of headers and not when altered", async (t) => {
  const { app, receiver, key } = await subscribed(t);
  const payload = { text: "grüße ✓", n: 1.5, deep: [{ a: null }] };
  const msg = await send(app, payload);
  assert.match(msg.id, /^msg_[0-9A-Za-z]{27}$/);
  assert.deepEqual(msg.payload, payload);
  const [delivery] = await receiver.wait();
  verify(key, delivery);
  assert.equal(delivery.id, msg.id);
  assert.deepEqual(JSON.parse(delivery.body), payload);
  const altered = { ...delivery, body: delivery.body + " " };
  assert.throws(() => verify(key, altered), WebhookVerificationError);
  const other = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
  assert.throws(() => verify(other, delivery), WebhookVerificationError);
});

test("a repeated event id is a conflict and delivered once", async (t) => {
  const { app, receiver } = await subscribed(t);
  const msg = await send(app, { n: 1 }, { eventId: "evt-1" });
  await refused(send(app, { n: 2 }, { eventId: "evt-1" }), 409);
  assert.equal((await svix.message.get(app, "evt-1")).id, msg.id);
  const last = await send(app);
  const ids = (await receiver.wait(2)).map((delivery) => delivery.id);
  assert.deepEqual(new Set(ids), new Set([msg.id, last.id]));
});

test("an idempotency key repeats the first answer", async (t) => {
  const { app, receiver } = await subscribed(t);
  const message = { eventType: "order.placed", payload: { n: 1 } };
  const options = { idempotencyKey: uid("key") };
  const first = await svix.message.create(app, message, options);
  assert.equal((await svix.message.create(app, message, options)).id, first.id);
  const last = await send(app);
  const ids = (await receiver.wait(2)).map((delivery) => delivery.id);
  assert.deepEqual(new Set(ids), new Set([first.id, last.id]));
});

test("messages are listed, filtered, and read with or without content", async () => {
  const app = await newApp();
  const made = [];
  for (let n = 0; n < 5; n++) {
    const eventType = n % 2 ? "odd" : "even";
    made.push((await send(app, { n }, { eventType, channels: [`c${n}`], tags: [`t${n}`] })).id);
  }
  const newest = [...made].reverse();
  assert.deepEqual(await pages((page) => svix.message.list(app, page)), newest);
  const ids = async (options) => (await svix.message.list(app, options)).data.map((m) => m.id);
  assert.deepEqual(await ids({ eventTypes: ["odd"] }), [made[3], made[1]]);
  assert.deepEqual(await ids({ channel: "c2" }), [made[2]]);
  assert.deepEqual(await ids({ tag: "t4" }), [made[4]]);
  assert.deepEqual(await ids({ before: new Date(0) }), []);
  assert.deepEqual(await ids({ after: new Date(Date.now() - 3_600_000) }), newest);
  assert.deepEqual((await svix.message.get(app, made[3], { withContent })).payload, { n: 3 });
  assert.deepEqual((await svix.message.get(app, made[3], { withContent: false })).payload, {});
  await svix.message.expungeContent(app, made[3]);
  assert.ok(!("n" in (await svix.message.get(app, made[3], { withContent })).payload));
});

test("an endpoint takes the event types and channels that it asked for", async (t) => {
  const { app, receiver } = await subscribed(t);
  const type = uid("wanted");
  await svix.eventType.create({ name: type, description: "Of this test" });
  const picky = await Receiver.open(t);
  await svix.endpoint.create(app, { url: picky.url, channels: ["eu"], ...types([type]) });
  await send(app, { n: 1 }, { eventType: type, channels: ["us"] });
  await send(app, { n: 2 }, { channels: ["eu"] });
  const wanted = await send(app, { n: 3 }, { eventType: type, channels: ["us", "eu"] });
  await receiver.wait(3);
  assert.deepEqual((await picky.wait()).map((delivery) => delivery.id), [wanted.id]);
});

test("after a rotation the old and the new secret verify", async (t) => {
  const { app, endpoint, receiver, key } = await subscribed(t);
  await svix.endpoint.rotateSecret(app, endpoint, {});
  const { key: made } = await svix.endpoint.getSecret(app, endpoint);
  assert.notEqual(made, key);
  await send(app);
  const [delivery] = await receiver.wait();
  verify(made, delivery);
  verify(key, delivery);

  const chosen = `whsec_${Buffer.from(randomUUID()).toString("base64")}`;
  await svix.endpoint.rotateSecret(app, endpoint, { key: chosen });
  assert.equal((await svix.endpoint.getSecret(app, endpoint)).key, chosen);
  await send(app);
  verify(chosen, (await receiver.wait(2))[1]);
});

test("attempts are listed by endpoint and by message", async (t) => {
  const { app, endpoint, receiver } = await subscribed(t);
  const msg = await send(app);
  const other = await send(app, { n: 2 });
  await receiver.wait(2);
  const ofEndpoint = (options) =>
    svix.messageAttempt.listByEndpoint(app, endpoint, options).then((page) => page.data);
  const attempts = await eventually(() => ofEndpoint({ status: 0 }), (rows) => rows.length === 2);
  assert.deepEqual(new Set(attempts.map((row) => row.msgId)), new Set([msg.id, other.id]));
  assert.deepEqual(await ofEndpoint({ status: 2 }), []);
  const [latest] = await ofEndpoint({ withMsg: true, limit: 1 });
  assert.equal(latest.msg.eventType, "order.placed");

  const only = { endpointId: endpoint, withContent };
  const [attempt] = (await svix.messageAttempt.listByMsg(app, msg.id, only)).data;
  assert.match(attempt.id, /^atmpt_[0-9A-Za-z]{27}$/);
  const { status, responseStatusCode, response, triggerType, url } = attempt;
  assert.deepEqual(
    [status, responseStatusCode, response, triggerType, url],
    [0, 200, "heard", 0, receiver.url],
  );
  assert.equal((await svix.messageAttempt.get(app, msg.id, attempt.id)).id, attempt.id);
  const messages = (await svix.messageAttempt.listAttemptedMessages(app, endpoint)).data;
  assert.deepEqual(messages.map((row) => [row.id, row.status]), [[other.id, 0], [msg.id, 0]]);
  const places = (await svix.messageAttempt.listAttemptedDestinations(app, msg.id)).data;
  assert.deepEqual(places.map((row) => [row.id, row.status]), [[endpoint, 0]]);
});

test("a message is sent again by hand", async (t) => {
  const { app, endpoint, receiver, key } = await subscribed(t);
  const msg = await send(app);
  await receiver.wait();
  const attempts = () => svix.messageAttempt.listByMsg(app, msg.id).then((page) => page.data);
  await eventually(attempts, (rows) => rows.length === 1);
  await svix.messageAttempt.resend(app, msg.id, endpoint);
  const again = (await receiver.wait(2))[1];
  verify(key, again);
  assert.equal(again.id, msg.id);
  const rows = await eventually(attempts, (rows) => rows.length === 2);
  assert.deepEqual(rows.map((row) => row.triggerType), [1, 0]);
});

test("what failed for good is recovered", async (t) => {
  const { app, endpoint, receiver, key } = await subscribed(t);
  const since = new Date(Date.now() - 60_000);
  receiver.status = 500;
  const msg = await send(app);
  await hasDied(app, endpoint, msg.id);
  const [place] = (await svix.messageAttempt.listAttemptedDestinations(app, msg.id)).data;
  assert.equal(place.status, 2);
  const tried = receiver.deliveries.length;
  assert.equal(tried, 3);

  receiver.status = 200;
  const task = await svix.endpoint.recover(app, endpoint, { since });
  const delivery = (await receiver.wait(tried + 1)).at(-1);
  verify(key, delivery);
  assert.equal(delivery.id, msg.id);
  assert.equal((await taskEnds(task.id)).task, "endpoint.recover");
});

test("dead letters are listed and replayed over plain HTTP", async (t) => {
  const { app, endpoint, receiver, key } = await subscribed(t);
  receiver.status = 503;
  const msg = await send(app, { n: 42 });
  await hasDied(app, endpoint, msg.id);
  const path = `/app/${app}/endpoint/${endpoint}/dead-letter`;
  const [letter] = (await http("GET", path)).data;
  assert.deepEqual([letter.reason, letter.payload], ["exhausted", { n: 42 }]);
  const tried = receiver.deliveries.length;
  receiver.status = 200;
  const task = await http("POST", `${path}/replay`, {});
  verify(key, (await receiver.wait(tried + 1)).at(-1));
  await taskEnds(task.id);
  await eventually(async () => (await http("GET", path)).data.length === 0);
});

test("refusals arrive as the SDK's error with code and detail", async () => {
  const bodyOf = async (promise, code) => {
    const error = await promise.then(assert.fail, (error) => error);
    assert.ok(error instanceof ApiException, error);
    assert.equal(error.code, code);
    return error.body;
  };
  const unknown = `app_${"0".repeat(27)}`;
  assert.equal((await bodyOf(svix.application.get(unknown), 404)).code, "not_found");
  const denied = await bodyOf(connect("not-a-token").application.list(), 401);
  assert.equal(denied.code, "authentication_failed");
  const invalid = await bodyOf(svix.application.create({ name: "x", uid: "no spaces" }), 422);
  assert.deepEqual(invalid.detail[0].loc, ["body", "uid"]);
});
