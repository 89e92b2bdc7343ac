import type { RequestListener, Server } from "node:http";
import type { Socket } from "node:net";
import { afterAll, afterEach, beforeAll } from "vitest";
import type { MirrorOptions } from "../options.ts";
import { serveHttp, serveSocket, unusedPort, type Backend } from "./backend.fake.ts";
import { bundledMirror, startProcess, type MirrorProcess, type MirrorProgram } from "./process.fake.ts";

/** Starts real backends and real mirrors for the tests of a file, and ends them after each test. */
export interface Testbed {
  http(listener: RequestListener, prepare?: (server: Server) => void, port?: number): Promise<Backend>;
  sockets(listener: (socket: Socket) => void): Promise<Backend>;
  /** An address where nobody listens. */
  nobody(): Promise<{ readonly url: string }>;
  /** A mirror of the primary; nobody listens where its shadow should be, unless the options say so. */
  mirror(
    primary: { readonly url: string },
    options?: Partial<MirrorOptions>,
    start?: { readonly untilReady?: boolean },
  ): Promise<MirrorProcess>;
  /** The mirror as one file. */
  program(): MirrorProgram;
}

export function testbed(): Testbed {
  let bundled: MirrorProgram | undefined;
  const open: (() => Promise<void>)[] = [];
  const program = () => {
    if (bundled === undefined) throw new Error("The mirror is bundled before the first test.");
    return bundled;
  };
  const nobody = async () => ({ url: `http://127.0.0.1:${await unusedPort()}` });

  beforeAll(async () => {
    bundled = await bundledMirror();
  });
  afterAll(() => bundled?.remove());
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });

  return {
    program,
    nobody,
    http: async (listener, prepare, port) => {
      const backend = await serveHttp(listener, prepare, port);
      open.push(() => backend.close());
      return backend;
    },
    sockets: async (listener) => {
      const backend = await serveSocket(listener);
      open.push(() => backend.close());
      return backend;
    },
    mirror: async (primary, options = {}, start = {}) => {
      const shadow = options.shadow ?? (await nobody()).url;
      const mirror = await startProcess(program(), { primary: primary.url, ...options, shadow }, start);
      open.push(() => mirror.kill());
      return mirror;
    },
  };
}
