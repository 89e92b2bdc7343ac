import { connect } from "node:net";
import type { Measurement, TcpProbe } from "@bascule/core";
import { probeDefaults, withinLimit, type Clock } from "@bascule/engine";
import { networkFailure } from "./network-failure.ts";

/** Where a TCP probe connects to. */
export interface TcpPlace {
  readonly host: string;
  readonly port: number;
}

/**
 * Opens a TCP connection and closes it. A target that does not accept within the probe's `timeoutMs` has failed; `error` means
 * that this machine could not even ask. Never throws.
 */
export async function measureTcp(
  probe: TcpProbe,
  place: TcpPlace,
  clock: Clock,
  signal: AbortSignal,
): Promise<Measurement> {
  const startedAtMs = clock.nowMs();
  const limitMs = probe.timeoutMs ?? probeDefaults.timeoutMs;
  const address = `${place.host.includes(":") ? `[${place.host}]` : place.host}:${place.port}`;
  const measured = (verdict: Measurement["verdict"], message: string): Measurement => ({
    probe: probe.name,
    verdict,
    startedAtMs,
    durationMs: clock.nowMs() - startedAtMs,
    message,
    address,
  });
  if (!Number.isInteger(place.port) || place.port < 1 || place.port > 65_535) {
    return measured("error", `not measured: the port ${place.port} is not one of 1 to 65535`);
  }
  try {
    const limited = await withinLimit(limitMs, clock, signal, (either) => connectOnce(place, either));
    if (limited.kind === "stopped") return measured("inconclusive", "not measured: it was stopped");
    if (limited.kind === "timedOut")
      return measured("fail", `expected a connection within ${limitMs} ms, measured none`);
    return measured("pass", `connected in ${clock.nowMs() - startedAtMs} ms`);
  } catch (thrown) {
    const failure = networkFailure(thrown);
    return failure.targetsFault
      ? measured("fail", `expected a connection, measured none: ${failure.message}`)
      : measured("error", `not measured: ${failure.message}`);
  }
}

async function connectOnce({ host, port }: TcpPlace, signal: AbortSignal): Promise<void> {
  const socket = connect({ host, port, signal });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.on("error", reject);
    });
  } finally {
    socket.destroy();
  }
}
