import { createServer, type Server } from "node:net";
import { tcp } from "@bascule/core";
import { systemClock, type Clock } from "@bascule/engine";
import { afterEach, expect, it } from "vitest";
import { measureTcp } from "./measure-tcp.ts";

const open: Server[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(): Promise<{ server: Server; port: number; connections: () => number; closed: () => number }> {
  let connections = 0;
  let closed = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on("close", () => closed++).on("error", () => undefined);
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(server);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return { server, port: address.port, connections: () => connections, closed: () => closed };
}

const never = new AbortController().signal;

it("passes when the target accepts, on a connection of its own each time, closed afterwards", async () => {
  const { port, connections, closed } = await listen();
  for (let index = 0; index < 3; index++) {
    expect(await measureTcp(tcp(), { host: "127.0.0.1", port }, systemClock, never)).toMatchObject({
      probe: "tcp connect",
      verdict: "pass",
      address: `127.0.0.1:${port}`,
    });
  }
  await expect.poll(connections).toBe(3);
  await expect.poll(closed).toBe(3);
});

it("fails when the target refuses", async () => {
  const { server, port } = await listen();
  await new Promise((resolve) => server.close(resolve));
  open.pop();
  expect(await measureTcp(tcp(), { host: "127.0.0.1", port }, systemClock, never)).toMatchObject({
    verdict: "fail",
    message: "expected a connection, measured none: the connection was refused (ECONNREFUSED)",
  });
});

it("fails when the connection is not there within the time limit", async () => {
  const impatient: Clock = { nowMs: () => 0, sleep: () => Promise.resolve() };
  const { port } = await listen();
  expect(await measureTcp(tcp({ timeoutMs: 70 }), { host: "127.0.0.1", port }, impatient, never)).toMatchObject({
    verdict: "fail",
    message: "expected a connection within 70 ms, measured none",
  });
});

it("is an error for a port that is none", async () => {
  expect(await measureTcp(tcp(), { host: "127.0.0.1", port: 70_000 }, systemClock, never)).toMatchObject({
    verdict: "error",
    message: "not measured: the port 70000 is not one of 1 to 65535",
  });
});

it("proves nothing when it was stopped", async () => {
  const { port } = await listen();
  expect(await measureTcp(tcp(), { host: "127.0.0.1", port }, systemClock, AbortSignal.abort())).toMatchObject({
    verdict: "inconclusive",
  });
});
