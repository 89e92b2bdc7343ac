import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ask, exchange } from "./backend.fake.ts";
import { loadOf } from "./load.fake.ts";
import { startProcess } from "./process.fake.ts";
import { testbed } from "./testbed.fake.ts";

const bed = testbed();

describe("the program", () => {
  it("is one file that fits into a ConfigMap, and imports nothing that is not in Node", async () => {
    const { file } = bed.program();
    expect((await stat(file)).size).toBeLessThan(900 * 1024);
    const text = await readFile(file, "utf8");
    const imported = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?"([\w@:./-]+)"/g)].map(([, name]) => name);
    expect(imported.length).toBeGreaterThan(0);
    expect(imported.filter((name) => name?.startsWith("node:") !== true)).toEqual([]);
  });

  it("runs from the links of a read-only mount, where no package says what it is", async () => {
    const mount = join(dirname(bed.program().file), "mount");
    await mkdir(join(mount, "..2024_01_01"), { recursive: true });
    await copyFile(bed.program().file, join(mount, "..2024_01_01", "mirror-server.js"));
    await symlink("..2024_01_01", join(mount, "..data"));
    await symlink(join("..data", "mirror-server.js"), join(mount, "mirror-server.js"));
    await chmod(join(mount, "..2024_01_01"), 0o555);
    await chmod(mount, 0o555);
    const primary = await bed.http((_request, response) => response.end("ok"));
    const file = join(mount, "mirror-server.js");
    const mirror = await startProcess({ file, remove: async () => {} }, { primary: primary.url, shadow: primary.url });

    expect(await ask(mirror.url)).toBe("200 ok");
    await expect.poll(async () => (await mirror.report()).compared).toBe(1);
    expect(mirror.log()).not.toContain("Warning");
    await mirror.kill();
    await chmod(mount, 0o755);
    await chmod(join(mount, "..2024_01_01"), 0o755);
    await rm(mount, { recursive: true });
  });

  it.each([
    ["nothing", undefined, /BASCULE_MIRROR is missing: set it to JSON such as/],
    ["no JSON", "primary=a", /BASCULE_MIRROR is not JSON: set it to JSON such as/],
    ["no shadow", { shadow: undefined }, /shadow is missing: give it a value of type string/],
    [
      "an encrypted address",
      { primary: "https://a" },
      /primary = "https:\/\/a": must be the address of a Service over plain HTTP/,
    ],
    [
      "an address with a path",
      { primary: "http://a/b" },
      /primary = "http:\/\/a\/b": must be the address of a Service/,
    ],
    ["a share of more than all", { sharePercent: 101 }, /sharePercent = 101: .*<=100/],
    [
      "a method that is always copied",
      { unsafeMethods: ["GET"] },
      /unsafeMethods\[0\] = "GET": must be POST, PUT, PATCH or DELETE/,
    ],
    ["a path that is none", { ignore: ["host"] }, /ignore\[0\] = "host": must be a JSON path of RFC 9535, for example/],
    [
      "the same port twice",
      { port: 9000, adminPort: 9000 },
      /adminPort = 9000: must be another port than the field port/,
    ],
    [
      "a field that does not exist",
      { sharePercentage: 1 },
      /sharePercentage is not a known field: remove it or correct its spelling/,
    ],
  ])("says what to do when it is told %s, and does not start", async (_what, told, message) => {
    const options =
      typeof told === "object" ? JSON.stringify({ primary: "http://a:1", shadow: "http://b:1", ...told }) : told;
    const child = spawn(process.execPath, [bed.program().file], {
      env: options === undefined ? {} : { BASCULE_MIRROR: options },
    });
    let error = "";
    child.stderr.on("data", (chunk: Buffer) => (error += chunk.toString()));
    await once(child, "close");

    expect(child.exitCode).toBe(1);
    expect(error).toMatch(message);
    expect(error.trimEnd().split("\n")).toHaveLength(1);
  });

  it("ends with the reason when its port is taken", async () => {
    const other = await bed.http(() => {});
    const starting = startProcess(bed.program(), { primary: "http://a:1", shadow: "http://b:1", port: other.port });
    await expect(starting).rejects.toThrow(/EADDRINUSE/);
  });
});

describe("readiness", () => {
  it("comes when the primary accepts connections, and stays when it no longer does", async () => {
    const place = await bed.nobody();
    const mirror = await bed.mirror(place, {}, { untilReady: false });
    await sleep(300);
    expect(await mirror.readiness()).toBe(503);

    const primary = await bed.http((_request, response) => response.end(), undefined, Number(new URL(place.url).port));
    await expect.poll(() => mirror.readiness(), { timeout: 3_000 }).toBe(200);
    await primary.close();
    await sleep(500);
    expect(await mirror.readiness()).toBe(200);
  });

  it("and the report are not to be had where users come in", async () => {
    const primary = await bed.http((request, response) => response.end(`of the primary: ${request.url ?? ""}`));
    const mirror = await bed.mirror(primary);
    expect(await ask(`${mirror.url}/report`)).toBe("200 of the primary: /report");
  });
});

describe("the end", () => {
  it("is not ready, closes connections, and loses nothing under load", async () => {
    const primary = await bed.http((_request, response) => void setTimeout(() => response.end("ok"), 20));
    const mirror = await bed.mirror(primary, { drainMs: 2_000 });
    // The load goes on for as long as news of the end takes to reach the clients.
    const loading = loadOf(mirror.url, { ratePerSecond: 200, count: 500 });
    await sleep(1_000);
    const toldAt = performance.now();
    mirror.terminate();
    await expect.poll(() => mirror.readiness()).toBe(503);
    expect(await exchange(mirror.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")).toMatch(/\r\nConnection: close\r\n/i);
    const { lost, milliseconds } = await loading;
    expect(lost).toEqual([]);
    expect(milliseconds).toHaveLength(500);
    expect(await mirror.exited).toBe(0);
    expect(performance.now() - toldAt).toBeGreaterThan(1_990);
    expect(performance.now() - toldAt).toBeLessThan(3_500);
    expect(mirror.log()).toContain(`"message":"ended","seen":501`);
  });

  it("waits for the requests under way", async () => {
    const primary = await bed.http((_request, response) => void setTimeout(() => response.end("late"), 1_500));
    const mirror = await bed.mirror(primary, { drainMs: 200 });
    const asking = ask(mirror.url);
    await expect.poll(async () => (await mirror.report()).seen).toBe(1);
    mirror.terminate();
    await sleep(600);

    await expect(ask(mirror.url)).rejects.toThrow(/ECONNREFUSED|ECONNRESET/);
    expect(await asking).toBe("200 late");
    expect(await mirror.exited).toBe(0);
  });

  it("comes for connections that would never end by themselves: idle ones and upgraded ones", async () => {
    const primary = await bed.sockets((socket) => {
      socket.on("data", (chunk) => {
        const isUpgrade = chunk.toString().includes("Upgrade");
        socket.write(isUpgrade ? "HTTP/1.1 101 a\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      });
    });
    const mirror = await bed.mirror(primary, { drainMs: 100 });
    const clients = ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"].map((fields) => {
      const client = connect(mirror.port, "127.0.0.1", () =>
        client.write(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`),
      );
      return client;
    });
    await Promise.all(clients.map((client) => once(client, "data")));
    mirror.terminate();

    await Promise.all(clients.map((client) => once(client.resume(), "close")));
    expect(await mirror.exited).toBe(0);
  });
});
