import { createServer, type Server } from "node:http";
import { lag, type LagProbe } from "@bascule/core";
import { systemClock } from "@bascule/engine";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { judgeLag, measureLag } from "./measure-lag.ts";

const never = new AbortController().signal;
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Measures at a candidate that answers this. */
async function measure(body: string, options: Partial<LagProbe> = {}, status = 200) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(status).end(body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = z.object({ port: z.number() }).parse(server.address());
  const probe = lag({ path: "/replication", field: "$.lag", maximumMs: 500, ...options });
  return { asked, ...(await measureLag(probe, { url: `http://127.0.0.1:${port}` }, systemClock, never)) };
}

describe("a lag that the candidate tells", () => {
  it("passes up to the maximum, and says how far behind the data is", async () => {
    const { asked, probe, verdict, message } = await measure('{"lag":500}');
    expect({ asked, probe, verdict }).toEqual({ asked: ["GET /replication"], probe: "lag", verdict: "pass" });
    expect(message).toBe("the candidate's data is 500 ms behind, at most 500 ms may be");
  });

  it("fails above it", async () => {
    expect(await measure('{"lag":501}')).toMatchObject({ verdict: "fail" });
  });

  it("may be in seconds", async () => {
    expect(await measure('{"lag":0.4}', { unit: "seconds" })).toMatchObject({ verdict: "pass" });
    expect(await measure('{"lag":1.25}', { unit: "seconds" })).toMatchObject({
      verdict: "fail",
      message: "the candidate's data is 1250 ms behind, at most 500 ms may be",
    });
  });

  it("may stand anywhere in the answer", async () => {
    const body = '{"streams":[{"name":"orders","lagMs":20},{"name":"users","lagMs":900}]}';
    expect(await measure(body, { field: "$.streams[?@.name=='orders'].lagMs" })).toMatchObject({ verdict: "pass" });
  });

  it.each([
    ["is not there", '{"other":1}', "$.lag"],
    ["is told twice", '{"a":1,"b":2}', "$.*"],
    ["is no number", '{"lag":"secret-text"}', "$.lag"],
    ["is below nothing", '{"lag":-1}', "$.lag"],
    ["is unknown", '{"lag":null}', "$.lag"],
    ["is not in JSON", "secret-text", "$.lag"],
    ["is asked for by what is no path", '{"lag":1}', "$["],
  ])("proves nothing when it %s, and tells nothing of the answer", async (_what, body, field) => {
    const { verdict, message } = await measure(body, { field });
    expect(verdict).toBe("error");
    expect(message).toBe("not measured: the lag that was told is no number of milliseconds");
  });

  it("fails when the candidate answers badly", async () => {
    expect(await measure('{"lag":0}', {}, 503)).toMatchObject({ verdict: "fail" });
  });
});

describe("a lag that a command tells", () => {
  it.each([
    ["120", "pass"],
    [" 120.4 ", "pass"],
    ["501", "fail"],
    ["", "error"],
    ["120 ms", "error"],
    ["Infinity", "error"],
  ])("is read from its last line: %j", (line, verdict) => {
    expect(judgeLag(lag({ hook: "data-lag", maximumMs: 500 }), line).verdict).toBe(verdict);
  });
});
