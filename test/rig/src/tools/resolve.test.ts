import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { resolveTool } from "./resolve.ts";
import type { Tool } from "./tool.ts";

const script = (version: string) => `#!/bin/sh\necho ${version}\n`;
const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");

let folder = "";
const servers: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "resolve-"));
  mkdirSync(join(folder, "bin"));
  vi.stubEnv("BASCULE_CACHE", join(folder, "cache"));
  vi.stubEnv("PATH", join(folder, "bin"));
});

afterEach(() => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true, force: true });
});

function onPath(version: string): string {
  const path = join(folder, "bin", "probe-tool");
  writeFileSync(path, script(version));
  chmodSync(path, 0o755);
  return path;
}

/** A release on this machine: the files by their paths. */
async function release(files: Readonly<Record<string, string>>): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const content = files[request.url ?? ""];
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return { url: `http://127.0.0.1:${address.port}`, asked };
}

const tool: Tool = { name: "probe-tool", version: "1.2.3", versionArguments: ["--version"] };
const downloadFrom = (url: string): Tool => ({
  ...tool,
  download: { url: `${url}/probe-tool`, checksumUrl: `${url}/sums` },
});

describe("a tool", () => {
  it("is taken from the PATH in the right version, and that is said", async () => {
    const path = onPath("1.2.3");
    const said: string[] = [];
    expect(await resolveTool(tool, (message) => said.push(message))).toBe(path);
    expect(said).toEqual(["probe-tool 1.2.3: from the PATH"]);
  });

  it("is downloaded when the PATH has another version, and found in the cache from then on", async () => {
    onPath("1.2.2");
    const content = script("1.2.3");
    const { url, asked } = await release({ "/probe-tool": content, "/sums": `${sha256(content)}  probe-tool\n` });
    const said: string[] = [];
    const first = await resolveTool(downloadFrom(url), (message) => said.push(message));
    expect(first.startsWith(join(folder, "cache", "tools"))).toBe(true);
    expect(execFileSync("/bin/sh", [first], { encoding: "utf8" })).toBe("1.2.3\n");
    expect(said.at(-1)).toBe("probe-tool 1.2.3: from the official release");

    expect(await resolveTool(downloadFrom(url), (message) => said.push(message))).toBe(first);
    expect(said.at(-1)).toBe("probe-tool 1.2.3: from the cache");
    expect(asked).toEqual(["/sums", "/probe-tool"]);
  });

  it("is refused when its checksum is not the published one, and leaves nothing in the cache", async () => {
    const { url } = await release({
      "/probe-tool": script("1.2.3"),
      "/sums": `${sha256("something else")}  probe-tool\n`,
    });
    const attempt = () => resolveTool(downloadFrom(url), () => {});
    await expect(attempt()).rejects.toThrow(/its SHA-256 is [0-9a-f]{64}, not [0-9a-f]{64}/);
    await expect(attempt()).rejects.toThrow("from the cache: not there yet");
  });

  it("that no way offers is an error that names each way, why it is closed, and the remedy", async () => {
    onPath("1.2.2");
    const { url } = await release({});
    const attempt = resolveTool(
      { ...downloadFrom(url), build: { module: "etcd", package: "example.com/probe", linkerFlags: "" } },
      () => {},
    );
    await expect(attempt).rejects.toThrow(
      /from the PATH: .*probe-tool is another version \(1\.2\.2\); from the cache: not there yet; from the official release: .*404.*; built with Go: go is not on the PATH\).*install Go/,
    );
  });
});
