import type { RequestListener } from "node:http";
import { expect } from "vitest";
import type { MirrorReport } from "../report/report.ts";
import type { MirrorProcess } from "./process.fake.ts";

/** Answers every request by the value, when the request is whole. */
export function json(value: unknown): RequestListener {
  return (request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
    });
  };
}

/** The report when every copy has come to its end. */
export async function settled(mirror: MirrorProcess): Promise<MirrorReport> {
  const isSettled = ({ mirrored, compared, notCompared, shadowFailed }: MirrorReport) =>
    mirrored === compared + notCompared + shadowFailed;
  await expect.poll(async () => isSettled(await mirror.report()), { timeout: 20_000 }).toBe(true);
  return await mirror.report();
}
