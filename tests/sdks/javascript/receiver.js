// A receiver on loopback: keeps what arrives and answers with `status`.
import { createServer } from "node:http";
import { once } from "node:events";

const DEADLINE_MS = 30_000;

// Asks until the answer is good; for what the service tells only when asked.
export async function eventually(ask, good = (answer) => answer) {
  for (const deadline = Date.now() + DEADLINE_MS; ; ) {
    const answer = await ask();
    if (good(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`last answer: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export class Receiver {
  deliveries = [];
  status = 200;

  // Closed at the end of test `t`.
  static async open(t) {
    const receiver = new Receiver();
    const server = createServer(async (request, response) => {
      const parts = [];
      for await (const part of request) parts.push(part);
      const { headers } = request;
      receiver.deliveries.push({ headers, body: Buffer.concat(parts), id: headers["webhook-id"] });
      response.writeHead(receiver.status).end("heard");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    receiver.url = `http://127.0.0.1:${server.address().port}/`;
    return receiver;
  }

  // The deliveries, once there are `count` of them.
  async wait(count = 1) {
    await eventually(() => this.deliveries.length >= count);
    return this.deliveries;
  }
}
