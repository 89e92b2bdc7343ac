import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { watchEngine } from "./engine-watch.ts";

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => {
      resolve();
    });
  });

describe("the watch on the engine", () => {
  it("is quiet while the engine listens, and tells when it is gone", async () => {
    const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never);
    const engine = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => engine.listen(0, "127.0.0.1", resolve));
    const { port } = engine.address() as AddressInfo;
    const watch = watchEngine(["node", "provider", `127.0.0.1:${String(port)}`]);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(watch.lost.aborted).toBe(false);
    const lost = aborted(watch.lost);
    engine.close();
    await lost;
    watch.stop();
    await vi.waitFor(() => {
      expect(exit).toHaveBeenCalledWith(1);
    });
    exit.mockRestore();
  });

  it("tells when this process is asked to end", async () => {
    const watch = watchEngine(["node"]);
    const lost = aborted(watch.lost);
    process.emit("SIGTERM");
    await lost;
    watch.stop();
    expect(watch.lost.aborted).toBe(true);
  });
});
